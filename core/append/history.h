// What appending asks of the past, and what it tells: the two sides on which the store joins
// append/ with the index and the readers, which append/ does not know.

#ifndef DAYBOOK_APPEND_HISTORY_H_
#define DAYBOOK_APPEND_HISTORY_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "daybook/append.h"
#include "daybook/read.h"
#include "index/active_index.h"
#include "log/segment_writer.h"

namespace daybook {

// Questions about what is visible. Thread-safe; never asked under a lock of append/.
class History {
 public:
  virtual ~History() = default;
  // The position of the event of `stream` with this id, at or before `visible`; 0 where there is
  // none.
  virtual absl::StatusOr<std::uint64_t> FindId(std::string_view stream, const EventId& id,
                                               std::uint64_t visible) const = 0;
  // The position of an event in (condition.after, visible] that the condition forbids; 0 where
  // there is none.
  virtual absl::StatusOr<std::uint64_t> FindMatch(const AppendCondition& condition,
                                                  std::uint64_t visible) const = 0;
  virtual absl::StatusOr<EventHandle> EventAt(Position position) const = 0;
};

// Told by the leader of a group, one call at a time, never under a lock of append/.
class LogObserver {
 public:
  virtual ~LogObserver() = default;
  // A segment is sealed and durable; `tail` is its end.
  virtual void OnSealed(const LogTail& tail) = 0;
  // The next segment is there: opens it for readers, and returns the index that the leader adds to.
  virtual absl::StatusOr<ActiveIndex*> OnActivated(const SegmentPlan& plan) = 0;
  // Everything up to `position` is on the device.
  virtual void OnDurable(Position position) = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_HISTORY_H_
