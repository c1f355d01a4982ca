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
#include "daybook/projection.h"
#include "daybook/store.h"
#include "projections/checkpoint.h"
#include "projections/effects.h"
#include "projections/generation.h"
#include "projections/row_cache.h"

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

  // Reads the checkpoint. Before anything else.
  absl::Status Open();

  // Scans on from scanned() to `to`, which is durable, at most until a limit of the batch is met
  // (full()) or `keep_going` says no (kCancelled; with what was done so far pending). An event that
  // is poison: the status of PoisonStatus, and everything before it pending. A handler that took
  // too long: kDeadlineExceeded, and what is pending is to be discarded. kDataLoss and other errors
  // of the read: everything before is pending.
  absl::Status Extend(Position to, const std::function<bool()>& keep_going);
  [[nodiscard]] bool full() const;
  [[nodiscard]] bool pending() const { return scanned_ > checkpoint_.position; }
  // What is pending becomes durable; after an error it is still pending, and can be tried again.
  // Who dies in here leaves the checkpoint and its rows as they were, or both as they are now.
  absl::Status Commit();
  // Forgets what is pending.
  void Discard();

  [[nodiscard]] const Checkpoint& checkpoint() const { return checkpoint_; }
  [[nodiscard]] Position scanned() const { return scanned_; }
  // Matched since the last commit.
  [[nodiscard]] std::uint64_t matched() const { return matched_; }
  [[nodiscard]] Generation& generation() const { return *generation_; }
  [[nodiscard]] RowCache& rows() { return rows_; }

  // The event that the handler has been at for longer than its deadline. Thread-safe.
  [[nodiscard]] std::optional<Position> stuck_at() const;

 private:
  class Context;
  absl::Status ExtendTo(Position to, const std::function<bool()>& keep_going);
  absl::Status Post(const EventView& event);
  absl::Status Call(const EventView& event);
  [[nodiscard]] bool Wants(const EventView& event) const;
  [[nodiscard]] absl::Status Poison(const EventView& event, absl::StatusCode code,
                                    const absl::Status& error) const;
  [[nodiscard]] bool is_filtered() const;

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
  std::uint64_t matched_ = 0;
  std::chrono::steady_clock::time_point began_;  // of the batch
  std::string key_;
  bool slow_ = false;  // the last call was

  // Since when the handler is at an event, on the steady clock; 0: it is not called.
  std::atomic<std::int64_t> called_at_{0};
  std::atomic<std::uint64_t> called_for_{0};
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_POSTER_H_
