// Makes the next segment ahead of need: log/spare, zero-filled to its final size and synced, so
// that an append neither waits for blocks nor finds the disk full in the middle of a commit.

#ifndef DAYBOOK_LOG_SPARE_H_
#define DAYBOOK_LOG_SPARE_H_

#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "io/file.h"

namespace daybook {

// Thread-safe. Has a thread of its own, `daybook-spare`.
class SpareMaker {
 public:
  // A file `spare` that is left in `log_directory` from before is removed: it holds nothing.
  explicit SpareMaker(std::filesystem::path log_directory);
  ~SpareMaker();

  // Begins to make a spare of `bytes`, unless one is there or in the making; while one is claimed,
  // as soon as that is taken. Returns at once.
  void Request(std::uint64_t bytes);

  // The size of the spare that is ready and not yet claimed.
  [[nodiscard]] std::optional<std::uint64_t> ready() const;

  // Waits until a spare of at least `bytes` is ready. One that is ready but smaller is thrown away.
  // kResourceExhausted where the disk has no room or fails: then nothing is left of the attempt,
  // and a later call tries again.
  absl::Status WaitReady(std::uint64_t bytes);

  // Claims the spare that is ready if it has at least `bytes`, and returns its size; otherwise
  // nullopt. In one step with the look, since WaitReady in another thread throws a spare away that
  // is too small for it. ready() says no until it was taken and another was made.
  std::optional<std::uint64_t> Claim(std::uint64_t bytes);
  // The claimed file. The caller writes its header, syncs it and renames log/spare away, then calls
  // Taken().
  absl::StatusOr<File> Open();
  void Taken();

  [[nodiscard]] std::filesystem::path path() const { return directory_ / "spare"; }

 private:
  enum class State : std::uint8_t { kNone, kRequested, kReady, kClaimed, kFailed };
  void Run();
  absl::Status Make(std::uint64_t bytes);
  bool Closing();

  const std::filesystem::path directory_;
  mutable Mutex mutex_;
  CondVar changed_;
  State state_ DAYBOOK_GUARDED_BY(mutex_) = State::kNone;
  std::uint64_t bytes_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  std::uint64_t wanted_next_ DAYBOOK_GUARDED_BY(mutex_) = 0;  // 0: none
  absl::Status failure_ DAYBOOK_GUARDED_BY(mutex_);
  bool closing_ DAYBOOK_GUARDED_BY(mutex_) = false;
  Thread thread_;  // last: it uses the others
};

}  // namespace daybook

#endif  // DAYBOOK_LOG_SPARE_H_
