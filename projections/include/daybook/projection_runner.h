// Running a projection: step by step, until it has caught up, or live in a thread of its own.

#ifndef DAYBOOK_PROJECTION_RUNNER_H_
#define DAYBOOK_PROJECTION_RUNNER_H_

#include <chrono>
#include <cstddef>
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
#include "daybook/options.h"
#include "daybook/projection.h"
#include "daybook/projection_status.h"
#include "daybook/values.h"

namespace daybook {

struct RunnerOptions {
  // A batch, which is one transaction, ends at whichever comes first. Bytes are those of changed
  // rows and of the pages that they are on, as far as can be told; at most 64 MiB.
  std::uint64_t batch_events_max = 1'000'000;
  std::uint64_t batch_bytes_max = std::uint64_t{48} << 20;
  std::chrono::milliseconds batch_time_max{500};
  // Live and under load, a transaction is not begun before the time since the last one is ten times
  // what that one took, but after this at the latest: committing each of the writer's groups would
  // keep the disk from the writer. An event that comes after a pause is committed at once.
  std::chrono::milliseconds commit_interval_max{350};
  // Rows kept in memory between batches, so that they need not be read again.
  std::size_t cache_bytes_max = std::size_t{64} << 20;
  // Address space, not disk; it doubles when it is full.
  std::uint64_t map_bytes = std::uint64_t{64} << 20;
  // How soon after an error that passes (a full disk) a batch is tried again, live.
  std::chrono::milliseconds retry_interval{1000};
  // Says what a status cannot: effects that fail, a disk that is full, a handler that is stuck.
  NoticeHandler on_notice;
};

// What a step did.
struct StepResult {
  Position from, to;          // the checkpoint before and after it
  std::uint64_t matched = 0;  // events given to the handler, those that were parked included
  std::uint64_t parked = 0;   // of those
  [[nodiscard]] bool moved() const { return to > from; }
};

// Runs one projection; one in the world for each. Made by Projections::Run, which it must not
// outlive. Thread-safe: calls that run the projection wait for each other.
//
// A batch reads events from the checkpoint on, never beyond what is durable, hands those that match
// to the handler, and commits rows, parked keys, effects, digests and the new checkpoint in one
// transaction: an event is posted exactly once, whatever ends the process. A batch in which nothing
// matches moves the checkpoint too. On return of a step its rows are on the device, but a crash of
// the machine may undo the last transaction as a whole; its events are then posted again.
//
// Errors of Step, RunUntilCaughtUp and of the thread:
//   kFailedPrecondition  stopped at an event that the handler cannot handle (PoisonOf says which);
//                        all events before it are committed. Or a read model of another generation
//                        was promoted meanwhile, and this runner's revision is not its
//   kDeadlineExceeded    the handler took longer than its deadline (PoisonOf); nothing of the batch
//                        was kept
//   kResourceExhausted   no room on the disk or for the map; nothing is lost, run it again
//   kDataLoss            the log or the read model is damaged
//   others               as reading the store gives them
class ProjectionRunner {
 public:
  // Stops it, and waits for a handler that does not return; gives the lock back.
  ~ProjectionRunner();
  ProjectionRunner(const ProjectionRunner&) = delete;
  ProjectionRunner& operator=(const ProjectionRunner&) = delete;

  // Runs one batch of what is durable now; does nothing where there is nothing. kFailedPrecondition
  // while the thread runs.
  absl::StatusOr<StepResult> Step();
  // Runs batches until the checkpoint is at `to`, or, where that is 0, at what was durable when
  // this was called. `keep_going` is asked between batches and now and then in one; where it says
  // no the batch so far is committed, and the result is kCancelled. kInvalidArgument where `to` is
  // beyond the durable head.
  absl::Status RunUntilCaughtUp(Position to = {}, const std::function<bool()>& keep_going = {});

  // Starts the thread "daybook-proj", which is woken by the writer and ends at Stop or at an error
  // that does not pass. kFailedPrecondition where it was started before and not stopped.
  absl::Status Start();
  // Ends the thread: the batch on its way is committed as far as it is, and the status of the
  // thread is returned (OK, or what it ended with). kDeadlineExceeded after `timeout` where a call
  // of the handler does not return: the thread ends when it does, and nothing of its batch is kept;
  // Stop can be called again. OK where it was never started.
  absl::Status Stop(std::chrono::milliseconds timeout);
  // Waits until the thread has ended, and returns its status; kDeadlineExceeded after `timeout`.
  absl::Status WaitEnded(std::chrono::milliseconds timeout) const;

  // What the status file says, as of now.
  [[nodiscard]] ProjectionStatus status() const;
  [[nodiscard]] Position checkpoint() const;
  [[nodiscard]] const Projection& projection() const;

  // The parked keys in order of key, with their events.
  [[nodiscard]] absl::StatusOr<std::vector<ParkedKey>> Parked() const;
  // Hands the parked events of a key to the handler again, in order, until one fails; those that do
  // not are parked no longer, in the transaction of their rows. Also done by the runner itself, as
  // often as ParkingOptions say. kNotFound where the key has no parked events. Thread or not, it
  // waits for the batch on its way.
  absl::StatusOr<RetryResult> Retry(std::string_view key);
  // The same for all parked keys.
  absl::StatusOr<RetryResult> RetryAll();
  // Looks again at which events are to be skipped (Projections::Skip), and parks them no longer. A
  // runner also looks when it is made and whenever the handler fails.
  absl::Status RefreshSkips();

  class Impl;
  explicit ProjectionRunner(std::unique_ptr<Impl> impl);  // for the library's own use
  [[nodiscard]] Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTION_RUNNER_H_
