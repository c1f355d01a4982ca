// The command line as plain values: every word of it is checked here.

#ifndef DAYBOOK_CLI_COMMAND_LINE_H_
#define DAYBOOK_CLI_COMMAND_LINE_H_

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "cli/append.h"
#include "cli/backup.h"
#include "cli/bisect.h"
#include "cli/explain.h"
#include "cli/health.h"
#include "cli/import.h"
#include "cli/inspect.h"
#include "cli/projection.h"
#include "cli/publish.h"
#include "cli/read.h"
#include "cli/snapshot.h"
#include "cli/sql.h"
#include "cli/state.h"

namespace daybook::cli {

// --help and --version: a text to print.
struct TextFlags {
  std::string text;
};

using CommandLine = std::variant<TextFlags, ImportFlags, AppendFlags, ReadFlags, TailFlags,
                                 StreamsFlags, StateFlags, DiffFlags, BlameFlags, BisectFlags,
                                 SqlFlags, StatsFlags, VerifyFlags, RepairFlags, BackupFlags,
                                 RestoreFlags, SnapshotFlags, ProjectionFlags, PublishFlags>;

// kInvalidArgument says what is wrong and names the help that tells how it is right.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_COMMAND_LINE_H_
