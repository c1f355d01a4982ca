// Skips, the status file, and what Prometheus gets.

#include "daybook/projection_status.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "daybook/dead_letters.h"
#include "projections/generation.h"
#include "projections/layout.h"
#include "projections/skips.h"
#include "projections/status_file.h"
#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::AppendText;
using testing::TempFolder;

ProjectionStatus FullStatus() {
  ProjectionStatus status;
  status.name = "totals";
  status.revision = 3;
  status.generation = 1;
  status.state = ProjectionState::kPoison;
  status.definition = "builtin sum stream amount";
  status.incarnation = "incarnation";
  status.scanned = Position(2);
  status.matched = 2;
  status.parked = 5;
  status.parked_keys = 4;
  status.effects_waiting = 6;
  status.events_per_second = 1234.5;
  status.heartbeat = SystemNow();
  status.error = "two\nlines";
  status.poison = PoisonEvent{.position = Position(3),
                              .stream = "account-1",
                              .version = Version(2),
                              .type = "Deposited",
                              .id = EventId::NewV7(),
                              .key = std::string("k\0\n", 3),
                              .code = absl::StatusCode::kInvalidArgument,
                              .message = "no amount",
                              .attempts = 7};
  return status;
}

// A store with four events, and a projection of it that has scanned two.
struct Scene {
  explicit Scene(Position scanned = Position(2)) {
    store = Store::Open(folder / "store", {}).value();
    for (int i = 0; i < 4; ++i) REQUIRE_OK(AppendText(store.get(), "a-1", "{}"));
    fs::create_directories(projection());
    Checkpoint checkpoint;
    checkpoint.incarnation = store->incarnation();
    checkpoint.position = scanned;
    checkpoint.revision = 3;
    checkpoint.matched = scanned.value();
    REQUIRE_OK(Generation::Create(projection(), 1, checkpoint, std::uint64_t{1} << 20));
    REQUIRE_OK(WriteCurrent(projection(), {.generation = 1, .effects_floor = Position(1)}));
  }
  [[nodiscard]] fs::path projection() const { return ProjectionFolder(folder / "store", "totals"); }
  absl::StatusOr<ProjectionStatus> Read() { return ReadProjectionStatus(*store, "totals"); }
  void Write(const ProjectionStatus& status) { REQUIRE_OK(WriteStatusFile(projection(), status)); }

  const TempFolder folder;
  std::unique_ptr<Store> store;
};

}  // namespace

TEST_CASE("what a runner says of a projection is read as it was written") {
  Scene scene;
  const ProjectionStatus written = FullStatus();
  scene.Write(written);
  const absl::StatusOr<ProjectionStatus> read = scene.Read();
  REQUIRE_OK(read);
  CHECK(read->name == "totals");
  CHECK(read->revision == 3);
  CHECK(read->generation == 1);
  CHECK_FALSE(read->previous);
  CHECK(read->state == ProjectionState::kPoison);
  CHECK(read->definition == written.definition);
  CHECK(read->scanned == Position(2));
  CHECK(read->matched == 2);
  CHECK(read->parked == 5);
  CHECK(read->parked_keys == 4);
  CHECK(read->effects_waiting == 6);
  CHECK(read->effects_floor == Position(1));
  CHECK(read->events_per_second == 1234.5);
  CHECK(read->heartbeat == written.heartbeat);
  CHECK(read->error == written.error);
  REQUIRE(read->poison);
  CHECK(read->poison->position == Position(3));
  CHECK(read->poison->stream == "account-1");
  CHECK(read->poison->version == Version(2));
  CHECK(read->poison->type == "Deposited");
  CHECK(read->poison->id == written.poison->id);
  CHECK(read->poison->key == written.poison->key);
  CHECK(read->poison->code == absl::StatusCode::kInvalidArgument);
  CHECK(read->poison->message == "no amount");
  CHECK(read->poison->attempts == 7);
}

TEST_CASE("how far a projection is behind is as the reader sees the store now") {
  Scene scene;
  scene.Write(FullStatus());
  std::this_thread::sleep_for(30ms);
  const ProjectionStatus behind = scene.Read().value();
  CHECK(behind.head == Position(4));
  CHECK(behind.events_behind == 2);
  CHECK(behind.seconds_behind >= 0.03);
  CHECK(behind.seconds_behind < 60);
  ProjectionStatus whole = FullStatus();
  whole.scanned = Position(4);
  scene.Write(whole);
  CHECK(scene.Read()->events_behind == 0);
  CHECK(scene.Read()->seconds_behind == 0);
}

TEST_CASE("without a heartbeat a projection is idle, and its tables say how far it was") {
  Scene scene(Position(3));
  ProjectionStatus status = FullStatus();
  status.state = ProjectionState::kRunning;
  status.poison.reset();
  scene.Write(status);
  CHECK(scene.Read()->state == ProjectionState::kRunning);
  CHECK(scene.Read()->scanned == Position(2));
  status.heartbeat = Timestamp(SystemNow().unix_nanoseconds() - 11'000'000'000);
  scene.Write(status);
  CHECK(scene.Read()->state == ProjectionState::kIdle);
  CHECK(scene.Read()->scanned == Position(3));
  CHECK(scene.Read()->heartbeat == status.heartbeat);
  fs::remove(scene.projection() / "STATUS");
  CHECK(scene.Read()->state == ProjectionState::kIdle);
  CHECK(scene.Read()->scanned == Position(3));
  CHECK(scene.Read()->revision == 3);
}

TEST_CASE("a projection that stopped stays so, until another generation is the live one") {
  Scene scene;
  ProjectionStatus status = FullStatus();
  status.heartbeat = Timestamp(1);
  scene.Write(status);
  CHECK(scene.Read()->state == ProjectionState::kPoison);
  CHECK(scene.Read()->poison);
  Checkpoint checkpoint;
  checkpoint.incarnation = scene.store->incarnation();
  checkpoint.position = Position(4);
  REQUIRE_OK(Generation::Create(scene.projection(), 2, checkpoint, std::uint64_t{1} << 20));
  REQUIRE_OK(WriteCurrent(scene.projection(), {.generation = 2, .previous = 1}));
  CHECK(scene.Read()->state == ProjectionState::kIdle);
  CHECK_FALSE(scene.Read()->poison);
  CHECK(scene.Read()->scanned == Position(4));
  CHECK(scene.Read()->generation == 2);
  CHECK(scene.Read()->previous == 1);
}

TEST_CASE("a torn or changed status file says nothing, whichever byte it is") {
  Scene scene;
  scene.Write(FullStatus());
  const fs::path file = scene.projection() / "STATUS";
  std::ifstream in(file, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  REQUIRE(whole.size() > 200);
  const auto put = [&](const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  };
  const auto says_nothing = [&] {
    const auto status = scene.Read();
    return absl::IsDataLoss(ReadStatusFile(scene.projection()).status()) && status.ok() &&
           status->state == ProjectionState::kIdle && !status->poison;
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(whole.substr(0, size));
    REQUIRE(says_nothing());
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    put(bytes);
    REQUIRE(says_nothing());
  }
  put(whole);
  CHECK_OK(scene.Read());
}

TEST_CASE("the projections of a store are those that have a live generation") {
  Scene scene;
  CHECK(ListProjections(*scene.store).value() == std::vector<std::string>{"totals"});
  fs::create_directories(ProjectionFolder(scene.folder / "store", "half-made"));
  CHECK(ListProjections(*scene.store).value() == std::vector<std::string>{"totals"});
  CHECK(absl::IsNotFound(ReadProjectionStatus(*scene.store, "half-made").status()));
  CHECK(absl::IsNotFound(ReadProjectionStatus(*scene.store, "others").status()));
  CHECK(absl::IsInvalidArgument(ReadProjectionStatus(*scene.store, "../x").status()));
  const auto empty = Store::Open(scene.folder / "empty", {});
  CHECK(ListProjections(**empty).value().empty());
}

TEST_CASE("the heartbeat goes on by itself, and a change is written at once") {
  Scene scene;
  std::atomic<std::uint64_t> matched{0};
  const auto told = [&] {
    ProjectionStatus status = FullStatus();
    status.matched = matched;
    return status;
  };
  const auto until = [&](const std::function<bool(const ProjectionStatus&)>& good) {
    for (int i = 0; i < 500; ++i) {
      const auto status = ReadStatusFile(scene.projection());
      if (status.ok() && good(*status)) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  };
  {
    StatusWriter writer(scene.projection(), told, {});
    REQUIRE(until([](const ProjectionStatus&) { return true; }));
    const Timestamp first = ReadStatusFile(scene.projection())->heartbeat;
    CHECK(until([&](const ProjectionStatus& status) { return status.heartbeat > first; }));
    matched = 77;
    writer.Soon();
    CHECK(until([&](const ProjectionStatus& status) { return status.matched == 77; }));
    matched = 78;
  }
  CHECK(ReadStatusFile(scene.projection())->matched == 78);
}

TEST_CASE("a status file that cannot be written is told once, and ends nothing") {
  const TempFolder folder;
  std::atomic<int> notices{0};
  {
    StatusWriter writer(folder / "nowhere", FullStatus, [&](const Notice&) { ++notices; });
    while (notices == 0) std::this_thread::sleep_for(1ms);
    writer.Soon();
  }
  CHECK(notices == 1);
}

TEST_CASE("skips are read once they are decided, each once, and not those of others") {
  const TempFolder folder;
  const auto store = Store::Open(folder.path(), {});
  REQUIRE_OK(store);
  for (int i = 0; i < 3; ++i) REQUIRE_OK(AppendText(store->get(), "a-1", "{}"));
  SkipSet skips("totals");
  // What is new, and up to where.
  const auto refresh = [&] {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> fresh;
    const auto refreshed = skips.Refresh(**store);
    REQUIRE_OK(refreshed);
    for (const ProjectionSkip& one : *refreshed) {
      fresh.emplace_back(one.position.value(), one.last.value());
    }
    return fresh;
  };
  using Fresh = decltype(refresh());
  CHECK(refresh().empty());
  CHECK(skips.empty());
  const ProjectionSkip skip{"totals", Position(2), "no \"cents\" \xC3\xA9\n", "ann"};
  REQUIRE_OK((*store)->RecordSkip(skip));
  REQUIRE_OK((*store)->RecordSkip(skip));
  REQUIRE_OK((*store)->RecordSkip({"others", Position(3), "r", "a"}));
  CHECK(refresh() == Fresh{{2, 0}});
  CHECK(refresh().empty());
  CHECK(skips.contains(Position(2)));
  CHECK_FALSE(skips.contains(Position(3)));
  REQUIRE_OK((*store)->RecordSkip({"totals", Position(1), "r", "a"}));
  CHECK(refresh() == Fresh{{1, 0}});
  const auto all = ProjectionSkips(**store, "totals");
  REQUIRE_OK(all);
  REQUIRE(all->size() == 2);
  CHECK((*all)[0].projection == "totals");
  CHECK((*all)[0].position == Position(2));
  CHECK((*all)[0].reason == skip.reason);
  CHECK((*all)[0].actor == "ann");
  // A stretch, which others may touch.
  CHECK(skips.EndOf(Position(1)) == Position(2));
  REQUIRE_OK((*store)->RecordSkip({"totals", Position(3), "r", "a", Position(5)}));
  CHECK(refresh() == Fresh{{3, 5}});
  CHECK(skips.contains(Position(4)));
  CHECK_FALSE(skips.contains(Position(6)));
  CHECK(skips.EndOf(Position(1)) == Position(5));
  CHECK(skips.EndOf(Position(4)) == Position(5));
  CHECK(absl::IsInvalidArgument(
      (*store)->RecordSkip({"totals", Position(3), "r", "a", Position(99)}).status()));
}

namespace {

// Reads the text format of Prometheus as strictly as its specification is; what is wrong, or "".
std::string CheckPrometheus(const std::string& text, std::map<std::string, std::string>* samples) {
  static const std::regex help("# HELP ([a-z_]+) [^\n]+");
  static const std::regex type("# TYPE ([a-z_]+) (gauge|counter)");
  static const std::regex sample(
      R"(([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (-?[0-9.]+(?:e[+-]?[0-9]+)?))");
  if (!text.ends_with('\n')) return "the last line does not end";
  std::istringstream lines(text);
  std::set<std::string> seen;
  std::string current, helped;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      helped = match[1];
    } else if (std::regex_match(line, match, type)) {
      current = match[1];
      if (helped != current) return "no help before: " + line;
      if (!seen.insert(current).second) return "a metric in two places: " + line;
      if ((match[2] == "counter") != current.ends_with("_total")) return "a bad type: " + line;
    } else if (std::regex_match(line, match, sample)) {
      if (match[1] != current) return "a sample out of its group: " + line;
      const std::string labels = match[2];
      if (labels.ends_with(',')) return "a bad label list: " + line;
      if (!samples->emplace(current + "{" + labels + "}", match[3]).second) return "twice: " + line;
    } else {
      return "a bad line: " + line;
    }
  }
  return "";
}

}  // namespace

TEST_CASE("Prometheus gets a valid text with every number of every projection") {
  ProjectionStatus one = FullStatus();
  one.head = Position(12);
  one.events_behind = 10;
  one.seconds_behind = 1.5;
  ProjectionStatus two = FullStatus();
  two.name = "quo\"te\\d\nname";
  two.state = ProjectionState::kRunning;
  two.matched = (std::uint64_t{1} << 53) - 1;
  const std::vector<ProjectionStatus> both = {one, two};
  std::map<std::string, std::string> samples;
  CHECK(CheckPrometheus(PrometheusText(both), &samples) == "");
  const auto value = [&](const std::string& metric, const std::string& more = "") {
    return samples["daybook_projection_" + metric +
                   "{projection=\"totals\",revision=\"3\",generation=\"1\"" + more + "}"];
  };
  CHECK(value("state", ",state=\"poison\"") == "1");
  CHECK(value("state", ",state=\"running\"") == "0");
  CHECK(value("scanned_position") == "2");
  CHECK(value("matched_events_total") == "2");
  CHECK(value("head_position") == "12");
  CHECK(value("events_behind") == "10");
  CHECK(value("seconds_behind") == "1.5");
  CHECK(value("parked_events") == "5");
  CHECK(value("parked_keys") == "4");
  CHECK(value("effects_waiting") == "6");
  CHECK(value("events_per_second") == "1234.5");
  CHECK(std::stod(value("heartbeat_timestamp_seconds")) > 1.7e9);
  CHECK(samples[R"(daybook_projection_matched_events_total{projection="quo\"te\\d\nname",)"
                R"(revision="3",generation="1"})"] == "9007199254740991");
  CHECK(PrometheusText({}) == "");
}

}  // namespace daybook
