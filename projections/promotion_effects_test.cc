// Effects of events that are parked while another generation becomes the live one: each is sent
// once.

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "projections/effects_testing.h"
#include "projections/world_testing.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

using namespace std::chrono_literals;

// A projection that parks the events that it is told to fail at, and sends an effect for each.
class Parked {
 public:
  void Fail(std::set<std::uint64_t> positions) { failing_.Set(std::move(positions)); }
  Projection At(std::uint32_t revision = 1) {
    Projection projection = WithEffects(&sent, revision, std::ref(failing_));
    projection.on_poison = OnPoison::kParkByKey;
    projection.parking.retry_first = 1h;
    projection.parking.retry_max = 1h;
    return projection;
  }
  // Sorted: of one that is parked the effects come later.
  std::vector<std::uint64_t> AllSent() {
    std::vector<std::uint64_t> all = sent.Get();
    std::sort(all.begin(), all.end());
    return all;
  }

  Sent sent;

 private:
  Failing failing_;
};

std::unique_ptr<Rebuild> Build(const World& world, const Projection& projection,
                               unsigned threads = 1) {
  auto rebuild = world->StartRebuild(projection, {.threads = threads});
  REQUIRE_OK(rebuild);
  REQUIRE_OK((*rebuild)->Run());
  return *std::move(rebuild);
}

}  // namespace

TEST_CASE("effects of events that stay parked through a promotion are sent when they are handled") {
  const World world(100, 5);
  Parked parked;
  parked.Fail({20, 33});
  const auto runner = world.Run(parked.At());
  REQUIRE_OK(runner->RunUntilCaughtUp());
  const std::size_t before = parked.AllSent().size();
  CHECK(before < 90);
  // Twice, so that what is owed is handed on.
  for (const unsigned threads : {1U, 2U}) {
    REQUIRE_OK(Build(world, parked.At(), threads)->Promote());
    CHECK(parked.AllSent().size() == before);
  }
  parked.Fail({});
  REQUIRE_OK(runner->RetryAll());
  CHECK(parked.AllSent() == UpTo(100));
  world.CheckWhole("p");
}

TEST_CASE(
    "effects of events that were parked and that a rebuild handles are sent at its promotion") {
  for (const unsigned threads : {1U, 2U}) {
    const World world(100, 5);
    Parked parked;
    parked.Fail({20, 33});
    const auto runner = world.Run(parked.At());
    REQUIRE_OK(runner->RunUntilCaughtUp(Position(60)));
    parked.Fail({});
    const auto rebuild = Build(world, parked.At(), threads);
    // The rebuild follows, and what is parked meanwhile it handles too.
    parked.Fail({70});
    REQUIRE_OK(runner->RunUntilCaughtUp());
    parked.Fail({});
    const std::size_t before = parked.AllSent().size();
    CHECK(before < 100);
    REQUIRE_OK(rebuild->Promote());
    REQUIRE_OK(runner->RunUntilCaughtUp());
    CHECK(parked.AllSent() == UpTo(100));
    CHECK(parked.sent.Get().size() == 100);
  }
}

TEST_CASE(
    "an effect that was sent is not sent again by a generation in which its event is parked") {
  const World world(100, 5);
  Parked parked;
  const auto runner = world.Run(parked.At());
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(parked.AllSent() == UpTo(100));
  parked.Fail({20, 33});
  REQUIRE_OK(Build(world, parked.At(), 2)->Promote());
  parked.Fail({});
  const auto retried = runner->RetryAll();
  REQUIRE_OK(retried);
  CHECK(retried->handled > 2);
  CHECK(parked.AllSent() == UpTo(100));
}

TEST_CASE("what the live generation sends between a rebuild and its promotion is not sent again") {
  const World world(100, 5);
  Parked parked;
  parked.Fail({20, 33});
  const auto runner = world.Run(parked.At());
  REQUIRE_OK(runner->RunUntilCaughtUp());
  parked.Fail({33});
  const auto rebuild = Build(world, parked.At());  // handles 20, and so does the live one
  REQUIRE_OK(runner->RetryAll());
  parked.Fail({});
  REQUIRE_OK(rebuild->Promote());
  REQUIRE_OK(runner->RetryAll());
  CHECK(parked.AllSent() == UpTo(100));
}

TEST_CASE("effects of events that are parked when a promotion is taken back are not lost") {
  const World world(100, 5);
  Parked parked;
  const auto runner = world.Run(parked.At());
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(40)));
  REQUIRE_OK(Build(world, parked.At())->Promote());
  parked.Fail({50});
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(80)));
  REQUIRE_OK(world->Rollback("p"));
  CHECK(world.Read("p").position() == Position(40));
  parked.Fail({55});
  REQUIRE_OK(runner->RunUntilCaughtUp());
  // Forth again, to the one in which 50 is still parked.
  REQUIRE_OK(world->Rollback("p"));
  parked.Fail({});
  REQUIRE_OK(runner->RunUntilCaughtUp());
  REQUIRE_OK(runner->RetryAll());
  CHECK(parked.AllSent() == UpTo(100));
  world.CheckWhole("p");
}

TEST_CASE("more effects than fit into memory are kept by a rebuild for its promotion") {
  const World world(300, 1);
  std::uint64_t bytes = 0, fails_at = 10;
  Projection projection = ChainProjection("p");
  projection.effects_from = EffectsFrom::kStart;
  projection.on_poison = OnPoison::kParkByKey;
  projection.handler = [&](const EventView& event, HandlerContext& context) {
    const absl::Status emitted = context.Emit(std::string(16'000, 'e'));
    if (!emitted.ok()) return emitted;
    return event.position.value() == fails_at ? absl::InvalidArgumentError("no") : absl::OkStatus();
  };
  projection.on_effect = [&](const Effect& effect) {
    bytes += effect.payload.size();
    return absl::OkStatus();
  };
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(bytes == 9 * 16'000);
  fails_at = 0;
  auto rebuild = world->StartRebuild(projection, {.memory_bytes_max = 1});
  REQUIRE_OK(rebuild);
  REQUIRE_OK((*rebuild)->Run());
  REQUIRE_OK((*rebuild)->Promote());
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(bytes == 300 * 16'000);
  CHECK(runner->status().effects_waiting == 0);
}

TEST_CASE("whatever is parked, rebuilt, promoted and rolled back, each effect is sent once") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
    const World world(20, 4);
    Parked parked;
    auto runner = world.Run(parked.At());
    std::unique_ptr<Rebuild> rebuild;
    for (int step = 0; step < 40; ++step) {
      std::set<std::uint64_t> failing;
      const std::uint64_t head = world.store()->durable().value();
      while (chance(2)) failing.insert(1 + random() % head);
      parked.Fail(failing);
      parked.sent.away = chance(4);
      switch (random() % 6) {
        case 0:
          REQUIRE_OK(AppendMany(world.store(), static_cast<int>(random() % 8), 4));
          break;
        case 1: {
          const std::uint64_t at = runner->checkpoint().value();
          REQUIRE_OK(runner->RunUntilCaughtUp(Position(at + random() % (head - at + 1))));
          break;
        }
        case 2:
          REQUIRE_OK(runner->RetryAll());
          break;
        case 3:
          rebuild = nullptr;
          rebuild = Build(world, parked.At(), 1 + random() % 2);
          break;
        case 4:
          // Refused where a rollback has put the live one behind it.
          if (rebuild != nullptr && rebuild->Promote().ok()) rebuild = nullptr;
          break;
        default:
          if (chance(2)) static_cast<void>(world->Rollback("p"));
      }
    }
    rebuild = nullptr;
    parked.sent.away = false;
    parked.Fail({});
    runner = nullptr;
    runner = world.Run(parked.At());  // which does not wait before it sends again
    REQUIRE_OK(runner->RunUntilCaughtUp());
    REQUIRE_OK(runner->RetryAll());
    CHECK(runner->status().effects_waiting == 0);
    CHECK(parked.AllSent() == UpTo(world.store()->durable().value()));
    world.CheckWhole("p");
  }
}

}  // namespace daybook::testing
