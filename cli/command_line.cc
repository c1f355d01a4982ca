#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "cli/commands.h"
#include "cli/flag_groups.h"

namespace daybook::cli {
namespace {

std::string HelpOf(const CLI::App& app) {
  std::string help = app.help();
  if (!help.ends_with('\n')) help += '\n';
  if (app.get_subcommands().empty()) help += "See `daybook COMMAND --help`, and daybook(1).\n";
  return help;
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app("Daybook: an embedded, append-only event store", "daybook");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", "daybook " DAYBOOK_VERSION "\n");
  app.add_flag("--json")->description("Speak JSON on a terminal too");
  app.require_subcommand(1);
  Finish chosen;
  AddAppendingCommands(app, chosen);
  AddReadingCommands(app, chosen);
  AddPastCommands(app, chosen);
  AddStoreCommands(app, chosen);
  AddProjectionCommands(app, chosen);
  AddPublishCommands(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    return TextFlags{version.what()};
  } catch (const CLI::CallForHelp&) {
    return TextFlags{HelpOf(app)};
  } catch (const CLI::ParseError& error) {
    const std::vector<CLI::App*> called = app.get_subcommands();
    return UsageError(error.what(), called.empty() ? "COMMAND" : called.front()->get_name());
  }
  return chosen();
}

}  // namespace daybook::cli
