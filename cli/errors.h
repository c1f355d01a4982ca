// What an error is to the outside: an exit code, and one line on stderr.

#ifndef DAYBOOK_CLI_ERRORS_H_
#define DAYBOOK_CLI_ERRORS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace daybook::cli {

// How a command speaks: to a person, or in JSON (with --json, or where stdout is no terminal).
enum class OutputMode : std::uint8_t { kText, kJson };

// The exit code that the contract gives to a status: 0, 1..10, 70 or 130.
int ExitCodeOf(const absl::Status& status);

// The code's name as it stands in an error's JSON: "aborted", "data_loss", ...
std::string_view CodeName(absl::StatusCode code);

// The status with the place and `hint`, what to do, behind its message, and {file, line} as its
// detail.
absl::Status AtLine(const absl::Status& status, std::string_view file, std::uint64_t line,
                    std::string_view hint);

// The command was stopped by a signal, after clean work.
absl::Status InterruptedError();

// One line with its line feed: `daybook: what, where, what to do`, or
// {"error":{"code","message","detail"}}.
std::string RenderError(const absl::Status& status, OutputMode mode);

// The same for a thing to know that is no error: `daybook: ...`, or
// {"notice":{"severity","message"}}.
std::string RenderNotice(std::string_view severity, std::string_view message, OutputMode mode);

}  // namespace daybook::cli

// Returns the status of `expr` where it is not OK.
#define DAYBOOK_CLI_RETURN_IF_ERROR(expr)                       \
  do {                                                          \
    if (absl::Status cli_status_ = (expr); !cli_status_.ok()) { \
      return cli_status_;                                       \
    }                                                           \
  } while (false)

#endif  // DAYBOOK_CLI_ERRORS_H_
