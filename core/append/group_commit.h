// Group commit: commits that come while a sync is under way go to the device together with the next
// one.
//
// The first caller that finds no flush under way leads: it takes the oldest group, waits until its
// record headers are filled, writes one frame, syncs once, makes the events visible and wakes the
// others. Where nobody waits (asynchronous and buffered appends) the thread `daybook-log` leads; it
// also syncs a buffered store at its interval and marks an idle log with a watermark.
//
// A failed write or sync poisons: see Poisoned().

#ifndef DAYBOOK_APPEND_GROUP_COMMIT_H_
#define DAYBOOK_APPEND_GROUP_COMMIT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "append/group.h"
#include "append/history.h"
#include "append/sequencer.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "daybook/options.h"
#include "log/segment_writer.h"
#include "log/spare.h"

namespace daybook {

// Thread-safe.
class GroupCommit {
 public:
  struct Config {
    Durability durability = Durability::kSync;
    std::chrono::milliseconds sync_interval{100};
    std::chrono::milliseconds idle_period{50};
    // A clean close seals a segment that holds more than this, so that the next opening scans no
    // more.
    std::uint64_t seal_at_close_bytes = std::uint64_t{16} << 20;
    NoticeHandler on_notice;
  };

  GroupCommit(Config config, Sequencer::Config sequencer, SegmentWriter writer, ActiveIndex* index,
              std::int64_t last_recorded_at, SpareMaker* spare, LogObserver* observer);
  // Close() comes first.
  ~GroupCommit();

  // Places a commit, as Sequencer::Sequence says; what it has to wait for is waited for here, but
  // for kLookAgain, kWaitVisible (which has been waited for, so that the caller looks again) and
  // kRejected. `owned` is taken over only with kDone; then nobody waits for the group.
  absl::StatusOr<Sequenced> Sequence(Commit::Impl* commit, std::unique_ptr<Commit::Impl>* owned,
                                     std::uint64_t looked_upto, bool wants_sync);
  // The caller has filled the record headers of a commit that it placed.
  static void Filled(Group* group) { group->unfilled.fetch_sub(1, std::memory_order_release); }
  // Waits until the group is as durable as was asked of it; leads where nobody else does.
  absl::Status Wait(Group* group);

  absl::Status WaitVisible(std::uint64_t position);
  absl::Status WaitDurable(std::uint64_t position);
  // For readers in this process: waits without leading; the position that was reached.
  std::uint64_t AwaitVisible(std::uint64_t position,
                             std::chrono::steady_clock::time_point deadline);
  // The same for what is durable; also ends where `keep_going` says no, which is asked under the
  // lock.
  std::uint64_t AwaitDurable(std::uint64_t position, std::chrono::steady_clock::time_point deadline,
                             const std::function<bool()>& keep_going);
  // Has them look again.
  void WakeWaiters();

  // Finishes what is under way, makes it durable, marks or seals the log, and ends the thread.
  // Appends fail from here on.
  absl::Status Close();

  [[nodiscard]] std::uint64_t visible() const { return visible_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  [[nodiscard]] std::int64_t clock_behind_ns();
  // OK, or why nothing can be appended any more.
  absl::Status Poisoned();

 private:
  void Flush() DAYBOOK_REQUIRES(mutex_);
  absl::Status SyncNow() DAYBOOK_REQUIRES(mutex_);
  // By the leader, without the lock.
  absl::Status WriteGroup(Group* group);
  void AddToIndex(const Group& group, std::uint64_t frame_offset);
  // Makes what was added to the index visible to readers, up to visible().
  void Publish(const Group& group);
  // After a flush, with the lock.
  void Finish(const std::shared_ptr<Group>& group) DAYBOOK_REQUIRES(mutex_);
  void Advance() DAYBOOK_REQUIRES(mutex_);
  void HandOn() DAYBOOK_REQUIRES(mutex_);
  void Poison(const absl::Status& cause) DAYBOOK_REQUIRES(mutex_);
  // What a waiter does while there is nothing for it: leads, or sleeps.
  void LeadOrSleep() DAYBOOK_REQUIRES(mutex_);

  void RunLogThread();
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> NextDeadline() const
      DAYBOOK_REQUIRES(mutex_);
  void WriteWatermark() DAYBOOK_REQUIRES(mutex_);

  const Config config_;
  SpareMaker* const spare_;
  LogObserver* const observer_;

  // The leader's: whoever set flushing_.
  SegmentWriter writer_;
  ActiveIndex* index_;
  std::uint64_t written_position_;
  std::uint64_t synced_position_;

  std::atomic<std::uint64_t> visible_;
  std::atomic<std::uint64_t> durable_;

  Mutex mutex_;
  CondVar progress_;  // positions moved, room came free, or the store was poisoned
  CondVar log_work_;  // something for the log thread
  Sequencer sequencer_ DAYBOOK_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Group>> queue_ DAYBOOK_GUARDED_BY(mutex_);  // the last one is open
  bool flushing_ DAYBOOK_GUARDED_BY(mutex_) = false;
  bool closing_ DAYBOOK_GUARDED_BY(mutex_) = false;
  bool marked_ DAYBOOK_GUARDED_BY(mutex_) = true;  // no event stands behind the last watermark
  bool log_thread_sleeps_ DAYBOOK_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point last_flush_ DAYBOOK_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point unsynced_since_ DAYBOOK_GUARDED_BY(mutex_);
  absl::Status poisoned_ DAYBOOK_GUARDED_BY(mutex_);
  std::unique_ptr<Thread> log_thread_ DAYBOOK_GUARDED_BY(mutex_);
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_GROUP_COMMIT_H_
