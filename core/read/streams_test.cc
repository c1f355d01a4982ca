#include <map>
#include <random>

#include "read/test_log.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::ModelEvent;
using testing::TestLog;

std::vector<StreamInfo> ModelStreams(const TestLog& log, const StreamsOptions& options,
                                     std::uint64_t bound) {
  std::map<std::string, StreamInfo> streams;
  for (const ModelEvent& event : log.events()) {
    if (event.position > bound ||
        (options.category && CategoryOf(event.stream) != *options.category) ||
        (options.prefix && !event.stream.starts_with(*options.prefix))) {
      continue;
    }
    StreamInfo& info = streams[event.stream];
    info.stream = event.stream;
    info.version = Version(event.version);
    if (event.version == 1) info.first_position = Position(event.position);
    info.last_position = Position(event.position);
    info.last_recorded_at = Timestamp(event.recorded_at);
  }
  std::vector<StreamInfo> list;
  for (const auto& [name, info] : streams) list.push_back(info);
  return list;
}

bool Same(const StreamInfo& a, const StreamInfo& b) {
  return a.stream == b.stream && a.version == b.version && a.first_position == b.first_position &&
         a.last_position == b.last_position && a.last_recorded_at == b.last_recorded_at;
}

}  // namespace

TEST_CASE("streams are listed by name, as of any position") {
  TestLog log;
  log.AddRandom(1, 40);
  log.CutSegment();
  log.Add(100000, {{.stream = "cash-1"}, {.stream = "new-1"}});
  log.CutSegment();
  log.AddRandom(2, 60);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  for (std::uint64_t bound = 0; bound <= log.head(); ++bound) {
    for (int filter = 0; filter < 4; ++filter) {
      StreamsOptions options;
      if ((filter & 1) != 0) options.category = "cash";
      if ((filter & 2) != 0) options.prefix = "cash-";
      const auto expected = ModelStreams(log, options, bound);
      // Seen then, and looked back at now.
      options.as_of = AsOf::AtPosition(Position(bound));
      const auto listed = ListStreams(log.View(), options);
      const auto then = ListStreams(log.View(bound), options);
      REQUIRE_OK(listed);
      REQUIRE_OK(then);
      REQUIRE(std::equal(listed->begin(), listed->end(), expected.begin(), expected.end(), Same));
      REQUIRE(std::equal(then->begin(), then->end(), expected.begin(), expected.end(), Same));
      for (const StreamInfo& info : expected) {
        const auto head = HeadOf(log.View(), info.stream, options.as_of);
        REQUIRE_OK(head);
        REQUIRE(Same(*head, info));
      }
    }
  }
}

TEST_CASE("the head of a stream at a version, at a time, and of a stream that holds nothing") {
  TestLog log;
  log.Add(10, {{.stream = "s-1"}, {.stream = "s-2"}});
  log.Add(20, {{.stream = "s-1"}});
  log.Build();
  const auto head = [&](std::string_view stream, const AsOf& as_of) {
    return HeadOf(log.View(), stream, as_of).value();
  };
  CHECK(head("s-1", {}).version == Version(2));
  CHECK(head("s-1", AsOf::AtVersion(Version(1))).last_position == Position(1));
  CHECK(head("s-1", AsOf::RecordedAt(Timestamp(19))).last_position == Position(1));
  CHECK(head("s-1", AsOf::RecordedAt(Timestamp(9))).version == Version(0));
  CHECK(head("none", {}).version == Version(0));
  CHECK(head("none", {}).stream == "none");
  CHECK(absl::IsInvalidArgument(HeadOf(log.View(), "s-1", AsOf::AtVersion(Version(3))).status()));
}

TEST_CASE("streams as of a version or an effective time are refused") {
  TestLog log;
  log.Add(10, {{.stream = "s-1"}});
  log.Build();
  const auto refused = [&](const AsOf& as_of) {
    return absl::IsInvalidArgument(ListStreams(log.View(), {.as_of = as_of}).status());
  };
  CHECK(refused(AsOf::AtVersion(Version(1))));
  CHECK(refused(AsOf::EffectiveAt(Timestamp(1))));
  CHECK(refused(AsOf::AtPosition(Position(2))));
}

TEST_CASE("a stream whose last event is lost is listed once, up to what can be read") {
  TestLog log;
  for (int i = 1; i <= 6; ++i) log.Add(i, {{.stream = "s-1"}, {.stream = "s-2"}});
  log.Lose(7);
  log.Build();
  const auto listed = ListStreams(log.View(), {});
  REQUIRE_OK(listed);
  REQUIRE(listed->size() == 2);
  CHECK((*listed)[0].version == Version(6));
  CHECK((*listed)[1].version == Version(6));
}

}  // namespace daybook
