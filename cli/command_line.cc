#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/flag_values.h"

namespace daybook::cli {
namespace {

// What was parsed becomes values only after all of it was read: the flags' texts live until then.
using Finish = std::function<absl::StatusOr<CommandLine>()>;

// Makes a command, with what every command has. The callback runs if it is the one that was called.
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

// The raw text of a flag: CLI11's own conversions would take {} and [] for containers.
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

void AddImport(CLI::App& app, Finish& chosen) {
  struct Texts {
    ImportFlags flags;
    FlagText batch, durability, format, on_error;
    bool no_create = false;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    ImportFlags& flags = texts->flags;
    std::optional<std::uint64_t> batch;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--batch", texts->batch, 1, batch));
    flags.batch = batch.value_or(flags.batch);
    if (flags.batch > kCommitEventsMax) {
      return UsageError(absl::StrCat("--batch is more than ", kCommitEventsMax), "import");
    }
    if (texts->durability == "buffered") flags.durability = Durability::kBuffered;
    if (texts->format.has_value()) {
      flags.format = texts->format == "csv" ? InputFormat::kCsv : InputFormat::kNdjson;
    }
    flags.skip_bad_lines = texts->on_error == "skip";
    flags.create = !texts->no_create;
    return flags;
  };
  CLI::App& command = *AddCommand(app, "import", "Append the events of a file", chosen, finish);
  ImportFlags& flags = texts->flags;
  AddStore(command, flags.store);
  command
      .add_option("FILE", flags.file, "NDJSON or CSV, .gz and .zst by name; - is standard input")
      ->required();
  command.add_option("--source", flags.source, "A name that keeps the ids of other files apart")
      ->type_name("NAME");
  AddFlag(command, "--batch", texts->batch, "N", "Events a commit (1000)");
  AddFlag(
      command, "--durability", texts->durability, "MODE",
      "sync: each commit is on the device before the next (default); buffered: all are at the end")
      ->check(CLI::IsMember({"sync", "buffered"}));
  AddFlag(command, "--on-error", texts->on_error, "WHAT",
          "stop at the first bad line (default), or skip it, count it and go on")
      ->check(CLI::IsMember({"stop", "skip"}));
  AddFlag(command, "--format", texts->format, "FORMAT",
          "csv or ndjson; by the file's name, if not given")
      ->check(CLI::IsMember({"csv", "ndjson"}));
  command.add_flag("--no-create", texts->no_create, "Fail where the store is missing");
  FieldNames& names = flags.fields;
  const auto field = [&command](const char* name, std::string& to, const char* help) {
    command.add_option(name, to, help)->type_name("NAME")->group("Names of the fields");
  };
  field("--stream-field", names.stream, "The stream (stream)");
  field("--type-field", names.type, "The type (type)");
  field("--time-field", names.time, "When the fact holds, RFC 3339 (time, or effective_at)");
  field("--data-field", names.data, "The data, JSON (data)");
  field("--data-base64-field", names.data_base64, "Data that is not JSON (data_base64)");
  field("--content-type-field", names.content_type, "The media type of the data (content_type)");
  field("--id-field", names.id, "The event's UUID (id)");
  field("--tags-field", names.tags, "An array of strings (tags)");
  field("--metadata-field", names.metadata, "A JSON object (metadata)");
  command.footer(
      "A line of NDJSON is an object with these fields; others are passed over. The first record "
      "of CSV\n"
      "names the columns: data, tags and metadata are JSON (one tag may stand alone), an empty "
      "cell is\n"
      "no value, and where there is no data column, the columns of other names are the data.\n"
      "An event without an id gets a UUIDv8: the first 16 bytes of SHA-256 over the length of the\n"
      "source's name (u32), the name, k (u64), and the line's bytes without its line ending, where "
      "it is\n"
      "the k-th of its identical lines; numbers little-endian. Importing a file again adds "
      "nothing.");
}

void AddAppend(CLI::App& app, Finish& chosen) {
  struct Texts {
    AppendFlags flags;
    FlagText type, id, effective_at, expect;
    bool no_create = false;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    AppendFlags& flags = texts->flags;
    flags.type = texts->type.value_or("");
    flags.create = !texts->no_create;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--id", texts->id, flags.id));
    DAYBOOK_CLI_RETURN_IF_ERROR(
        ParseFlag("--effective-at", texts->effective_at, flags.effective_at));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--expect", texts->expect, flags.expected));
    return flags;
  };
  CLI::App& command = *AddCommand(app, "append", "Append one event", chosen, finish);
  AppendFlags& flags = texts->flags;
  AddStore(command, flags.store);
  command.add_option("STREAM", flags.stream, "The stream to append to")->required();
  AddFlag(command, "--type", texts->type, "T", "The type of the event")->required();
  AddFlag(command, "--data", flags.data, "JSON|@FILE|-",
          "The data: itself, a file, or standard input");
  AddFlag(command, "--content-type", flags.content_type, "TYPE",
          "The media type of the data (application/json)");
  AddFlag(command, "--metadata", flags.metadata, "JSON", "An object: who, why, from where");
  AddFlag(command, "--tag", flags.tags, "TEXT", "A tag, by habit key:value; repeat it");
  AddFlag(command, "--id", texts->id, "UUID", "The event's id, which makes a retry safe, for ever");
  AddFlag(command, "--effective-at", texts->effective_at, "T", "When the fact holds in the world");
  AddFlag(command, "--expect", texts->expect, "any|none|exists|N",
          "What must hold of the stream before; N events, 0 is none");
  command.add_flag("--no-create", texts->no_create, "Fail where the store is missing");
}

// The flags that `read` and `tail` share.
struct FilterTexts {
  FlagText category, id, recorded_from, effective_from;
  std::vector<std::string> types, tags;

  void AddTo(CLI::App& command) {
    AddFlag(command, "--category", category, "C", "Streams whose name up to the first - is this");
    AddFlag(command, "--type", types, "T", "Events of this type; repeat it for any of several");
    AddFlag(command, "--tag", tags, "X", "Events with this tag; repeat it for all of several");
    AddFlag(command, "--id", id, "UUID", "Events with this id");
    AddFlag(command, "--recorded-from", recorded_from, "T",
            "Events recorded at this time or later");
    AddFlag(command, "--effective-from", effective_from, "T",
            "Events effective at this time or later");
  }
  absl::Status ApplyTo(ReadOptions& options) const {
    options.category = category;
    options.types = types;
    options.tags = tags;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--id", id, options.id));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--recorded-from", recorded_from, options.recorded_from));
    return ParseFlag("--effective-from", effective_from, options.effective_from);
  }
};

// The as-of options; a bound by version or effective time is of `read` only.
struct MomentTexts {
  FlagText version, position, recorded, effective;

  void AddTo(CLI::App& command, bool of_events) {
    const auto add = [&command](const char* name, FlagText& text, const char* type,
                                const char* help) {
      return AddFlag(command, name, text, type, help)->group("As of a moment (inclusive)");
    };
    CLI::Option* at_position = add("--as-of-position", position, "P", "The store at this position");
    CLI::Option* at_recorded =
        add("--as-of-recorded", recorded, "T", "What was recorded up to this time");
    at_recorded->excludes(at_position);
    if (!of_events) return;
    CLI::Option* at_version = add("--as-of-version", version, "N", "The stream at this version");
    at_version->excludes(at_position);
    at_version->excludes(at_recorded);
    add("--as-of-effective", effective, "T",
        "Events effective up to this time; alone, or with another");
  }
  absl::Status ApplyTo(AsOf& as_of) const {
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--as-of-version", version, as_of.version));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--as-of-position", position, as_of.position));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--as-of-recorded", recorded, as_of.recorded_at));
    return ParseFlag("--as-of-effective", effective, as_of.effective_at);
  }
};

struct ReadTexts {
  ReadFlags flags;
  FilterTexts filters;
  MomentTexts moment;
  FlagText stream, position, from, to, limit;
  bool backwards = false;

  absl::StatusOr<CommandLine> Finish() {
    ReadOptions& options = flags.options;
    options.stream = stream;
    options.direction = backwards ? Direction::kBackwards : Direction::kForwards;
    DAYBOOK_CLI_RETURN_IF_ERROR(filters.ApplyTo(options));
    DAYBOOK_CLI_RETURN_IF_ERROR(moment.ApplyTo(options.as_of));
    if (options.as_of.version.has_value() && !stream.has_value()) {
      return UsageError("--as-of-version is of a stream, and no STREAM is named", "read");
    }
    if (stream.has_value()) {
      DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--from", from, options.from_version));
      DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--to", to, options.to_version));
    } else {
      DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--from", from, options.from_position));
      DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--to", to, options.to_position));
    }
    if (position.has_value()) {
      DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--position", position, options.from_position));
      options.to_position = options.from_position;
    }
    std::optional<std::uint64_t> limit_count;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--limit", limit, 0, limit_count));
    options.limit = limit_count.value_or(UINT64_MAX);
    return flags;
  }
};

void AddRead(CLI::App& app, Finish& chosen) {
  const auto texts = std::make_shared<ReadTexts>();
  CLI::App& command = *AddCommand(app, "read", "Print events, in order of position", chosen,
                                  [texts] { return texts->Finish(); });
  AddStore(command, texts->flags.store);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "STREAM", texts->stream, "", "Events of this stream; of all, if not given");
  CLI::Option* position =
      AddFlag(command, "--position", texts->position, "N", "The event at this position");
  AddFlag(command, "--from", texts->from, "N", "The first version with STREAM, else position")
      ->excludes(position);
  AddFlag(command, "--to", texts->to, "N", "The last version with STREAM, else position")
      ->excludes(position);
  AddFlag(command, "--limit", texts->limit, "N", "At most so many events");
  command.add_flag("--backwards", texts->backwards, "The same events in reverse");
  texts->filters.AddTo(command);
  texts->moment.AddTo(command, /*of_events=*/true);
}

void AddTail(CLI::App& app, Finish& chosen) {
  struct Texts {
    TailFlags flags;
    FilterTexts filters;
    FlagText stream, from, until, limit;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    TailFlags& flags = texts->flags;
    flags.options.stream = texts->stream;
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->filters.ApplyTo(flags.options));
    std::optional<std::uint64_t> from, limit;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--from", texts->from, 0, from));
    // 0 is before everything: the first position is 1.
    if (from.has_value()) flags.from = Position(*from == 0 ? 1 : *from);
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--until", texts->until, flags.until));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--limit", texts->limit, 0, limit));
    flags.limit = limit.value_or(flags.limit);
    return flags;
  };
  CLI::App& command = *AddCommand(app, "tail", "Print events as they come", chosen, finish);
  AddStore(command, texts->flags.store);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "STREAM", texts->stream, "", "Events of this stream; of all, if not given");
  AddFlag(command, "--from", texts->from, "P",
          "From this position on; if not given, what comes from now on");
  AddFlag(command, "--until", texts->until, "P", "Up to this position, and then end");
  AddFlag(command, "--limit", texts->limit, "N", "So many events, and then end");
  texts->filters.AddTo(command);
}

void AddStreams(CLI::App& app, Finish& chosen) {
  struct Texts {
    StreamsFlags flags;
    MomentTexts moment;
    FlagText category, prefix;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    StreamsOptions& options = texts->flags.options;
    options.category = texts->category;
    options.prefix = texts->prefix;
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->moment.ApplyTo(options.as_of));
    return texts->flags;
  };
  CLI::App& command =
      *AddCommand(app, "streams", "List the streams and their heads, by name", chosen, finish);
  AddStore(command, texts->flags.store);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "--category", texts->category, "C",
          "Streams whose name up to the first - is this");
  AddFlag(command, "--prefix", texts->prefix, "TEXT", "Streams whose name begins so");
  texts->moment.AddTo(command, /*of_events=*/false);
}

void AddStats(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<StatsFlags>();
  CLI::App& command = *AddCommand(app, "stats", "Print what the store holds, and its sizes", chosen,
                                  [flags] { return *flags; });
  AddStore(command, flags->store);
  AddNoMmap(command, flags->no_mmap);
}

void AddVerify(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App& command = *AddCommand(app, "verify", "Check every frame, link, sidecar and index entry",
                                  chosen, [flags] { return *flags; });
  command.add_option("STORE", flags->store, "The folder of the store, or of a backup")->required();
  AddNoMmap(command, flags->no_mmap);
  command.add_flag("--fast", flags->fast, "Frames only");
  command.add_flag("--snapshots", flags->snapshots, "Snapshots too");
  command.add_flag("--projections", flags->projections, "Projections too");
}

void AddRepair(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<RepairFlags>();
  CLI::App& command =
      *AddCommand(app, "repair", "Rebuild what is derived, and restore what is damaged", chosen,
                  [flags] { return *flags; });
  AddStore(command, flags->store);
  command
      .add_option("--from-backup", flags->from_backup,
                  "Take damaged bytes from this backup, or copy of the store")
      ->type_name("DIR");
  command.add_flag("--accept-loss", flags->accept_loss, "Give up what cannot be restored");
  command.add_flag("--dry-run", flags->dry_run, "Say what would be done, and change nothing");
}

void AddBackup(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<BackupFlags>();
  CLI::App& command = *AddCommand(app, "backup", "Bring a backup up to date, while the store runs",
                                  chosen, [flags] { return *flags; });
  AddStore(command, flags->store);
  command.add_option("DIR", flags->backup, "The folder of the backup; made where it is missing")
      ->required();
  command.add_flag("--fast", flags->fast,
                   "Of what is there already check only what the new part stands on");
  AddNoMmap(command, flags->no_mmap);
}

void AddRestore(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<RestoreFlags>();
  CLI::App& command = *AddCommand(app, "restore", "Make a store of a backup, in a new folder",
                                  chosen, [flags] { return *flags; });
  command.add_option("DIR", flags->backup, "The folder of the backup")->required();
  command.add_option("STORE", flags->store, "The folder of the new store: missing, or empty")
      ->required();
}

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
  for (const auto add : {AddImport, AddAppend, AddRead, AddTail, AddStreams, AddStats, AddVerify,
                         AddRepair, AddBackup, AddRestore}) {
    add(app, chosen);
  }
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
