#include "io/os_error.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {
namespace {

struct Meaning {
  absl::StatusCode code;
  const char* advice;
};

Meaning MeaningOf(int error) {
  switch (error) {
    case ENOENT:
      return {absl::StatusCode::kNotFound, "check the path"};
    case EEXIST:
      return {absl::StatusCode::kAlreadyExists,
              "it is there already; remove it or use another name"};
    case EACCES:
    case EPERM:
      return {absl::StatusCode::kPermissionDenied, "check the rights of the file and its folders"};
    case EROFS:
      return {absl::StatusCode::kPermissionDenied, "the file system is mounted read-only"};
    case ENOSPC:
    case EDQUOT:
      return {absl::StatusCode::kResourceExhausted, "make room on the disk"};
    case EMFILE:
    case ENFILE:
      return {absl::StatusCode::kResourceExhausted, "raise the limit of open files"};
    case ENOMEM:
      return {absl::StatusCode::kResourceExhausted, "make memory available"};
    case EAGAIN:
    case EBUSY:
      return {absl::StatusCode::kUnavailable, "something else uses it; try again"};
    case EIO:
      return {absl::StatusCode::kDataLoss, "the device failed; look at the kernel's log"};
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return {absl::StatusCode::kFailedPrecondition, "check the path"};
    case ENOTEMPTY:
      return {absl::StatusCode::kFailedPrecondition, "empty the folder first"};
    case EXDEV:
      return {absl::StatusCode::kFailedPrecondition, "keep the store on one file system"};
    default:
      return {absl::StatusCode::kFailedPrecondition, "check the file system"};
  }
}

}  // namespace

absl::Status OsError(int error, std::string_view what, const std::filesystem::path& path) {
  const Meaning meaning = MeaningOf(error);
  std::array<char, 128> buffer{};
  const char* text = strerror_r(error, buffer.data(), buffer.size());
  return absl::Status(meaning.code, absl::StrCat(ToAbsl(what), ": ", path.native(), ": ", text,
                                                 "; ", meaning.advice));
}

}  // namespace daybook
