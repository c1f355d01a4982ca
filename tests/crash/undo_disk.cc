// A disk that can undo what was not synced: preloaded, it notes before every change of a file or of
// a name in the store what was there, and at a sync that it need not be undone any more. After the
// process was killed power_loss.h takes back what a device may not have kept.
//
//   DAYBOOK_UNDO_STORE    the store, an absolute path without links
//   DAYBOOK_UNDO_LOG      where the records go (undo_record.h); LOG.graves holds what was removed
//   DAYBOOK_UNDO_KILL_AT  the process is killed at its n-th change or sync: before it, in the
//                         middle of it, or just behind it
//   DAYBOOK_UNDO_LIE      syncs of log files succeed and are not believed: a disk that lies
//
// Nothing is really synced: the page cache outlives a killed process. A sync takes a while
// instead, so that a kill in the middle of it is as likely as on a device.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "crash/undo_record.h"

namespace {

using daybook::testing::kSectorBytes;
using daybook::testing::UndoKind;
using daybook::testing::UndoRecord;

constexpr std::uint64_t kMappedBytesMax = 4096;  // of a shared mapping, that are watched

// A part of a file that the process changes without a call. It is compared at every sync.
struct Mapping {
  const char* address = nullptr;
  std::uint64_t inode = 0, size = 0;  // of the file
  std::string before;
};

[[noreturn]] void Die(const char* why) {
  dprintf(STDERR_FILENO, "undo_disk: %s: %s\n", why, strerror(errno));
  _exit(99);
}

// The kernel's own calls: everything here goes around the functions below. Sets errno as they do.
template <class... Args>
long Call(long number, Args... args) {
  return syscall(number, args...);
}

class UndoDisk {
 public:
  static UndoDisk& Get() {
    static auto* const disk = new UndoDisk;  // lives until the process is killed
    return *disk;
  }

  std::mutex& mutex() { return mutex_; }

  // The path of a name in the store, relative to it; empty: it is none.
  [[nodiscard]] std::string_view Inside(const char* path) const {
    if (path == nullptr || store_.empty()) return {};
    const std::string_view whole(path);
    return whole.starts_with(store_) ? whole.substr(store_.size()) : std::string_view{};
  }

  // Whether `fd` is a regular file in the store.
  bool IsFile(int fd, struct stat* info, std::string* name) const {
    return LookAt(fd, info, name) && S_ISREG(info->st_mode);
  }
  bool IsFolder(int fd, std::string* name) const {
    struct stat info;
    return LookAt(fd, &info, name) && S_ISDIR(info.st_mode);
  }

  // What stands in the sectors that a write will change, and the size that it may.
  void NoteWrite(int fd, const struct stat& info, std::uint64_t offset, std::uint64_t length) {
    UndoRecord record;
    record.kind = UndoKind::kWrite;
    record.inode = info.st_ino;
    record.size = static_cast<std::uint64_t>(info.st_size);
    record.offset = offset / kSectorBytes * kSectorBytes;
    record.length = (offset + length + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
    record.length -= record.offset;
    const std::uint64_t end = std::min(record.offset + record.length, record.size);
    std::string old(end > record.offset ? end - record.offset : 0, '\0');
    // The file may be open for writing only.
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const int readable =
        static_cast<int>(Call(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0));
    if (readable < 0) Die("open to read what will be overwritten");
    for (std::size_t done = 0; done < old.size();) {
      const long got = Call(SYS_pread64, readable, old.data() + done, old.size() - done,
                            static_cast<off_t>(record.offset + done));
      if (got <= 0) Die("read what will be overwritten");
      done += static_cast<std::size_t>(got);
    }
    Call(SYS_close, readable);
    Note(record, {}, {}, old);
  }

  void NoteResize(const struct stat& info, std::uint64_t size) {
    if (size < static_cast<std::uint64_t>(info.st_size)) {
      errno = ENOTSUP;
      Die("a file in the store is cut short, which cannot be undone here");
    }
    UndoRecord record;
    record.kind = UndoKind::kResize;
    record.inode = info.st_ino;
    record.size = static_cast<std::uint64_t>(info.st_size);
    Note(record, {}, {}, {});
  }

  void NoteMake(std::string_view name) {
    UndoRecord record;
    record.kind = UndoKind::kMake;
    Note(record, name, {}, {});
  }

  void NoteRemove(std::string_view name, const char* path) {
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode)) return;
    UndoRecord record;
    record.kind = UndoKind::kRemove;
    record.inode = Bury(path, info);
    Note(record, name, {}, {});
  }

  void NoteRename(const char* from, const char* to, bool replace) {
    struct stat moved, target;
    if (lstat(from, &moved) != 0) return;  // and so the call fails
    const bool there = lstat(to, &target) == 0;
    if (there && !replace) return;
    UndoRecord record;
    record.kind = UndoKind::kRename;
    record.inode = moved.st_ino;
    if (there) record.replaced = Bury(to, target);
    Note(record, Inside(from), Inside(to), {});
  }

  // Everything that was noted up to now is what a sync that begins now covers.
  [[nodiscard]] std::uint64_t Mark() {
    for (Mapping& mapping : mappings_) {
      if (mapping.address != nullptr) NoteMapping(&mapping);
    }
    return end_;
  }

  void NoteSynced(UndoKind kind, std::uint64_t inode, std::string_view folder, std::uint64_t mark) {
    UndoRecord record;
    record.kind = kind;
    record.inode = inode;
    record.mark = mark;
    Note(record, folder, {}, {});
  }

  void NoteRangeSynced(std::uint64_t inode, std::uint64_t offset, std::uint64_t length) {
    UndoRecord record;
    record.kind = UndoKind::kRangeSynced;
    record.inode = inode;
    record.offset = offset;
    record.length = length;
    Note(record, {}, {}, {});
  }

  void Map(const void* address, std::size_t bytes, const struct stat& info) {
    const auto free = std::find_if(mappings_.begin(), mappings_.end(),
                                   [](const Mapping& m) { return m.address == nullptr; });
    // What a file is too short for cannot be looked at.
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (free == mappings_.end() || size < kMappedBytesMax) return;
    const char* const begin = static_cast<const char*>(address);
    *free = {begin, info.st_ino, size,
             std::string(begin, std::min<std::size_t>(bytes, kMappedBytesMax))};
  }
  void Unmap(const void* address) {
    for (Mapping& mapping : mappings_) {
      if (mapping.address == address) mapping = {};
    }
  }

  // Counts a change or a sync, before (`phase` 0) and behind it, and kills where it is the one that
  // was asked for.
  void Step(int phase) {
    if (phase == 0) ++steps_;
    if (kill_at_ == 0 || steps_ != kill_at_ || phase != (kill_at_ % 3 == 0 ? 0 : 1)) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  // Whether a write is to be cut short by the kill.
  [[nodiscard]] bool IsCutHere() const { return steps_ == kill_at_ && kill_at_ % 3 == 2; }

  [[nodiscard]] bool lies(std::string_view name) const { return lies_ && name.ends_with(".log"); }
  [[nodiscard]] bool active() const { return log_ >= 0; }

 private:
  UndoDisk() {
    const char* const store = getenv("DAYBOOK_UNDO_STORE");
    const char* const log = getenv("DAYBOOK_UNDO_LOG");
    if (store == nullptr || log == nullptr) return;
    store_ = std::string(store) + "/";
    graves_ = std::string(log) + ".graves/";
    lies_ = getenv("DAYBOOK_UNDO_LIE") != nullptr;
    if (const char* const at = getenv("DAYBOOK_UNDO_KILL_AT")) {
      kill_at_ = strtoull(at, nullptr, 10);
    }
    log_ = static_cast<int>(
        Call(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (log_ < 0) Die("open the log");
    Call(SYS_mkdir, graves_.c_str(), 0755);
    struct stat info;
    if (fstat(log_, &info) != 0) Die("look at the log");
    end_ = static_cast<std::uint64_t>(info.st_size);
  }

  bool LookAt(int fd, struct stat* info, std::string* name) const {
    if (!active() || fd < 0) return false;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path);
    if (length <= 0) return false;
    const std::string whole(path, static_cast<std::size_t>(length));
    if (!(whole + "/").starts_with(store_)) return false;
    *name = whole.size() > store_.size() ? whole.substr(store_.size()) : "";
    return fstat(fd, info) == 0;
  }

  std::uint64_t Bury(const char* path, const struct stat& info) const {
    const std::string grave = graves_ + std::to_string(info.st_ino);
    if (Call(SYS_linkat, AT_FDCWD, path, AT_FDCWD, grave.c_str(), 0) != 0 && errno != EEXIST) {
      Die("keep what is removed");
    }
    return info.st_ino;
  }

  void NoteMapping(Mapping* mapping) {
    for (std::uint64_t at = 0; at < mapping->before.size(); at += kSectorBytes) {
      const std::string old = mapping->before.substr(at, kSectorBytes);
      if (memcmp(mapping->address + at, old.data(), old.size()) == 0) continue;
      UndoRecord record;
      record.kind = UndoKind::kWrite;
      record.inode = mapping->inode;
      record.size = mapping->size;
      record.offset = at;
      record.length = kSectorBytes;
      Note(record, {}, {}, old);
      mapping->before.replace(at, old.size(), mapping->address + at, old.size());
    }
  }

  void Note(UndoRecord record, std::string_view first, std::string_view second,
            std::string_view old) {
    record.first_name_bytes = static_cast<std::uint32_t>(first.size());
    record.second_name_bytes = static_cast<std::uint32_t>(second.size());
    record.old_bytes = static_cast<std::uint32_t>(old.size());
    std::string bytes(reinterpret_cast<const char*>(&record), sizeof record);
    bytes.append(first).append(second).append(old);
    if (Call(SYS_write, log_, bytes.data(), bytes.size()) != static_cast<long>(bytes.size())) {
      Die("write the log");
    }
    end_ += bytes.size();
  }

  std::mutex mutex_;
  std::string store_, graves_;
  std::array<Mapping, 8> mappings_;
  std::uint64_t end_ = 0, kill_at_ = 0, steps_ = 0;
  int log_ = -1;
  bool lies_ = false;
};

UndoDisk& Disk() { return UndoDisk::Get(); }

std::size_t BytesOf(const iovec* pieces, int count) {
  std::size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += pieces[i].iov_len;
  return bytes;
}

ssize_t Write(int fd, const iovec* pieces, int count, off_t offset) {
  UndoDisk& disk = Disk();
  struct stat info;
  std::string name;
  if (!disk.IsFile(fd, &info, &name)) {
    return offset < 0 ? Call(SYS_writev, fd, pieces, count)
                      : Call(SYS_pwritev, fd, pieces, count, offset, 0);
  }
  const std::lock_guard lock(disk.mutex());
  if (fstat(fd, &info) != 0) return -1;
  const bool positioned = offset >= 0;
  const std::uint64_t at =
      static_cast<std::uint64_t>(positioned ? offset : Call(SYS_lseek, fd, off_t{0}, SEEK_CUR));
  const std::size_t bytes = BytesOf(pieces, count);
  disk.Step(0);
  disk.NoteWrite(fd, info, at, bytes);
  if (disk.IsCutHere()) {
    // The first piece, and half of it where there is no other.
    iovec part = pieces[0];
    if (count == 1) part.iov_len /= 2;
    Call(SYS_pwritev, fd, &part, 1, static_cast<off_t>(at), 0);
    kill(getpid(), SIGKILL);
  }
  const long written = positioned ? Call(SYS_pwritev, fd, pieces, count, offset, 0)
                                  : Call(SYS_writev, fd, pieces, count);
  const int error = errno;
  if (written > 0 && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
    disk.NoteRangeSynced(info.st_ino, at, static_cast<std::uint64_t>(written));
  }
  disk.Step(1);
  errno = error;
  return written;
}

int Sync(int fd, long number) {
  UndoDisk& disk = Disk();
  struct stat info;
  std::string name;
  const bool file = disk.IsFile(fd, &info, &name);
  if (!file && !disk.IsFolder(fd, &name)) return static_cast<int>(Call(number, fd));
  std::uint64_t mark = 0;
  {
    const std::lock_guard lock(disk.mutex());
    disk.Step(0);
    mark = disk.Mark();
  }
  usleep(static_cast<useconds_t>(mark / 64 % 200));
  const std::lock_guard lock(disk.mutex());
  if (!disk.lies(name)) {
    disk.NoteSynced(file ? UndoKind::kDataSynced : UndoKind::kFolderSynced, file ? info.st_ino : 0,
                    name, mark);
  }
  disk.Step(1);
  return 0;
}

int Resize(int fd, off_t size) {
  UndoDisk& disk = Disk();
  struct stat info;
  std::string name;
  if (!disk.IsFile(fd, &info, &name)) return static_cast<int>(Call(SYS_ftruncate, fd, size));
  const std::lock_guard lock(disk.mutex());
  if (fstat(fd, &info) != 0) return -1;
  disk.Step(0);
  disk.NoteResize(info, static_cast<std::uint64_t>(size));
  const int result = static_cast<int>(Call(SYS_ftruncate, fd, size));
  disk.Step(1);
  return result;
}

int Preallocate(int fd, int mode, off_t offset, off_t length) {
  UndoDisk& disk = Disk();
  struct stat info;
  std::string name;
  if (!disk.IsFile(fd, &info, &name)) {
    return static_cast<int>(Call(SYS_fallocate, fd, mode, offset, length));
  }
  const std::lock_guard lock(disk.mutex());
  if (fstat(fd, &info) != 0) return -1;
  if (mode != 0) Die("a file in the store is changed by fallocate");
  disk.Step(0);
  disk.NoteResize(info, std::max<std::uint64_t>(static_cast<std::uint64_t>(info.st_size),
                                                static_cast<std::uint64_t>(offset + length)));
  const int result = static_cast<int>(Call(SYS_fallocate, fd, mode, offset, length));
  disk.Step(1);
  return result;
}

int Open(int folder, const char* path, int flags, mode_t mode) {
  UndoDisk& disk = Disk();
  const std::string_view name = disk.Inside(path);
  if (name.empty() || (flags & (O_CREAT | O_TRUNC)) == 0) {
    return static_cast<int>(Call(SYS_openat, folder, path, flags, mode));
  }
  const std::lock_guard lock(disk.mutex());
  struct stat info;
  const bool there = lstat(path, &info) == 0;
  if (there && (flags & O_TRUNC) != 0) disk.NoteResize(info, 0);
  if (!there && (flags & O_CREAT) != 0) {
    disk.Step(0);
    disk.NoteMake(name);
  }
  const int fd = static_cast<int>(Call(SYS_openat, folder, path, flags, mode));
  if (!there) disk.Step(1);
  return fd;
}

template <class Note, class Change>
int ChangeName(const char* path, Note note, Change change) {
  UndoDisk& disk = Disk();
  const std::string_view name = disk.Inside(path);
  if (name.empty()) return static_cast<int>(change());
  const std::lock_guard lock(disk.mutex());
  disk.Step(0);
  note(&disk, name);
  const int result = static_cast<int>(change());
  const int error = errno;
  disk.Step(1);
  errno = error;
  return result;
}

int Unlink(const char* path) {
  return ChangeName(
      path, [path](UndoDisk* disk, std::string_view name) { disk->NoteRemove(name, path); },
      [path] { return Call(SYS_unlink, path); });
}

int Rename(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return ChangeName(
      to, [&](UndoDisk* disk, std::string_view) { disk->NoteRename(from, to, flags == 0); },
      [&] { return Call(SYS_renameat2, from_folder, from, to_folder, to, flags); });
}

void* Map(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
  void* const mapped =
      reinterpret_cast<void*>(Call(SYS_mmap, address, bytes, protection, flags, fd, offset));
  if (fd < 0 || mapped == MAP_FAILED || (protection & PROT_WRITE) == 0 ||
      (flags & MAP_SHARED) == 0 || offset != 0) {
    return mapped;
  }
  UndoDisk& disk = Disk();
  struct stat info;
  std::string name;
  if (!disk.IsFile(fd, &info, &name)) return mapped;
  const std::lock_guard lock(disk.mutex());
  if (fstat(fd, &info) == 0) disk.Map(mapped, bytes, info);
  return mapped;
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(arguments, unsigned)) : 0;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  const iovec piece{const_cast<void*>(bytes), count};
  return Write(fd, &piece, 1, -1);
}
ssize_t writev(int fd, const iovec* pieces, int count) { return Write(fd, pieces, count, -1); }
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  const iovec piece{const_cast<void*>(bytes), count};
  return Write(fd, &piece, 1, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  return pwrite(fd, bytes, count, offset);
}
ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  return Write(fd, pieces, count, offset);
}
ssize_t pwritev64(int fd, const iovec* pieces, int count, off64_t offset) {
  return Write(fd, pieces, count, offset);
}
ssize_t pwritev2(int fd, const iovec* pieces, int count, off_t offset, int) {
  return Write(fd, pieces, count, offset);
}
ssize_t pwritev64v2(int fd, const iovec* pieces, int count, off64_t offset, int) {
  return Write(fd, pieces, count, offset);
}

int fdatasync(int fd) { return Sync(fd, SYS_fdatasync); }
int fsync(int fd) { return Sync(fd, SYS_fsync); }
// Neither is a promise that a name or a size is on the device.
int msync(void*, size_t, int) { return 0; }
int sync_file_range(int, off64_t, off64_t, unsigned) { return 0; }

int ftruncate(int fd, off_t size) noexcept { return Resize(fd, size); }
int ftruncate64(int fd, off64_t size) noexcept { return Resize(fd, size); }
int fallocate(int fd, int mode, off_t offset, off_t length) {
  return Preallocate(fd, mode, offset, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  return Preallocate(fd, mode, offset, length);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Open(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Open(folder, path, flags, mode);
}

int unlink(const char* path) noexcept { return Unlink(path); }
int remove(const char* path) noexcept {
  const int removed = Unlink(path);
  return removed != 0 && errno == EISDIR ? static_cast<int>(Call(SYS_rmdir, path)) : removed;
}
int mkdir(const char* path, mode_t mode) noexcept {
  struct stat info;
  if (lstat(path, &info) == 0) return static_cast<int>(Call(SYS_mkdir, path, mode));
  return ChangeName(
      path, [](UndoDisk* disk, std::string_view name) { disk->NoteMake(name); },
      [=] { return Call(SYS_mkdir, path, mode); });
}
int rename(const char* from, const char* to) noexcept {
  return Rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  return Rename(from_folder, from, to_folder, to, flags);
}

void* mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  return Map(address, bytes, protection, flags, fd, offset);
}
void* mmap64(void* address, size_t bytes, int protection, int flags, int fd,
             off64_t offset) noexcept {
  return Map(address, bytes, protection, flags, fd, offset);
}
int munmap(void* address, size_t bytes) noexcept {
  {
    UndoDisk& disk = Disk();
    const std::lock_guard lock(disk.mutex());
    disk.Unmap(address);
  }
  return static_cast<int>(Call(SYS_munmap, address, bytes));
}

}  // extern "C"
