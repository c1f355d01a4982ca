// Where a predicate holds for the first time, and what it costs to know.

#include <string>

#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using testing::Chain;
using testing::ChainFold;
using testing::History;
using testing::TempFolder;

// Counts the events that are folded.
struct CountedFold {
  using State = std::uint64_t;
  std::uint64_t* applied;
  static std::string_view id() { return "counted"; }
  static std::uint32_t revision() { return 1; }
  void Apply(State& state, const EventView& /*event*/) const {
    ++state;
    ++*applied;
  }
};

TEST_CASE("a bisection finds the first event, linear and in steps that halve", "[bisect]") {
  const TempFolder folder;
  History history(folder / "store", testing::SmallSegments(), 3);
  constexpr std::uint64_t kEvents = 300;
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    history.Append("s");
    if (i % 3 == 0) history.Append("other");
  }
  std::uint64_t applied = 0;
  const Repository<CountedFold> counts(history.store(), CountedFold{&applied});
  for (std::uint64_t wanted = 1; wanted <= kEvents + 1; wanted += 23) {
    for (const bool monotone : {false, true}) {
      CAPTURE(wanted, monotone);
      applied = 0;
      std::uint64_t asked = 0;
      BisectOptions options;
      options.monotone = monotone;
      const auto match = counts.Bisect(
          "s",
          [&](const std::uint64_t& count, const EventView& event) -> absl::StatusOr<bool> {
            ++asked;
            CHECK(event.version == Version(count));
            return count >= wanted;
          },
          options);
      REQUIRE_OK(match);
      CHECK(applied <= kEvents);
      if (monotone) CHECK(asked <= 10);
      CHECK(match->has_value() == (wanted <= kEvents));
      if (!match->has_value()) continue;
      CHECK((*match)->version == Version(wanted));
      CHECK((*match)->asked == asked);
      CHECK((*match)->position ==
            history.ExpectedAt("s", AsOf::AtVersion(Version(wanted))).position);
    }
  }
}

TEST_CASE("a bisection sees the moment that it is asked for, and no more", "[bisect]") {
  const TempFolder folder;
  History history(folder / "store", testing::SmallSegments(), 4);
  for (int i = 0; i < 200; ++i) history.AppendRandom(2);
  const Repository<ChainFold> chains(history.store());
  const std::string stream = History::StreamName(0);
  for (int i = 0; i < 60; ++i) {
    BisectOptions options;
    options.as_of = history.RandomMoment(stream);
    options.monotone = i % 2 == 0;
    const std::uint64_t events = history.ExpectedAt(stream, options.as_of).state.events;
    const std::uint64_t wanted = history.Random(static_cast<std::uint32_t>(events) + 2) + 1;
    const auto match = chains.Bisect(
        stream,
        [&](const Chain& chain, const EventView&) -> absl::StatusOr<bool> {
          return chain.events >= wanted;
        },
        options);
    REQUIRE_OK(match);
    CHECK(match->has_value() == (wanted <= events));
  }
}

TEST_CASE("an error of the predicate ends a bisection, and an empty stream never matches",
          "[bisect]") {
  const TempFolder folder;
  History history(folder / "store", {}, 5);
  history.Append("s");
  const Repository<ChainFold> chains(history.store());
  for (const bool monotone : {false, true}) {
    BisectOptions options;
    options.monotone = monotone;
    const auto fail = [](const Chain&, const EventView&) {
      return absl::StatusOr<bool>(absl::OutOfRangeError("no such field"));
    };
    CHECK(chains.Bisect("s", fail, options).status() == absl::OutOfRangeError("no such field"));
    const auto nothing = chains.Bisect("empty", fail, options);
    REQUIRE_OK(nothing);
    CHECK_FALSE(nothing->has_value());
    options.as_of = AsOf::AtVersion(Version(9));
    CHECK(absl::IsInvalidArgument(chains.Bisect("s", fail, options).status()));
  }
}

}  // namespace
}  // namespace daybook
