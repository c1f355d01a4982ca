#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/flag_groups.h"
#include "cli/strings.h"

namespace daybook::cli {
namespace {

using Action = ProjectionFlags::Action;

struct ActionName {
  const char* name;
  Action action;
  std::vector<const char*> flags;  // that it takes
};

const std::vector<ActionName>& Actions() {
  static const std::vector<ActionName> actions = {
      {"run",
       Action::kRun,
       {"--kind", "--by", "--field", "--system-streams", "--on-poison", "--follow"}},
      {"status", Action::kStatus, {"--prometheus"}},
      {"show", Action::kShow, {}},
      {"rebuild",
       Action::kRebuild,
       {"--kind", "--by", "--field", "--system-streams", "--on-poison", "--threads"}},
      {"compare", Action::kCompare, {}},
      {"promote", Action::kPromote, {}},
      {"rollback", Action::kRollback, {}},
      {"parked", Action::kParked, {}},
      {"retry", Action::kRetry, {"--key", "--on-poison"}},
      {"skip", Action::kSkip, {"--position", "--reason", "--actor"}},
  };
  return actions;
}

struct ProjectionTexts {
  ProjectionFlags flags;
  FlagText action, name, kind, by, field, on_poison, threads, key, position, reason, actor;
  bool system_streams = false;
  CLI::App* command = nullptr;
};

absl::Status Wrong(absl::string_view what) { return UsageError(what, "projection"); }

// A flag that the action does not take would be passed over in silence.
absl::Status CheckFlags(const ProjectionTexts& texts, const ActionName& action) {
  for (const CLI::Option* option : texts.command->get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || !name.starts_with("--")) continue;
    if (name == "--no-mmap" || name == "--json" || name == "--help") continue;
    const auto takes = [&](const char* flag) { return name == flag; };
    if (std::none_of(action.flags.begin(), action.flags.end(), takes)) {
      return Wrong(absl::StrCat(name, " is not for ", action.name));
    }
  }
  return absl::OkStatus();
}

absl::Status FinishBuiltin(ProjectionTexts& texts) {
  if (!texts.kind) {
    if (texts.by || texts.field || texts.system_streams) {
      return Wrong("--by, --field and --system-streams belong to --kind");
    }
    return absl::OkStatus();
  }
  if (!texts.by) return Wrong("--kind needs --by");
  const absl::StatusOr<BuiltinProjection> builtin =
      BuiltinProjection::Make(*texts.kind, *texts.by, texts.field.value_or(""));
  if (!builtin.ok()) return Wrong(builtin.status().message());
  texts.flags.builtin = *builtin;
  texts.flags.builtin->system_streams = texts.system_streams;
  return absl::OkStatus();
}

absl::Status FinishSkip(ProjectionTexts& texts) {
  std::optional<Position> position;
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--position", texts.position, position));
  if (!position || *position == Position(0)) return Wrong("skip needs the --position of an event");
  if (!texts.reason || texts.reason->empty()) return Wrong("skip needs a --reason");
  if (texts.actor && texts.actor->empty()) return Wrong("an --actor has a name");
  texts.flags.position = *position;
  texts.flags.reason = *texts.reason;
  texts.flags.actor = texts.actor.value_or("");
  return absl::OkStatus();
}

absl::StatusOr<CommandLine> FinishProjection(ProjectionTexts& texts) {
  const auto action = std::find_if(Actions().begin(), Actions().end(),
                                   [&](const ActionName& one) { return one.name == texts.action; });
  texts.flags.action = action->action;
  DAYBOOK_CLI_RETURN_IF_ERROR(CheckFlags(texts, *action));
  texts.flags.name = texts.name.value_or("");
  if (texts.flags.name.empty() && (texts.name || action->action != Action::kStatus)) {
    return Wrong(absl::StrCat(action->name, " needs the NAME of a projection"));
  }
  DAYBOOK_CLI_RETURN_IF_ERROR(FinishBuiltin(texts));
  if (texts.on_poison == "park") texts.flags.on_poison = OnPoison::kParkByKey;
  std::optional<std::uint64_t> threads;
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--threads", texts.threads, 1, threads));
  if (threads > 64) return Wrong("--threads takes 1 to 64");
  texts.flags.threads = static_cast<unsigned>(threads.value_or(1));
  texts.flags.key = texts.key;
  if (action->action == Action::kSkip) DAYBOOK_CLI_RETURN_IF_ERROR(FinishSkip(texts));
  return texts.flags;
}

}  // namespace

void AddProjectionCommands(CLI::App& app, Finish& chosen) {
  const auto texts = std::make_shared<ProjectionTexts>();
  CLI::App& command = *AddCommand(app, "projection", "Run read models, and look after them", chosen,
                                  [texts] { return FinishProjection(*texts); });
  texts->command = &command;
  AddStore(command, texts->flags.store);
  std::vector<std::string> names;
  for (const ActionName& action : Actions()) names.emplace_back(action.name);
  AddFlag(command, "ACTION", texts->action, "",
          "run, status, show (its rows), rebuild, compare, promote, rollback, parked, retry, skip")
      ->required()
      ->check(CLI::IsMember(names));
  AddFlag(command, "NAME", texts->name, "", "Of the projection; status: of all, if not given");
  AddFlag(command, "--kind", texts->kind, "KIND",
          "run, rebuild: count, sum or last; if not given, what it was before")
      ->check(CLI::IsMember({"count", "sum", "last"}));
  AddFlag(command, "--by", texts->by, "WHAT", "With --kind: by stream, category or type")
      ->check(CLI::IsMember({"stream", "category", "type"}));
  AddFlag(command, "--field", texts->field, "FIELD",
          "With --kind sum: a field of the data, or a JSON Pointer that begins with /");
  command.add_flag("--system-streams", texts->system_streams,
                   "With --kind: also events of the store's own streams, which begin with $");
  AddFlag(command, "--on-poison", texts->on_poison, "WHAT",
          "At an event that it cannot handle: stop (default), or park its key")
      ->check(CLI::IsMember({"stop", "park"}));
  command.add_flag("--follow", texts->flags.follow, "run: go on with what is appended");
  command.add_flag("--prometheus", texts->flags.prometheus, "status: in Prometheus' text format");
  AddFlag(command, "--threads", texts->threads, "N", "rebuild: on so many threads (1)");
  AddFlag(command, "--key", texts->key, "KEY", "retry: this key only");
  AddFlag(command, "--position", texts->position, "P", "skip: of the event");
  AddFlag(command, "--reason", texts->reason, "TEXT", "skip: why");
  AddFlag(command, "--actor", texts->actor, "NAME", "skip: who decided (the user)");
  AddNoMmap(command, texts->flags.no_mmap);
}

}  // namespace daybook::cli
