// The commands of the command line, in groups: each adds its own with their flags, and sets
// `chosen` where one of them was called.

#ifndef DAYBOOK_CLI_COMMANDS_H_
#define DAYBOOK_CLI_COMMANDS_H_

#include "cli/flag_groups.h"

namespace daybook::cli {

void AddAppendingCommands(CLI::App& app, Finish& chosen);   // import, append
void AddReadingCommands(CLI::App& app, Finish& chosen);     // read, tail, streams
void AddPastCommands(CLI::App& app, Finish& chosen);        // state, diff, blame, bisect, sql
void AddProjectionCommands(CLI::App& app, Finish& chosen);  // projection
void AddPublishCommands(CLI::App& app, Finish& chosen);     // publish
void AddStoreCommands(CLI::App& app, Finish& chosen);       // stats ... restore, snapshot

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_COMMANDS_H_
