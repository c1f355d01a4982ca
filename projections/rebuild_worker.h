// One thread of a rebuild: handles the events of its keys, on rows of its own.

#ifndef DAYBOOK_PROJECTIONS_REBUILD_WORKER_H_
#define DAYBOOK_PROJECTIONS_REBUILD_WORKER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/projection.h"
#include "daybook/values.h"
#include "projections/event_feed.h"
#include "projections/generation.h"
#include "projections/owed_effects.h"
#include "projections/parking.h"
#include "projections/rebuild_rows.h"
#include "projections/skips.h"

namespace daybook {

// What the threads of a rebuild have in common.
struct RebuildShared {
  const Projection& projection;
  const std::vector<std::string>& tables;  // their names, in order
  SkipSet skips;                           // changed while no thread works
  OwedEffects owed;                        // the same
  std::function<bool()> keep_going;
  std::atomic<std::uint64_t> parked{0};  // events, by all threads
};

// Used by one thread at a time, but for done(), matched() and FindStuck().
class RebuildWorker final : private HandlerContext {
 public:
  RebuildWorker(RebuildShared* shared, unsigned number, const RebuildRows::Options& options);

  // Goes on from a generation that was built up to `checkpoint`.
  absl::Status ReadFrom(const Generation& generation, const Checkpoint& checkpoint);
  // Forgets rows and parked events, which are in the generation now.
  void Clear();

  // Handles what the feed gives it, to its end. Where it must stop it tells the feed, and can go on
  // from done() with another one.
  //
  // kFailedPrecondition and kDeadlineExceeded with PoisonOf: stopped before an event, of which
  // nothing is kept. kCancelled, kResourceExhausted (no room for what does not fit into memory),
  // kDataLoss, as reading the store.
  absl::Status Work(EventFeed* feed);

  // All events of its keys up to here are handled.
  [[nodiscard]] Position done() const { return Position(done_.load(std::memory_order_relaxed)); }
  [[nodiscard]] std::uint64_t matched() const { return matched_.load(std::memory_order_relaxed); }
  [[nodiscard]] RebuildRows& rows() { return rows_; }
  [[nodiscard]] const Parking& parking() const { return parking_; }

  // The event that the handler has been at for longer than its deadline; it is stopped when that
  // returns. By one other thread, again and again.
  std::optional<Position> FindStuck(std::chrono::steady_clock::time_point now);

 private:
  [[nodiscard]] absl::StatusOr<std::optional<std::string_view>> GetBytes(
      std::string_view table, std::string_view key) const override;
  [[nodiscard]] absl::StatusOr<std::uint64_t> CountRows(std::string_view table) const override;
  absl::Status ScanBytes(std::string_view table, const KeyRange& range,
                         const Visit& visit) const override;
  absl::Status PutBytes(std::string_view table, std::string_view key,
                        std::string_view row) override;
  absl::Status DeleteBytes(std::string_view table, std::string_view key) override;
  [[nodiscard]] std::string_view key() const override { return key_; }
  absl::Status Emit(std::string_view payload) override;

  absl::StatusOr<std::size_t> IndexOf(std::string_view table) const;
  // Notes whether the handler asks for the row that has the event's key.
  void NoteKey(std::string_view key) const {
    row_of_key_ = key.size() == key_.size() + 2 && key.starts_with(key_);
  }
  // False where the rest is not wanted.
  absl::StatusOr<bool> Handle(const EventFeed::Batch& batch, const EventFeed& feed);
  absl::Status Post(const EventFeed::Item& item);
  absl::Status Call(const EventFeed::Item& item);
  absl::Status Queue(const EventView& event);
  absl::Status Poison(const EventView& event, const absl::Status& error);
  // False where too many events are parked.
  bool ParkOneMore();

  RebuildShared& shared_;
  const unsigned number_;
  mutable RebuildRows rows_;
  Parking parking_;
  std::string_view key_;           // of the event
  Position position_;              // the same
  std::uint32_t effects_ = 0;      // that it has emitted
  mutable std::size_t table_ = 0;  // that was used last
  // A handler that last asked for the row of its event's key, as a text, will go on so: the rows of
  // the events that come are asked for from memory ahead.
  mutable bool row_of_key_ = false;
  std::atomic<std::uint64_t> done_{0}, matched_{0};

  // How long a call takes is seen from outside: to look at a clock twice for each event would cost
  // more than many a handler.
  std::atomic<std::uint64_t> calling_{0};  // the position that the handler is called for; 0: none
  std::atomic<std::uint64_t> late_{0};     // the position of a call that took too long
  std::uint64_t seen_calling_ = 0;
  std::chrono::steady_clock::time_point seen_at_{};
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_REBUILD_WORKER_H_
