#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "io/system.h"

namespace daybook::system {

int Open(const char* path, int flags, mode_t mode) { return open(path, flags, mode); }
int Close(int fd) { return close(fd); }
ssize_t Pread(int fd, void* out, std::size_t bytes, off_t offset) {
  return pread(fd, out, bytes, offset);
}
ssize_t Pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  return pwritev(fd, pieces, count, offset);
}
int Fdatasync(int fd) { return fdatasync(fd); }
int Fsync(int fd) { return fsync(fd); }
int Fstat(int fd, struct stat* info) { return fstat(fd, info); }
int Ftruncate(int fd, off_t bytes) { return ftruncate(fd, bytes); }
int Flock(int fd, int operation) { return flock(fd, operation); }
int GetFlags(int fd) { return fcntl(fd, F_GETFL); }
int SetFlags(int fd, int flags) { return fcntl(fd, F_SETFL, flags); }
int Fadvise(int fd, off_t offset, off_t bytes, int advice) {
  return posix_fadvise(fd, offset, bytes, advice);
}
int SyncFileRange(int fd, off_t offset, off_t bytes, unsigned flags) {
  return sync_file_range(fd, offset, bytes, flags);
}

void* Mmap(std::size_t bytes, int protection, int fd) {
  return mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
}
int Munmap(void* address, std::size_t bytes) { return munmap(address, bytes); }
int Madvise(void* address, std::size_t bytes, int advice) {
  return madvise(address, bytes, advice);
}

int Stat(const char* path, struct stat* info) { return stat(path, info); }
int Lstat(const char* path, struct stat* info) { return lstat(path, info); }
int Statfs(const char* path, struct statfs* info) { return statfs(path, info); }
int Mkdir(const char* path, mode_t mode) { return mkdir(path, mode); }
int Rename(const char* from, const char* to) { return rename(from, to); }
int RenameNoReplace(const char* from, const char* to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}
int Remove(const char* path) { return remove(path); }

int List(const char* path, std::vector<std::string>* names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path), &closedir);
  if (folder == nullptr) return -1;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(folder.get());
    if (entry == nullptr) return errno == 0 ? 0 : -1;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names->emplace_back(name);
  }
}

}  // namespace daybook::system
