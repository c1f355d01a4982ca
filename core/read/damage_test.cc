#include "daybook/error.h"
#include "read/test_log.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::Drain;
using testing::DrainWithErrors;
using testing::ModelEvent;
using testing::ModelRead;
using testing::Outcome;
using testing::TestLog;

using Positions = std::vector<std::uint64_t>;

// Ten commits of two events, one a stream; the last two commits are a segment of their own.
void FillTwoStreams(TestLog* log) {
  for (int i = 1; i <= 10; ++i) {
    if (i == 9) log->CutSegment();
    log->Add(i * 10, {{.stream = "s-1", .type = "Odd", .tags = {"odd"}},
                      {.stream = "s-2", .type = "Even", .tags = {"even"}}});
  }
}

Outcome Read(const TestLog& log, ReadOptions options, OnDamage on_damage) {
  options.on_damage = on_damage;
  return DrainWithErrors(MakeCursor(log.View(), options));
}

void CheckFails(const TestLog& log, const ReadOptions& options, const Positions& before,
                std::uint64_t position) {
  const Outcome outcome = Read(log, options, OnDamage::kFail);
  CHECK(outcome.positions == before);
  REQUIRE(absl::IsDataLoss(outcome.status));
  const std::optional<Damage> damage = DamageOf(outcome.status);
  REQUIRE(damage);
  CHECK(damage->file.starts_with("log"));
  CHECK(damage->first_position.value() <= position);
  CHECK(damage->last_position.value() >= position);
}

void CheckSkips(const TestLog& log, const ReadOptions& options, const Positions& positions,
                std::uint64_t damaged) {
  const Outcome outcome = Read(log, options, OnDamage::kSkip);
  CHECK_OK(outcome.status);
  CHECK(outcome.positions == positions);
  CHECK(outcome.damaged == damaged);
}

}  // namespace

TEST_CASE("a read says where a damaged event is, or leaves it out and counts it") {
  TestLog log;
  FillTwoStreams(&log);
  log.Damage(7);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  CheckFails(log, {}, {1, 2, 3, 4, 5, 6}, 7);
  CheckSkips(log, {.to_position = Position(9)}, {1, 2, 3, 4, 5, 6, 8, 9}, 1);
  CheckFails(log, {.stream = "s-1"}, {1, 3, 5}, 7);
  CheckFails(log, {.types = {"Odd"}}, {1, 3, 5}, 7);
  CheckFails(log, {.tags = {"odd"}}, {1, 3, 5}, 7);
  CheckSkips(log, {.stream = "s-1", .direction = Direction::kBackwards},
             {19, 17, 15, 13, 11, 9, 5, 3, 1}, 1);
  // The index knows that it is none of these.
  CHECK_OK(Read(log, {.stream = "s-2"}, OnDamage::kFail).status);
  CHECK_OK(Read(log, {.types = {"Even"}}, OnDamage::kFail).status);
  CHECK_OK(Read(log, {.tags = {"even"}}, OnDamage::kFail).status);
}

TEST_CASE("a cursor that has failed says so again") {
  TestLog log;
  FillTwoStreams(&log);
  log.Damage(2);
  log.Build();
  auto cursor = MakeCursor(log.View(), {});
  REQUIRE_OK(cursor);
  CHECK_OK(cursor->Next());
  CHECK(absl::IsDataLoss(cursor->Next().status()));
  CHECK(absl::IsDataLoss(cursor->Next().status()));
}

TEST_CASE("a lost event may have been anything: every filter stumbles over it") {
  TestLog log;
  FillTwoStreams(&log);
  log.Lose(7);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  CheckFails(log, {}, {1, 2, 3, 4, 5, 6}, 7);
  CheckFails(log, {.types = {"Even"}}, {2, 4, 6}, 7);
  CheckFails(log, {.types = {"None"}}, {}, 7);
  CheckFails(log, {.tags = {"even"}}, {2, 4, 6}, 7);
  CheckFails(log, {.category = "none"}, {}, 7);
  CheckFails(log, {.effective_from = Timestamp(1000)}, {}, 7);
  CheckFails(log, {.types = {"Even"}, .direction = Direction::kBackwards},
             {20, 18, 16, 14, 12, 10, 8}, 7);
  CheckSkips(log, {.types = {"Even"}, .tags = {"even"}}, {2, 4, 6, 8, 10, 12, 14, 16, 18, 20}, 1);
  // But not where it is out of the read's range.
  CHECK_OK(Read(log, {.types = {"None"}, .from_position = Position(8)}, OnDamage::kFail).status);
  // A walk along links knows which stream it was of.
  CHECK_OK(Read(log, {.stream = "s-2"}, OnDamage::kFail).status);
}

TEST_CASE("past a lost event of a stream the read goes on where a link leads on") {
  TestLog log;
  FillTwoStreams(&log);
  // Version 4 of s-1. Version 6 skips to 3 past it, as the jump rule has it.
  log.Lose(7);
  log.Build();
  CheckFails(log, {.stream = "s-1"}, {1, 3, 5}, 7);
  CheckSkips(log, {.stream = "s-1"}, {1, 3, 5, 9, 11, 13, 15, 17, 19}, 1);
  CheckFails(log, {.stream = "s-1", .direction = Direction::kBackwards}, {19, 17, 15, 13, 11, 9},
             7);
  CheckSkips(log, {.stream = "s-1", .direction = Direction::kBackwards},
             {19, 17, 15, 13, 11, 9, 5, 3, 1}, 1);
  CheckSkips(log, {.stream = "s-1", .as_of = AsOf::AtVersion(Version(3))}, {1, 3, 5}, 0);
  const auto head = log.View().PointAt("s-1", 8);
  REQUIRE_OK(head);
  CHECK((head->position == 7 && head->version == 4));
}

TEST_CASE("where no link leads on, a stream is looked for event by event") {
  TestLog log;
  FillTwoStreams(&log);
  // Version 7 of s-1, with which a jump begins that no other crosses.
  log.Lose(13);
  log.Build();
  CHECK(absl::IsDataLoss(Read(log, {.stream = "s-1"}, OnDamage::kFail).status));
  CheckSkips(log, {.stream = "s-1"}, {1, 3, 5, 7, 9, 11, 15, 17, 19}, 1);
  CheckSkips(log, {.stream = "s-1", .direction = Direction::kBackwards},
             {19, 17, 15, 11, 9, 7, 5, 3, 1}, 1);
  CheckSkips(log, {.stream = "s-1", .from_version = Version(5), .to_version = Version(9)},
             {9, 11, 15, 17}, 1);
  CheckSkips(log, {.stream = "s-1", .as_of = AsOf::AtPosition(Position(12))}, {1, 3, 5, 7, 9, 11},
             0);
  CHECK(absl::IsDataLoss(
      Read(log, {.stream = "s-1", .as_of = AsOf::AtPosition(Position(12))}, OnDamage::kFail)
          .status));
}

TEST_CASE("an id is found though events are lost, or the read says that it cannot tell") {
  TestLog log;
  FillTwoStreams(&log);
  log.Lose(7);
  log.Build();
  const auto id = [&](std::uint64_t position) { return log.events()[position - 1].id; };
  CheckFails(log, {.stream = "s-1", .id = id(7)}, {}, 7);
  CheckSkips(log, {.stream = "s-1", .id = id(9)}, {9}, 1);
  CHECK(Read(log, {.stream = "s-2", .id = id(8)}, OnDamage::kFail).positions == Positions{8});
}

TEST_CASE("a missing segment is data loss, never an end") {
  TestLog log;
  log.AddRandom(5, 50);
  log.CutSegment();
  log.AddRandom(6, 50);
  log.CutSegment();
  log.AddRandom(7, 50);
  std::uint64_t omitted = 0;
  SECTION("the first") { omitted = 1; }
  SECTION("one in the middle") { omitted = 51; }
  SECTION("the last") { omitted = 101; }
  log.OmitSegment(omitted);
  log.Build();
  const auto present = [&](ReadOptions options) {
    Positions positions = ModelRead(log.events(), options, log.head());
    std::erase_if(positions, [&](auto p) { return p >= omitted && p < omitted + 50; });
    return positions;
  };
  for (const Direction direction : {Direction::kForwards, Direction::kBackwards}) {
    for (const char* type : {"", "Paid"}) {
      ReadOptions options{.direction = direction};
      if (*type != '\0') options.types = {type};
      CHECK(absl::IsDataLoss(Read(log, options, OnDamage::kFail).status));
      CheckSkips(log, options, present(options), 50);
    }
  }
  CHECK(absl::IsDataLoss(FindMatch(log.View(), {{{.types = {"None"}}}, Position(0)}).status()));
  EventView event;
  CHECK(absl::IsDataLoss(log.View().ReadEvent(omitted + 3, &event)));
}

TEST_CASE("a recorded time takes in what is lost at its edge, and no more") {
  TestLog log;
  log.Add(10, {{.stream = "a"}});                   // 1
  log.Add(20, {{.stream = "a"}});                   // 2, lost
  log.Add(30, {{.stream = "a"}, {.stream = "a"}});  // 3, lost, and 4
  log.Add(40, {{.stream = "a"}});                   // 5
  log.Add(50, {{.stream = "a"}});                   // 6, lost
  for (const std::uint64_t p : {2U, 3U, 6U}) log.Lose(p);
  log.Build();
  const auto at = [&](std::int64_t time) { return log.View().PositionAt(Timestamp(time)).value(); };
  const auto after = [&](std::int64_t t) { return log.View().PositionAfter(Timestamp(t)).value(); };
  CHECK(at(9) == 0);
  // 2 may be in time; 3 is of one commit with 4, which is not.
  CHECK(at(10) == 2);
  CHECK(at(25) == 2);
  CHECK(at(30) == 4);
  CHECK(at(39) == 4);
  CHECK(at(40) == 6);
  CHECK(after(9) == 1);
  CHECK(after(10) == 2);
  CHECK(after(29) == 2);
  CHECK(after(30) == 5);
  CHECK(after(40) == 6);
}

TEST_CASE("a condition is never said to hold over an event that is lost or damaged") {
  TestLog log;
  FillTwoStreams(&log);
  log.Lose(7);
  log.Damage(14);
  log.Build();
  const auto find = [&](const QueryItem& item, std::uint64_t after) {
    return FindMatch(log.View(), {{item}, Position(after)});
  };
  CHECK(absl::IsDataLoss(find({.types = {"None"}}, 0).status()));
  CHECK(absl::IsDataLoss(find({.tags = {"none"}}, 6).status()));
  CHECK(find({.tags = {"none"}}, 14).value() == 0);
  CHECK(find({.tags = {"odd"}}, 0).value() != 0);
  CHECK(find({.types = {"Even"}}, 19).value() == 20);
  CHECK(absl::IsDataLoss(find({.types = {"Even"}, .tags = {"odd"}}, 0).status()));
}

}  // namespace daybook
