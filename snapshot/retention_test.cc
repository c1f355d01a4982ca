// What the retentions promise, held against every stream that grows by snapshots in any order.

#include "snapshot/retention.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace daybook {
namespace {

using Versions = std::vector<std::uint64_t>;

// The distance from version `v` down to the nearest rung, the empty state included.
std::uint64_t Behind(const Versions& rungs, std::uint64_t v) {
  const auto above = std::upper_bound(rungs.begin(), rungs.end(), v);
  return above == rungs.begin() ? v : v - *std::prev(above);
}

TEST_CASE("the ladder has a rung within n events of what is n events old, and few rungs",
          "[retention]") {
  for (const std::uint64_t every : {1U, 4U, 7U, 100U}) {
    Versions rungs;
    for (std::uint64_t head = every; head <= 3000 * every; head += every) {
      rungs.push_back(head);
      rungs = Kept(SnapshotRetention::Ladder(), rungs);
      const auto n = static_cast<double>(head) / static_cast<double>(every);
      REQUIRE(static_cast<double>(rungs.size()) <= 2 * std::log2(n + 1) + 2);
      REQUIRE(rungs.back() == head);
      if (head > every) REQUIRE(rungs[rungs.size() - 2] == head - every);
      if (head % (97 * every) != 0) continue;
      for (std::uint64_t v = 1; v <= head; ++v) {
        REQUIRE(Behind(rungs, v) <= std::max(head - v, every));
      }
    }
  }
}

TEST_CASE("the grid has rungs at even distances, and no more than allowed", "[retention]") {
  for (const std::uint32_t allowed : {1U, 2U, 5U, 64U}) {
    const SnapshotRetention grid = SnapshotRetention::EvenGrid(allowed);
    Versions rungs;
    for (std::uint64_t head = 3; head <= 6000; head += 3) {
      rungs.push_back(head);
      rungs = Kept(grid, rungs);
      REQUIRE(rungs.size() <= std::size_t{allowed} + 2);  // and the last two
      REQUIRE(rungs.back() == head);
      if (head % 303 != 0) continue;
      std::uint64_t widest = 0;
      for (std::uint64_t v = 1; v <= head; ++v) widest = std::max(widest, Behind(rungs, v));
      REQUIRE(widest <= 2 * head / allowed + 2 * 3);
    }
    if (allowed > 2) CHECK(rungs.size() >= allowed / 2);
  }
}

TEST_CASE("all are kept where all are to be", "[retention]") {
  Versions many(1000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = i + 1;
  CHECK(Kept(SnapshotRetention::All(), many) == many);
  CHECK(Kept(SnapshotRetention::Ladder(), {}).empty());
}

TEST_CASE("what a retention keeps it keeps when it is asked again", "[retention]") {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    Versions versions(random() % 60 + 1);
    for (std::uint64_t& version : versions) version = random() % 2000 + 1;
    std::sort(versions.begin(), versions.end());
    versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
    for (const SnapshotRetention retention :
         {SnapshotRetention::Ladder(), SnapshotRetention::EvenGrid(8)}) {
      const Versions kept = Kept(retention, versions);
      CHECK(std::includes(versions.begin(), versions.end(), kept.begin(), kept.end()));
      CHECK(Kept(retention, kept) == kept);
      for (const std::uint64_t version : kept) CHECK(WouldKeep(retention, kept, version));
    }
  }
}

TEST_CASE("a load plans what is missing and would stay", "[retention]") {
  SnapshotPolicy policy;
  policy.every_events = 10;
  policy.retention = SnapshotRetention::All();
  CHECK(Planned(policy, {}, 0, 35) == Versions{10, 20, 30});
  CHECK(Planned(policy, {}, 10, 35) == Versions{20, 30});
  CHECK(Planned(policy, {}, 9, 9).empty());
  const Versions twenty = {20};
  CHECK(Planned(policy, twenty, 0, 35) == Versions{10, 30});
  policy.retention = SnapshotRetention::Ladder();
  const Versions planned = Planned(policy, {}, 0, 100'000);
  CHECK(planned.size() < 40);
  CHECK(planned.back() == 100'000);
  // What was thinned is not taken again by whoever reads the past.
  for (std::size_t i = 1; i < planned.size(); ++i) {
    CHECK(Planned(policy, planned, planned[i - 1], planned[i] - 1).empty());
  }
  policy.every_events = 0;
  CHECK(Planned(policy, {}, 0, 100).empty());
}

TEST_CASE("of a very long stream a load weighs some thousands of places, and misses no rung",
          "[retention]") {
  SnapshotPolicy policy;
  policy.every_events = 1;
  constexpr std::uint64_t kHead = 1'000'000'007;
  const Versions ladder = Planned(policy, {}, 0, kHead);
  CHECK(ladder.size() < 64);
  CHECK(ladder.back() == kHead);
  std::uint64_t before = 0;
  bool none_missed = true;
  for (const std::uint64_t rung : ladder) {
    none_missed = none_missed && (rung - before <= std::max<std::uint64_t>(kHead - rung, 1));
    before = rung;
  }
  CHECK(none_missed);
  policy.retention = SnapshotRetention::EvenGrid(64);
  const Versions grid = Planned(policy, {}, 0, kHead);
  CHECK(grid.size() >= 32);
  before = 0;
  std::uint64_t widest = 0;
  for (const std::uint64_t rung : grid) {
    widest = std::max(widest, rung - before);
    before = rung;
  }
  CHECK(widest <= kHead / 32 + kHead / 10'000);
}

}  // namespace
}  // namespace daybook
