// The events that are to be sent, one after another: those of a stretch of the log that pass the
// filter.

#ifndef DAYBOOK_PUBLISH_EVENT_LINE_H_
#define DAYBOOK_PUBLISH_EVENT_LINE_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daybook/event.h"
#include "daybook/projection.h"
#include "daybook/read.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

// What a filter is, as text; equal for equal filters.
std::string TextOf(const EventFilter& filter);

// Not thread-safe.
class EventLine {
 public:
  // Up to `to`, and never beyond what is durable. `is_given_up` says of a position that cannot be
  // read whether it was decided to pass over it.
  EventLine(const Reader& reader, const EventFilter& filter, Position to,
            std::function<bool(Position)> is_given_up);

  // Goes on behind a position.
  void GoTo(Position after);
  // Everything up to here was given, or is not meant.
  [[nodiscard]] Position scanned() const { return scanned_; }
  [[nodiscard]] bool at_end() const { return scanned_ >= Bound(); }
  [[nodiscard]] bool at_last() const { return scanned_ >= to_; }

  // Replaces what is in `*events` by the next ones, at most `events_max` and, but for the first,
  // `bytes_max` of data; none may pass although the end is not reached. The views are good until
  // the next call. kDataLoss where an event cannot be read.
  absl::Status Next(std::size_t events_max, std::size_t bytes_max, std::vector<EventView>* events);

 private:
  [[nodiscard]] Position Bound() const { return std::min(reader_.durable(), to_); }

  const Reader& reader_;
  const EventFilter filter_;
  const bool system_streams_;
  const Position to_;
  const std::function<bool(Position)> is_given_up_;
  Position scanned_;
  std::optional<Cursor> cursor_;
  Position cursor_end_;
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_EVENT_LINE_H_
