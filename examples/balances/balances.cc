// A read model in one page: balances by account, kept up to date beside the appends, read with
// one's own writes, rebuilt on two threads, and an event that cannot be handled.
//
//   daybook_balances STORE

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "daybook/json_text.h"
#include "daybook/projections.h"
#include "daybook/store.h"

namespace {

using std::chrono_literals::operator""s;

template <class T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << "balances: " << result.status() << '\n';
  std::exit(EXIT_FAILURE);
}

void OrDie(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "balances: " << status << '\n';
  std::exit(EXIT_FAILURE);
}

// The whole number in the field `cents` of an event's data.
absl::StatusOr<std::int64_t> CentsOf(const daybook::EventView& event) {
  std::vector<daybook::JsonField> fields;
  if (const absl::Status split = daybook::SplitJsonObject(daybook::AsText(event.data), fields);
      !split.ok()) {
    return split;
  }
  for (const daybook::JsonField& field : fields) {
    std::int64_t cents = 0;
    const char* const end = field.value.data() + field.value.size();
    if (field.key != "cents") continue;
    if (std::from_chars(field.value.data(), end, cents).ptr == end) return cents;
  }
  return absl::InvalidArgumentError("the event says no cents");
}

inline constexpr daybook::Table<std::string, std::int64_t> kCents{"cents"};

daybook::Projection Balances() {
  daybook::Projection balances;
  balances.name = "balances";
  balances.revision = 1;
  balances.filter.category = "account";
  balances.tables = {kCents.name()};
  balances.rows_by_key = true;  // a row is of one stream, so that a rebuild may use threads
  balances.on_poison = daybook::OnPoison::kParkByKey;
  balances.parking.retries = 0;  // only when it is asked for
  balances.handler = [](const daybook::EventView& event, daybook::HandlerContext& context) {
    const absl::StatusOr<std::int64_t> cents = CentsOf(event);
    if (!cents.ok()) return cents.status();
    const std::int64_t change = event.type == "Withdrawn" ? -*cents : *cents;
    return kCents.Update(context, std::string(event.stream),
                         [change](std::int64_t& balance) { balance += change; });
  };
  return balances;
}

daybook::AppendResult Append(daybook::Store& store, std::string_view stream, std::string_view type,
                             std::string_view data) {
  return OrDie(store.Append(stream, daybook::ExpectedVersion::Any(),
                            {{.type = type, .data = daybook::AsBytes(data)}}));
}

void Print(const daybook::ReadSnapshot& balances) {
  OrDie(kCents.Scan(balances, daybook::KeyRange::All(),
                    [&](const std::string& account, std::int64_t cents) {
                      const auto stale = OrDie(balances.StaleSince(account));
                      std::cout << "  " << account << ' ' << cents;
                      if (stale) std::cout << ", stale since position " << stale->since.value();
                      std::cout << '\n';
                      return true;
                    }));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: daybook_balances STORE\n";
    return EXIT_FAILURE;
  }
  const auto store = OrDie(
      daybook::Store::Open(argv[1], {.create = daybook::StoreOptions::Create::kMustNotExist}));
  const auto projections = OrDie(daybook::Projections::Open(*store, {}));

  // Live, in a thread of its own, woken by each append.
  auto runner = OrDie(projections->Run(Balances(), {}));
  OrDie(runner->Start());

  Append(*store, "account-1", "Deposited", R"({"cents":5000})");
  Append(*store, "account-2", "Deposited", R"({"cents":700})");
  const auto last = Append(*store, "account-1", "Withdrawn", R"({"cents":1200})");

  // Read your own writes: wait until the read model is at least where the append was.
  const auto model = OrDie(projections->OpenModel("balances"));
  {
    const auto now = OrDie(model->AtLeast(last.last_position, 10s));
    std::cout << "at position " << now.position().value() << ":\n";
    Print(now);
  }

  // An event that the handler cannot handle parks its key: the others go on.
  Append(*store, "account-2", "Deposited", R"({"dollars":7})");
  Append(*store, "account-2", "Withdrawn", R"({"cents":100})");
  const auto after = Append(*store, "account-1", "Deposited", R"({"cents":1})");
  {
    const auto now = OrDie(model->AtLeast(after.last_position, 10s));
    std::cout << "with a parked key:\n";
    Print(now);
  }
  for (const daybook::ParkedKey& parked : OrDie(runner->Parked())) {
    std::cout << "parked " << parked.key << " with " << parked.events.size()
              << " events, at position " << parked.events.front().position.value() << ": "
              << parked.message << '\n';
  }

  // Somebody decides: the event is to be passed over. It is a fact of the store, so a rebuild
  // knows.
  OrDie(projections
            ->Skip({.projection = "balances",
                    .position = daybook::Position(4),
                    .reason = "entered twice, see ticket 17",
                    .actor = "ada"})
            .status());
  std::cout << "still parked: " << OrDie(runner->RetryAll()).parked << '\n';

  // Rebuilt beside the live one, on two threads, and compared before it takes its place. (The live
  // one is where it will stay: the skip was an event too.)
  OrDie(model->AtLeast(store->durable(), 10s).status());
  {
    const auto rebuild = OrDie(projections->StartRebuild(Balances(), {.threads = 2}));
    OrDie(rebuild->Run());
    const daybook::CompareReport report = OrDie(rebuild->Compare());
    std::cout << "the rebuilt read model is " << (report.equal ? "equal" : "different") << '\n';
    if (report.equal) OrDie(rebuild->Promote());
  }
  std::cout << "generation " << runner->status().generation << ":\n";
  Print(OrDie(model->Read()));
  OrDie(runner->Stop(10s));
}
