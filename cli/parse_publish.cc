#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/flag_groups.h"
#include "cli/strings.h"

namespace daybook::cli {
namespace {

using PublishAction = PublishFlags::Action;

constexpr std::array<std::pair<std::string_view, PublishAction>, 4> kPublishActions = {{
    {"status", PublishAction::kStatus},
    {"parked", PublishAction::kParked},
    {"retry", PublishAction::kRetry},
    {"skip", PublishAction::kSkip},
}};

// What only one action takes; the rest is for publishing itself.
constexpr std::array<std::pair<std::string_view, PublishAction>, 5> kPublishOnlyFor = {{
    {"--prometheus", PublishAction::kStatus},
    {"--position", PublishAction::kSkip},
    {"--reason", PublishAction::kSkip},
    {"--actor", PublishAction::kSkip},
    {"--to", PublishAction::kRun},
}};
constexpr std::array<std::string_view, 4> kPublishForAll = {"--name", "--no-mmap", "--json",
                                                            "--help"};

struct PublishTexts {
  PublishFlags flags;
  std::vector<std::string> words, types, tags, headers, options;
  FlagText to, name, from, until, stream, category, destination, key, format, on_poison, timeout,
      patience, position, reason, actor;
  bool system_streams = false;
  CLI::App* command = nullptr;
};

absl::Status WrongPublish(absl::string_view what) { return UsageError(what, "publish"); }

const std::pair<std::string_view, PublishAction>* FindAction(std::string_view word) {
  const auto* const found = std::find_if(kPublishActions.begin(), kPublishActions.end(),
                                         [&](auto& one) { return one.first == word; });
  return found == kPublishActions.end() ? nullptr : found;
}

// STORE; or an action and STORE, in either order, and perhaps a NAME behind them.
absl::Status FinishWords(PublishTexts& texts) {
  std::vector<std::string>& words = texts.words;
  for (std::size_t i = 0; i < std::min<std::size_t>(words.size(), 2); ++i) {
    const auto* const action = words.size() > 1 ? FindAction(words[i]) : nullptr;
    if (action == nullptr) continue;
    texts.flags.action = action->second;
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  if (words.empty()) return WrongPublish("publish needs a STORE");
  texts.flags.store = words[0];
  if (words.size() == 2 && texts.flags.action != PublishAction::kRun && !texts.name) {
    texts.name = words[1];
  } else if (words.size() > 1) {
    return WrongPublish(absl::StrCat("'", words[1], "' is too much"));
  }
  return absl::OkStatus();
}

// A flag that the action does not take would be passed over in silence.
absl::Status CheckPublishFlags(const PublishTexts& texts) {
  const PublishAction action = texts.flags.action;
  for (const CLI::Option* option : texts.command->get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || !name.starts_with("--")) continue;
    if (std::find(kPublishForAll.begin(), kPublishForAll.end(), name) != kPublishForAll.end()) {
      continue;
    }
    const auto* const only = std::find_if(kPublishOnlyFor.begin(), kPublishOnlyFor.end(),
                                          [&](auto& one) { return one.first == name; });
    const bool is_for_run = only == kPublishOnlyFor.end();
    const bool is_good = is_for_run ? action == PublishAction::kRun ||
                                          (name == "--stream" && action == PublishAction::kRetry)
                                    : only->second == action;
    if (!is_good) return WrongPublish(absl::StrCat(name, " is not for that"));
  }
  return absl::OkStatus();
}

absl::Status FinishPairs(const char* flag, const std::vector<std::string>& texts,
                         std::vector<std::pair<std::string, std::string>>& pairs) {
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return WrongPublish(absl::StrCat(flag, " takes NAME=VALUE, and not '", text, "'"));
    }
    pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return absl::OkStatus();
}

absl::Status FinishRun(PublishTexts& texts) {
  PublisherOptions& options = texts.flags.options;
  SinkSettings& sink = texts.flags.sink;
  if (!texts.to)
    return WrongPublish("publish needs --to URL, or one of status, parked, retry, skip");
  sink.url = *texts.to;
  sink.destination = texts.destination.value_or("");
  sink.key = texts.key.value_or("");
  DAYBOOK_CLI_RETURN_IF_ERROR(FinishPairs("--header", texts.headers, sink.headers));
  DAYBOOK_CLI_RETURN_IF_ERROR(FinishPairs("--option", texts.options, sink.options));
  if (texts.format) sink.options.emplace_back("format", *texts.format);
  if (texts.timeout)
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--timeout", texts.timeout, sink.timeout));
  if (texts.patience) {
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--patience", texts.patience, options.patience));
  }
  options.filter = {.stream = texts.stream,
                    .category = texts.category,
                    .types = texts.types,
                    .tags = texts.tags,
                    .system_streams = texts.system_streams};
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--until", texts.until, options.to));
  if (texts.on_poison == "stop") options.on_poison = OnPoison::kStop;
  if (texts.from == "broker") {
    options.from.kind = PublishFrom::Kind::kBroker;
  } else if (texts.from) {
    std::optional<Position> from;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--from", texts.from, from));
    options.from = PublishFrom::At(from->value());
  }
  return absl::OkStatus();
}

absl::Status FinishDecision(PublishTexts& texts) {
  PublishFlags& flags = texts.flags;
  if (flags.action != PublishAction::kStatus && flags.name.empty()) {
    return WrongPublish("that needs the --name of a sink");
  }
  flags.stream = texts.stream;
  if (flags.action != PublishAction::kSkip) return absl::OkStatus();
  std::optional<Position> position;
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--position", texts.position, position));
  if (!position || *position == Position(0)) {
    return WrongPublish("skip needs the --position of an event");
  }
  if (!texts.reason || texts.reason->empty()) return WrongPublish("skip needs a --reason");
  flags.position = *position;
  flags.reason = *texts.reason;
  flags.actor = texts.actor.value_or("");
  return absl::OkStatus();
}

absl::StatusOr<CommandLine> FinishPublish(PublishTexts& texts) {
  DAYBOOK_CLI_RETURN_IF_ERROR(FinishWords(texts));
  DAYBOOK_CLI_RETURN_IF_ERROR(CheckPublishFlags(texts));
  texts.flags.name = texts.name.value_or("");
  DAYBOOK_CLI_RETURN_IF_ERROR(texts.flags.action == PublishAction::kRun ? FinishRun(texts)
                                                                        : FinishDecision(texts));
  return texts.flags;
}

void AddSinkFlags(CLI::App& command, PublishTexts& texts) {
  AddFlag(
      command, "--to", texts.to, "URL",
      "nats://HOST:PORT/STREAM, kafka://HOST:PORT, sqs://HOST/ACCOUNT/QUEUE, file:PATH, stdout");
  AddFlag(command, "--subject,--topic", texts.destination, "TEMPLATE",
          "Of the subject or topic; from {stream}, {category}, {type}, {id}, {tag:NAME}");
  AddFlag(command, "--key", texts.key, "TEMPLATE", "Of what order is kept by ({stream})");
  AddFlag(command, "--header", texts.headers, "NAME=TEMPLATE", "One more header; may be repeated");
  command.add_flag("--unordered", texts.flags.sink.unordered,
                   "A key or topic that splits streams, and loses their order, is meant");
  AddFlag(command, "--format", texts.format, "F", "file, stdout: events (as read) or cloudevents");
  AddFlag(command, "--option", texts.options, "NAME=VALUE", "Of the sink's own; may be repeated");
  command.add_option("--tls-ca", texts.flags.sink.tls_ca_file, "PEM file of who is trusted");
  command.add_option("--tls-cert", texts.flags.sink.tls_certificate_file, "PEM file");
  command.add_option("--tls-key", texts.flags.sink.tls_key_file, "PEM file");
  command.add_option("--credentials", texts.flags.sink.credentials_file,
                     "File with credentials, which else come from the environment");
  AddFlag(command, "--timeout", texts.timeout, "S",
          "For connecting, and for an acknowledgement (10)");
}

}  // namespace

void AddPublishCommands(CLI::App& app, Finish& chosen) {
  const auto texts = std::make_shared<PublishTexts>();
  CLI::App& command =
      *AddCommand(app, "publish", "Send events to a broker or a file, and look after it", chosen,
                  [texts] { return FinishPublish(*texts); });
  texts->command = &command;
  command
      .add_option("STORE", texts->words,
                  "The store; before or behind it: status, parked, retry or skip")
      ->required()
      ->expected(1, 3)
      ->type_name("");
  AddFlag(command, "--name", texts->name, "NAME", "Of the sink in this store (its kind)");
  AddSinkFlags(command, *texts);
  command.add_flag("--follow", texts->flags.follow, "Go on with what is appended");
  AddFlag(command, "--from", texts->from, "P|broker",
          "Where there is no cursor: begin there; else send again from there on, as a replay");
  AddFlag(command, "--until", texts->until, "P", "No event behind this position");
  AddFlag(command, "--stream", texts->stream, "STREAM",
          "Events of this stream; retry: its letters");
  AddFlag(command, "--category", texts->category, "C",
          "Streams whose name up to the first - is this");
  AddFlag(command, "--type", texts->types, "T",
          "Events of this type; repeat it for any of several");
  AddFlag(command, "--tag", texts->tags, "X", "Events with this tag; repeat it for all of several");
  command.add_flag("--system-streams", texts->system_streams,
                   "Also events of the store's own streams, which begin with $");
  AddFlag(command, "--on-poison", texts->on_poison, "WHAT",
          "At an event that the sink refuses: park its stream (default), or stop")
      ->check(CLI::IsMember({"stop", "park"}));
  AddFlag(command, "--patience", texts->patience, "S",
          "So long without an acknowledgement, and then end (60; with --follow: for ever)");
  command.add_flag("--prometheus", texts->flags.prometheus, "status: in Prometheus' text format");
  AddFlag(command, "--position", texts->position, "P", "skip: of the event");
  AddFlag(command, "--reason", texts->reason, "TEXT", "skip: why");
  AddFlag(command, "--actor", texts->actor, "NAME", "skip: who decided (the user)");
  AddNoMmap(command, texts->flags.no_mmap);
}

}  // namespace daybook::cli
