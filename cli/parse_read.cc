#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/flag_groups.h"

namespace daybook::cli {
namespace {

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
  texts->moment.AddTo(command, MomentTexts::Bounds::kVersion);
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
  texts->moment.AddTo(command, MomentTexts::Bounds::kRecorded);
}

}  // namespace

void AddReadingCommands(CLI::App& app, Finish& chosen) {
  AddRead(app, chosen);
  AddTail(app, chosen);
  AddStreams(app, chosen);
}

}  // namespace daybook::cli
