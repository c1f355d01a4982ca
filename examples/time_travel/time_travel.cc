// The past of a loan, with a fold of its own: what docs/guide/time-travel.md builds up.
//
//   daybook_time_travel STORE
//
// STORE holds the five events of loan-7 that the page appends.

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daybook/json_text.h"
#include "daybook/repository.h"

namespace {

using daybook::AsBytes;
using daybook::AsOf;
using daybook::EventView;

template <class T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << "time_travel: " << result.status() << '\n';
  std::exit(EXIT_FAILURE);
}

// The whole number in a field of an object; nothing where there is none.
absl::StatusOr<std::optional<std::int64_t>> NumberIn(std::string_view json, std::string_view name) {
  std::vector<daybook::JsonField> fields;
  absl::Status status = daybook::SplitJsonObject(json, fields);
  if (!status.ok()) return status;
  for (const daybook::JsonField& field : fields) {
    if (field.key != name) continue;
    std::int64_t number = 0;
    const char* end = field.value.data() + field.value.size();
    const auto [stopped, error] = std::from_chars(field.value.data(), end, number);
    if (error == std::errc() && stopped == end) return number;
    return absl::InvalidArgumentError("a field of the loan is no whole number");
  }
  return std::nullopt;
}

struct Loan {  // as it is made, it is the loan before its first event
  std::int64_t limit = 0;
  std::int64_t drawn = 0;
};

struct LoanFold {
  using State = Loan;
  static constexpr std::string_view id() { return "loan"; }
  static constexpr std::uint32_t revision() { return 1; }

  absl::Status Apply(Loan& loan, const EventView& event) const {
    const auto limit = NumberIn(daybook::AsText(event.data), "limit");
    if (!limit.ok()) return limit.status();
    if (limit->has_value()) loan.limit = **limit;
    const auto drawn = NumberIn(daybook::AsText(event.data), "drawn");
    if (!drawn.ok()) return drawn.status();
    if (drawn->has_value()) loan.drawn += **drawn;
    return absl::OkStatus();
  }

  // With these two its states can be kept in snapshots.
  void Save(const Loan& loan, std::string& out) const {
    out = std::to_string(loan.limit) + " " + std::to_string(loan.drawn);
  }
  absl::StatusOr<Loan> Restore(std::string_view bytes) const {
    Loan loan;
    const char* end = bytes.data() + bytes.size();
    const auto limit = std::from_chars(bytes.data(), end, loan.limit);
    if (limit.ec != std::errc() || limit.ptr == end) return absl::DataLossError("no loan");
    const auto drawn = std::from_chars(limit.ptr + 1, end, loan.drawn);
    if (drawn.ec != std::errc() || drawn.ptr != end) return absl::DataLossError("no loan");
    return loan;
  }
};

void Print(std::string_view when, const Loan& loan) {
  std::cout << when << ": limit " << loan.limit << ", drawn " << loan.drawn << '\n';
}

absl::Status Draw(daybook::Store& store, const daybook::Repository<LoanFold>& loans,
                  std::int64_t cents) {
  const auto decide = [cents](const Loan& loan, daybook::Decision& decision) -> absl::Status {
    if (loan.drawn + cents > loan.limit) return absl::FailedPreconditionError("over the limit");
    const std::string data = "{\"drawn\":" + std::to_string(cents) + "}";
    return decision.Add({.type = "Drawn", .data = AsBytes(data)});
  };
  return loans.Transact(store, "loan-7", decide).status();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: daybook_time_travel STORE\n";
    return EXIT_FAILURE;
  }
  const auto store = OrDie(daybook::Store::Open(argv[1], {}));
  const std::shared_ptr<daybook::SnapshotStore> snapshots =
      OrDie(daybook::SnapshotStore::Open(*store, {}));
  const daybook::Repository<LoanFold> loans(*store, LoanFold(), {.snapshots = snapshots});

  Print("now", OrDie(loans.Load("loan-7")).state());

  const auto january = OrDie(daybook::Timestamp::Parse("2025-01-25T00:00:00Z"));
  const AsOf known_today = AsOf::EffectiveAt(january);
  Print("25 January", OrDie(loans.LoadAt("loan-7", known_today)).state());
  const AsOf known_then = AsOf::AtPosition(daybook::Position(4)).AndEffectiveAt(january);
  Print("25 January, as known at position 4", OrDie(loans.LoadAt("loan-7", known_then)).state());

  const auto first = OrDie(loans.Bisect(
      "loan-7",
      [](const Loan& loan, const EventView&) -> absl::StatusOr<bool> { return loan.drawn > 50000; },
      {.monotone = true}));
  if (first.has_value()) {
    std::cout << "drawn went above 50000 at version " << first->version.value() << '\n';
  }

  for (const std::int64_t cents : {4000, 4000}) {
    const absl::Status drawn = Draw(*store, loans, cents);
    std::cout << "draw " << cents << ": " << (drawn.ok() ? "done" : drawn.message()) << '\n';
  }
  Print("now", OrDie(loans.Load("loan-7")).state());
}
