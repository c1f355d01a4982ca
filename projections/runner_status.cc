// What a runner says of itself, at any moment, also while a handler does not return.

#include <algorithm>
#include <utility>

#include "projections/poison.h"
#include "projections/runner.h"

namespace daybook {

void ProjectionRunner::Impl::UpdateStatus() {
  const Checkpoint& checkpoint = poster_->checkpoint();
  MutexLock state(state_mutex_);
  status_.scanned = checkpoint.position;
  status_.matched = checkpoint.matched;
  status_.parked = checkpoint.parked;
  status_.parked_keys = checkpoint.parked_keys;
  status_.effects_waiting = effects_->waiting();
}

void ProjectionRunner::Impl::SetState(ProjectionState state, const absl::Status& error) {
  MutexLock lock(state_mutex_);
  const bool changed = status_.state != state;
  status_.state = state;
  status_.poison = PoisonOf(error);
  status_.error = error.ok() ? "" : std::string(error.message());
  if (changed && heartbeat_ != nullptr) heartbeat_->Soon();
}

void ProjectionRunner::Impl::SetEndState(const absl::Status& outcome) {
  if (outcome.ok() || absl::IsCancelled(outcome)) {
    SetState(ProjectionState::kIdle, absl::OkStatus());
  } else {
    SetState(PoisonOf(outcome) ? ProjectionState::kPoison : ProjectionState::kFailed, outcome);
  }
}

Position ProjectionRunner::Impl::checkpoint() const {
  MutexLock lock(state_mutex_);
  return status_.scanned;
}

ProjectionStatus ProjectionRunner::Impl::status() const {
  ProjectionStatus status;
  std::shared_ptr<const Poster> poster;
  {
    MutexLock lock(state_mutex_);
    status = status_;
    poster = shown_;
  }
  if (const auto stuck = poster != nullptr ? poster->stuck_at() : std::nullopt) {
    status.state = ProjectionState::kStuck;
    status.poison.emplace().position = *stuck;
    status.poison->code = absl::StatusCode::kDeadlineExceeded;
    status.poison->message = "the handler is past its deadline, and has not returned";
    if (const auto event = reader_.EventAt(*stuck); event.ok()) {
      status.poison->stream = std::string((*event)->stream);
      status.poison->version = (*event)->version;
      status.poison->type = std::string((*event)->type);
      status.poison->id = (*event)->id;
    }
  }
  status.heartbeat = SystemNow();
  // Where the log cannot be read, how old the next event is cannot be told; the rest can.
  FillBehind(reader_, &status).IgnoreError();
  return status;
}

void ProjectionRunner::Impl::StartHeartbeat() {
  const auto tell = [this] {
    {
      MutexLock lock(state_mutex_);
      rate_.Add(Clock::now(), status_.scanned);
      status_.events_per_second = rate_.per_second();
    }
    return status();
  };
  auto heartbeat = std::make_unique<StatusWriter>(folder_, tell, options_.on_notice);
  MutexLock lock(state_mutex_);
  heartbeat_ = std::move(heartbeat);
}

void ProjectionRunner::Impl::EndHeartbeat() {
  std::unique_ptr<StatusWriter> heartbeat;
  MutexLock lock(state_mutex_);
  heartbeat = std::move(heartbeat_);
  lock.Unlock();
  heartbeat = nullptr;  // writes a last time, and asks for the status
}

}  // namespace daybook
