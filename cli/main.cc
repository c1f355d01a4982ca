// The `daybook` command.

#include <unistd.h>

#include <exception>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/signals.h"

namespace daybook::cli {
namespace {

absl::Status Run(const TextFlags& flags, Console& console) {
  console.out().buffer().append(flags.text);
  return absl::OkStatus();
}
absl::Status Run(const ImportFlags& flags, Console& console) { return RunImport(flags, console); }
absl::Status Run(const AppendFlags& flags, Console& console) { return RunAppend(flags, console); }
absl::Status Run(const ReadFlags& flags, Console& console) { return RunRead(flags, console); }
absl::Status Run(const TailFlags& flags, Console& console) { return RunTail(flags, console); }
absl::Status Run(const StreamsFlags& flags, Console& console) { return RunStreams(flags, console); }
absl::Status Run(const StateFlags& flags, Console& console) { return RunState(flags, console); }
absl::Status Run(const DiffFlags& flags, Console& console) { return RunDiff(flags, console); }
absl::Status Run(const BlameFlags& flags, Console& console) { return RunBlame(flags, console); }
absl::Status Run(const BisectFlags& flags, Console& console) { return RunBisect(flags, console); }
absl::Status Run(const SqlFlags& flags, Console& console) { return RunSql(flags, console); }
absl::Status Run(const StatsFlags& flags, Console& console) { return RunStats(flags, console); }
absl::Status Run(const VerifyFlags& flags, Console& console) { return RunVerify(flags, console); }
absl::Status Run(const RepairFlags& flags, Console& console) { return RunRepair(flags, console); }
absl::Status Run(const BackupFlags& flags, Console& console) { return RunBackup(flags, console); }
absl::Status Run(const RestoreFlags& flags, Console& console) { return RunRestore(flags, console); }
absl::Status Run(const SnapshotFlags& flags, Console& console) {
  return RunSnapshot(flags, console);
}

absl::Status Run(const ProjectionFlags& flags, Console& console) {
  return RunProjection(flags, console);
}

absl::Status Run(const PublishFlags& flags, Console& console) { return RunPublish(flags, console); }

// Also where the command line cannot be read: then --json may stand anywhere in it.
OutputMode ModeOf(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json") return OutputMode::kJson;
  }
  return isatty(STDOUT_FILENO) != 0 ? OutputMode::kText : OutputMode::kJson;
}

int Main(int argc, const char* const* argv) {
  InstallSignalHandlers();
  Console console(ModeOf(argc, argv));
  absl::Status status;
  try {
    const absl::StatusOr<CommandLine> line = ParseCommandLine(argc, argv);
    status = line.status();
    if (line.ok()) {
      status = std::visit([&console](const auto& flags) { return Run(flags, console); }, *line);
    }
  } catch (const std::exception& error) {
    status = absl::InternalError(
        absl::StrCat("a bug, ", error.what(), ", please report it with what you did"));
  }
  // What was found before an error stands before it.
  const absl::Status flushed = console.out().Flush();
  if (status.ok()) status = flushed;
  if (!status.ok()) console.PrintError(status);
  return ExitCodeOf(status);
}

}  // namespace
}  // namespace daybook::cli

int main(int argc, char** argv) { return daybook::cli::Main(argc, argv); }
