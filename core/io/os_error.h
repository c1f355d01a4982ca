// Errors of the operating system as statuses, for this module.

#ifndef DAYBOOK_IO_OS_ERROR_H_
#define DAYBOOK_IO_OS_ERROR_H_

#include <filesystem>
#include <string_view>

#include "absl/status/status.h"

namespace daybook {

// The status for an errno: its code (see io/file.h), and "what: path: the system's words; what to
// do".
absl::Status OsError(int error, std::string_view what, const std::filesystem::path& path);

}  // namespace daybook

#endif  // DAYBOOK_IO_OS_ERROR_H_
