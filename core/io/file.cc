#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "io/os_error.h"
#include "io/system.h"

namespace daybook {
namespace {

constexpr std::size_t kDirectAlignment = 4096;
constexpr std::size_t kZeroChunkBytes = std::size_t{1} << 20;

// Calls a system call again for as long as a signal interrupts it.
template <class Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// What is still to be written of a vector of pieces.
class Remaining {
 public:
  explicit Remaining(std::span<const std::span<const std::byte>> pieces) : pieces_(pieces) {
    Advance(0);
  }

  [[nodiscard]] bool empty() const { return pieces_.empty(); }

  // Fills as many iovecs as there are pieces or room; the number of them.
  int Fill(std::span<iovec> iovecs) const {
    std::size_t count = 0;
    std::size_t skip = written_of_first_;
    for (std::size_t i = 0; i < pieces_.size() && count < iovecs.size(); ++i) {
      const std::span<const std::byte> piece = pieces_[i].subspan(std::exchange(skip, 0));
      // The system only reads them; iovec has no const.
      if (!piece.empty()) iovecs[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
    }
    return static_cast<int>(count);
  }

  // Takes off what was written, and the pieces that are done, empty ones too.
  void Advance(std::size_t bytes) {
    written_of_first_ += bytes;
    while (!pieces_.empty() && written_of_first_ >= pieces_.front().size()) {
      written_of_first_ -= pieces_.front().size();
      pieces_ = pieces_.subspan(1);
    }
  }

 private:
  std::span<const std::span<const std::byte>> pieces_;
  std::size_t written_of_first_ = 0;
};

}  // namespace

absl::StatusOr<File> File::Open(const std::filesystem::path& path, int flags, const char* what) {
  constexpr mode_t kMode = 0644;
  const int fd =
      Uninterrupted([&] { return system::Open(path.c_str(), flags | O_CLOEXEC, kMode); });
  if (fd < 0) return OsError(errno, what, path);
  return File(fd, path);
}

absl::StatusOr<File> File::OpenRead(const std::filesystem::path& path) {
  return Open(path, O_RDONLY, "open for reading");
}

absl::StatusOr<File> File::OpenReadWrite(const std::filesystem::path& path) {
  return Open(path, O_RDWR, "open for writing");
}

absl::StatusOr<File> File::CreateNew(const std::filesystem::path& path) {
  return Open(path, O_RDWR | O_CREAT | O_EXCL, "create");
}

absl::StatusOr<File> File::OpenOrCreate(const std::filesystem::path& path) {
  return Open(path, O_RDWR | O_CREAT, "open or create");
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() { Close(); }

// What must be on the device was synced before, so an error of close() says nothing new; and a
// close() that was interrupted has closed.
void File::Close() noexcept {
  if (fd_ >= 0) system::Close(fd_);
  fd_ = -1;
}

absl::Status File::ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = Uninterrupted([&] {
      return system::Pread(fd_, out.data() + done, out.size() - done,
                           static_cast<off_t>(offset + done));
    });
    if (got < 0) return OsError(errno, "read", path_);
    if (got == 0) {
      return absl::DataLossError(
          absl::StrCat("read: ", path_.native(), ": the file ends early, at ", offset + done,
                       ", where bytes up to ", offset + out.size(), " are needed"));
    }
    done += static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status File::WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) {
  return WriteVectorAt(offset, {&bytes, 1});
}

absl::Status File::WriteVectorAt(std::uint64_t offset,
                                 std::span<const std::span<const std::byte>> pieces) {
  std::array<iovec, IOV_MAX> iovecs;
  for (Remaining remaining(pieces); !remaining.empty();) {
    const int count = remaining.Fill(iovecs);
    const ssize_t written = Uninterrupted(
        [&] { return system::Pwritev(fd_, iovecs.data(), count, static_cast<off_t>(offset)); });
    if (written < 0) return OsError(errno, "write", path_);
    if (written == 0) return OsError(EIO, "write", path_);  // or this would go on for ever
    if (IsSeeded(SeededBug::kShortWriteIgnored)) return absl::OkStatus();
    remaining.Advance(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return absl::OkStatus();
}

// Neither sync is tried again, not even after EINTR: a second call may report success for pages
// that the first dropped.
absl::Status File::SyncData() {
  int result = system::Fdatasync(fd_);
  if (IsSeeded(SeededBug::kFailedSyncRetried) && result != 0) result = system::Fdatasync(fd_);
  if (result != 0) return OsError(errno, "sync data", path_);
  return absl::OkStatus();
}

absl::Status File::Sync() {
  if (system::Fsync(fd_) != 0) return OsError(errno, "sync", path_);
  return absl::OkStatus();
}

void File::BeginSync(std::uint64_t offset, std::uint64_t bytes) {
  // This flag alone starts the writing and does not ask how it went.
  static_cast<void>(system::SyncFileRange(fd_, static_cast<off_t>(offset),
                                          static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE));
}

absl::StatusOr<std::uint64_t> File::Size() const {
  struct stat info;
  if (system::Fstat(fd_, &info) != 0) return OsError(errno, "look up the size", path_);
  return static_cast<std::uint64_t>(info.st_size);
}

absl::Status File::Resize(std::uint64_t bytes) {
  if (Uninterrupted([&] { return system::Ftruncate(fd_, static_cast<off_t>(bytes)); }) != 0) {
    return OsError(errno, "resize", path_);
  }
  return absl::OkStatus();
}

absl::Status File::ZeroFill(std::uint64_t offset, std::uint64_t bytes,
                            const std::function<bool()>& keep_going) {
  // Zeros are not worth a place in the page cache, nor the copying: where the file system can, they
  // go to the device directly.
  const bool aligned = offset % kDirectAlignment == 0 && bytes % kDirectAlignment == 0;
  const int flags = aligned ? system::GetFlags(fd_) : -1;
  bool direct = flags >= 0 && system::SetFlags(fd_, flags | O_DIRECT) == 0;
  std::vector<std::byte> buffer(std::min(bytes, kZeroChunkBytes) + kDirectAlignment);
  void* begin = buffer.data();
  std::size_t room = buffer.size();
  std::align(kDirectAlignment, kDirectAlignment, begin, room);
  const std::span<const std::byte> zeros(static_cast<const std::byte*>(begin),
                                         buffer.size() - kDirectAlignment);
  absl::Status status;
  for (std::uint64_t done = 0; done < bytes && status.ok();) {
    if (keep_going && !keep_going()) {
      status = absl::CancelledError(
          absl::StrCat("fill with zeros: ", path_.native(), ": stopped as asked"));
      break;
    }
    const auto piece = zeros.first(std::min(bytes - done, zeros.size()));
    if (direct) {
      const iovec vector{const_cast<std::byte*>(piece.data()), piece.size()};
      const ssize_t written = Uninterrupted(
          [&] { return system::Pwritev(fd_, &vector, 1, static_cast<off_t>(offset + done)); });
      // A short write may have met a boundary that direct writes cannot cross.
      direct = written == static_cast<ssize_t>(piece.size());
      if (!direct) static_cast<void>(system::SetFlags(fd_, flags));
    }
    if (!direct) status = WriteAt(offset + done, piece);
    done += piece.size();
  }
  if (direct) static_cast<void>(system::SetFlags(fd_, flags));
  return status;
}

void File::DropCached() const {
  system::Fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);  // where it is refused the read is from memory
}

absl::StatusOr<bool> File::TryLockExclusive() {
  if (Uninterrupted([&] { return system::Flock(fd_, LOCK_EX | LOCK_NB); }) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return OsError(errno, "lock", path_);
}

}  // namespace daybook
