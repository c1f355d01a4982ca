// Daybook in one page: open a store, append, lose a race, and read a balance of the past.
//
//   daybook_quickstart STORE

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "daybook/store.h"

namespace {

using daybook::AsBytes;
using daybook::AsOf;
using daybook::ExpectedVersion;
using daybook::Version;

template <class T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << "quickstart: " << result.status() << '\n';
  std::exit(EXIT_FAILURE);
}

// Prints the events of one stream up to a moment.
void Print(const daybook::Reader& reader, std::string_view stream, const AsOf& moment) {
  daybook::Cursor cursor = OrDie(reader.Read({.stream = std::string(stream), .as_of = moment}));
  for (;;) {
    const daybook::EventView* event = OrDie(cursor.Next());
    if (event == nullptr) break;
    std::cout << "  " << event->stream << '@' << event->version.value() << "  "
              << event->recorded_at.ToString() << "  " << event->type << ' '
              << daybook::AsText(event->data) << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: daybook_quickstart STORE\n";
    return EXIT_FAILURE;
  }
  const auto store = OrDie(
      daybook::Store::Open(argv[1], {.create = daybook::StoreOptions::Create::kMustNotExist}));

  // The first event of a stream makes version 1. On return it is on the device.
  const daybook::AppendResult opened =
      OrDie(store->Append("account-42", ExpectedVersion::NoStream(),
                          {{.type = "Deposited", .data = AsBytes(R"({"cents":500})")}}));

  // Two tellers decide at version 1. The second one is told what it did not know.
  const ExpectedVersion seen = ExpectedVersion::Exactly(Version(1));
  OrDie(store->Append("account-42", seen,
                      {{.type = "Withdrawn", .data = AsBytes(R"({"cents":300})")}}));
  const auto late = store->Append("account-42", seen,
                                  {{.type = "Withdrawn", .data = AsBytes(R"({"cents":400})")}});
  if (const auto conflict = daybook::ConflictOf(late.status())) {
    std::cout << "conflict: " << conflict->stream << " is at version " << conflict->actual.value()
              << ", not at " << conflict->expected.ToString() << '\n';
  }

  // Several streams in one commit: all or nothing.
  daybook::Commit transfer;
  for (const absl::Status& added :
       {transfer.Add("account-42", {.type = "Withdrawn", .data = AsBytes(R"({"cents":50})")}),
        transfer.Add("account-7", {.type = "Deposited", .data = AsBytes(R"({"cents":50})")}),
        transfer.Expect("account-42", ExpectedVersion::Exactly(Version(2)))}) {
    if (!added.ok()) std::cerr << added << '\n';
  }
  OrDie(store->Append(transfer));

  std::cout << "account-42 now:\n";
  Print(*store, "account-42", AsOf::Latest());
  std::cout << "account-42 when its first event had been recorded:\n";
  Print(*store, "account-42", AsOf::RecordedAt(opened.events[0].recorded_at));
}
