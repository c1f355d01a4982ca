// A runner posts every event exactly once, whatever its batches are.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "projections/layout.h"
#include "projections/projection_testing.h"
#include "projections/world_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RunnerOptions InBatchesOf(std::uint64_t events) {
  RunnerOptions options;
  options.batch_events_max = events;
  return options;
}

}  // namespace

TEST_CASE("every event is posted once, in order, in batches of any size") {
  const World world(500);
  for (const std::uint64_t events : {1u, 64u, 100u, 1000u}) {
    const std::string name = "p" + std::to_string(events);
    const auto runner = world.Run(ChainProjection(name), InBatchesOf(events));
    REQUIRE_OK(runner->RunUntilCaughtUp());
    world.CheckWhole(name);
    const ProjectionStatus status = runner->status();
    CHECK(status.scanned == Position(500));
    CHECK(status.matched == 500);
    CHECK(status.events_behind == 0);
  }
}

TEST_CASE("a step does a batch, says what it did, and does nothing where there is nothing") {
  const World world(100);
  const auto runner = world.Run(ChainProjection("p"), InBatchesOf(64));
  const auto first = runner->Step();
  REQUIRE_OK(first);
  CHECK(first->from == Position(0));
  CHECK(first->to == Position(64));
  CHECK(first->matched == 64);
  CHECK(runner->Step()->to == Position(100));
  CHECK_FALSE(runner->Step()->moved());
  CHECK(runner->checkpoint() == Position(100));
}

TEST_CASE("a projection that is stopped after any batch goes on where it was") {
  World world(300);
  for (std::uint64_t done = 0; done < 300;) {
    {
      const auto runner = world.Run(ChainProjection("p"), InBatchesOf(64));
      CHECK(runner->checkpoint().value() == done);
      done = runner->Step()->to.value();
      CHECK(ChainsOf(world.Read("p")).value() ==
            ChainsOfLog(*world.store(), {.to_position = Position(done)}).value());
    }
    world.Reopen();
  }
  world.CheckWhole("p");
}

TEST_CASE(
    "a filter lets through what it says, and the checkpoint moves over all that was looked at") {
  const World world(200);
  Projection projection = ChainProjection("p");
  projection.filter.category = "acct";
  projection.filter.types = {"B"};
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  const Chains expected = ChainsOfLog(*world.store(), {.category = "acct", .types = {"B"}}).value();
  CHECK(ChainsOf(world.Read("p")).value() == expected);
  CHECK(runner->checkpoint() == Position(200));

  // And where nothing matches at all.
  REQUIRE_OK(world.store()->Append("x-1", ExpectedVersion::Any(), {{.type = "C"}}));
  const auto step = runner->Step();
  REQUIRE_OK(step);
  CHECK(step->to == Position(201));
  CHECK(step->matched == 0);
  CHECK(world.Read("p").position() == Position(201));
}

TEST_CASE("events of the store's own streams are seen only by who asks for them") {
  const World world(10);
  REQUIRE_OK(world.store()->RecordSkip({"other", Position(1), "r", "a"}));
  Projection all = ChainProjection("all");
  all.filter.system_streams = true;
  for (const Projection& projection : {ChainProjection("p"), all}) {
    const auto runner = world.Run(projection);
    REQUIRE_OK(runner->RunUntilCaughtUp());
    CHECK(runner->checkpoint() == Position(11));
  }
  CHECK(world.Read("p").CountRows("chains").value() + 1 ==
        world.Read("all").CountRows("chains").value());
}

TEST_CASE("a second runner of the same projection is refused, here and after the first is gone") {
  World world(10);
  auto first = world.Run(ChainProjection("p"));
  CHECK(absl::IsUnavailable(world->Run(ChainProjection("p"), {}).status()));
  CHECK_OK(world->Run(ChainProjection("q"), {}));
  first.reset();
  CHECK_OK(world->Run(ChainProjection("p"), {}));
}

TEST_CASE(
    "a second Projections of a store in one process opens nothing, and a leftover is no matter") {
  World world(10);
  std::filesystem::create_directory(world.path() / "projections");
  std::ofstream(world.path() / "projections" / ".open-1-1") << "of a process that died";
  auto second = Projections::Open(*world.store(), {});
  REQUIRE_OK(second);
  {
    const auto runner = world.Run(ChainProjection("p"));
    CHECK_FALSE(std::filesystem::exists(world.path() / "projections" / ".open-1-1"));
    CHECK(absl::IsUnavailable((*second)->OpenModel("p").status()));
    CHECK(absl::IsUnavailable((*second)->Run(ChainProjection("q"), {}).status()));
  }
  second->reset();
  world.Reopen();
  REQUIRE_OK(world.Run(ChainProjection("q"))->RunUntilCaughtUp());
  CHECK(ListProjections(*world.store()).value() == std::vector<std::string>{"p", "q"});
}

TEST_CASE("another revision, filter or set of tables is refused until the read model is rebuilt") {
  const World world(10);
  REQUIRE_OK(world.Run(ChainProjection("p"))->RunUntilCaughtUp());
  Projection other = ChainProjection("p");
  other.revision = 2;
  const absl::Status refused = world->Run(other, {}).status();
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK_THAT(std::string(refused.message()), HasText("rebuild"));
  other = ChainProjection("p");
  other.filter.types = {"A"};
  CHECK(absl::IsFailedPrecondition(world->Run(other, {}).status()));
  CHECK(absl::IsFailedPrecondition(world->OpenModel("p", {.revision = 2}).status()));
  CHECK_OK(world->OpenModel("p", {.revision = 1}));
  CHECK(absl::IsNotFound(world->OpenModel("q").status()));
}

TEST_CASE("a handler's error stops before its event, with all that is needed to decide") {
  const World world(100);
  std::atomic<bool> broken{true};
  const auto before = [&](const EventView& event) {
    if (event.position == Position(42) && broken) return absl::InternalError("no cents");
    return absl::OkStatus();
  };
  const auto runner = world.Run(ChainProjection("p", before));
  for (int attempt = 0; attempt < 2; ++attempt) {
    const absl::Status status = runner->RunUntilCaughtUp();
    CHECK(absl::IsFailedPrecondition(status));
    const auto poison = PoisonOf(status);
    REQUIRE(poison);
    const auto event = world.store()->EventAt(Position(42));
    CHECK(poison->position == Position(42));
    CHECK(poison->stream == (*event)->stream);
    CHECK(poison->version == (*event)->version);
    CHECK(poison->id == (*event)->id);
    CHECK(poison->type == (*event)->type);
    CHECK(poison->key == (*event)->stream);
    CHECK(poison->code == absl::StatusCode::kInternal);
    CHECK(poison->message == "no cents");
    CHECK_THAT(std::string(status.message()), HasText("position 42") && HasText("no cents"));
    CHECK(runner->status().state == ProjectionState::kPoison);
    CHECK(ChainsOf(world.Read("p")).value() ==
          ChainsOfLog(*world.store(), {.to_position = Position(41)}).value());
    CHECK(world.Read("p").position() == Position(41));
  }
  broken = false;
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
}

TEST_CASE("a handler that throws is as one that returns an error") {
  const World world(20);
  const auto runner = world.Run(ChainProjection("p", [](const EventView& event) -> absl::Status {
    if (event.position == Position(7)) throw std::runtime_error("thrown");
    if (event.position == Position(8)) throw 8;
    return absl::OkStatus();
  }));
  const auto poison = PoisonOf(runner->RunUntilCaughtUp());
  REQUIRE(poison);
  CHECK(poison->position == Position(7));
  CHECK(poison->message == "thrown");
}

TEST_CASE("a handler past its deadline is reported, not killed, and nothing of its batch is kept") {
  const World world(20);
  std::atomic<bool> let_go{false};
  Projection projection = ChainProjection("p", [&](const EventView& event) {
    while (event.position == Position(15) && !let_go) std::this_thread::sleep_for(milliseconds(1));
    return absl::OkStatus();
  });
  projection.handler_deadline = milliseconds(20);
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->Start());
  while (runner->status().state != ProjectionState::kStuck) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(runner->status().poison->position == Position(15));
  CHECK(absl::IsDeadlineExceeded(runner->Stop(milliseconds(30))));
  let_go = true;
  const absl::Status ended = runner->Stop(seconds(20));
  CHECK(absl::IsDeadlineExceeded(ended));
  REQUIRE(PoisonOf(ended));
  CHECK(PoisonOf(ended)->position == Position(15));
  CHECK(runner->checkpoint() == Position(0));
  CHECK(world.Read("p").CountRows("chains").value() == 0);
}

TEST_CASE("a batch whose handler returns in time, but after Stop gave up, is not kept") {
  const World world(20);
  std::atomic<bool> let_go{false}, there{false};
  Projection projection = ChainProjection("p", [&](const EventView& event) {
    there = event.position == Position(15);
    while (there && !let_go) std::this_thread::sleep_for(milliseconds(1));
    return absl::OkStatus();
  });
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->Start());
  while (!there) std::this_thread::sleep_for(milliseconds(1));
  CHECK(absl::IsDeadlineExceeded(runner->Stop(milliseconds(10))));
  let_go = true;
  CHECK_OK(runner->Stop(seconds(20)));
  CHECK(runner->checkpoint() == Position(0));
  REQUIRE_OK(runner->Start());
  REQUIRE_OK(world->OpenModel("p").value()->AtLeast(Position(20), seconds(20)));
  REQUIRE_OK(runner->Stop(seconds(20)));
  world.CheckWhole("p");
}

TEST_CASE("a run that is called off keeps what it did") {
  const World world(200);
  int asked = 0;
  const auto runner = world.Run(ChainProjection("p"), InBatchesOf(64));
  CHECK(absl::IsCancelled(runner->RunUntilCaughtUp({}, [&] { return ++asked < 3; })));
  const Position reached = runner->checkpoint();
  CHECK(reached > Position(0));
  CHECK(ChainsOf(world.Read("p")).value() ==
        ChainsOfLog(*world.store(), {.to_position = reached}).value());
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
  CHECK(absl::IsInvalidArgument(runner->RunUntilCaughtUp(Position(201))));
}

TEST_CASE("a small map grows under a reader, and no event is lost or doubled by it") {
  const World world(3000, 1500);
  RunnerOptions options;
  options.map_bytes = 64 << 10;
  options.batch_events_max = 500;
  Projection projection = ChainProjection("p");
  projection.tables.push_back("texts");
  constexpr Table<std::uint64_t, std::string> kTexts("texts");
  const Handler chains = projection.handler;
  projection.handler = [&](const EventView& event, HandlerContext& context) {
    const absl::Status put = kTexts.Put(context, event.position.value(), std::string(900, 'x'));
    return put.ok() ? chains(event, context) : put;
  };
  const auto runner = world.Run(projection, options);
  auto model = world->OpenModel("p");
  REQUIRE_OK(model);
  while (runner->checkpoint() < Position(3000)) {
    REQUIRE_OK(runner->Step());
    CHECK((*model)->Read()->position() == runner->checkpoint());
  }
  world.CheckWhole("p");
  CHECK(world.Read("p").CountRows("texts").value() == 3000);
}

TEST_CASE("effects are sent after their rows, once, in order, from the first run's head on") {
  World world(10);
  std::vector<std::string> sent;
  int fail = 0;
  Projection projection = ChainProjection("p");
  const Handler chains = projection.handler;
  projection.handler = [&](const EventView& event, HandlerContext& context) {
    const absl::Status status = chains(event, context);
    if (!status.ok() || !context.Emit("first").ok() || !context.Emit("second").ok()) return status;
    return event.position == Position(14) ? absl::InternalError("poison") : status;
  };
  projection.on_effect = [&](const Effect& effect) {
    if (fail-- > 0) return absl::UnavailableError("the broker is away");
    sent.push_back(effect.key.substr(effect.key.find(':') + 1) + " " + effect.payload);
    return absl::OkStatus();
  };
  {
    const auto runner = world.Run(projection);
    REQUIRE_OK(runner->RunUntilCaughtUp());
    CHECK(sent.empty());
    REQUIRE_OK(AppendMany(world.store(), 2, 2));
    fail = 1;
    REQUIRE_OK(runner->RunUntilCaughtUp());
    CHECK(sent.empty());
    CHECK(runner->status().effects_waiting == 4);
  }
  world.Reopen();
  const auto runner = world.Run(projection);
  CHECK(runner->status().effects_waiting == 4);
  REQUIRE_OK(AppendMany(world.store(), 2, 2));
  CHECK(PoisonOf(runner->RunUntilCaughtUp()));
  CHECK(sent == std::vector<std::string>{"11:0 first", "11:1 second", "12:0 first", "12:1 second",
                                         "13:0 first", "13:1 second"});
  CHECK(runner->status().effects_waiting == 0);
}

TEST_CASE("a projection that is deleted and run again does not send the past again") {
  World world(10);
  int sent = 0;
  Projection projection = ChainProjection("p");
  projection.handler = [](const EventView&, HandlerContext& context) { return context.Emit("e"); };
  projection.on_effect = [&](const Effect&) {
    ++sent;
    return absl::OkStatus();
  };
  projection.effects_from = EffectsFrom::kStart;
  REQUIRE_OK(world.Run(projection)->RunUntilCaughtUp());
  CHECK(sent == 10);
  world.Reopen();
  std::filesystem::remove_all(world.path() / "projections" / "p");
  projection.effects_from = EffectsFrom::kHead;
  REQUIRE_OK(world.Run(projection)->RunUntilCaughtUp());
  CHECK(sent == 10);
}

TEST_CASE("a handler sees its own changes, also in a scan, over what was committed") {
  const World world(3);
  constexpr Table<std::int32_t, std::int32_t> kNumbers("numbers");
  std::vector<std::vector<std::int32_t>> seen;
  Projection projection{.name = "p"};
  projection.tables = {"numbers"};
  projection.handler = [&](const EventView& event, HandlerContext& context) -> absl::Status {
    const auto n = static_cast<std::int32_t>(event.position.value());
    for (int i = 0; i < 4; ++i) {
      if (absl::Status put = kNumbers.Put(context, i * 10 + n, n); !put.ok()) return put;
    }
    if (absl::Status gone = kNumbers.Delete(context, 10 + n - 1); !gone.ok()) return gone;
    std::vector<std::int32_t> keys;
    const absl::Status scanned = kNumbers.Scan(context, KeyRange::From(5), [&](auto key, auto) {
      keys.push_back(key);
      return true;
    });
    seen.push_back(keys);
    CHECK(kNumbers.Count(context).value() == 4 + 3 * (static_cast<std::uint64_t>(n) - 1));
    return scanned;
  };
  const auto runner = world.Run(projection, InBatchesOf(1));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(seen == std::vector<std::vector<std::int32_t>>{
                    {11, 21, 31}, {12, 21, 22, 31, 32}, {13, 21, 22, 23, 31, 32, 33}});
  const ReadSnapshot snapshot = world.Read("p");
  CHECK(kNumbers.Count(snapshot).value() == 10);
  CHECK(absl::IsInvalidArgument(snapshot.CountRows("others").status()));
}

}  // namespace daybook::testing
