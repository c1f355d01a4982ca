// Events that a handler cannot handle: the projection stops, or their keys are parked, and nothing
// is lost, doubled or out of order.

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "projections/layout.h"
#include "projections/projection_testing.h"
#include "projections/status_file.h"
#include "projections/world_testing.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

using namespace std::chrono_literals;

Projection Chained(Failing& failing, OnPoison on_poison) {
  Projection projection = ChainProjection("p", std::ref(failing));
  projection.on_poison = on_poison;
  projection.parking.retry_first = 1h;
  projection.parking.retry_max = 2h;
  return projection;
}

bool Eventually(const std::function<bool()>& good) {
  for (int i = 0; i < 2000; ++i) {
    if (good()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

std::string StreamAt(const World& world, std::uint64_t position) {
  return std::string((*world.store()->EventAt(Position(position)))->stream);
}

// The positions of a stream from `from` on.
std::vector<std::uint64_t> PositionsOf(const World& world, const std::string& stream,
                                       std::uint64_t from) {
  ReadOptions options;
  options.stream = stream;
  std::vector<std::uint64_t> positions;
  REQUIRE_OK(world.store()->Read(options)->ForEach([&](const EventView& event) {
    if (event.position.value() >= from) positions.push_back(event.position.value());
    return absl::OkStatus();
  }));
  return positions;
}

std::vector<std::uint64_t> PositionsOf(const ParkedKey& key) {
  std::vector<std::uint64_t> positions;
  for (const ParkedEvent& event : key.events) positions.push_back(event.position.value());
  return positions;
}

// The chains that there are without the events at these positions.
Chains ChainsWithout(const World& world, const std::set<std::uint64_t>& left_out) {
  Chains chains;
  REQUIRE_OK(world.store()->Read({})->ForEach([&](const EventView& event) {
    if (!event.stream.starts_with('$') && !left_out.contains(event.position.value())) {
      Link(event, &chains[std::string(event.stream)]);
    }
    return absl::OkStatus();
  }));
  return chains;
}

}  // namespace

TEST_CASE(
    "a projection stops before the event that its handler cannot handle, and says all of it") {
  World world(100);
  Failing failing;
  failing.Set({40});
  {
    const auto runner = world.Run(Chained(failing, OnPoison::kStop));
    for (std::uint32_t attempts = 1; attempts <= 3; ++attempts) {
      const absl::Status stopped = runner->RunUntilCaughtUp();
      CHECK(absl::IsFailedPrecondition(stopped));
      const std::optional<PoisonEvent> poison = PoisonOf(stopped);
      REQUIRE(poison);
      const auto event = world.store()->EventAt(Position(40));
      CHECK(poison->position == Position(40));
      CHECK(poison->stream == (*event)->stream);
      CHECK(poison->version == (*event)->version);
      CHECK(poison->type == (*event)->type);
      CHECK(poison->id == (*event)->id);
      CHECK(poison->key == (*event)->stream);
      CHECK(poison->code == absl::StatusCode::kInvalidArgument);
      CHECK(poison->message == "no amount");
      CHECK(poison->attempts == attempts);
      CHECK(runner->status().state == ProjectionState::kPoison);
    }
    CHECK(runner->checkpoint() == Position(39));
  }
  // In the file too, after its runner has gone; and the attempts go on counting.
  const auto status = ReadProjectionStatus(*world.store(), "p");
  REQUIRE_OK(status);
  CHECK(status->state == ProjectionState::kPoison);
  REQUIRE(status->poison);
  CHECK(status->poison->position == Position(40));
  CHECK(status->poison->message == "no amount");
  CHECK(status->poison->attempts == 3);
  CHECK(status->scanned == Position(39));
  world.Reopen();
  const auto runner = world.Run(Chained(failing, OnPoison::kStop));
  CHECK(PoisonOf(runner->RunUntilCaughtUp())->attempts == 4);
  // With a better handler it goes on where it was.
  failing.Set({});
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(runner->status().state == ProjectionState::kIdle);
  CHECK_FALSE(runner->status().poison);
  world.CheckWhole("p");
}

TEST_CASE("an exception of a handler is an error of it, whatever is thrown") {
  const World world(30);
  int thrown = 0;
  const auto runner = world.Run(ChainProjection("p", [&](const EventView& event) {
    if (event.position == Position(20) && thrown == 0) throw std::runtime_error("out of cents");
    if (event.position == Position(20) && thrown == 1) throw 7;
    return absl::OkStatus();
  }));
  CHECK(PoisonOf(runner->RunUntilCaughtUp())->message == "out of cents");
  thrown = 1;
  CHECK(PoisonOf(runner->RunUntilCaughtUp())->position == Position(20));
  thrown = 2;
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
}

TEST_CASE("an event that is skipped is passed over, and the decision is an event of the store") {
  World world(100);
  Failing failing;
  failing.Set({40, 60});
  {
    const auto runner = world.Run(Chained(failing, OnPoison::kStop));
    CHECK(PoisonOf(runner->RunUntilCaughtUp())->position == Position(40));
    const ProjectionSkip skip{"p", Position(40), "a test entry", "ann"};
    CHECK(
        absl::IsFailedPrecondition(world->Skip({"p", Position(41), "it is fine", "ann"}).status()));
    CHECK(absl::IsInvalidArgument(world->Skip({"p", Position(40), "", "ann"}).status()));
    CHECK(absl::IsNotFound(world->Skip({"q", Position(40), "r", "ann"}).status()));
    REQUIRE_OK(world->Skip(skip));
    REQUIRE_OK(world->Skip(skip));
    CHECK(absl::IsAlreadyExists(world->Skip({"p", Position(40), "another", "ann"}).status()));
    CHECK(PoisonOf(runner->RunUntilCaughtUp())->position == Position(60));
    CHECK(runner->checkpoint() == Position(59));
  }
  const auto event = world.store()->EventAt("$projection-p", Version(1));
  REQUIRE_OK(event);
  CHECK(AsText((*event)->data) == R"({"position":40,"reason":"a test entry","actor":"ann"})");
  CHECK(world.store()->Head("$projection-p")->version == Version(1));
  // Decided while nobody runs it, it holds for the next runner.
  REQUIRE_OK(world->Skip({"p", Position(60), "r", "bob"}));
  world.Reopen();
  const auto runner = world.Run(Chained(failing, OnPoison::kStop));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(failing.calls(60) == 1);
  CHECK(ChainsOf(world.Read("p")).value() == ChainsWithout(world, {40, 60}));
}

TEST_CASE("who does not own the writer cannot skip") {
  World world(10);
  Failing failing;
  failing.Set({4});
  CHECK(PoisonOf(world.Run(Chained(failing, OnPoison::kStop))->RunUntilCaughtUp()));
  const auto reader = Reader::Open(world.path(), {});
  REQUIRE_OK(reader);
  const auto projections = Projections::Open(**reader, {});
  REQUIRE_OK(projections);
  CHECK(absl::IsFailedPrecondition((*projections)->Skip({"p", Position(4), "r", "ann"}).status()));
}

TEST_CASE("a parked key waits in order while the others go on, and its readers know") {
  World world(300);
  Failing failing;
  failing.Set({100});
  const std::string parked = StreamAt(world, 100);
  const auto runner = world.Run(Chained(failing, OnPoison::kParkByKey));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(runner->checkpoint() == Position(300));
  const std::vector<std::uint64_t> waiting = PositionsOf(world, parked, 100);
  const std::set<std::uint64_t> left_out(waiting.begin(), waiting.end());
  {
    const ReadSnapshot snapshot = world.Read("p");
    CHECK(snapshot.position() == Position(300));
    CHECK(ChainsOf(snapshot).value() == ChainsWithout(world, left_out));
    const auto stale = snapshot.StaleSince(parked);
    REQUIRE_OK(stale);
    REQUIRE(stale->has_value());
    CHECK((*stale)->since == Position(100));
    CHECK((*stale)->events == waiting.size());
    const auto chains = ChainsOf(snapshot);
    REQUIRE_OK(chains);
    for (const auto& [stream, chain] : *chains) {
      CHECK(snapshot.StaleSince(stream)->has_value() == (stream == parked));
    }
  }
  for (const auto& keys : {runner->Parked(), world->Parked("p")}) {
    REQUIRE_OK(keys);
    REQUIRE(keys->size() == 1);
    CHECK((*keys)[0].key == parked);
    CHECK(PositionsOf((*keys)[0]) == waiting);
    CHECK((*keys)[0].attempts == 1);
    CHECK((*keys)[0].code == absl::StatusCode::kInvalidArgument);
    CHECK((*keys)[0].message == "no amount");
    CHECK((*keys)[0].next_retry > SystemNow());
  }
  CHECK(runner->status().parked == waiting.size());
  CHECK(runner->status().parked_keys == 1);

  // Tried again: it still fails, and nothing has moved.
  auto retried = runner->Retry(parked);
  REQUIRE_OK(retried);
  CHECK(retried->handled == 0);
  CHECK(retried->parked == waiting.size());
  CHECK(runner->Parked()->at(0).attempts == 2);
  // Another event of the queue fails in its turn: those before it are done.
  failing.Set({waiting[3]});
  retried = runner->Retry(parked);
  REQUIRE_OK(retried);
  CHECK(retried->handled == 3);
  CHECK(retried->parked == waiting.size() - 3);
  CHECK(runner->Parked()->at(0).events.front().position == Position(waiting[3]));
  CHECK(runner->Parked()->at(0).attempts == 1);
  failing.Set({});
  retried = runner->Retry(parked);
  REQUIRE_OK(retried);
  CHECK(retried->handled == waiting.size() - 3);
  CHECK(retried->parked == 0);
  CHECK(absl::IsNotFound(runner->Retry(parked).status()));
  CHECK(runner->Parked()->empty());
  CHECK(runner->status().parked == 0);
  world.CheckWhole("p");
  CHECK_FALSE(world.Read("p").StaleSince(parked)->has_value());
}

TEST_CASE("parked keys outlive their runner, and are tried again by it later and later") {
  World world(200);
  Failing failing;
  failing.Set({50, 51, 52});
  const std::set<std::string> keys = {StreamAt(world, 50), StreamAt(world, 51),
                                      StreamAt(world, 52)};
  Projection projection = Chained(failing, OnPoison::kParkByKey);
  projection.parking.retries = 3;
  projection.parking.retry_first = 5ms;
  projection.parking.retry_max = 12ms;
  {
    const auto runner = world.Run(projection);
    REQUIRE_OK(runner->RunUntilCaughtUp());
    CHECK(runner->status().parked_keys == keys.size());
  }
  world.Reopen();
  {
    const auto runner = world.Run(projection);
    REQUIRE_OK(runner->Start());
    REQUIRE(Eventually([&] { return failing.calls(50) == 4; }));
    // After that it is only tried when somebody asks for it.
    std::this_thread::sleep_for(50ms);
    CHECK(failing.calls(50) == 4);
    CHECK_FALSE(runner->Parked()->at(0).next_retry);
    CHECK(runner->Parked()->at(0).attempts == 4);
    failing.Set({});
    const auto retried = runner->RetryAll();
    REQUIRE_OK(retried);
    CHECK(retried->parked == 0);
    REQUIRE_OK(runner->Stop(10s));
  }
  world.CheckWhole("p");
}

TEST_CASE("a key that recovers is caught up with by itself") {
  World world(200);
  Failing failing;
  failing.Set({50});
  Projection projection = Chained(failing, OnPoison::kParkByKey);
  projection.parking.retry_first = 20ms;
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  REQUIRE(runner->status().parked > 1);
  failing.Set({});
  std::this_thread::sleep_for(25ms);
  // Also where there is nothing new.
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(runner->status().parked == 0);
  world.CheckWhole("p");
}

TEST_CASE("an event that is parked can be skipped, wherever it stands in its queue") {
  World world(300);
  Failing failing;
  const std::string parked = StreamAt(world, 100);
  const std::vector<std::uint64_t> waiting = PositionsOf(world, parked, 100);
  failing.Set({100, waiting[2]});
  const auto runner = world.Run(Chained(failing, OnPoison::kParkByKey));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  REQUIRE_OK(world->Skip({"p", Position(waiting[2]), "in the middle", "ann"}));
  CHECK(runner->status().parked == waiting.size() - 1);
  CHECK(failing.calls(waiting[1]) == 0);
  REQUIRE_OK(world->Skip({"p", Position(100), "at the front", "ann"}));
  // What waited behind it is due at once.
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(runner->status().parked == 0);
  CHECK(failing.calls(100) == 1);
  CHECK(failing.calls(waiting[2]) == 0);
  CHECK(ChainsOf(world.Read("p")).value() == ChainsWithout(world, {100, waiting[2]}));
}

TEST_CASE("a parked event skipped from outside is passed over by a live runner") {
  World world(100);
  Failing failing;
  failing.Set({50});
  const auto runner = world.Run(Chained(failing, OnPoison::kParkByKey));
  REQUIRE_OK(runner->Start());
  REQUIRE(Eventually([&] { return runner->status().parked > 0; }));
  REQUIRE_OK(world->Skip({"p", Position(50), "r", "ann"}));
  REQUIRE(Eventually([&] { return runner->status().parked == 0; }));
  REQUIRE_OK(runner->Stop(10s));
  CHECK(ChainsOf(world.Read("p")).value() == ChainsWithout(world, {50}));
}

TEST_CASE(
    "with too much parked the projection stops, at a new event that fails or one that waits") {
  World world(300);
  Failing failing;
  const std::string parked = StreamAt(world, 10);
  const std::vector<std::uint64_t> waiting = PositionsOf(world, parked, 10);
  failing.Set({10});
  Projection projection = Chained(failing, OnPoison::kParkByKey);
  projection.parking.parked_max = 5;
  const auto runner = world.Run(projection);
  auto poison = PoisonOf(runner->RunUntilCaughtUp());
  REQUIRE(poison);
  CHECK(poison->position == Position(waiting[5]));
  CHECK(poison->code == absl::StatusCode::kResourceExhausted);
  CHECK(runner->checkpoint() == Position(waiting[5] - 1));
  CHECK(runner->status().parked == 5);
  failing.Set({});
  REQUIRE(runner->Retry(parked)->parked == 0);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
}

TEST_CASE("with too much parked the next event that fails stops the projection") {
  World world(300);
  Failing failing;
  std::uint64_t other = 299;
  while (StreamAt(world, other) == StreamAt(world, 300)) --other;
  failing.Set({other, 300});
  Projection projection = Chained(failing, OnPoison::kParkByKey);
  projection.parking.parked_max = 1;
  const auto runner = world.Run(projection);
  const absl::Status stopped = runner->RunUntilCaughtUp();
  REQUIRE(PoisonOf(stopped));
  CHECK(PoisonOf(stopped)->position == Position(300));
  CHECK(PoisonOf(stopped)->code == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(PoisonOf(stopped)->message, HasText("no amount (it cannot be parked: 1 events"));
  failing.Set({});
  REQUIRE_OK(runner->RunUntilCaughtUp());
  REQUIRE(runner->RetryAll()->parked == 0);
  world.CheckWhole("p");
}

TEST_CASE("an event without a usable key stops the projection, also where keys are parked") {
  const World world(20);
  for (const bool throws : {true, false}) {
    Projection projection = ChainProjection(throws ? "throws" : "long");
    projection.on_poison = OnPoison::kParkByKey;
    projection.key = [throws](const EventView& event, std::string* key) {
      if (event.position == Position(9) && throws) throw std::runtime_error("no customer");
      key->assign(event.position == Position(9) ? std::string(201, '\0') : "k");
    };
    const auto runner = world.Run(projection);
    const auto poison = PoisonOf(runner->RunUntilCaughtUp());
    REQUIRE(poison);
    CHECK(poison->position == Position(9));
    CHECK(runner->checkpoint() == Position(8));
    CHECK(runner->status().parked == 0);
  }
}

TEST_CASE("a long queue is handled in portions, each committed, and stays in order") {
  World world;
  Commit commit;
  for (int i = 0; i < 5000; ++i)
    REQUIRE_OK(commit.Add("one", {.type = "A", .data = AsBytes("{}")}));
  REQUIRE_OK(world.store()->Append(commit));
  Failing failing;
  failing.Set({1});
  RunnerOptions options;
  options.batch_bytes_max = std::uint64_t{32} << 10;
  const auto runner = world.Run(Chained(failing, OnPoison::kParkByKey), options);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(runner->status().parked == 5000);
  failing.Set({4000});
  const auto retried = runner->RetryAll();
  REQUIRE_OK(retried);
  CHECK(retried->handled == 3999);
  CHECK(retried->parked == 1001);
  failing.Set({});
  CHECK(runner->RetryAll()->handled == 1001);
  world.CheckWhole("p");
}

TEST_CASE(
    "whatever fails, and however often it is run, retried and reopened, each key's events are "
    "handled once and in order") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    std::mt19937_64 random(seed);
    World world(600, 40);
    std::set<std::uint64_t> failing_now;
    // Some fail for ever, most now and then.
    const auto fails = [&](const EventView& event) -> absl::Status {
      const std::uint64_t mixed = event.position.value() * 0x9E3779B97F4A7C15u;
      const bool fail = (mixed >> 32) % 50 == 0 || random() % 30 == 0;
      return fail ? absl::UnavailableError("not now") : absl::OkStatus();
    };
    Projection projection = ChainProjection("p", fails);
    projection.on_poison = OnPoison::kParkByKey;
    projection.parking.retry_first = 1ms;
    projection.parking.retry_max = 3ms;
    int appended = 600;
    for (int round = 0; round < 6; ++round) {
      RunnerOptions options;
      options.batch_events_max = 1 + random() % 100;
      auto runner = world.Run(projection, options);
      for (std::uint64_t i = random() % 4; i > 0; --i) REQUIRE_OK(runner->Step());
      if (random() % 2 == 0) REQUIRE_OK(runner->RetryAll());
      REQUIRE_OK(runner->RunUntilCaughtUp());
      if (round == 3) {
        REQUIRE_OK(AppendMany(world.store(), 200, 40));
        appended += 200;
      }
      // What is neither parked nor behind a parked event of its key is in the chains, in order.
      std::set<std::uint64_t> parked;
      const auto keys = runner->Parked();
      REQUIRE_OK(keys);
      for (const ParkedKey& key : *keys) {
        const std::vector<std::uint64_t> positions = PositionsOf(key);
        CHECK(std::is_sorted(positions.begin(), positions.end()));
        parked.insert(positions.begin(), positions.end());
      }
      for (std::uint64_t position = runner->checkpoint().value() + 1;
           position <= static_cast<std::uint64_t>(appended); ++position) {
        parked.insert(position);
      }
      CHECK(ChainsOf(world.Read("p")).value() == ChainsWithout(world, parked));
      runner = nullptr;
      if (random() % 2 == 0) world.Reopen();
    }
    projection = ChainProjection("p");
    const auto runner = world.Run(projection);
    REQUIRE_OK(runner->RunUntilCaughtUp());
    REQUIRE(runner->RetryAll()->parked == 0);
    world.CheckWhole("p");
  }
}

TEST_CASE(
    "a handler past its deadline is told as stuck while it hangs, and nothing of its batch is "
    "kept") {
  World world(100);
  std::atomic<bool> hang{true};
  Projection projection = ChainProjection("p", [&](const EventView& event) {
    while (event.position == Position(60) && hang) std::this_thread::sleep_for(1ms);
    return absl::OkStatus();
  });
  projection.handler_deadline = 500ms;
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->Start());
  REQUIRE(Eventually([&] { return runner->status().state == ProjectionState::kStuck; }));
  CHECK(runner->status().poison->position == Position(60));
  CHECK(runner->status().poison->stream == StreamAt(world, 60));
  // Whoever has read rights sees it too, and the heartbeat goes on.
  const std::filesystem::path folder = ProjectionFolder(world.path(), "p");
  REQUIRE(Eventually([&] {
    const auto file = ReadStatusFile(folder);
    return file.ok() && file->state == ProjectionState::kStuck;
  }));
  const Timestamp beat = ReadStatusFile(folder)->heartbeat;
  CHECK(Eventually([&] { return ReadStatusFile(folder)->heartbeat > beat; }));
  CHECK(absl::IsDeadlineExceeded(runner->Stop(10ms)));
  CHECK(runner->checkpoint() == Position(0));
  hang = false;
  const absl::Status stopped = runner->Stop(10s);
  CHECK(absl::IsDeadlineExceeded(stopped));
  REQUIRE(PoisonOf(stopped));
  CHECK(PoisonOf(stopped)->position == Position(60));
  CHECK(runner->checkpoint() == Position(0));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
}

}  // namespace daybook::testing
