// Running a projection by steps; runner_live.cc has the thread.

#include "projections/runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "kv/derived.h"

namespace daybook {
namespace {

constexpr std::uint64_t kBatchBytesMax = std::uint64_t{64} << 20;

PosterLimits LimitsOf(const RunnerOptions& options) {
  return {.events_max = std::max<std::uint64_t>(options.batch_events_max, 1),
          .bytes_max = std::min(options.batch_bytes_max, kBatchBytesMax),
          .time_max = options.batch_time_max,
          .cache_bytes_max = options.cache_bytes_max};
}

absl::StatusOr<File> TakeLock(const std::filesystem::path& folder, std::string_view name) {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder.parent_path()));
  auto lock = LockDerived(folder);
  if (!absl::IsUnavailable(lock.status())) return lock;
  return absl::UnavailableError(absl::StrCat("projection '", ToAbsl(name),
                                             "' is run already, here or in another process (",
                                             lock.status().message(), ")"));
}

}  // namespace

bool Passes(const absl::Status& error) {
  return absl::IsResourceExhausted(error) || absl::IsUnavailable(error);
}

ProjectionRunner::Impl::Impl(Projections::Impl* host, Projection projection,
                             const RunnerOptions& options, File lock)
    : host_(host),
      reader_(host->reader()),
      projection_(std::move(projection)),
      options_(options),
      folder_(host->FolderOf(projection_.name)),
      lock_(std::move(lock)) {}

absl::StatusOr<std::unique_ptr<ProjectionRunner::Impl>> ProjectionRunner::Impl::Open(
    Projections::Impl* host, Projection projection, const RunnerOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjection(projection));
  DAYBOOK_ASSIGN_OR_RETURN(File lock, TakeLock(host->FolderOf(projection.name), projection.name));
  std::unique_ptr<Impl> impl(new Impl(host, std::move(projection), options, std::move(lock)));
  {
    MutexLock running(impl->run_mutex_);
    DAYBOOK_RETURN_IF_ERROR(impl->OpenLive());
  }
  impl->StartHeartbeat();
  host->SetRunner(impl->projection_.name, impl.get());
  return impl;
}

absl::StatusOr<Current> ProjectionRunner::Impl::FirstGeneration() {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> there, ListGenerations(folder_));
  Current current;
  current.generation = there.empty() ? 1 : there.back() + 1;
  if (projection_.effects_from == EffectsFrom::kHead) current.effects_floor = reader_.durable();
  DAYBOOK_RETURN_IF_ERROR(host_
                              ->CreateGeneration(projection_.name, current.generation,
                                                 InitialCheckpoint(projection_, reader_),
                                                 options_.map_bytes)
                              .status());
  // Who dies before this leaves a folder that nobody names: the next run makes another, and the
  // next rebuild removes it.
  DAYBOOK_RETURN_IF_ERROR(WriteCurrent(folder_, current));
  return current;
}

absl::Status ProjectionRunner::Impl::OpenLive() {
  absl::StatusOr<Current> current = ReadCurrent(folder_);
  if (absl::IsNotFound(current.status())) current = FirstGeneration();
  if (!current.ok()) return current.status();
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<Generation> generation,
                           host_->OpenGeneration(projection_.name, current->generation,
                                                 Generation::Access::kOwner, options_.map_bytes));
  DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, generation->ReadCheckpoint());
  DAYBOOK_RETURN_IF_ERROR(CheckHistory(reader_, projection_.name, checkpoint));
  DAYBOOK_RETURN_IF_ERROR(CheckCode(projection_, checkpoint));
  effects_ = std::make_unique<Effects>(reader_, projection_, current->effects_floor);
  DAYBOOK_RETURN_IF_ERROR(effects_->Load(*generation));
  poster_ = std::make_shared<Poster>(reader_, projection_, std::move(generation),
                                     LimitsOf(options_), effects_.get());
  DAYBOOK_RETURN_IF_ERROR(poster_->Open());
  const absl::StatusOr<ProjectionStatus> before = ReadStatusFile(folder_);
  if (before.ok() && before->poison) poster_->RememberPoison(*before->poison);
  DAYBOOK_ASSIGN_OR_RETURN(const EventId incarnation, EventId::Parse(reader_.incarnation()));
  DAYBOOK_ASSIGN_OR_RETURN(wake_, WakeWriter::Create(folder_ / "WAKE", incarnation.bytes(),
                                                     current->generation, checkpoint.position));
  {
    MutexLock state(state_mutex_);
    shown_ = poster_;
    status_.name = projection_.name;
    status_.revision = projection_.revision;
    status_.generation = current->generation;
    status_.previous = current->previous;
    status_.definition = projection_.definition;
    status_.incarnation = reader_.incarnation();
    status_.effects_floor = current->effects_floor;
  }
  UpdateStatus();
  // What was skipped meanwhile is parked no longer.
  return poster_->pending() ? Commit() : absl::OkStatus();
}

absl::Status ProjectionRunner::Impl::CheckMayRun() {
  DAYBOOK_RETURN_IF_ERROR(EnsureLive());
  MutexLock state(state_mutex_);
  if (!started_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the thread of projection '", projection_.name, "' runs; stop it first"));
}

absl::StatusOr<StepResult> ProjectionRunner::Impl::Step() {
  MutexLock running(run_mutex_);
  DAYBOOK_RETURN_IF_ERROR(CheckMayRun());
  absl::StatusOr<StepResult> result = Batch(reader_.durable(), nullptr);
  SetEndState(result.status());
  return result;
}

absl::Status ProjectionRunner::Impl::RunUntilCaughtUp(Position to,
                                                      const std::function<bool()>& keep_going) {
  MutexLock running(run_mutex_);
  DAYBOOK_RETURN_IF_ERROR(CheckMayRun());
  const Position head = reader_.durable();
  if (to > head) {
    return absl::InvalidArgumentError(absl::StrCat("there is no durable position ", to.value(),
                                                   " to run to; the head is ", head.value()));
  }
  if (to == Position(0)) to = head;
  SetState(ProjectionState::kRunning, absl::OkStatus());
  absl::Status status;
  do {
    status = Batch(to, keep_going).status();
    if (status.ok() && keep_going && !keep_going()) {
      status = absl::CancelledError("the run was called off");
    }
  } while (status.ok() && poster_->checkpoint().position < to);
  SetEndState(status);
  return status;
}

absl::StatusOr<StepResult> ProjectionRunner::Impl::Batch(Position to,
                                                         const std::function<bool()>& keep_going) {
  StepResult result;
  result.from = poster_->checkpoint().position;
  absl::Status done = RetryDue(keep_going);
  if (done.ok()) done = poster_->Extend(to, keep_going);
  result.matched = poster_->matched();
  result.parked = poster_->parked();
  DAYBOOK_RETURN_IF_ERROR(Settle(done));
  result.to = poster_->checkpoint().position;
  return result;
}

absl::Status ProjectionRunner::Impl::Settle(const absl::Status& extended) {
  const bool late = absl::IsDeadlineExceeded(extended) && PoisonOf(extended).has_value();
  if (late || abandoned_.load(std::memory_order_acquire)) {
    poster_->Discard();
    UpdateStatus();
    return extended;
  }
  DAYBOOK_RETURN_IF_ERROR(Commit());
  return extended;
}

absl::Status ProjectionRunner::Impl::Commit() {
  if (poster_->pending()) {
    const Clock::time_point began = Clock::now();
    DAYBOOK_RETURN_IF_ERROR(poster_->Commit());
    const Clock::time_point ended = Clock::now();
    commit_due_ =
        ended + std::min<Clock::duration>((ended - began) * 10, options_.commit_interval_max);
    // Who dies before this wakes nobody; the next runner does when it opens.
    wake_->Publish(poster_->checkpoint().position);
  }
  const absl::Status delivered = effects_->Deliver(&poster_->generation());
  UpdateStatus();
  return delivered;
}

absl::Status ProjectionRunner::Impl::ChangeGeneration(const std::function<absl::Status()>& change) {
  MutexLock running(run_mutex_);
  // Where this one cannot go on with what is live nothing is pending, and to change that is the way
  // on.
  if (superseded_.ok()) DAYBOOK_RETURN_IF_ERROR(Commit());
  DAYBOOK_RETURN_IF_ERROR(change());
  Reopen();
  return absl::OkStatus();
}

void ProjectionRunner::Impl::Reopen() {
  {
    MutexLock state(state_mutex_);
    shown_ = nullptr;
  }
  poster_ = nullptr;
  superseded_ = OpenLive();
  if (superseded_.ok()) return;
  poster_ = nullptr;
  MutexLock state(state_mutex_);
  shown_ = nullptr;
  if (!absl::IsFailedPrecondition(superseded_)) return;
  superseded_ = absl::FailedPreconditionError(
      absl::StrCat("projection '", projection_.name,
                   "': another generation was made the live one, with which this runner cannot go ",
                   "on (", superseded_.message(), "); run the code that it was made by, or roll ",
                   "back (`daybook projection STORE rollback ", projection_.name, "`)"));
}

absl::Status ProjectionRunner::Impl::EnsureLive() {
  if (!superseded_.ok() && Passes(superseded_)) Reopen();
  return superseded_;
}

ProjectionRunner::ProjectionRunner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProjectionRunner::~ProjectionRunner() = default;
absl::StatusOr<StepResult> ProjectionRunner::Step() { return impl_->Step(); }
absl::Status ProjectionRunner::RunUntilCaughtUp(Position to,
                                                const std::function<bool()>& keep_going) {
  return impl_->RunUntilCaughtUp(to, keep_going);
}
absl::Status ProjectionRunner::Start() { return impl_->Start(); }
absl::Status ProjectionRunner::Stop(std::chrono::milliseconds timeout) {
  return impl_->Stop(timeout);
}
absl::Status ProjectionRunner::WaitEnded(std::chrono::milliseconds timeout) const {
  return impl_->WaitEnded(timeout);
}
ProjectionStatus ProjectionRunner::status() const { return impl_->status(); }
Position ProjectionRunner::checkpoint() const { return impl_->checkpoint(); }
const Projection& ProjectionRunner::projection() const { return impl_->projection(); }
absl::StatusOr<std::vector<ParkedKey>> ProjectionRunner::Parked() const { return impl_->Parked(); }
absl::StatusOr<RetryResult> ProjectionRunner::Retry(std::string_view key) {
  return impl_->Retry(key);
}
absl::StatusOr<RetryResult> ProjectionRunner::RetryAll() { return impl_->RetryAll(); }
absl::Status ProjectionRunner::RefreshSkips() { return impl_->RefreshSkips(); }

absl::StatusOr<std::unique_ptr<ProjectionRunner>> Projections::Run(Projection projection,
                                                                   const RunnerOptions& options) {
  DAYBOOK_ASSIGN_OR_RETURN(
      std::unique_ptr<ProjectionRunner::Impl> runner,
      ProjectionRunner::Impl::Open(impl_.get(), std::move(projection), options));
  return std::make_unique<ProjectionRunner>(std::move(runner));
}

}  // namespace daybook
