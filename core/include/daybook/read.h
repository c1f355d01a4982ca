// Reading: filters, cursors, and the list of streams.

#ifndef DAYBOOK_READ_H_
#define DAYBOOK_READ_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/moment.h"
#include "daybook/values.h"

namespace daybook {

enum class Direction : std::uint8_t { kForwards, kBackwards };

// What a read does at an event whose bytes are damaged.
enum class OnDamage : std::uint8_t {
  kFail,  // Next() gives kDataLoss, naming file, offset and position
  kSkip,  // the event is left out and counted in Cursor::damaged()
};

// How long what the views of an event point to lives.
enum class Views : std::uint8_t {
  kWithCursor,  // as long as the cursor
  // Until the next call of Next(). Where a reader's files are not mapped (FileAccess::kRead) a
  // cursor then holds one piece of a file, and not all that it has read; else it changes nothing.
  kUntilNext,
};

// Which events, in order of position. What is not set does not restrict.
struct ReadOptions {
  std::optional<std::string> stream;
  std::optional<std::string> category;
  std::vector<std::string> types;  // any of them
  std::vector<std::string> tags;   // all of them
  std::optional<EventId> id;

  // Inclusive. Versions restrict a read of a stream only (kInvalidArgument without one).
  std::optional<Version> from_version, to_version;
  std::optional<Position> from_position, to_position;
  std::optional<Timestamp> recorded_from, effective_from;
  AsOf as_of;  // the moment at which the store is read

  Direction direction = Direction::kForwards;
  std::uint64_t limit = UINT64_MAX;  // events
  OnDamage on_damage = OnDamage::kFail;
  Views views = Views::kWithCursor;
  // Asked now and then, also while nothing matches, at least once in some ten thousand positions.
  // False ends the read: Next() then gives kCancelled. Must not throw; empty is never asked.
  std::function<bool()> keep_going;
};

// Walks the events of one read. It sees the store as it was when the cursor was made: later appends
// do not change what it gives. Not thread-safe; several cursors may be used by several threads.
//
// A cursor must not outlive the Reader or Store that made it.
class Cursor {
 public:
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

  // The next event, or nullptr at the end. An error is never an end: where the read cannot go on it
  // says so, and says so again at the next call. The object is overwritten by the next call; what
  // its views point to lives as long as the cursor (unless ReadOptions::views says less).
  [[nodiscard]] absl::StatusOr<const EventView*> Next();

  // Calls `visit` for every event that is left, until it returns an error, which is returned.
  absl::Status ForEach(const std::function<absl::Status(const EventView&)>& visit);

  // What the read rests on.
  [[nodiscard]] const Basis& basis() const;
  // Events that were left out because they are damaged (OnDamage::kSkip).
  [[nodiscard]] std::uint64_t damaged() const;

  class Impl;
  explicit Cursor(std::unique_ptr<Impl> impl);  // for the store's own use

 private:
  std::unique_ptr<Impl> impl_;
};

// One event, with what keeps its views alive.
class EventHandle {
 public:
  EventHandle(EventView view, std::shared_ptr<const void> owner)
      : view_(view), owner_(std::move(owner)) {}
  const EventView& operator*() const { return view_; }
  const EventView* operator->() const { return &view_; }

 private:
  EventView view_;
  std::shared_ptr<const void> owner_;
};

// The head of a stream at a moment. A stream that holds nothing has version 0.
struct StreamInfo {
  std::string stream;
  Version version;
  Position first_position;
  Position last_position;
  Timestamp last_recorded_at;
};

struct StreamsOptions {
  std::optional<std::string> category;
  std::optional<std::string> prefix;
  AsOf as_of;  // by position or recorded_at
  // As ReadOptions::keep_going: false ends the listing with kCancelled.
  std::function<bool()> keep_going;
};

}  // namespace daybook

#endif  // DAYBOOK_READ_H_
