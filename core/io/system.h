// The calls to the operating system about files and names, one function each, and nothing else:
// what an interrupted call, a short write or an error means is decided in io/file.h,
// io/directory.h, io/mapped_file.h and io/wake_page.h, which stand on these.
//
// The arguments, results and errno are those of the call that each is named after. A seam for
// linking: the library has system_posix.cc, and a test may be linked with another definition of
// these functions in its place (docs/adr/0007-system-seam.md).

#ifndef DAYBOOK_IO_SYSTEM_H_
#define DAYBOOK_IO_SYSTEM_H_

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <cstddef>
#include <string>
#include <vector>

namespace daybook::system {

int Open(const char* path, int flags, mode_t mode);
int Close(int fd);
ssize_t Pread(int fd, void* out, std::size_t bytes, off_t offset);
ssize_t Pwritev(int fd, const iovec* pieces, int count, off_t offset);
int Fdatasync(int fd);
int Fsync(int fd);
int Fstat(int fd, struct stat* info);
int Ftruncate(int fd, off_t bytes);
int Flock(int fd, int operation);
// fcntl with F_GETFL and F_SETFL: how the file was opened.
int GetFlags(int fd);
int SetFlags(int fd, int flags);
int Fadvise(int fd, off_t offset, off_t bytes, int advice);
int SyncFileRange(int fd, off_t offset, off_t bytes, unsigned flags);

// Maps the first bytes of a file, shared; MAP_FAILED as mmap does.
void* Mmap(std::size_t bytes, int protection, int fd);
int Munmap(void* address, std::size_t bytes);
int Madvise(void* address, std::size_t bytes, int advice);

int Stat(const char* path, struct stat* info);
int Lstat(const char* path, struct stat* info);
int Statfs(const char* path, struct statfs* info);
int Mkdir(const char* path, mode_t mode);
int Rename(const char* from, const char* to);
// renameat2 with RENAME_NOREPLACE.
int RenameNoReplace(const char* from, const char* to);
// A file or an empty folder.
int Remove(const char* path);
// The names in a folder without "." and "..", in no order: opendir, readdir and closedir. -1 where
// one of them fails.
int List(const char* path, std::vector<std::string>* names);

}  // namespace daybook::system

#endif  // DAYBOOK_IO_SYSTEM_H_
