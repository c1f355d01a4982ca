// States without snapshots: what is folded, in which order, and what the answer rests on.

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using testing::Chain;
using testing::ChainFold;
using testing::CheckState;
using testing::History;
using testing::TempFolder;

TEST_CASE("every moment of random histories has the state that a model says", "[loader]") {
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    const TempFolder folder;
    History history(folder / "store", testing::SmallSegments(), seed);
    const Repository<ChainFold> chains(history.store());
    for (int round = 0; round < 12; ++round) {
      for (int i = 0; i < 15; ++i) history.AppendRandom(4);
      for (int i = 0; i < 25; ++i) {
        const std::string stream = History::StreamName(history.Random(5));
        const AsOf as_of = history.RandomMoment(stream);
        CAPTURE(seed, round, i, stream);
        const auto past = chains.LoadAt(stream, as_of);
        REQUIRE_OK(past);
        CheckState(past->state(), past->info(), history.ExpectedAt(stream, as_of));
        CHECK(past->basis().effective_at == as_of.effective_at);
        CHECK((past->info().order == FoldOrder::kEffective) == as_of.effective_at.has_value());
        // Asking again by the basis gives the same.
        AsOf again = AsOf::AtPosition(past->basis().position);
        again.effective_at = as_of.effective_at;
        const auto same = chains.LoadAt(stream, again);
        REQUIRE_OK(same);
        CHECK(same->state() == past->state());
      }
      for (std::uint32_t s = 0; s < 5; ++s) {
        const auto now = chains.Load(History::StreamName(s));
        REQUIRE_OK(now);
        CheckState(now->state(), now->info(), history.ExpectedAt(History::StreamName(s), {}));
      }
    }
  }
}

TEST_CASE("a long stream in an order of its own is folded in runs and one by one", "[loader]") {
  const TempFolder folder;
  auto store = Store::Open(folder / "store", testing::SmallSegments());
  REQUIRE_OK(store);
  // Blocks of 20 events each in order, the blocks themselves backwards, one event far out of place.
  Commit commit;
  std::vector<std::string> texts;
  for (int i = 0; i < 400; ++i) texts.push_back(std::to_string(i));
  for (int i = 0; i < 400; ++i) {
    NewEvent event{.type = "Happened", .data = AsBytes(texts[static_cast<std::size_t>(i)])};
    const int time = (20 - i / 20) * 100 + i % 20;
    event.effective_at = Timestamp(i == 210 ? 1 : time);
    REQUIRE_OK(commit.Add("s", event));
    if (i % 7 == 0) REQUIRE_OK(commit.Add("other", event));
  }
  REQUIRE_OK((*store)->Append(commit));
  const Repository<ChainFold> chains(**store);
  std::vector<Timestamp> seen;
  const auto walked =
      chains.Walk("s", AsOf::EffectiveAt(Timestamp(1500)),
                  [&](const Chain& chain, const EventView& event) -> absl::StatusOr<bool> {
                    CHECK(event.stream == "s");
                    CHECK(chain.events == seen.size() + 1);
                    if (!seen.empty()) CHECK(seen.back() <= event.effective_at());
                    seen.push_back(event.effective_at());
                    return true;
                  });
  REQUIRE_OK(walked);
  CHECK(seen.front() == Timestamp(1));
  CHECK(seen.size() == 14 * 20 + 1);  // 14 blocks end by then, and one has begun
  CHECK(walked->events == seen.size());
  CHECK(walked->basis.version == Version(400));
}

TEST_CASE("only what no later commit can change is final", "[loader]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  const Repository<ChainFold> chains(history.store());
  history.Append("s");
  history.Append("other");
  const auto times = history.events();
  const auto is_final = [&](const AsOf& as_of) {
    const auto past = chains.LoadAt("s", as_of);
    REQUIRE_OK(past);
    return past->basis().final;
  };
  const Timestamp first(times[0].recorded_at), second(times[1].recorded_at);
  CHECK_FALSE(is_final({}));
  CHECK(is_final(AsOf::AtVersion(Version(0))));
  CHECK(is_final(AsOf::AtVersion(Version(1))));
  CHECK(is_final(AsOf::AtPosition(Position(2))));
  CHECK(is_final(AsOf::RecordedAt(first)));
  CHECK_FALSE(is_final(AsOf::RecordedAt(second)));
  CHECK_FALSE(is_final(AsOf::RecordedAt(Timestamp::Max())));
  // A fact may come late, for any time in the world; but not into what was recorded by then.
  CHECK_FALSE(is_final(AsOf::EffectiveAt(first)));
  CHECK_FALSE(is_final(AsOf::EffectiveAt(Timestamp::Min())));
  CHECK(is_final(AsOf::AtPosition(Position(1)).AndEffectiveAt(first)));
  CHECK(is_final(AsOf::AtVersion(Version(1)).AndEffectiveAt(second)));
  CHECK(is_final(AsOf::RecordedAt(first).AndEffectiveAt(second)));
  CHECK_FALSE(is_final(AsOf::RecordedAt(second).AndEffectiveAt(first)));
  history.Append("other");
  CHECK(is_final(AsOf::RecordedAt(second)));
}

TEST_CASE("what a buffered store has not synced is not final", "[loader]") {
  const TempFolder folder;
  StoreOptions options{.durability = Durability::kBuffered};
  options.sync_interval = std::chrono::hours(1);
  History history(folder / "store", options, 1);
  const Repository<ChainFold> chains(history.store());
  history.Append("s");
  REQUIRE(history.store().durable() == Position(0));
  const auto seen = chains.LoadAt("s", AsOf::AtVersion(Version(1)));
  REQUIRE_OK(seen);
  CHECK_FALSE(seen->basis().final);
  REQUIRE_OK(history.store().Flush());
  const auto synced = chains.LoadAt("s", AsOf::AtVersion(Version(1)));
  REQUIRE_OK(synced);
  CHECK(synced->basis().final);
}

TEST_CASE("a moment before the first event is empty, and one beyond the head names the head",
          "[loader]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  const Repository<ChainFold> chains(history.store());
  for (const AsOf& as_of : {AsOf(), AsOf::AtVersion(Version(0)), AsOf::AtPosition(Position(0)),
                            AsOf::RecordedAt(Timestamp(5)), AsOf::EffectiveAt(Timestamp::Max())}) {
    const auto empty = chains.LoadAt("s", as_of);
    REQUIRE_OK(empty);
    CHECK(empty->state() == Chain());
    CHECK(empty->basis().version == Version(0));
    CHECK(empty->basis().position == Position(0));
  }
  history.Append("s");
  history.Append("other");
  CHECK(chains.LoadAt("s", AsOf::RecordedAt(Timestamp(5)))->basis().version == Version(0));
  const auto beyond = chains.LoadAt("s", AsOf::AtVersion(Version(2)));
  CHECK(absl::IsInvalidArgument(beyond.status()));
  CHECK_THAT(std::string(beyond.status().message()), testing::HasText("which is 1"));
  CHECK(absl::IsInvalidArgument(chains.LoadAt("s", AsOf::AtPosition(Position(3))).status()));
  AsOf two = AsOf::AtVersion(Version(1));
  two.position = Position(1);
  CHECK(absl::IsInvalidArgument(chains.LoadAt("s", two).status()));
}

// Does what the test says at each event.
struct FailingFold {
  struct State {};
  std::string name = "failing";
  [[nodiscard]] std::string_view id() const { return name; }
  static std::uint32_t revision() { return 1; }
  void Apply(State& /*state*/, const EventView& event) const {
    if (event.type == "Thrown") throw std::runtime_error("thrown on purpose");
    if (event.type == "Odd") throw 7;
  }
};

TEST_CASE("a fold that fails ends the load with the event named and its code kept", "[loader]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  history.Append("other");
  history.Append("refused");
  history.Append("refused", "Refused");
  history.Append("thrown", "Thrown");
  history.Append("odd", "Odd");
  const Repository<ChainFold> chains(history.store());
  const absl::Status refused = chains.Load("refused").status();
  CHECK(absl::IsOutOfRange(refused));
  CHECK_THAT(std::string(refused.message()),
             testing::HasText("fold 'chain' at version 2 of stream 'refused', position 3: this"));
  CHECK_OK(chains.LoadAt("refused", AsOf::AtVersion(Version(1))));
  CHECK(absl::IsOutOfRange(chains.LoadAt("refused", AsOf::EffectiveAt(Timestamp::Max())).status()));

  const Repository<FailingFold> failing(history.store());
  const absl::Status thrown = failing.Load("thrown").status();
  CHECK(absl::IsFailedPrecondition(thrown));
  CHECK_THAT(std::string(thrown.message()), testing::HasText("position 4: thrown on purpose"));
  CHECK(absl::IsFailedPrecondition(failing.Load("odd").status()));
  CHECK_OK(failing.Load("other"));
}

TEST_CASE("a fold needs an id that can be written down", "[loader]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (const std::string& id :
       {std::string(), std::string("a\nb"), std::string("\xff"), std::string(201, 'x')}) {
    const Repository<FailingFold> repository(history.store(), FailingFold{id});
    CHECK(absl::IsInvalidArgument(repository.Load("s").status()));
  }
  CHECK_OK(Repository<FailingFold>(history.store(), FailingFold{std::string(200, 'x')}).Load("s"));
}

TEST_CASE("a walk shows the state after each event and ends where it is told to", "[loader]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 10; ++i) history.Append("s");
  const Repository<ChainFold> chains(history.store());
  std::uint64_t visits = 0;
  const auto walked = chains.Walk(
      "s", AsOf::AtVersion(Version(8)), [&](const Chain& chain, const EventView& event) {
        ++visits;
        const auto expected = history.ExpectedAt("s", AsOf::AtVersion(event.version));
        CHECK(chain == expected.state);
        return absl::StatusOr<bool>(visits < 5);
      });
  REQUIRE_OK(walked);
  CHECK(visits == 5);
  CHECK(walked->events == 5);
  CHECK(walked->basis.version == Version(8));
  const auto failed = chains.Walk("s", {}, [](const Chain&, const EventView&) {
    return absl::StatusOr<bool>(absl::OutOfRangeError("enough"));
  });
  CHECK(failed.status() == absl::OutOfRangeError("enough"));
}

TEST_CASE("a load is stopped by its caller", "[loader]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  history.Append("s");
  RepositoryOptions options;
  options.keep_going = [] { return false; };
  const Repository<ChainFold> chains(history.store(), {}, options);
  CHECK(absl::IsCancelled(chains.Load("s").status()));
  CHECK(absl::IsCancelled(chains.LoadAt("s", AsOf::EffectiveAt(Timestamp::Max())).status()));
}

}  // namespace
}  // namespace daybook
