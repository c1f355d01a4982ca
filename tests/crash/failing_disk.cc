// A disk that fails: preloaded, it makes a chosen fdatasync or write of a log file fail with EIO.

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string_view>

namespace {

std::atomic<int> syncs_left{0};
std::atomic<int> writes_left{0};

bool IsLog(int fd) {
  const char digits[] = "0123456789";
  char link[32] = "/proc/self/fd/";
  char* end = link + 14;
  char reversed[12];
  int n = 0;
  for (int rest = fd; n == 0 || rest != 0; rest /= 10) reversed[n++] = digits[rest % 10];
  while (n > 0) *end++ = reversed[--n];
  *end = '\0';
  char path[4096];
  const ssize_t length = readlink(link, path, sizeof path);
  return length > 0 && std::string_view(path, static_cast<std::size_t>(length)).ends_with(".log");
}

// Whether this call is the one that was asked for.
bool IsDue(std::atomic<int>* left, int fd) {
  return left->load() > 0 && IsLog(fd) && left->fetch_sub(1) == 1;
}

ssize_t Write(int fd, const iovec* pieces, int count, off_t offset) {
  if (IsDue(&writes_left, fd)) {
    // Something arrives and then nothing more.
    syscall(SYS_pwritev, fd, pieces, std::min(count, 1), offset, 0);
    errno = EIO;
    return -1;
  }
  return syscall(SYS_pwritev, fd, pieces, count, offset, 0);
}

}  // namespace

extern "C" {

// The n-th sync and the n-th write of a log file from now on fail, once; 0 is none.
void daybook_fail_log(int syncs, int writes) {
  syncs_left = syncs;
  writes_left = writes;
}

int fdatasync(int fd) {
  if (IsDue(&syncs_left, fd)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  return Write(fd, pieces, count, offset);
}
ssize_t pwritev64(int fd, const iovec* pieces, int count, off_t offset) {
  return Write(fd, pieces, count, offset);
}

}  // extern "C"
