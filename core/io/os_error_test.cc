#include "io/os_error.h"

#include <cerrno>
#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("the code of an error says what the caller can do") {
  const auto code = [](int error) { return OsError(error, "open", "f").code(); };
  CHECK(code(ENOENT) == absl::StatusCode::kNotFound);
  CHECK(code(EEXIST) == absl::StatusCode::kAlreadyExists);
  for (const int error : {EACCES, EPERM, EROFS}) {
    CHECK(code(error) == absl::StatusCode::kPermissionDenied);
  }
  for (const int error : {ENOSPC, EDQUOT}) {
    CHECK(code(error) == absl::StatusCode::kResourceExhausted);
  }
  CHECK(code(EAGAIN) == absl::StatusCode::kUnavailable);
  CHECK(code(EIO) == absl::StatusCode::kDataLoss);
  for (const int error : {EINVAL, ENOTDIR, EISDIR, EXDEV, ENOTEMPTY, EFBIG}) {
    CHECK(code(error) == absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("the message says what, which file, the system's words, and what to do") {
  CHECK(OsError(ENOSPC, "write", "ledger/log/spare").message() ==
        "write: ledger/log/spare: No space left on device; make room on the disk");
}

}  // namespace
}  // namespace daybook
