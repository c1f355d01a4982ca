// The command line as plain values: every word of it is checked here.

#ifndef DAYBOOK_CLI_COMMAND_LINE_H_
#define DAYBOOK_CLI_COMMAND_LINE_H_

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "cli/append.h"
#include "cli/backup.h"
#include "cli/health.h"
#include "cli/import.h"
#include "cli/inspect.h"
#include "cli/read.h"

namespace daybook::cli {

// --help and --version: a text to print.
struct TextFlags {
  std::string text;
};

using CommandLine =
    std::variant<TextFlags, ImportFlags, AppendFlags, ReadFlags, TailFlags, StreamsFlags,
                 StatsFlags, VerifyFlags, RepairFlags, BackupFlags, RestoreFlags>;

// kInvalidArgument says what is wrong and names the help that tells how it is right.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_COMMAND_LINE_H_
