#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/flag_groups.h"

namespace daybook::cli {
namespace {

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

}  // namespace

void AddAppendingCommands(CLI::App& app, Finish& chosen) {
  AddImport(app, chosen);
  AddAppend(app, chosen);
}

}  // namespace daybook::cli
