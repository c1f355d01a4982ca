// Posts events into one generation: what a runner and a rebuild share. It reads from the checkpoint
// on, gives the handler what matches, and commits rows, parked events, effects and the checkpoint
// in one transaction.

#ifndef DAYBOOK_PROJECTIONS_POSTER_H_
#define DAYBOOK_PROJECTIONS_POSTER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/dead_letters.h"
#include "daybook/projection.h"
#include "daybook/store.h"
#include "projections/checkpoint.h"
#include "projections/effects.h"
#include "projections/generation.h"
#include "projections/parking.h"
#include "projections/row_cache.h"
#include "projections/skips.h"

namespace daybook {

struct PosterLimits {
  std::uint64_t events_max = UINT64_MAX;
  std::uint64_t bytes_max = std::uint64_t{48} << 20;
  std::chrono::steady_clock::duration time_max = std::chrono::steady_clock::duration::max();
  std::size_t cache_bytes_max = std::size_t{64} << 20;
};

// Not thread-safe, but for call_in_progress().
class Poster {
 public:
  // `reader` and `projection` must outlive it. `effects` is nullptr where nothing is emitted.
  Poster(const Reader& reader, const Projection& projection, std::shared_ptr<Generation> generation,
         const PosterLimits& limits, Effects* effects);
  ~Poster();

  // Reads the checkpoint, what is parked, and which events are to be skipped. Before anything else.
  absl::Status Open();

  // Scans on from scanned() to `to`, which is durable, at most until a limit of the batch is met
  // (full()) or `keep_going` says no (kCancelled; with what was done so far pending). An event that
  // is poison: the status of PoisonStatus, and everything before it pending. A handler that took
  // too long: kDeadlineExceeded, and what is pending is to be discarded. kDataLoss and other errors
  // of the read: everything before is pending.
  absl::Status Extend(Position to, const std::function<bool()>& keep_going);
  [[nodiscard]] bool full() const;
  [[nodiscard]] bool pending() const {
    return scanned_ > checkpoint_.position || (parking_ && parking_->changed());
  }
  // What is pending becomes durable; after an error it is still pending, and can be tried again.
  // Who dies in here leaves the checkpoint and its rows as they were, or both as they are now.
  absl::Status Commit();
  // Forgets what is pending.
  void Discard();

  [[nodiscard]] const Checkpoint& checkpoint() const { return checkpoint_; }
  [[nodiscard]] Position scanned() const { return scanned_; }
  // Matched since the last commit, and of those how many were parked.
  [[nodiscard]] std::uint64_t matched() const { return matched_; }
  [[nodiscard]] std::uint64_t parked() const { return parked_; }
  // What is parked, the pending changes included.
  [[nodiscard]] const Parking& parking() const { return *parking_; }
  [[nodiscard]] Generation& generation() const { return *generation_; }
  [[nodiscard]] RowCache& rows() { return rows_; }

  // Hands the parked events of a key to the handler again, in order, until one fails: as far as a
  // limit of the batch lets it, or `keep_going`. What it did is pending, and counted in `result`;
  // of this key nothing may be pending before. True where the key is done with, false where it is
  // to be called again after a commit. Errors as of Extend.
  absl::StatusOr<bool> RetryKey(const std::string& key, const std::function<bool()>& keep_going,
                                RetryResult* result);
  // Looks again at which events are to be skipped: those that are parked are so no longer, which is
  // pending, and what waited behind them is due at once.
  absl::Status RefreshSkips();
  // Where it stopped before, so that attempts go on counting.
  void RememberPoison(const PoisonEvent& poison) {
    failed_at_ = poison.position;
    attempts_ = poison.attempts;
  }

  // The event that the handler has been at for longer than its deadline. Thread-safe.
  [[nodiscard]] std::optional<Position> stuck_at() const;

 private:
  class Context;
  absl::Status ExtendTo(Position to, const std::function<bool()>& keep_going);
  // A read ended with `error` behind scanned(): goes on behind what is to be skipped, else says how
  // it could.
  absl::Status PassOver(const absl::Status& error, Position to);
  absl::Status Post(const EventView& event);
  // The key of the event, for the context.
  absl::Status FindKey(const EventView& event);
  // Gives the event to the handler. Where that fails, nothing of it is left, and `*failed` says
  // why. Errors are those after which the batch cannot go on.
  absl::Status Hand(const EventView& event, absl::Status* failed);
  absl::Status Call(const EventView& event);
  // The event behind its key's parked ones; the event that failed, to be parked or skipped. A
  // status of PoisonStatus where it can be neither.
  absl::Status Queue(const EventView& event);
  absl::Status ParkOrStop(const EventView& event, const absl::Status& failed);
  absl::Status StopAt(const EventView& event, const absl::Status& error);
  // Of what is parked.
  absl::Status ReleaseSkipped(const ProjectionSkip& skip);
  absl::StatusOr<bool> RetryEvent(const std::string& key, Position position, RetryResult* result);
  [[nodiscard]] bool Wants(const EventView& event) const;
  absl::Status Poison(const EventView& event, absl::StatusCode code, const absl::Status& error);
  [[nodiscard]] std::string_view KeyOf(const EventView& event) const {
    return projection_.key ? std::string_view(key_) : event.stream;
  }

  const Reader& reader_;
  const Projection& projection_;
  const std::shared_ptr<Generation> generation_;
  const PosterLimits limits_;
  Effects* const effects_;
  const bool system_streams_;
  RowCache rows_;
  std::unique_ptr<Context> context_;
  Checkpoint checkpoint_;
  Position scanned_;
  std::optional<Parking> parking_;
  SkipSet skips_;
  std::uint64_t matched_ = 0, parked_ = 0;
  Position failed_at_;  // the last event at which it stopped, and how often
  std::uint32_t attempts_ = 0;
  std::chrono::steady_clock::time_point began_;  // of the batch
  std::string key_;
  bool slow_ = false;  // the last call was

  // Since when the handler is at an event, on the steady clock; 0: it is not called.
  std::atomic<std::int64_t> called_at_{0};
  std::atomic<std::uint64_t> called_for_{0};
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_POSTER_H_
