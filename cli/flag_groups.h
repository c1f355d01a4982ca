// What the commands have in common on the command line: how one is added, and the flags that
// several take.

#ifndef DAYBOOK_CLI_FLAG_GROUPS_H_
#define DAYBOOK_CLI_FLAG_GROUPS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/command_line.h"
#include "cli/flag_values.h"
#include "daybook/moment.h"

namespace daybook::cli {

// What was parsed becomes values only after all of it was read: the flags' texts live until then.
using Finish = std::function<absl::StatusOr<CommandLine>()>;

// Makes a command, with what every command has. The callback runs if it is the one that was called.
CLI::App* AddCommand(CLI::App& app, const char* name, const char* help, Finish& chosen,
                     Finish finish);

void AddStore(CLI::App& command, std::string& store);
void AddNoMmap(CLI::App& command, bool& no_mmap);

// The raw text of a flag: CLI11's own conversions would take {} and [] for containers.
CLI::Option* AddFlag(CLI::App& command, const char* name, FlagText& text, const char* type,
                     const char* help);
// The same for one that may be repeated.
CLI::Option* AddFlag(CLI::App& command, const char* name, std::vector<std::string>& texts,
                     const char* type, const char* help);

// kInvalidArgument, with the help that tells how it is right.
absl::Status UsageError(absl::string_view what, absl::string_view command);

// The as-of options.
struct MomentTexts {
  enum class Bounds : std::uint8_t {
    kRecorded,           // position and recorded time: of what is no events
    kEffective,          // and effective time
    kVersion,            // and the version of a stream
    kEffectiveTimeOnly,  // where the other bounds are given in another way
  };
  FlagText version, position, recorded, effective;

  void AddTo(CLI::App& command, Bounds bounds);
  absl::Status ApplyTo(AsOf& as_of) const;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_FLAG_GROUPS_H_
