// What a runner does about parked keys.

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/runner.h"

namespace daybook {
namespace {

// How many keys are tried in a row before new events get their turn.
constexpr std::size_t kKeysAtOnce = 64;

}  // namespace

absl::Status ProjectionRunner::Impl::RetryKey(const std::string& key,
                                              const std::function<bool()>& keep_going,
                                              RetryResult* result) {
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool done, poster_->RetryKey(key, keep_going, result));
    if (done) return absl::OkStatus();
    DAYBOOK_RETURN_IF_ERROR(Commit());
    if (keep_going && !keep_going()) return absl::CancelledError("the retry was called off");
  }
}

absl::Status ProjectionRunner::Impl::RetryDue(const std::function<bool()>& keep_going) {
  if (skips_noted_.load(std::memory_order_acquire)) DAYBOOK_RETURN_IF_ERROR(LookAtSkips());
  const Timestamp now = SystemNow();
  const std::optional<Timestamp> next = poster_->parking().next_retry();
  if (!next || *next > now) return absl::OkStatus();
  // What is queued in memory would be left behind.
  DAYBOOK_RETURN_IF_ERROR(Commit());
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> due,
                           poster_->parking().Due(now, kKeysAtOnce));
  for (const std::string& key : due) {
    RetryResult result;
    DAYBOOK_RETURN_IF_ERROR(RetryKey(key, keep_going, &result));
  }
  return Commit();
}

absl::StatusOr<RetryResult> ProjectionRunner::Impl::Retry(std::string_view key) {
  MutexLock running(run_mutex_);
  DAYBOOK_RETURN_IF_ERROR(LookAtSkips());
  DAYBOOK_ASSIGN_OR_RETURN(const bool parked, poster_->parking().IsParked(key));
  if (!parked) {
    return absl::NotFoundError(absl::StrCat("projection '", projection_.name,
                                            "' has no parked events of key '", ToAbsl(key), "'"));
  }
  RetryResult result;
  DAYBOOK_RETURN_IF_ERROR(Settle(RetryKey(std::string(key), nullptr, &result)));
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<ParkedHead> head, poster_->parking().Head(key));
  result.parked = head ? head->events : 0;
  return result;
}

absl::StatusOr<RetryResult> ProjectionRunner::Impl::RetryAll() {
  MutexLock running(run_mutex_);
  DAYBOOK_RETURN_IF_ERROR(LookAtSkips());
  RetryResult result;
  std::optional<std::string> after;
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                             poster_->parking().KeysBehind(after, kKeysAtOnce));
    if (keys.empty()) break;
    for (const std::string& key : keys) {
      DAYBOOK_RETURN_IF_ERROR(Settle(RetryKey(key, nullptr, &result)));
    }
    after = keys.back();
  }
  result.parked = poster_->parking().events();
  return result;
}

absl::Status ProjectionRunner::Impl::LookAtSkips() {
  DAYBOOK_RETURN_IF_ERROR(EnsureLive());
  skips_noted_.store(false, std::memory_order_release);
  DAYBOOK_RETURN_IF_ERROR(poster_->RefreshSkips());
  return Commit();
}

absl::Status ProjectionRunner::Impl::RefreshSkips() {
  MutexLock running(run_mutex_);
  return LookAtSkips();
}

absl::Status ProjectionRunner::Impl::NoteSkips() {
  skips_noted_.store(true, std::memory_order_release);
  if (!run_mutex_.TryLock()) return absl::OkStatus();
  absl::Status looked = LookAtSkips();
  run_mutex_.Unlock();
  return looked;
}

absl::StatusOr<std::vector<ParkedKey>> ProjectionRunner::Impl::Parked() const {
  std::shared_ptr<const Poster> poster;
  {
    MutexLock lock(state_mutex_);
    poster = shown_;
  }
  if (poster == nullptr) {
    return absl::FailedPreconditionError("no generation of the projection can be opened");
  }
  const Generation& generation = poster->generation();
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction view, generation.environment().BeginRead());
  return ListParked(view, generation.parked());
}

}  // namespace daybook
