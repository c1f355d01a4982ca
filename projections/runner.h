// The inside of a ProjectionRunner.

#ifndef DAYBOOK_PROJECTIONS_RUNNER_H_
#define DAYBOOK_PROJECTIONS_RUNNER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "daybook/projection_runner.h"
#include "io/file.h"
#include "io/wake_page.h"
#include "projections/effects.h"
#include "projections/host.h"
#include "projections/layout.h"
#include "projections/poster.h"
#include "projections/status_file.h"

namespace daybook {

// Whether the same may work a moment later.
bool Passes(const absl::Status& error);

// Thread-safe. Whoever runs the projection holds run_mutex_; what a status says is guarded by
// state_mutex_, which nobody holds while a handler is called. run_mutex_ comes first.
class ProjectionRunner::Impl {
 public:
  // Takes the lock and opens or makes the live generation.
  static absl::StatusOr<std::unique_ptr<Impl>> Open(Projections::Impl* host, Projection projection,
                                                    const RunnerOptions& options);
  // Stops and waits.
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::StatusOr<StepResult> Step();
  absl::Status RunUntilCaughtUp(Position to, const std::function<bool()>& keep_going);
  absl::Status Start();
  absl::Status Stop(std::chrono::milliseconds timeout);
  absl::Status WaitEnded(std::chrono::milliseconds timeout) const;

  [[nodiscard]] ProjectionStatus status() const;
  [[nodiscard]] Position checkpoint() const;

  [[nodiscard]] absl::StatusOr<std::vector<ParkedKey>> Parked() const;
  absl::StatusOr<RetryResult> Retry(std::string_view key);
  absl::StatusOr<RetryResult> RetryAll();
  absl::Status RefreshSkips();
  // The same, but where the handler is at work whoever runs it looks afterwards, and nobody waits.
  absl::Status NoteSkips();
  [[nodiscard]] const Projection& projection() const { return projection_; }

  // Commits the batch on its way, calls `change` while nobody runs the projection, and goes on with
  // what CURRENT names then; where that is of another revision, every further step says so, until
  // it is changed back. For promotions and rollbacks in this process, which need the lock that this
  // one has.
  absl::Status ChangeGeneration(const std::function<absl::Status()>& change);

 private:
  using Clock = std::chrono::steady_clock;
  // What the thread waits for: an event, or a time.
  struct Wait {
    Position position;
    Clock::time_point until;
  };

  Impl(Projections::Impl* host, Projection projection, const RunnerOptions& options, File lock);
  absl::Status OpenLive() DAYBOOK_REQUIRES(run_mutex_);
  // Before anything is done with poster_: it is there. After an error that passes tries again.
  absl::Status EnsureLive() DAYBOOK_REQUIRES(run_mutex_);
  // Opens what a change of generations has made the live one, or notes why it cannot go on with it.
  void Reopen() DAYBOOK_REQUIRES(run_mutex_);
  // Makes a generation where there is none that is live.
  absl::StatusOr<Current> FirstGeneration();

  absl::StatusOr<StepResult> Batch(Position to, const std::function<bool()>& keep_going)
      DAYBOOK_REQUIRES(run_mutex_);
  // Commits what is pending, tells readers, and sends effects.
  absl::Status Commit() DAYBOOK_REQUIRES(run_mutex_);
  // Commits or discards what Extend has left pending, and returns what it said.
  absl::Status Settle(const absl::Status& extended) DAYBOOK_REQUIRES(run_mutex_);
  absl::Status CheckMayRun() DAYBOOK_REQUIRES(run_mutex_);
  // Tries a parked key again, batch by batch, each committed. kCancelled where `keep_going` says
  // no.
  absl::Status RetryKey(const std::string& key, const std::function<bool()>& keep_going,
                        RetryResult* result) DAYBOOK_REQUIRES(run_mutex_);
  absl::Status LookAtSkips() DAYBOOK_REQUIRES(run_mutex_);
  // Tries those whose time has come, after a look at noted skips.
  absl::Status RetryDue(const std::function<bool()>& keep_going) DAYBOOK_REQUIRES(run_mutex_);

  void Live();
  // One turn of the thread: what there is to do now. After an error what is pending is settled.
  absl::Status Turn(Wait* wait) DAYBOOK_REQUIRES(run_mutex_);
  // Until there is work, the time has come, or it is to stop.
  absl::Status WaitForWork(const Wait& wait);
  void Sleep(std::chrono::milliseconds time);
  void End(const absl::Status& outcome);
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  void SetState(ProjectionState state, const absl::Status& error);
  // That of a run that has ended so.
  void SetEndState(const absl::Status& outcome);
  // Replaces the status file from now on, until EndHeartbeat.
  void StartHeartbeat();
  void EndHeartbeat();
  void UpdateStatus() DAYBOOK_REQUIRES(run_mutex_);

  Projections::Impl* const host_;
  const Reader& reader_;
  const Projection projection_;
  const RunnerOptions options_;
  const std::filesystem::path folder_;
  const File lock_;

  mutable Mutex run_mutex_;
  std::unique_ptr<Effects> effects_ DAYBOOK_GUARDED_BY(run_mutex_);
  // Nullptr where superseded_ says why.
  std::shared_ptr<Poster> poster_ DAYBOOK_GUARDED_BY(run_mutex_);
  std::optional<WakeWriter> wake_ DAYBOOK_GUARDED_BY(run_mutex_);
  absl::Status superseded_ DAYBOOK_GUARDED_BY(run_mutex_);
  // Before this the thread does not commit: RunnerOptions::commit_interval_max.
  Clock::time_point commit_due_ DAYBOOK_GUARDED_BY(run_mutex_){};

  std::atomic<bool> skips_noted_{false};
  std::atomic<bool> stopping_{false};
  // Stop gave up on the handler: nothing of its batch is kept.
  std::atomic<bool> abandoned_{false};

  mutable Mutex state_mutex_;
  mutable CondVar state_changed_;
  bool started_ DAYBOOK_GUARDED_BY(state_mutex_) = false;
  bool ended_ DAYBOOK_GUARDED_BY(state_mutex_) = true;
  absl::Status outcome_ DAYBOOK_GUARDED_BY(state_mutex_);  // of the thread
  ProjectionStatus status_ DAYBOOK_GUARDED_BY(state_mutex_);
  RateMeter rate_ DAYBOOK_GUARDED_BY(state_mutex_);
  // The same as poster_, for who may not wait for run_mutex_.
  std::shared_ptr<const Poster> shown_ DAYBOOK_GUARDED_BY(state_mutex_);
  std::unique_ptr<StatusWriter> heartbeat_ DAYBOOK_GUARDED_BY(state_mutex_);
  std::unique_ptr<Thread> thread_;  // of Start and Stop, which the user does not call at once
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_RUNNER_H_
