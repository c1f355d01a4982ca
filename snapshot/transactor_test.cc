// Decisions: nothing is lost between writers, nothing is appended twice, and a decision that is
// made again keeps the ids of its events.

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using testing::Chain;
using testing::ChainFold;
using testing::TempFolder;

const NewEvent kIncrement{.type = "Incremented", .data = AsBytes("1")};

std::unique_ptr<Store> OpenStore(const TempFolder& folder) {
  auto store = Store::Open(folder / "store", {});
  REQUIRE_OK(store);
  return *std::move(store);
}

TEST_CASE("threads that increment one counter lose nothing", "[transact]") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  constexpr int kThreads = 4, kEach = 40;
  std::atomic<int> attempts{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        std::uint64_t seen = 0;
        const auto done = counters.Transact(*store, "counter",
                                            [&seen](const Chain& chain, Decision& decision) {
                                              seen = chain.events;
                                              return decision.Add(kIncrement);
                                            },
                                            {.attempts_max = 10'000});
        if (!done.ok() || done->append.events[0].version != Version(seen + 1)) return;
        attempts += done->attempts;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto counter = counters.Load("counter");
  REQUIRE_OK(counter);
  CHECK(counter->state().events == kThreads * kEach);
  CHECK(counter->version() == Version(kThreads * kEach));
  CHECK(attempts >= kThreads * kEach);
}

TEST_CASE("a decision that conflicts is made anew on the newer state, with the same ids",
          "[transact]") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  std::vector<std::uint64_t> seen;
  std::vector<EventId> ids;
  const auto done =
      counters.Transact(*store, "s",
                        [&](const Chain& chain, Decision& decision) -> absl::Status {
                          seen.push_back(chain.events);
                          // Somebody is faster, twice.
                          if (seen.size() <= 2) {
                            CHECK_OK(store->Append("s", ExpectedVersion::Any(), {kIncrement}));
                          }
                          CHECK_OK(decision.Add(kIncrement));
                          CHECK(decision.events() == 1);
                          return decision.Add("other", kIncrement);
                        },
                        {.ids = &ids});
  REQUIRE_OK(done);
  CHECK(seen == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(done->attempts == 3);
  REQUIRE(ids.size() == 2);
  REQUIRE(done->append.events.size() == 2);
  CHECK(done->append.events[0].id == ids[0]);
  CHECK(done->append.events[0].version == Version(3));
  CHECK(done->append.events[1].id == ids[1]);
  CHECK_FALSE(done->append.duplicate);
}

TEST_CASE("attempts are bounded, and the conflict is told", "[transact]") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  int decided = 0;
  const auto failed =
      counters.Transact(*store, "s",
                        [&](const Chain&, Decision& decision) {
                          ++decided;
                          CHECK_OK(store->Append("s", ExpectedVersion::Any(), {kIncrement}));
                          return decision.Add(kIncrement);
                        },
                        {.attempts_max = 3});
  CHECK(absl::IsAborted(failed.status()));
  CHECK(decided == 3);
  REQUIRE(ConflictOf(failed.status()).has_value());
  CHECK(ConflictOf(failed.status())->actual == Version(3));
  CHECK(counters.Load("s")->version() == Version(3));
}

TEST_CASE("an error of the decision ends it, and to decide for nothing appends nothing",
          "[transact]") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  const auto refused = counters.Transact(*store, "s", [](const Chain&, Decision& decision) {
    CHECK_OK(decision.Add(kIncrement));
    return absl::FailedPreconditionError("not enough money");
  });
  CHECK(refused.status() == absl::FailedPreconditionError("not enough money"));
  const auto nothing =
      counters.Transact(*store, "s", [](const Chain&, Decision&) { return absl::OkStatus(); });
  REQUIRE_OK(nothing);
  CHECK(nothing->append.events.empty());
  const auto thrown = counters.Transact(*store, "s", [](const Chain&, Decision&) -> absl::Status {
    throw std::runtime_error("thrown on purpose");
  });
  CHECK(absl::IsFailedPrecondition(thrown.status()));
  CHECK_THAT(std::string(thrown.status().message()), testing::HasText("thrown on purpose"));
  const auto bad = counters.Transact(
      *store, "s", [](const Chain&, Decision& decision) { return decision.Add({.type = ""}); });
  CHECK(absl::IsInvalidArgument(bad.status()));
  const auto own = counters.Transact(*store, "s", [](const Chain&, Decision& decision) {
    return decision.Expect("s", ExpectedVersion::Any());
  });
  CHECK(absl::IsInvalidArgument(own.status()));
  CHECK(store->visible() == Position(0));
}

TEST_CASE("with its ids a transaction whose outcome was not known is not done twice",
          "[transact]") {
  const TempFolder folder;
  auto store = OpenStore(folder);
  std::vector<EventId> ids;
  int decided = 0;
  const auto decide = [&](const Chain&, Decision& decision) -> absl::Status {
    ++decided;
    CHECK_OK(decision.Add("other", kIncrement));
    CHECK_OK(decision.Add(kIncrement));
    return decision.Add(kIncrement);
  };
  AppendResult first;
  {
    const Repository<ChainFold> counters(*store);
    const auto done = counters.Transact(*store, "s", decide, {.ids = &ids});
    REQUIRE_OK(done);
    first = done->append;
    REQUIRE_OK(store->Append("s", ExpectedVersion::Any(), {kIncrement}));
  }
  store.reset();
  store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  const auto again = counters.Transact(*store, "s", decide, {.ids = &ids});
  REQUIRE_OK(again);
  CHECK(decided == 1);
  CHECK(again->attempts == 0);
  CHECK(again->append.duplicate);
  CHECK(again->append.last_position == first.last_position);
  REQUIRE(again->append.events.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(again->append.events[i].id == first.events[i].id);
    CHECK(again->append.events[i].position == first.events[i].position);
    CHECK(again->append.events[i].version == first.events[i].version);
    CHECK(again->append.events[i].recorded_at == first.events[i].recorded_at);
    CHECK(again->append.events[i].duplicate);
  }
  CHECK(counters.Load("s")->version() == Version(3));
  // Where it had not come to the log it is done now, with the ids that it had.
  std::vector<EventId> lost = {EventId::NewV7(), EventId::NewV7(), EventId::NewV7()};
  const std::vector<EventId> kept = lost;
  const auto done = counters.Transact(*store, "s", decide, {.ids = &lost});
  REQUIRE_OK(done);
  CHECK(decided == 2);
  CHECK(lost == kept);
  CHECK(done->append.events[1].id == kept[1]);
}

TEST_CASE("a decision may rest on other streams and on queries", "[transact]") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  REQUIRE_OK(store->Append("limit", ExpectedVersion::NoStream(), {kIncrement}));
  const auto wrong =
      counters.Transact(*store, "s",
                        [&](const Chain&, Decision& decision) {
                          CHECK_OK(decision.Expect("limit", ExpectedVersion::NoStream()));
                          return decision.Add(kIncrement);
                        },
                        {.attempts_max = 2});
  CHECK(absl::IsAborted(wrong.status()));
  const auto forbidden = counters.Transact(
      *store, "s",
      [&](const Chain&, Decision& decision) {
        CHECK_OK(decision.Require(
            {.fail_if_match = {{.types = {"Incremented"}, .tags = {}}}, .after = Position(0)}));
        return decision.Add(kIncrement);
      },
      {.attempts_max = 2});
  CHECK(absl::IsAborted(forbidden.status()));
  // The own stream's version holds also where nothing is written to it.
  int decided = 0;
  const auto moved = counters.Transact(*store, "s", [&](const Chain&, Decision& decision) {
    if (++decided == 1) CHECK_OK(store->Append("s", ExpectedVersion::Any(), {kIncrement}));
    return decision.Add("other", kIncrement);
  });
  REQUIRE_OK(moved);
  CHECK(moved->attempts == 2);
}

TEST_CASE("events go in on the strength of a state that is still the latest", "[transact]") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  const Repository<ChainFold> counters(*store);
  const auto empty = counters.Load("s");
  REQUIRE_OK(empty);
  REQUIRE_OK(counters.Append(*store, *empty, {kIncrement}));
  CHECK(absl::IsAborted(counters.Append(*store, *empty, {kIncrement}).status()));
  const auto one = counters.Load("s");
  REQUIRE_OK(one);
  CHECK(one->stream() == "s");
  REQUIRE_OK(counters.Append(*store, *one, {kIncrement}));
  // What was loaded stays as it was.
  CHECK(empty->state().events == 0);
  CHECK(one->state().events == 1);
}

}  // namespace
}  // namespace daybook
