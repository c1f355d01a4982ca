#include "projections/publish/nats/nats_ring.h"

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("a ring keeps its events by number while it grows and turns") {
  NatsRing ring;
  std::uint64_t pushed = 0, popped = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 100; ++i, ++pushed) ring.Push(1000 + pushed, std::to_string(pushed));
    CHECK(ring.back_number() == pushed - 1);
    for (int i = 0; i < 40; ++i, ++popped) {
      REQUIRE(ring.front().sequence == 1000 + popped);
      REQUIRE(ring.front().key == std::to_string(popped));
      ring.PopFront();
    }
    CHECK(ring.Find(popped - 1) == nullptr);
    CHECK(ring.Find(pushed) == nullptr);
    for (std::uint64_t i = popped; i < pushed; ++i) {
      REQUIRE(ring.Find(i)->key == std::to_string(i));
    }
  }
  ring.Clear();
  CHECK(ring.empty());
  CHECK(ring.Find(0) == nullptr);
  ring.Push(3, "k");
  CHECK(ring.back_number() == 0);
  CHECK_FALSE(ring.back().answered);
  CHECK(ring.FirstUnanswered() == &ring.back());
  ring.back().answered = true;
  CHECK(ring.FirstUnanswered() == nullptr);
}

TEST_CASE("the last of a run of duplicates is proven by a message stored right behind it") {
  NatsRing ring;
  const auto push = [&](Outcome outcome, bool answered) {
    NatsRing::Slot& slot = ring.Push(ring.empty() ? 0 : ring.back().sequence + 1, "k");
    slot.outcome = outcome;
    slot.answered = answered;
  };
  bool proven = true;
  push(Outcome::kDuplicate, true);
  CHECK(ring.LastDuplicateOfRun(&proven)->sequence == 0);
  CHECK_FALSE(proven);
  push(Outcome::kDuplicate, true);
  push(Outcome::kDone, false);
  CHECK(ring.LastDuplicateOfRun(&proven)->sequence == 1);
  CHECK_FALSE(proven);
  ring.back().answered = true;
  CHECK(ring.LastDuplicateOfRun(&proven)->sequence == 1);
  CHECK(proven);
  ring.back().outcome = Outcome::kRetry;
  CHECK(ring.LastDuplicateOfRun(&proven)->sequence == 1);
  CHECK_FALSE(proven);
}

}  // namespace
}  // namespace daybook
