#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace daybook::cli {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{256} << 10;

absl::Status WriteError(int error) {
  const std::string message =
      absl::StrCat("cannot write, standard output: ", std::strerror(error), ", ");
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat(message, "make room and run it again"));
  }
  return absl::FailedPreconditionError(absl::StrCat(message, "look at where it goes"));
}

}  // namespace

absl::Status Output::FlushIfLarge() {
  return buffer_.size() < kWriteBytes ? absl::OkStatus() : Flush();
}

absl::Status Output::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && !closed_) {
    const ssize_t written = write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno == EAGAIN) {  // a host gave us a pipe that does not block
      pollfd ready = {descriptor_, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno == EINTR) {
      continue;
    } else {
      const absl::Status status = WriteError(errno);
      buffer_.clear();
      return status;
    }
  }
  buffer_.clear();
  return absl::OkStatus();
}

}  // namespace daybook::cli
