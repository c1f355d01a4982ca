// Where a predicate over the states of a stream holds for the first time.

#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "daybook/repository.h"

namespace daybook {
namespace {

FirstMatch MatchAt(const EventView& event, std::uint64_t asked) {
  return {.version = event.version, .position = event.position, .asked = asked};
}

absl::StatusOr<std::optional<FirstMatch>> AskAll(const Loader& loader, std::string_view stream,
                                                 const AsOf& as_of,
                                                 const Loader::Visit& predicate) {
  std::optional<FirstMatch> match;
  std::uint64_t asked = 0;
  const auto ask = [&](const void* state, const EventView& event) -> absl::StatusOr<bool> {
    ++asked;
    DAYBOOK_ASSIGN_OR_RETURN(const bool holds, predicate(state, event));
    if (holds) match = MatchAt(event, asked);
    return !holds;
  };
  DAYBOOK_RETURN_IF_ERROR(loader.Walk(stream, as_of, ask).status());
  return match;
}

// It is false at version `below`, whose state is kept, and true from `above` on. Each step folds at
// most half of what lies between them, from that state on: all steps together at most the stream.
absl::StatusOr<std::optional<FirstMatch>> AskSome(const Loader& loader, std::string_view stream,
                                                  const AsOf& as_of,
                                                  const Loader::Visit& predicate) {
  ReadOptions none;
  none.stream = std::string(stream);
  none.as_of = as_of;
  DAYBOOK_ASSIGN_OR_RETURN(const Cursor cursor, loader.reader().Read(none));
  std::optional<FirstMatch> match;
  std::uint64_t asked = 0;
  Loader::Loaded near;
  std::uint64_t below = 0, above = cursor.basis().version.value() + 1;
  while (above - below > 1) {
    const Version middle(below + (above - below) / 2);
    DAYBOOK_ASSIGN_OR_RETURN(const EventHandle event, loader.reader().EventAt(stream, middle));
    DAYBOOK_ASSIGN_OR_RETURN(Loader::Loaded loaded,
                             loader.LoadAt(stream, AsOf::AtVersion(middle), near));
    ++asked;
    DAYBOOK_ASSIGN_OR_RETURN(const bool holds, predicate(loaded.state.get(), *event));
    if (holds) {
      match = MatchAt(*event, asked);
      above = middle.value();
    } else {
      near = std::move(loaded);
      below = middle.value();
    }
  }
  if (match) match->asked = asked;
  return match;
}

}  // namespace

absl::StatusOr<std::optional<FirstMatch>> BisectStates(const Loader& loader,
                                                       std::string_view stream,
                                                       const Loader::Visit& predicate,
                                                       const BisectOptions& options) {
  const bool some = options.monotone && !options.as_of.effective_at;
  return some ? AskSome(loader, stream, options.as_of, predicate)
              : AskAll(loader, stream, options.as_of, predicate);
}

}  // namespace daybook
