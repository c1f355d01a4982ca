#include "cli/command_line.h"

#include <vector>

#include "tests/catch.h"

namespace daybook::cli {
namespace {

absl::StatusOr<CommandLine> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "daybook");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

template <class Flags>
Flags ParseAs(const std::vector<const char*>& words) {
  const absl::StatusOr<CommandLine> line = Parse(words);
  REQUIRE_OK(line);
  REQUIRE(std::holds_alternative<Flags>(*line));
  return std::get<Flags>(*line);
}

std::string ErrorOf(const std::vector<const char*>& words) {
  const absl::StatusOr<CommandLine> line = Parse(words);
  CHECK(line.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(line.status().message());
}

TEST_CASE("import has its defaults", "[cli][flags]") {
  const auto flags = ParseAs<ImportFlags>({"import", "s", "-"});
  CHECK(flags.store == "s");
  CHECK(flags.file == "-");
  CHECK(flags.batch == 1000);
  CHECK(flags.durability == Durability::kSync);
  CHECK_FALSE(flags.format.has_value());
  CHECK_FALSE(flags.skip_bad_lines);
  CHECK(flags.create);
  CHECK(flags.source.empty());
}

TEST_CASE("import takes its flags in any place", "[cli][flags]") {
  const auto flags =
      ParseAs<ImportFlags>({"--json", "import", "--batch", "5", "s", "--json", "f.csv",
                            "--source=x", "--durability", "buffered", "--on-error", "skip",
                            "--no-create", "--format", "csv", "--stream-field", "account"});
  CHECK(flags.file == "f.csv");
  CHECK(flags.batch == 5);
  CHECK(flags.source == "x");
  CHECK(flags.durability == Durability::kBuffered);
  CHECK(flags.skip_bad_lines);
  CHECK_FALSE(flags.create);
  CHECK(flags.format == InputFormat::kCsv);
  CHECK(flags.fields.stream == "account");
}

TEST_CASE("append takes any text as it stands", "[cli][flags]") {
  const auto flags =
      ParseAs<AppendFlags>({"append", "s", "a-1", "--type", "T", "--data", "{}", "--metadata",
                            "{\"a\":[1,2]}", "--tag", "[a,b]", "--tag", "--x", "--tag", "",
                            "--expect", "0", "--effective-at", "1970-01-01T00:00:00Z"});
  CHECK(flags.data == "{}");
  CHECK(flags.metadata == "{\"a\":[1,2]}");
  CHECK(flags.tags == std::vector<std::string>{"[a,b]", "--x", ""});
  CHECK(flags.expected == ExpectedVersion::NoStream());
  CHECK(flags.effective_at == Timestamp(0));
  CHECK(ParseAs<AppendFlags>({"append", "s", "a", "--type", "T", "--data", "[1]"}).data == "[1]");
  CHECK(ParseAs<AppendFlags>({"append", "s", "a", "--type", "T", "--data", "-"}).data == "-");
  CHECK(ParseAs<AppendFlags>({"append", "s", "a", "--type", "T", "--data", ""}).data == "");
  CHECK_FALSE(ParseAs<AppendFlags>({"append", "s", "a", "--type", "T"}).data.has_value());
}

TEST_CASE("what append expects is a word or a number", "[cli][flags]") {
  const auto expected = [](const char* text) {
    return ParseAs<AppendFlags>({"append", "s", "a", "--type", "T", "--expect", text}).expected;
  };
  CHECK(expected("any") == ExpectedVersion::Any());
  CHECK(expected("none") == ExpectedVersion::NoStream());
  CHECK(expected("exists") == ExpectedVersion::StreamExists());
  CHECK(expected("7") == ExpectedVersion::Exactly(Version(7)));
  for (const char* text : {"-1", "7x", "", "0x7", "some", "9223372036854775808"}) {
    CHECK_THAT(ErrorOf({"append", "s", "a", "--type", "T", "--expect", text}),
               testing::HasText("--expect"));
  }
}

TEST_CASE("the bounds of read are versions with a stream, else positions", "[cli][flags]") {
  ReadOptions options =
      ParseAs<ReadFlags>({"read", "s", "a-1", "--from", "2", "--to", "3"}).options;
  CHECK(options.stream == "a-1");
  CHECK(options.from_version == Version(2));
  CHECK(options.to_version == Version(3));
  CHECK_FALSE(options.from_position.has_value());
  options = ParseAs<ReadFlags>({"read", "s", "--from", "2", "--to", "3"}).options;
  CHECK_FALSE(options.stream.has_value());
  CHECK(options.from_position == Position(2));
  CHECK(options.to_position == Position(3));
  options = ParseAs<ReadFlags>({"read", "s", "--position", "9"}).options;
  CHECK(options.from_position == Position(9));
  CHECK(options.to_position == Position(9));
}

TEST_CASE("read takes filters and moments", "[cli][flags]") {
  const ReadOptions options = ParseAs<ReadFlags>({"read",
                                                  "s",
                                                  "--category",
                                                  "c",
                                                  "--type",
                                                  "A",
                                                  "--type",
                                                  "B",
                                                  "--tag",
                                                  "x",
                                                  "--tag",
                                                  "y",
                                                  "--id",
                                                  "018f3c5e-0000-7000-8000-000000000001",
                                                  "--recorded-from",
                                                  "1970-01-01T00:00:01Z",
                                                  "--effective-from",
                                                  "1970-01-01T00:00:02Z",
                                                  "--backwards",
                                                  "--limit",
                                                  "4",
                                                  "--as-of-recorded",
                                                  "1970-01-01T00:00:03Z",
                                                  "--as-of-effective",
                                                  "1970-01-01T00:00:04Z"})
                                  .options;
  CHECK(options.category == "c");
  CHECK(options.types == std::vector<std::string>{"A", "B"});
  CHECK(options.tags == std::vector<std::string>{"x", "y"});
  CHECK(options.id.has_value());
  CHECK(options.recorded_from == Timestamp(1'000'000'000));
  CHECK(options.effective_from == Timestamp(2'000'000'000));
  CHECK(options.direction == Direction::kBackwards);
  CHECK(options.limit == 4);
  CHECK(options.as_of.recorded_at == Timestamp(3'000'000'000));
  CHECK(options.as_of.effective_at == Timestamp(4'000'000'000));
  CHECK(ParseAs<ReadFlags>({"read", "s", "a", "--as-of-version", "3"}).options.as_of.version ==
        Version(3));
  CHECK(ParseAs<ReadFlags>({"read", "s", "--as-of-position", "3"}).options.as_of.position ==
        Position(3));
}

TEST_CASE("tail, streams, stats, verify and repair take theirs", "[cli][flags]") {
  const auto tail = ParseAs<TailFlags>(
      {"tail", "s", "--from", "0", "--until", "9", "--limit", "2", "--type", "T"});
  CHECK(tail.from == Position(1));
  CHECK(tail.until == Position(9));
  CHECK(tail.limit == 2);
  CHECK(tail.options.types == std::vector<std::string>{"T"});
  const auto streams =
      ParseAs<StreamsFlags>({"streams", "s", "--prefix", "a-", "--as-of-position", "5"});
  CHECK(streams.options.prefix == "a-");
  CHECK(streams.options.as_of.position == Position(5));
  CHECK(ParseAs<StatsFlags>({"stats", "read"}).store == "read");
  CHECK(ParseAs<VerifyFlags>({"verify", "s", "--fast", "--snapshots", "--projections"}).fast);
  const auto repair =
      ParseAs<RepairFlags>({"repair", "s", "--from-backup", "b", "--accept-loss", "--dry-run"});
  CHECK(repair.from_backup == "b");
  CHECK(repair.accept_loss);
  CHECK(repair.dry_run);
}

TEST_CASE("backup and restore take their folders, and readers --no-mmap", "[cli][flags]") {
  const auto backup = ParseAs<BackupFlags>({"backup", "s", "b", "--fast", "--no-mmap"});
  CHECK(backup.store == "s");
  CHECK(backup.backup == "b");
  CHECK(backup.fast);
  CHECK(backup.no_mmap);
  const auto restore = ParseAs<RestoreFlags>({"restore", "b", "s"});
  CHECK(restore.backup == "b");
  CHECK(restore.store == "s");
  CHECK(ParseAs<ReadFlags>({"read", "s", "--no-mmap"}).no_mmap);
  CHECK(ParseAs<TailFlags>({"tail", "s", "--no-mmap"}).no_mmap);
  CHECK(ParseAs<StreamsFlags>({"streams", "s", "--no-mmap"}).no_mmap);
  CHECK(ParseAs<StatsFlags>({"stats", "s", "--no-mmap"}).no_mmap);
  CHECK(ParseAs<VerifyFlags>({"verify", "s", "--no-mmap"}).no_mmap);
  CHECK_FALSE(ParseAs<ReadFlags>({"read", "s"}).no_mmap);
}

TEST_CASE("state, diff and blame take a stream, a moment and a fold", "[cli][flags]") {
  auto state = ParseAs<StateFlags>({"state", "s", "a-1"});
  CHECK(state.stream == "a-1");
  CHECK(state.fold.kind() == JsonFold::Kind::kMerge);
  CHECK_FALSE(state.snapshots);
  CHECK(state.snapshot_every == 1000);
  state = ParseAs<StateFlags>({"state", "s", "a-1", "--fold", "sum:cents", "--as-of-version", "3",
                               "--as-of-effective", "1970-01-01T00:00:04Z", "--snapshots",
                               "--snapshot-every", "4"});
  CHECK(state.fold.id() == "json.sum:cents");
  CHECK(state.as_of.version == Version(3));
  CHECK(state.as_of.effective_at == Timestamp(4'000'000'000));
  CHECK(state.snapshots);
  CHECK(state.snapshot_every == 4);
  const auto diff = ParseAs<DiffFlags>({"diff", "s", "a-1", "--from-position", "0", "--to-position",
                                        "7", "--as-of-effective", "1970-01-01T00:00:04Z"});
  CHECK(diff.from == Position(0));
  CHECK(diff.to == Position(7));
  CHECK(diff.effective_at == Timestamp(4'000'000'000));
  CHECK_FALSE(ParseAs<DiffFlags>({"diff", "s", "a", "--from-position", "1"}).to.has_value());
  const auto blame =
      ParseAs<BlameFlags>({"blame", "s", "a-1", "--field", "/a/b", "--as-of-position", "5"});
  CHECK(blame.field == "/a/b");
  CHECK(blame.as_of.position == Position(5));
  CHECK(ParseAs<BlameFlags>({"blame", "s", "a", "--field", ""}).field.empty());
}

TEST_CASE("bisect, sql and snapshot take theirs", "[cli][flags]") {
  const auto bisect = ParseAs<BisectFlags>(
      {"bisect", "s", "a-1", "--where", "state < 0", "--monotone", "--fold", "count"});
  CHECK(bisect.where == "state < 0");
  CHECK(bisect.monotone);
  CHECK(bisect.fold.kind() == JsonFold::Kind::kCount);
  auto sql = ParseAs<SqlFlags>({"sql", "s", "SELECT 1"});
  CHECK(sql.statement == "SELECT 1");
  CHECK_FALSE(sql.format.has_value());
  CHECK_FALSE(sql.max_rows.has_value());
  CHECK(sql.timeout == std::chrono::milliseconds(0));
  sql = ParseAs<SqlFlags>({"sql", "s", "SELECT 1", "--format", "csv", "--timeout", "1.5",
                           "--max-rows", "0", "--as-of-recorded", "1970-01-01T00:00:03Z",
                           "--as-of-effective", "1970-01-01T00:00:04Z", "--fold", "last"});
  CHECK(sql.format == RowFormat::kCsv);
  CHECK(sql.timeout == std::chrono::milliseconds(1500));
  CHECK(sql.max_rows == 0);
  CHECK(sql.as_of.recorded_at == Timestamp(3'000'000'000));
  CHECK(sql.as_of.effective_at == Timestamp(4'000'000'000));
  CHECK(sql.fold.kind() == JsonFold::Kind::kLast);
  const auto drop = ParseAs<SnapshotFlags>({"snapshot", "drop", "s", "a-1"});
  CHECK(drop.action == SnapshotFlags::Action::kDrop);
  CHECK(drop.store == "s");
  CHECK(drop.stream == "a-1");
  CHECK(ParseAs<SnapshotFlags>({"snapshot", "list", "s"}).action == SnapshotFlags::Action::kList);
}

TEST_CASE("projection takes an action, and the flags of that action", "[cli][flags]") {
  using Action = ProjectionFlags::Action;
  auto run =
      ParseAs<ProjectionFlags>({"projection", "s", "run", "sums", "--kind", "sum", "--by",
                                "category", "--field", "/a/b", "--on-poison", "park", "--follow"});
  CHECK(run.action == Action::kRun);
  CHECK(run.store == "s");
  CHECK(run.name == "sums");
  REQUIRE(run.builtin);
  CHECK(run.builtin->kind == BuiltinProjection::Kind::kSum);
  CHECK(run.builtin->by == BuiltinProjection::By::kCategory);
  CHECK(run.builtin->field == "/a/b");
  CHECK(run.on_poison == OnPoison::kParkByKey);
  CHECK(run.follow);
  CHECK_FALSE(run.builtin->system_streams);
  CHECK(ParseAs<ProjectionFlags>({"projection", "s", "run", "sums", "--kind", "count", "--by",
                                  "stream", "--system-streams"})
            .builtin->system_streams);
  run = ParseAs<ProjectionFlags>({"projection", "s", "run", "sums"});
  CHECK_FALSE(run.builtin);
  CHECK(run.on_poison == OnPoison::kStop);
  CHECK(ParseAs<ProjectionFlags>({"projection", "s", "status"}).name.empty());
  CHECK(ParseAs<ProjectionFlags>({"projection", "s", "status", "--prometheus"}).prometheus);
  CHECK(ParseAs<ProjectionFlags>({"projection", "s", "rebuild", "p", "--threads", "2"}).threads ==
        2);
  CHECK_FALSE(ParseAs<ProjectionFlags>({"projection", "s", "retry", "p"}).key);
  CHECK(ParseAs<ProjectionFlags>({"projection", "s", "retry", "p", "--key", ""}).key == "");
  const auto skip = ParseAs<ProjectionFlags>(
      {"projection", "s", "skip", "p", "--position", "7", "--reason", "{}", "--actor", "ann"});
  CHECK(skip.action == Action::kSkip);
  CHECK(skip.position == Position(7));
  CHECK(skip.reason == "{}");
  CHECK(skip.actor == "ann");
}

TEST_CASE("a projection's action refuses what is not for it", "[cli][flags]") {
  using testing::HasText;
  CHECK_THAT(ErrorOf({"projection", "s"}), HasText("daybook projection --help"));
  CHECK_THAT(ErrorOf({"projection", "s", "run"}), HasText("NAME"));
  CHECK_THAT(ErrorOf({"projection", "s", "status", ""}), HasText("NAME"));
  CHECK_THAT(ErrorOf({"projection", "s", "paint", "p"}), HasText("paint"));
  CHECK_THAT(ErrorOf({"projection", "s", "run", "p", "--kind", "count"}), HasText("--by"));
  CHECK_THAT(ErrorOf({"projection", "s", "run", "p", "--by", "type"}), HasText("--kind"));
  CHECK_THAT(ErrorOf({"projection", "s", "run", "p", "--kind", "sum", "--by", "type"}),
             HasText("field"));
  CHECK_THAT(ErrorOf({"projection", "s", "status", "--follow"}), HasText("--follow is not for"));
  CHECK_THAT(ErrorOf({"projection", "s", "run", "p", "--threads", "2"}), HasText("--threads"));
  CHECK_THAT(ErrorOf({"projection", "s", "rebuild", "p", "--threads", "65"}), HasText("--threads"));
  CHECK_THAT(ErrorOf({"projection", "s", "skip", "p", "--reason", "r"}), HasText("--position"));
  CHECK_THAT(ErrorOf({"projection", "s", "skip", "p", "--position", "1"}), HasText("--reason"));
}

TEST_CASE("a wrong question says what is wrong", "[cli][flags]") {
  using testing::HasText;
  CHECK_THAT(ErrorOf({"state", "s"}), HasText("daybook state --help"));
  CHECK_THAT(ErrorOf({"state", "s", "a", "--fold", "median"}), HasText("--fold"));
  CHECK_THAT(ErrorOf({"state", "s", "a", "--fold", "sum:"}), HasText("--fold"));
  CHECK_THAT(ErrorOf({"state", "s", "a", "--snapshot-every", "4"}), HasText("--snapshots"));
  CHECK_THAT(ErrorOf({"state", "s", "a", "--as-of-effective", "2020-01-01T00:00:00"}),
             HasText("--as-of-effective"));
  CHECK_THAT(ErrorOf({"diff", "s", "a"}), HasText("--from-position"));
  CHECK_THAT(ErrorOf({"diff", "s", "a", "--from-position", "1", "--as-of-version", "1"}),
             HasText("--as-of-version"));
  CHECK_THAT(ErrorOf({"blame", "s", "a"}), HasText("--field"));
  CHECK_THAT(ErrorOf({"bisect", "s", "a"}), HasText("--where"));
  CHECK_THAT(ErrorOf({"sql", "s"}), HasText("daybook sql --help"));
  CHECK_THAT(ErrorOf({"sql", "s", "SELECT 1", "--as-of-version", "1"}), HasText("as-of-version"));
  CHECK_THAT(ErrorOf({"sql", "s", "SELECT 1", "--format", "xml"}), HasText("--format"));
  for (const char* timeout : {"0", "-1", "x", "1s", "nan", "inf", ""}) {
    CHECK_THAT(ErrorOf({"sql", "s", "SELECT 1", "--timeout", timeout}), HasText("--timeout"));
  }
  CHECK_THAT(ErrorOf({"snapshot", "s"}), HasText("daybook snapshot --help"));
  CHECK_THAT(ErrorOf({"snapshot", "make", "s"}), HasText("make"));
}

TEST_CASE("a wrong command line says what is wrong and where help is", "[cli][flags]") {
  using testing::HasText;
  CHECK_THAT(ErrorOf({}), HasText("--help"));
  CHECK_THAT(ErrorOf({"nonsense"}), HasText("--help"));
  CHECK_THAT(ErrorOf({"read"}), HasText("daybook read --help"));
  CHECK_THAT(ErrorOf({"read", "s", "--nonsense"}), HasText("--nonsense"));
  CHECK_THAT(ErrorOf({"read", "s", "a", "b"}), HasText("daybook read --help"));
  CHECK_THAT(ErrorOf({"read", "s", "--limit", "-1"}), HasText("--limit"));
  CHECK_THAT(ErrorOf({"read", "s", "--limit", "1", "--limit", "2"}), HasText("--limit"));
  CHECK_THAT(ErrorOf({"read", "s", "--as-of-recorded", "yesterday"}), HasText("--as-of-recorded"));
  CHECK_THAT(ErrorOf({"read", "s", "--as-of-version", "1"}), HasText("STREAM"));
  CHECK_THAT(ErrorOf({"read", "s", "a", "--as-of-version", "1", "--as-of-position", "1"}),
             HasText("--as-of"));
  CHECK_THAT(ErrorOf({"read", "s", "--position", "1", "--from", "1"}), HasText("--position"));
  CHECK_THAT(ErrorOf({"read", "s", "--id", "7"}), HasText("--id"));
  CHECK_THAT(ErrorOf({"append", "s", "a"}), HasText("--type"));
  CHECK_THAT(ErrorOf({"import", "s", "f", "--batch", "0"}), HasText("--batch"));
  CHECK_THAT(ErrorOf({"import", "s", "f", "--batch", "65537"}), HasText("--batch"));
  CHECK_THAT(ErrorOf({"import", "s", "f", "--durability", "none"}), HasText("--durability"));
  CHECK_THAT(ErrorOf({"import", "s", "f", "--on-error", "cry"}), HasText("--on-error"));
}

TEST_CASE("every command has a help", "[cli][flags]") {
  CHECK_THAT(ParseAs<TextFlags>({"--help"}).text, testing::HasText("import"));
  for (const char* command :
       {"import", "append", "read", "tail", "streams", "stats", "verify", "repair", "backup",
        "restore", "state", "diff", "blame", "bisect", "sql", "snapshot", "projection"}) {
    CHECK_THAT(ParseAs<TextFlags>({command, "--help"}).text, testing::HasText("STORE"));
  }
  CHECK_THAT(ParseAs<TextFlags>({"--version"}).text, testing::HasText("daybook "));
}

}  // namespace
}  // namespace daybook::cli
