#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/flag_groups.h"

namespace daybook::cli {
namespace {

constexpr const char* kFoldHelp =
    "How events become a state: merge (each event's data as a JSON Merge Patch), sum:FIELD, count, "
    "last; FIELD is a name or a JSON Pointer (merge)";

void AddFold(CLI::App& command, FlagText& fold) {
  AddFlag(command, "--fold", fold, "FOLD", kFoldHelp);
}

void AddStream(CLI::App& command, std::string& stream) {
  command.add_option("STREAM", stream, "The stream")->required();
}

void AddState(CLI::App& app, Finish& chosen) {
  struct Texts {
    StateFlags flags;
    MomentTexts moment;
    FlagText fold, snapshot_every;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    StateFlags& flags = texts->flags;
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->moment.ApplyTo(flags.as_of));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--fold", texts->fold, flags.fold));
    std::optional<std::uint64_t> every;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--snapshot-every", texts->snapshot_every, 1, every));
    flags.snapshot_every = every.value_or(flags.snapshot_every);
    return flags;
  };
  CLI::App& command =
      *AddCommand(app, "state", "Print what the events of a stream come to, now or at a moment",
                  chosen, finish);
  AddStore(command, texts->flags.store);
  AddStream(command, texts->flags.stream);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFold(command, texts->fold);
  CLI::Option* snapshots = command.add_flag(
      "--snapshots", texts->flags.snapshots,
      "Begin at a snapshot, and leave new ones for the next time (needs the right to write)");
  AddFlag(command, "--snapshot-every", texts->snapshot_every, "N",
          "With --snapshots: one is taken at every N-th version (1000)")
      ->needs(snapshots);
  texts->moment.AddTo(command, MomentTexts::Bounds::kVersion);
}

void AddDiff(CLI::App& app, Finish& chosen) {
  struct Texts {
    DiffFlags flags;
    MomentTexts moment;
    FlagText from, to, fold;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    DiffFlags& flags = texts->flags;
    std::optional<Position> from;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--from-position", texts->from, from));
    flags.from = from.value_or(flags.from);
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--to-position", texts->to, flags.to));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--fold", texts->fold, flags.fold));
    AsOf as_of;
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->moment.ApplyTo(as_of));
    flags.effective_at = as_of.effective_at;
    return flags;
  };
  CLI::App& command =
      *AddCommand(app, "diff", "Print what differs in a stream between two moments, a field a line",
                  chosen, finish);
  AddStore(command, texts->flags.store);
  AddStream(command, texts->flags.stream);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "--from-position", texts->from, "A", "The earlier moment; 0 is before all")
      ->required();
  AddFlag(command, "--to-position", texts->to, "B",
          "The later moment; what is there now, if not "
          "given");
  AddFold(command, texts->fold);
  texts->moment.AddTo(command, MomentTexts::Bounds::kEffectiveTimeOnly);
}

void AddBlame(CLI::App& app, Finish& chosen) {
  struct Texts {
    BlameFlags flags;
    MomentTexts moment;
    FlagText field, fold;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    texts->flags.field = texts->field.value_or("");
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->moment.ApplyTo(texts->flags.as_of));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--fold", texts->fold, texts->flags.fold));
    return texts->flags;
  };
  CLI::App& command =
      *AddCommand(app, "blame", "Print the event that last changed a field of a stream's state",
                  chosen, finish);
  AddStore(command, texts->flags.store);
  AddStream(command, texts->flags.stream);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "--field", texts->field, "F",
          "The field: a name, or a JSON Pointer, which begins with /; empty is the whole state")
      ->required();
  AddFold(command, texts->fold);
  texts->moment.AddTo(command, MomentTexts::Bounds::kVersion);
}

void AddBisect(CLI::App& app, Finish& chosen) {
  struct Texts {
    BisectFlags flags;
    MomentTexts moment;
    FlagText where, fold;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    texts->flags.where = texts->where.value_or("");
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->moment.ApplyTo(texts->flags.as_of));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--fold", texts->fold, texts->flags.fold));
    return texts->flags;
  };
  CLI::App& command =
      *AddCommand(app, "bisect", "Print the first event after which something holds of a stream",
                  chosen, finish);
  AddStore(command, texts->flags.store);
  AddStream(command, texts->flags.stream);
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "--where", texts->where, "EXPR",
          "What holds, in SQL, as in amount > 3500 and type = 'Fine': it names fields of the "
          "state, state, and\nthe event's columns as in events of `daybook sql`")
      ->required();
  command.add_flag("--monotone", texts->flags.monotone,
                   "What holds once holds from then on: only about log2(n) states are looked at");
  AddFold(command, texts->fold);
  texts->moment.AddTo(command, MomentTexts::Bounds::kVersion);
}

constexpr const char* kTables =
    "The tables:\n"
    "  events(position, stream, category, version, type, id, recorded_at, effective_at, "
    "recorded_ns,\n"
    "         effective_ns, data, data_blob, metadata, tags)\n"
    "  streams(stream, version, first_position, last_position, last_recorded_at)\n"
    "  state(stream, version, position, state), by --fold\n"
    "Times are RFC 3339 text and compare as moments; the _ns columns are nanoseconds since 1970. "
    "data is\n"
    "JSON text (NULL where it is none): data->>'$.field'. Only SELECT is possible.";

void AddSql(CLI::App& app, Finish& chosen) {
  struct Texts {
    SqlFlags flags;
    MomentTexts moment;
    FlagText statement, format, timeout, fold;
    FlagText max_rows;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    SqlFlags& flags = texts->flags;
    flags.statement = texts->statement.value_or("");
    if (texts->format == "table") flags.format = RowFormat::kTable;
    if (texts->format == "json") flags.format = RowFormat::kJson;
    if (texts->format == "csv") flags.format = RowFormat::kCsv;
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--timeout", texts->timeout, flags.timeout));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--max-rows", texts->max_rows, 0, flags.max_rows));
    DAYBOOK_CLI_RETURN_IF_ERROR(texts->moment.ApplyTo(flags.as_of));
    DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag("--fold", texts->fold, flags.fold));
    return flags;
  };
  CLI::App& command = *AddCommand(app, "sql", "Ask in SQL", chosen, finish);
  AddStore(command, texts->flags.store);
  AddFlag(command, "SELECT", texts->statement, "", "The statement")->required();
  AddNoMmap(command, texts->flags.no_mmap);
  AddFlag(command, "--format", texts->format, "FORMAT",
          "table, json (one array) or csv; if not given, a table on a terminal, else one JSON "
          "object a line")
      ->check(CLI::IsMember({"table", "json", "csv"}));
  AddFlag(command, "--timeout", texts->timeout, "S", "At most so many seconds; then exit 8");
  AddFlag(command, "--max-rows", texts->max_rows, "N",
          "At most so many rows; exit 8 if there are more");
  AddFold(command, texts->fold);
  texts->moment.AddTo(command, MomentTexts::Bounds::kEffective);
  command.footer(kTables);
}

}  // namespace

void AddPastCommands(CLI::App& app, Finish& chosen) {
  AddState(app, chosen);
  AddDiff(app, chosen);
  AddBlame(app, chosen);
  AddBisect(app, chosen);
  AddSql(app, chosen);
}

}  // namespace daybook::cli
