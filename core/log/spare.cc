#include "log/spare.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"

namespace daybook {
namespace {

// Whatever the system said, to the append it means one thing: the device has no room to give, and
// nothing was written.
absl::Status CannotBeMade(const absl::Status& failure) {
  if (absl::IsResourceExhausted(failure)) return failure;
  return absl::ResourceExhaustedError(absl::StrCat(
      "the next segment cannot be made, and nothing was appended: ", failure.message()));
}

}  // namespace

SpareMaker::SpareMaker(std::filesystem::path log_directory)
    : directory_(std::move(log_directory)), thread_("daybook-spare", [this] { Run(); }) {}

SpareMaker::~SpareMaker() {
  {
    MutexLock lock(mutex_);
    closing_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
}

void SpareMaker::Request(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  if (state_ == State::kClaimed) {
    wanted_next_ = bytes;  // the claimed one still has the name
    return;
  }
  if (state_ != State::kNone && state_ != State::kFailed) return;
  state_ = State::kRequested;
  bytes_ = bytes;
  changed_.NotifyAll();
}

std::optional<std::uint64_t> SpareMaker::ready() const {
  MutexLock lock(mutex_);
  return state_ == State::kReady ? std::optional(bytes_) : std::nullopt;
}

absl::Status SpareMaker::WaitReady(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  bool asked = false;  // a failure counts only if it is of an attempt made now
  while (!closing_) {
    switch (state_) {
      case State::kReady:
        if (bytes_ >= bytes) return absl::OkStatus();
        state_ = State::kNone;
        break;
      case State::kFailed:
        if (asked) return CannotBeMade(failure_);
        state_ = State::kNone;
        break;
      case State::kNone:
        state_ = State::kRequested;
        bytes_ = bytes;
        asked = true;
        changed_.NotifyAll();
        break;
      case State::kRequested:
        asked = asked || bytes_ >= bytes;
        changed_.Wait(mutex_);
        break;
      case State::kClaimed:
        changed_.Wait(mutex_);
        break;
    }
  }
  return absl::FailedPreconditionError("the store is being closed");
}

std::optional<std::uint64_t> SpareMaker::Claim(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  if (state_ != State::kReady || bytes_ < bytes) return std::nullopt;
  state_ = State::kClaimed;
  return bytes_;
}

absl::StatusOr<File> SpareMaker::Open() { return File::OpenReadWrite(path()); }

void SpareMaker::Taken() {
  MutexLock lock(mutex_);
  state_ = wanted_next_ == 0 ? State::kNone : State::kRequested;
  bytes_ = std::exchange(wanted_next_, 0);
  changed_.NotifyAll();
}

bool SpareMaker::Closing() {
  MutexLock lock(mutex_);
  return closing_;
}

absl::Status SpareMaker::Make(std::uint64_t bytes) {
  // A crash anywhere here leaves a spare that is short or all zero; the next opening removes it.
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(path()));
  absl::StatusOr<File> file = File::CreateNew(path());
  if (!file.ok()) return file.status();
  // Synced piece by piece, so that no sync of the live segment has to wait behind all of it.
  constexpr std::uint64_t kPiece = std::uint64_t{8} << 20;
  absl::Status status;
  for (std::uint64_t at = 0; at < bytes && status.ok(); at += kPiece) {
    status = file->ZeroFill(at, std::min(kPiece, bytes - at), [this] { return !Closing(); });
    if (status.ok()) status = file->SyncData();
  }
  if (status.ok()) status = file->Sync();
  if (!status.ok()) {
    // Gives the room back at once: others may need it more.
    const absl::Status removed = Directory::Remove(path());
    if (!removed.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat(status.message(), "; and then ", removed.message()));
    }
  }
  return status;
}

void SpareMaker::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (!closing_ && state_ != State::kRequested) changed_.Wait(mutex_);
    if (closing_) return;
    const std::uint64_t bytes = bytes_;
    lock.Unlock();
    absl::Status status = Make(bytes);
    lock.Lock();
    if (status.ok()) {
      state_ = State::kReady;
    } else {
      state_ = State::kFailed;
      failure_ = std::move(status);
    }
    changed_.NotifyAll();
  }
}

}  // namespace daybook
