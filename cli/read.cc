#include "cli/read.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/print_event.h"
#include "cli/signals.h"

namespace daybook::cli {
namespace {

// How long a tail waits at a time. The writer wakes it at once; this is for a signal to be noticed.
constexpr std::chrono::milliseconds kWait{250};

// Prints what is left of the cursor and adds to `printed`; ends early where nobody reads any more.
absl::Status PrintAll(Cursor& cursor, EventPrinter& printer, Output& out, std::uint64_t* printed) {
  while (!out.closed()) {
    if (Interrupted()) return InterruptedError();
    const absl::StatusOr<const EventView*> event = cursor.Next();
    if (!event.ok()) return event.status();
    if (*event == nullptr) return absl::OkStatus();
    printer.Append(**event, out.buffer());
    ++*printed;
    DAYBOOK_CLI_RETURN_IF_ERROR(out.FlushIfLarge());
  }
  return absl::OkStatus();
}

// A bound beyond the head is an error; from the first on is everything, also where there is
// nothing. (The library lets a caller begin one behind the head, to go on from where it was.)
absl::Status CheckFrom(const Reader& reader, const ReadOptions& options) {
  std::uint64_t from = options.from_position.value_or(Position(0)).value();
  std::uint64_t head = reader.visible().value();
  const char* what = "position ";
  if (options.stream.has_value() && options.from_version.has_value()) {
    const absl::StatusOr<StreamInfo> info = reader.Head(*options.stream);
    if (!info.ok()) return info.status();
    from = options.from_version->value();
    head = info->version.value();
    what = "version ";
  }
  if (from <= std::max<std::uint64_t>(head, 1)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, from, " is beyond the head, which is ", head,
                                                 ", --from, ask for what is there"));
}

}  // namespace

absl::Status RunRead(const ReadFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  DAYBOOK_CLI_RETURN_IF_ERROR(CheckFrom(**reader, flags.options));
  ReadOptions options = flags.options;
  options.views = Views::kUntilNext;  // each is printed at once
  absl::StatusOr<Cursor> cursor = (*reader)->Read(options);
  if (!cursor.ok()) return cursor.status();
  EventPrinter printer(console.mode());
  std::uint64_t printed = 0;
  return PrintAll(*cursor, printer, console.out(), &printed);
}

absl::Status RunTail(const TailFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  EventPrinter printer(console.mode());
  Output& out = console.out();
  const Position until = flags.until.value_or(Position(kCountMax));
  std::uint64_t printed = 0;
  Position next = flags.from.value_or(Position((*reader)->visible().value() + 1));
  while (next <= until && printed < flags.limit && !out.closed()) {
    if (Interrupted()) return InterruptedError();
    const absl::StatusOr<Position> visible = (*reader)->WaitVisible(next, kWait);
    if (absl::IsDeadlineExceeded(visible.status())) continue;
    if (!visible.ok()) return visible.status();
    const Position last = std::min(*visible, until);
    ReadOptions options = flags.options;
    options.views = Views::kUntilNext;
    options.from_position = next;
    options.to_position = last;
    options.limit = flags.limit - printed;
    absl::StatusOr<Cursor> cursor = (*reader)->Read(options);
    if (!cursor.ok()) return cursor.status();
    DAYBOOK_CLI_RETURN_IF_ERROR(PrintAll(*cursor, printer, out, &printed));
    DAYBOOK_CLI_RETURN_IF_ERROR(out.Flush());
    next = Position(last.value() + 1);
  }
  return absl::OkStatus();
}

}  // namespace daybook::cli
