#include <algorithm>
#include <random>

#include "read/test_log.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::ModelEvent;
using testing::TestLog;

bool Matches(const ModelEvent& event, const AppendCondition& condition) {
  if (condition.fail_if_match.empty()) return true;
  return std::any_of(
      condition.fail_if_match.begin(), condition.fail_if_match.end(), [&](const QueryItem& item) {
        return (item.types.empty() ||
                std::find(item.types.begin(), item.types.end(), event.type) != item.types.end()) &&
               std::all_of(item.tags.begin(), item.tags.end(), [&](const std::string& tag) {
                 return std::find(event.tags.begin(), event.tags.end(), tag) != event.tags.end();
               });
      });
}

AppendCondition RandomCondition(std::mt19937* random, std::uint64_t head) {
  const auto below = [&](std::uint64_t n) { return (*random)() % n; };
  static constexpr const char* kTypes[] = {"Opened", "Closed", "None", "Nil"};
  static constexpr const char* kTags[] = {"a:1", "a:2", "b:1", "b:2", "c", "none"};
  AppendCondition condition;
  condition.after = Position(below(3) == 0 ? head - below(std::min<std::uint64_t>(head, 30) + 1)
                                           : below(head + 2));
  condition.fail_if_match.resize(below(8) == 0 ? 0 : 1 + below(3));
  for (QueryItem& item : condition.fail_if_match) {
    for (std::uint64_t n = below(3); n > 0; --n) item.types.emplace_back(kTypes[below(4)]);
    for (std::uint64_t n = below(5); n > 0; --n) item.tags.emplace_back(kTags[below(6)]);
  }
  return condition;
}

}  // namespace

TEST_CASE("a condition finds a match exactly where there is one") {
  TestLog log;
  log.AddRandom(1, 500);
  log.CutSegment();
  log.AddRandom(2, 300);
  log.CutSegment();
  log.AddRandom(3, 200);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  std::mt19937 random(4);
  int found_some = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t visible = i % 2 == 0 ? log.head() : random() % (log.head() + 1);
    const AppendCondition condition = RandomCondition(&random, log.head());
    const auto in_range = [&](const ModelEvent& event) {
      return event.position > condition.after.value() && event.position <= visible &&
             Matches(event, condition);
    };
    const auto found = FindMatch(log.View(visible), condition);
    REQUIRE_OK(found);
    if (*found == 0) {
      REQUIRE(std::none_of(log.events().begin(), log.events().end(), in_range));
    } else {
      ++found_some;
      REQUIRE(in_range(log.events()[*found - 1]));
    }
  }
  CHECK(found_some > 1000);
  CHECK(found_some < 4800);
}

TEST_CASE("an id is found in its stream and in no other, up to what is visible") {
  TestLog log;
  log.AddRandom(1, 300);
  log.CutSegment();
  const EventId shared = log.events()[9].id;
  log.Add(100000, {{.stream = "fresh-1", .id = shared}});
  log.AddRandom(2, 100);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  for (const ModelEvent& event : log.events()) {
    REQUIRE(FindId(log.View(), event.stream, event.id).value() == event.position);
    REQUIRE(FindId(log.View(event.position - 1), event.stream, event.id).value() == 0);
    REQUIRE(FindId(log.View(), "none-1", event.id).value() == 0);
  }
  CHECK(FindId(log.View(), "fresh-1", shared).value() == 301);
  CHECK(FindId(log.View(), "fresh-1", log.events()[0].id).value() == 0);
}

}  // namespace daybook
