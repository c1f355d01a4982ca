// The thread "daybook-proj" of a runner.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/runner.h"

namespace daybook {
namespace {

// The longest sleep where nothing is to be done: a wake can be missed only where the writer has
// died and another has come.
constexpr std::chrono::seconds kIdleWait{10};
// How often Stop wakes the thread again, which may have been about to sleep.
constexpr std::chrono::milliseconds kWakeAgain{5};

}  // namespace

absl::Status ProjectionRunner::Impl::Start() {
  {
    MutexLock running(run_mutex_);
    DAYBOOK_RETURN_IF_ERROR(CheckMayRun());
  }
  {
    MutexLock state(state_mutex_);
    started_ = true;
    ended_ = false;
    outcome_ = absl::OkStatus();
  }
  stopping_ = abandoned_ = false;
  thread_ = std::make_unique<Thread>("daybook-proj", [this] { Live(); });
  return absl::OkStatus();
}

absl::Status ProjectionRunner::Impl::Stop(std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  stopping_.store(true, std::memory_order_release);
  {
    MutexLock state(state_mutex_);
    if (!started_) return absl::OkStatus();
    state_changed_.NotifyAll();
    while (!ended_ && Clock::now() < deadline) {
      state.Unlock();
      reader_.WakeWaiters();
      state.Lock();
      if (!ended_)
        state_changed_.WaitUntil(state_mutex_, std::min(deadline, Clock::now() + kWakeAgain));
    }
    if (!ended_) {
      abandoned_.store(true, std::memory_order_release);
      return absl::DeadlineExceededError(absl::StrCat(
          "projection '", projection_.name, "': the handler has not returned (position ",
          shown_ != nullptr && shown_->stuck_at() ? shown_->stuck_at()->value()
                                                  : status_.scanned.value() + 1,
          " or later); it is not killed, and nothing of its batch is kept when it returns"));
    }
  }
  thread_ = nullptr;  // joins
  abandoned_ = false;
  MutexLock state(state_mutex_);
  started_ = false;
  return outcome_;
}

absl::Status ProjectionRunner::Impl::WaitEnded(std::chrono::milliseconds timeout) const {
  const Clock::time_point deadline = Clock::now() + timeout;
  MutexLock state(state_mutex_);
  while (!ended_) {
    if (!state_changed_.WaitUntil(state_mutex_, deadline) && !ended_) {
      return absl::DeadlineExceededError("the projection still runs");
    }
  }
  return outcome_;
}

ProjectionRunner::Impl::~Impl() {
  host_->SetRunner(projection_.name, nullptr);
  while (absl::IsDeadlineExceeded(Stop(std::chrono::hours(1))) && thread_ != nullptr) {
  }
  EndHeartbeat();
  MutexLock running(run_mutex_);
  poster_ = nullptr;
  MutexLock state(state_mutex_);
  shown_ = nullptr;
}

void ProjectionRunner::Impl::Live() {
  SetState(ProjectionState::kRunning, absl::OkStatus());
  absl::Status status;
  while (status.ok()) {
    Wait wait{};
    {
      MutexLock running(run_mutex_);
      if (stopping()) {
        // Where the live generation is another's there is nothing pending, nor anything to settle.
        status = superseded_.ok() ? Settle(absl::OkStatus()) : superseded_;
        break;
      }
      status = Turn(&wait);
    }
    if (Passes(status)) {
      // What is pending stays so: nothing is lost, and nothing skipped.
      SetState(ProjectionState::kWaiting, status);
      Sleep(options_.retry_interval);
      if (stopping()) break;
      status = absl::OkStatus();
      SetState(ProjectionState::kRunning, status);
    } else if (status.ok()) {
      status = WaitForWork(wait);
    }
  }
  End(absl::IsCancelled(status) ? absl::OkStatus() : status);
}

absl::Status ProjectionRunner::Impl::Turn(Wait* wait) {
  DAYBOOK_RETURN_IF_ERROR(EnsureLive());
  const auto keep_going = [this] { return !stopping(); };
  const absl::Status retried = RetryDue(keep_going);
  if (!retried.ok()) return Settle(retried);
  const Position durable = reader_.durable();
  if (poster_->scanned() < durable) {
    const absl::Status extended = poster_->Extend(durable, keep_going);
    if (!extended.ok()) return Settle(extended);
  }
  const Clock::time_point now = Clock::now();
  if (poster_->pending() && (poster_->full() || now >= commit_due_)) {
    DAYBOOK_RETURN_IF_ERROR(Settle(absl::OkStatus()));
  } else if (effects_->waiting() > 0 && now >= effects_->retry_at()) {
    DAYBOOK_RETURN_IF_ERROR(effects_->Deliver(&poster_->generation()));
    UpdateStatus();
  }
  wait->position = Position(poster_->scanned().value() + 1);
  wait->until = poster_->pending() ? commit_due_ : now + kIdleWait;
  if (effects_->waiting() > 0) wait->until = std::min(wait->until, effects_->retry_at());
  if (const std::optional<Timestamp> retry = poster_->parking().next_retry()) {
    const std::chrono::nanoseconds left(retry->unix_nanoseconds() - SystemNow().unix_nanoseconds());
    wait->until = std::min(wait->until, now + left);
  }
  return absl::OkStatus();
}

absl::Status ProjectionRunner::Impl::WaitForWork(const Wait& wait) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(wait.until - Clock::now());
  if (left.count() <= 0) return absl::OkStatus();
  const absl::Status waited =
      reader_.AwaitDurable(wait.position, left, [this] { return !stopping(); }).status();
  const bool expected = absl::IsDeadlineExceeded(waited) || absl::IsCancelled(waited);
  return expected ? absl::OkStatus() : waited;
}

void ProjectionRunner::Impl::Sleep(std::chrono::milliseconds time) {
  const Clock::time_point until = Clock::now() + time;
  MutexLock state(state_mutex_);
  while (!stopping() && state_changed_.WaitUntil(state_mutex_, until)) {
  }
}

void ProjectionRunner::Impl::End(const absl::Status& outcome) {
  SetEndState(outcome);
  MutexLock lock(state_mutex_);
  outcome_ = outcome;
  ended_ = true;
  state_changed_.NotifyAll();
}

}  // namespace daybook
