#include <random>

#include "read/test_log.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::Drain;
using testing::HasText;
using testing::ModelEvent;
using testing::ModelRead;
using testing::TestLog;

void FillThreeSegments(TestLog* log) {
  log->AddRandom(1, 700);
  log->CutSegment();
  log->AddRandom(2, 600);
  log->CutSegment();
  log->AddRandom(3, 900);
}

Timestamp At(std::int64_t ns) { return Timestamp(ns); }

// Options by chance: each filter and bound is there or not.
ReadOptions RandomOptions(std::mt19937* random, const TestLog& log) {
  const auto below = [&](std::uint64_t n) { return (*random)() % n; };
  const auto sometimes = [&](std::uint64_t n) { return below(n) == 0; };
  const auto any = [&]() -> const ModelEvent& { return log.events()[below(log.head())]; };
  static constexpr const char* kTypes[] = {"Opened", "Paid", "Moved", "Closed", "None"};
  static constexpr const char* kTags[] = {"a:1", "a:2", "b:1", "b:2", "c", "none"};
  ReadOptions options;
  if (sometimes(3)) options.stream = sometimes(12) ? "nobody-1" : any().stream;
  if (sometimes(4)) options.category = std::string(CategoryOf(any().stream));
  for (std::uint64_t n = sometimes(2) ? below(3) : 0; n > 0; --n) {
    options.types.emplace_back(kTypes[below(sometimes(5) ? 5 : 4)]);
  }
  for (std::uint64_t n = sometimes(2) ? below(3) : 0; n > 0; --n) {
    options.tags.emplace_back(kTags[below(sometimes(5) ? 6 : 5)]);
  }
  if (sometimes(8)) {
    const ModelEvent& event = any();
    options.id = event.id;
    if (options.stream && !sometimes(4)) options.stream = event.stream;
  }
  if (sometimes(4)) options.from_position = Position(below(log.head() + 2));
  if (sometimes(4)) options.to_position = Position(below(log.head() + 1));
  if (sometimes(5)) options.recorded_from = At(any().recorded_at - 1 + std::int64_t(below(3)));
  if (sometimes(5)) options.effective_from = At(any().effective());
  switch (below(6)) {
    case 0:
      options.as_of.position = Position(below(log.head() + 1));
      break;
    case 1:
      options.as_of.recorded_at = At(any().recorded_at - 1 + std::int64_t(below(3)));
      break;
    default:
      break;
  }
  if (sometimes(5)) options.as_of.effective_at = At(any().effective());
  if (sometimes(3)) options.limit = below(40);
  return options;
}

std::uint64_t VersionsOf(const TestLog& log, const std::string& stream) {
  std::uint64_t version = 0;
  for (const ModelEvent& event : log.events()) version += event.stream == stream;
  return version;
}

void CheckRandomReads(const TestLog& log, std::uint32_t seed, int reads) {
  std::mt19937 random(seed);
  for (int i = 0; i < reads; ++i) {
    ReadOptions options = RandomOptions(&random, log);
    if (options.stream) {
      const std::uint64_t head = VersionsOf(log, *options.stream);
      if (random() % 3 == 0) options.from_version = Version(random() % (head + 2));
      if (random() % 3 == 0) options.to_version = Version(random() % (head + 1));
      if (!options.as_of.position && !options.as_of.recorded_at && random() % 3 == 0) {
        options.as_of.version = Version(random() % (head + 1));
      }
    }
    CAPTURE(seed, i);
    const ReadView view = log.View();
    const std::vector<std::uint64_t> expected = ModelRead(log.events(), options, log.head());
    REQUIRE(Drain(log, MakeCursor(view, options)) == expected);
    options.direction = Direction::kBackwards;
    const std::vector<std::uint64_t> reversed = ModelRead(log.events(), options, log.head());
    REQUIRE(Drain(log, MakeCursor(view, options)) == reversed);
  }
}

}  // namespace

TEST_CASE("every combination of filters and bounds gives what a look at every event gives") {
  TestLog log;
  FillThreeSegments(&log);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  CheckRandomReads(log, 11, 3000);
}

TEST_CASE("a read sees nothing beyond the visible position, though the index does") {
  TestLog log;
  FillThreeSegments(&log);
  log.Build();
  for (const std::uint64_t visible : {0U, 1U, 300U, 700U, 701U, 1300U, 1301U, 2199U}) {
    const ReadView view = log.View(visible);
    for (const char* stream : {"", "cash-1", "bank-2"}) {
      ReadOptions options;
      if (*stream != '\0') options.stream = stream;
      CHECK(Drain(log, MakeCursor(view, options)) == ModelRead(log.events(), options, visible));
      options.types = {"Paid"};
      CHECK(Drain(log, MakeCursor(view, options)) == ModelRead(log.events(), options, visible));
      options.tags = {"a:1"};
      CHECK(Drain(log, MakeCursor(view, options)) == ModelRead(log.events(), options, visible));
    }
  }
}

TEST_CASE("a long stream is read in stretches, forwards and backwards") {
  TestLog log;
  for (int i = 1; i <= 5000; ++i) {
    log.Add(i, {{.stream = i % 3 == 0 ? "other-1" : "long-1"}});
    if (i == 3200) log.CutSegment();
  }
  log.Build();
  ReadOptions options{.stream = "long-1"};
  for (const Direction direction : {Direction::kForwards, Direction::kBackwards}) {
    options.direction = direction;
    for (const std::uint64_t limit : {1U, 1023U, 1024U, 1025U, 2049U, 5000U}) {
      options.limit = limit;
      CHECK(Drain(log, MakeCursor(log.View(), options)) ==
            ModelRead(log.events(), options, log.head()));
    }
  }
}

TEST_CASE("the basis names what the answer rests on, and whether it is final") {
  TestLog log;
  log.Add(10, {{.stream = "s-1"}, {.stream = "s-2"}});
  log.Add(20, {{.stream = "s-1"}});
  log.Add(30, {{.stream = "s-2"}});
  log.Build();
  const auto basis = [&](ReadOptions options, std::uint64_t durable = 4) {
    const SegmentHeads source(&log.set());
    const auto cursor = MakeCursor(ReadView(4, durable, &source, &log.set()), options);
    REQUIRE_OK(cursor);
    return cursor->basis();
  };
  const auto check = [](const Basis& b, std::uint64_t position, std::uint64_t version,
                        std::int64_t recorded_at, bool final) {
    CHECK(b.position.value() == position);
    CHECK(b.version.value() == version);
    CHECK(b.recorded_at.unix_nanoseconds() == recorded_at);
    CHECK(b.final == final);
  };
  check(basis({}), 4, 0, 30, false);
  check(basis({.stream = "s-1"}), 3, 2, 20, false);
  check(basis({.stream = "none"}), 0, 0, 0, false);
  check(basis({.stream = "s-1", .as_of = AsOf::AtVersion(Version(1))}), 1, 1, 10, true);
  check(basis({.stream = "s-1", .as_of = AsOf::AtVersion(Version(0))}), 0, 0, 0, true);
  check(basis({.stream = "s-2", .as_of = AsOf::AtPosition(Position(3))}), 2, 1, 10, true);
  check(basis({.as_of = AsOf::AtPosition(Position(0))}), 0, 0, 0, true);
  check(basis({.as_of = AsOf::AtPosition(Position(4))}), 4, 0, 30, true);
  // By time the answer is final when something durable is later.
  check(basis({.as_of = AsOf::RecordedAt(At(9))}), 0, 0, 0, true);
  check(basis({.as_of = AsOf::RecordedAt(At(10))}), 2, 0, 10, true);
  check(basis({.as_of = AsOf::RecordedAt(At(29))}), 3, 0, 20, true);
  check(basis({.as_of = AsOf::RecordedAt(At(29))}, 3), 3, 0, 20, false);
  check(basis({.as_of = AsOf::RecordedAt(At(30))}), 4, 0, 30, false);
  // What is not durable may yet be something else.
  check(basis({.as_of = AsOf::AtPosition(Position(4))}, 3), 4, 0, 30, false);
  const Basis effective = basis({.as_of = AsOf::EffectiveAt(At(15))});
  check(effective, 4, 0, 30, false);
  CHECK(effective.effective_at == At(15));
  check(basis({.as_of = AsOf::AtPosition(Position(3)).AndEffectiveAt(At(15))}), 3, 0, 20, true);
}

TEST_CASE("a version or position beyond the head is refused and names the head") {
  TestLog log;
  log.Add(10, {{.stream = "s-1"}, {.stream = "s-1"}, {.stream = "s-2"}});
  log.Build();
  const auto status = [&](const ReadOptions& options) {
    return MakeCursor(log.View(), options).status();
  };
  const auto refused = [&](const ReadOptions& options, const std::string& text) {
    CHECK(absl::IsInvalidArgument(status(options)));
    CHECK_THAT(std::string(status(options).message()), HasText(text));
  };
  refused({.as_of = AsOf::AtPosition(Position(4))}, "the store, which is 3");
  refused({.stream = "s-1", .as_of = AsOf::AtVersion(Version(3))}, "stream s-1, which is 2");
  refused({.stream = "no", .as_of = AsOf::AtVersion(Version(1))}, "stream no, which is 0");
  refused({.to_position = Position(4)}, "which is 3");
  refused({.from_position = Position(5)}, "which is 3");
  refused({.stream = "s-1", .to_version = Version(3)}, "which is 2");
  refused({.stream = "s-1", .from_version = Version(4)}, "which is 2");
  CHECK_OK(status({.from_position = Position(4)}));
  CHECK_OK(status({.stream = "s-1", .from_version = Version(3)}));
  CHECK_OK(status({.stream = "no", .from_version = Version(1)}));
  // The head is today's, also for a look at the past.
  CHECK_OK(
      status({.stream = "s-1", .to_version = Version(2), .as_of = AsOf::AtPosition(Position(1))}));
}

TEST_CASE("bounds that contradict each other are refused") {
  TestLog log;
  log.Add(10, {{.stream = "s-1"}});
  log.Build();
  const auto refused = [&](const ReadOptions& options) {
    return absl::IsInvalidArgument(MakeCursor(log.View(), options).status());
  };
  CHECK(refused({.as_of = AsOf::AtVersion(Version(1))}));
  CHECK(refused({.from_version = Version(1)}));
  CHECK(refused({.to_version = Version(1)}));
  AsOf two = AsOf::AtPosition(Position(1));
  two.recorded_at = At(10);
  CHECK(refused({.as_of = two}));
}

TEST_CASE("what a cursor gave lives as long as the cursor, without the store") {
  TestLog log;
  FillThreeSegments(&log);
  log.Build();
  auto cursor = MakeCursor(log.View(), {.types = {"Paid"}});
  REQUIRE_OK(cursor);
  log.DropSegments();
  std::vector<EventView> views;
  REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
    views.push_back(event);
    return absl::OkStatus();
  }));
  Cursor moved = std::move(*cursor);
  REQUIRE(views.size() == ModelRead(log.events(), {.types = {"Paid"}}, log.head()).size());
  for (const EventView& view : views) {
    const ModelEvent& model = log.events()[view.position.value() - 1];
    CHECK((view.stream == model.stream && AsText(view.data) == model.data));
  }
}

TEST_CASE("an index that is put in a segment's place does not disturb a cursor on its way") {
  TestLog log;
  FillThreeSegments(&log);
  log.UseSidecars();
  log.Build();
  const ReadOptions options{.types = {"Paid", "Moved"}};
  auto cursor = MakeCursor(log.View(), options);
  REQUIRE_OK(cursor);
  REQUIRE_OK(cursor->Next());
  for (const auto& segment : *log.set().snapshot()) {
    auto index = segment->index();
    REQUIRE_OK(index);
    std::const_pointer_cast<Segment>(segment)->ReplaceIndex(*index);
  }
  auto expected = ModelRead(log.events(), options, log.head());
  expected.erase(expected.begin());
  CHECK(Drain(log, std::move(cursor)) == expected);
}

}  // namespace daybook
