#include "cli/bisect.h"

#include <memory>
#include <optional>

#include "cli/errors.h"
#include "cli/open_store.h"
#include "cli/print_event.h"
#include "cli/signals.h"
#include "daybook/repository.h"
#include "daybook/sql_expression.h"

namespace daybook::cli {

absl::Status RunBisect(const BisectFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<SqlExpression> where = SqlExpression::Compile(flags.where, flags.fold);
  if (!where.ok()) return where.status();
  const Repository<JsonFold> repository(**reader, flags.fold);
  BisectOptions options;
  options.as_of = flags.as_of;
  options.monotone = flags.monotone;
  const absl::StatusOr<std::optional<FirstMatch>> first = repository.Bisect(
      flags.stream,
      [&flags, &where](const JsonState& state, const EventView& event) -> absl::StatusOr<bool> {
        if (Interrupted()) return InterruptedError();
        return where->Holds(flags.fold.ToJson(state), event);
      },
      options);
  if (!first.ok()) return first.status();
  if (!first->has_value()) return absl::OkStatus();
  const absl::StatusOr<EventHandle> event = (*reader)->EventAt((*first)->position);
  if (!event.ok()) return event.status();
  EventPrinter(console.mode()).Append(**event, console.out().buffer());
  return absl::OkStatus();
}

}  // namespace daybook::cli
