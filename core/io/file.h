// A file: all that Daybook asks of one. Stands on io/system.h.
//
// Errors: kNotFound, kAlreadyExists, kPermissionDenied (also a read-only file system),
// kResourceExhausted (disk or quota full, too many open files), kUnavailable (busy), kDataLoss (an
// I/O error, or a file that ends early), else kFailedPrecondition. A message says what was tried,
// the path, the system's words, and what to do.

#ifndef DAYBOOK_IO_FILE_H_
#define DAYBOOK_IO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

// Owns a descriptor, which exec does not inherit. Move-only; a moved-from File may only be assigned
// to or destroyed.
//
// Thread-safe as the kernel's positional calls are: different threads may read and write at the
// same time.
class File {
 public:
  static absl::StatusOr<File> OpenRead(const std::filesystem::path& path);
  static absl::StatusOr<File> OpenReadWrite(const std::filesystem::path& path);
  // A new file with the rights 0644 less the umask; kAlreadyExists where there is one. Its name is
  // durable after Directory::Sync of its folder.
  static absl::StatusOr<File> CreateNew(const std::filesystem::path& path);
  static absl::StatusOr<File> OpenOrCreate(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  // Fills `out`, or fails: kDataLoss where the file ends before that.
  absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> out) const;
  // Writes all, or fails with an unknown part written. Durable after SyncData.
  absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> bytes);
  // The same for pieces that follow each other in the file, in as few calls as the system allows.
  absl::Status WriteVectorAt(std::uint64_t offset,
                             std::span<const std::span<const std::byte>> pieces);
  // Puts data, and the size if it grew, on the device (fdatasync); Sync puts all metadata there too
  // (fsync). After a failure nothing is known about what was written since the last success, and a
  // second call may wrongly succeed.
  absl::Status SyncData();
  absl::Status Sync();
  // A hint: a sync of this range will be asked for soon. An error on the way is not reported here,
  // and not lost: SyncData reports it.
  void BeginSync(std::uint64_t offset, std::uint64_t bytes);

  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const;
  // Only for files that nobody has mapped: a reader of a shortened mapping dies of SIGBUS.
  absl::Status Resize(std::uint64_t bytes);
  // Writes zeros, so that the blocks exist and later writes cannot run out of disk. `keep_going` is
  // asked before each MiB; kCancelled where it says no.
  absl::Status ZeroFill(std::uint64_t offset, std::uint64_t bytes,
                        const std::function<bool()>& keep_going = nullptr);
  // Asks the system to forget what it has of the file in memory, so that the next read comes from
  // the device. Only what was synced goes. A hint.
  void DropCached() const;
  // Takes the lock (flock) that goes with the open file, without waiting; false where another has
  // it. It is held until this File, and every copy of its descriptor that a fork made, is closed.
  absl::StatusOr<bool> TryLockExclusive();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  File(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  static absl::StatusOr<File> Open(const std::filesystem::path& path, int flags, const char* what);
  void Close() noexcept;

  int fd_;
  std::filesystem::path path_;
};

}  // namespace daybook

#endif  // DAYBOOK_IO_FILE_H_
