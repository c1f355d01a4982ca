#include "cli/flag_groups.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"

namespace daybook::cli {

CLI::App* AddCommand(CLI::App& app, const char* name, const char* help, Finish& chosen,
                     Finish finish) {
  CLI::App* command = app.add_subcommand(name, help);
  command->set_help_flag("-h,--help", "Print this help and exit");
  command->add_flag("--json")->description("Speak JSON on a terminal too");
  command->callback([&chosen, finish = std::move(finish)] { chosen = finish; });
  return command;
}

void AddStore(CLI::App& command, std::string& store) {
  command.add_option("STORE", store, "The folder of the store")->required();
}

void AddNoMmap(CLI::App& command, bool& no_mmap) {
  command.add_flag("--no-mmap", no_mmap,
                   "Read files instead of mapping them: a failing device is an error, no signal");
}

CLI::Option* AddFlag(CLI::App& command, const char* name, FlagText& text, const char* type,
                     const char* help) {
  const CLI::callback_t take = [&text](const CLI::results_t& results) {
    text = results.front();
    return true;
  };
  return command.add_option(name, take, help)->type_name(type);
}

CLI::Option* AddFlag(CLI::App& command, const char* name, std::vector<std::string>& texts,
                     const char* type, const char* help) {
  const CLI::callback_t take = [&texts](const CLI::results_t& results) {
    texts = results;
    return true;
  };
  return command.add_option(name, take, help)
      ->type_name(type)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

absl::Status UsageError(absl::string_view what, absl::string_view command) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ", the command line, see `daybook ", command, " --help`"));
}

void MomentTexts::AddTo(CLI::App& command, Bounds bounds) {
  const auto add = [&command](const char* name, FlagText& text, const char* type,
                              const char* help) {
    return AddFlag(command, name, text, type, help)->group("As of a moment (inclusive)");
  };
  if (bounds != Bounds::kEffectiveTimeOnly) {
    CLI::Option* at_position = add("--as-of-position", position, "P", "The store at this position");
    CLI::Option* at_recorded =
        add("--as-of-recorded", recorded, "T", "What was recorded up to this time");
    at_recorded->excludes(at_position);
    if (bounds == Bounds::kVersion) {
      CLI::Option* at_version = add("--as-of-version", version, "N", "The stream at this version");
      at_version->excludes(at_position);
      at_version->excludes(at_recorded);
    }
  }
  if (bounds == Bounds::kRecorded) return;
  add("--as-of-effective", effective, "T",
      "Events effective up to this time; alone, or with another");
}

absl::Status MomentTexts::ApplyTo(AsOf& as_of) const {
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--as-of-version", version, as_of.version));
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--as-of-position", position, as_of.position));
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--as-of-recorded", recorded, as_of.recorded_at));
  return ParseFlag("--as-of-effective", effective, as_of.effective_at);
}

}  // namespace daybook::cli
