// A rebuild beside the live read model, and which of the two is the live one.

#include "daybook/rebuild.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kv/derived.h"
#include "projections/effects_testing.h"
#include "projections/host.h"
#include "projections/layout.h"
#include "projections/projection_testing.h"
#include "projections/world_testing.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<Rebuild> Start(const World& world, const Projection& projection,
                               const RebuildOptions& options = {}) {
  auto rebuild = world->StartRebuild(projection, options);
  REQUIRE_OK(rebuild);
  return *std::move(rebuild);
}

Current CurrentOf(const World& world) {
  const auto current = ReadCurrent(ProjectionFolder(world.path(), "p"));
  REQUIRE_OK(current);
  return *current;
}

std::vector<std::uint64_t> GenerationsOf(const World& world) {
  const auto numbers = ListGenerations(ProjectionFolder(world.path(), "p"));
  REQUIRE_OK(numbers);
  return *numbers;
}

// Writes into the tables of a generation past the library.
void Tamper(const World& world, std::uint64_t number,
            const std::function<absl::Status(const Generation&, WriteTransaction&)>& change) {
  const auto generation = Generation::Open(ProjectionFolder(world.path(), "p"), number,
                                           Generation::Access::kOwner, std::uint64_t{64} << 20);
  REQUIRE_OK(generation);
  REQUIRE_OK((*generation)->Write([&](WriteTransaction& transaction) {
    return change(**generation, transaction);
  }));
}

}  // namespace

TEST_CASE("a rebuild beside the live read model equals it, is promoted, and rolled back") {
  const World world(3'000, 50);
  const Projection projection = ChainProjection("p");
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(2'000)));
  for (const unsigned threads : {1U, 2U}) {
    const auto rebuild = Start(world, projection, {.threads = threads});
    CHECK(absl::IsFailedPrecondition(rebuild->Promote()));
    CHECK(absl::IsNotFound(world->Promote("p")));
    REQUIRE_OK(rebuild->Run());
    CHECK(CurrentOf(world).generation == 1);
    const auto report = rebuild->Compare();
    REQUIRE_OK(report);
    CHECK(report->equal);
    CHECK(report->live == 1);
    CHECK(report->candidate == rebuild->generation());
    CHECK(report->live_position == Position(2'000));
    CHECK(report->candidate_position == Position(2'000));
    CHECK(report->differences.empty());
    REQUIRE(report->live_tables.size() == 1);
    CHECK(report->live_tables[0].rows == 50);
    CHECK(report->live_tables[0].digest == report->candidate_tables[0].digest);
    CHECK(world->Compare("p")->equal);
    if (threads == 1) REQUIRE_OK(rebuild->Discard());
  }
  // The one on two threads is still there, as if its process had ended.
  REQUIRE_OK(world->Promote("p"));
  CHECK(CurrentOf(world).generation == 2);
  CHECK(CurrentOf(world).previous == 1);
  CHECK(absl::IsNotFound(world->Compare("p").status()));
  // The runner, which nobody has touched, goes on with it.
  REQUIRE_OK(runner->RunUntilCaughtUp());
  CHECK(runner->status().generation == 2);
  world.CheckWhole("p");
  CHECK(world.Read("p").generation() == 2);
  REQUIRE_OK(world->Rollback("p"));
  CHECK(CurrentOf(world).generation == 1);
  CHECK(CurrentOf(world).previous == 2);
  CHECK(world.Read("p").position() == Position(2'000));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
  CHECK(world.Read("p").generation() == 1);
  CHECK(world->Verify()->ok());
}

TEST_CASE("a live projection goes on while it is rebuilt, and is not stopped by a promotion") {
  const World world(2'000, 40);
  const Projection projection = ChainProjection("p");
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->Start());
  const auto model = world->OpenModel("p");
  REQUIRE_OK(model);
  std::atomic<bool> done{false};
  std::atomic<int> appended{0};
  std::thread writer([&] {
    while (!done) {
      if (!AppendMany(world.store(), 50, 40).ok()) return;
      ++appended;
    }
  });
  for (int i = 0; i < 5; ++i) {
    const auto rebuild = Start(world, projection, {.threads = i % 2 == 0 ? 2U : 1U});
    REQUIRE_OK(rebuild->Run());
    REQUIRE_OK(rebuild->Promote());
    const auto snapshot = (*model)->AtLeast(world.store()->durable(), seconds(20));
    REQUIRE_OK(snapshot);
    CHECK(snapshot->generation() == rebuild->generation());
    CHECK(ChainsOf(*snapshot).value() ==
          ChainsOfLog(*world.store(), {.to_position = snapshot->position()}).value());
  }
  done = true;
  writer.join();
  CHECK(appended > 0);
  REQUIRE_OK((*model)->AtLeast(world.store()->durable(), seconds(20)));
  CHECK(runner->status().state == ProjectionState::kRunning);
  REQUIRE_OK(runner->Stop(seconds(20)));
  world.CheckWhole("p");
  CHECK(GenerationsOf(world).size() == 2);
}

TEST_CASE("an effect is sent once through rebuild, promotion and rollback, and none is lost") {
  Sent sent;
  const World world(100, 10);
  const Projection projection = WithEffects(&sent);
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(60)));
  CHECK(sent.Get() == UpTo(60));
  // Those up to 80 wait in the generation that is replaced.
  sent.away = true;
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(80)));
  const auto rebuild = Start(world, projection);
  REQUIRE_OK(rebuild->Run());
  REQUIRE_OK(rebuild->Promote());
  CHECK(sent.Get() == UpTo(60));
  CHECK(runner->status().effects_waiting == 20);
  CHECK(CurrentOf(world).effects_floor == Position(80));
  // Those up to 90 wait in the one that is rolled back.
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(90)));
  REQUIRE_OK(world->Rollback("p"));
  CHECK(world.Read("p").position() == Position(80));
  CHECK(runner->status().effects_waiting == 30);
  sent.away = false;
  std::this_thread::sleep_for(milliseconds(150));  // until it tries again
  REQUIRE_OK(runner->Start());
  for (int i = 0; i < 400 && sent.Get().size() < 100; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  REQUIRE_OK(runner->Stop(seconds(20)));
  CHECK(sent.Get() == UpTo(100));
  world.CheckWhole("p");
}

TEST_CASE(
    "another revision is rebuilt beside the live one, whose runner ends when it is promoted") {
  const World world(500, 10);
  const auto runner = world.Run(ChainProjection("p"));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  REQUIRE_OK(runner->Start());
  Projection next = ChainProjection("p");
  next.revision = 2;
  next.filter.types = {"B"};
  {
    const auto rebuild = Start(world, next, {.threads = 2});
    REQUIRE_OK(rebuild->Run());
    CHECK_FALSE(rebuild->Compare()->equal);
    REQUIRE_OK(rebuild->Promote());
    CHECK(absl::IsFailedPrecondition(rebuild->Promote()));
    CHECK(absl::IsFailedPrecondition(rebuild->Run()));
  }
  CHECK(absl::IsFailedPrecondition(runner->WaitEnded(seconds(20))));
  CHECK(world.Read("p").revision() == 2);
  ReadOptions filter;
  filter.types = {"B"};
  CHECK(ChainsOf(world.Read("p")).value() == ChainsOfLog(*world.store(), filter).value());
}

TEST_CASE(
    "a runner whose generation was replaced by another revision's stops well, and rolls back") {
  const World world(100, 10);
  Projection next = ChainProjection("p");
  next.revision = 2;
  {
    const auto runner = world.Run(ChainProjection("p"));
    REQUIRE_OK(runner->RunUntilCaughtUp());
    REQUIRE_OK(runner->Start());
    const auto rebuild = Start(world, next);
    REQUIRE_OK(rebuild->Run());
    REQUIRE_OK(rebuild->Promote());
    // At once, before its thread has looked at anything.
    const absl::Status stopped = runner->Stop(seconds(20));
    CHECK(absl::IsFailedPrecondition(stopped));
    CHECK_THAT(std::string(stopped.message()), HasText("revision 2") && HasText("rollback p"));
    CHECK(absl::IsFailedPrecondition(runner->Step().status()));
    CHECK(absl::IsFailedPrecondition(runner->RetryAll().status()));
    CHECK(absl::IsFailedPrecondition(runner->Parked().status()));
    // It has the lock, so who else could take the promotion back?
    REQUIRE_OK(world->Rollback("p"));
    REQUIRE_OK(AppendMany(world.store(), 10, 10));
    REQUIRE_OK(runner->RunUntilCaughtUp());
    world.CheckWhole("p");
    // And one that it cannot go on with is what it leaves behind.
    REQUIRE_OK(world->Rollback("p"));
  }
  REQUIRE_OK(world.Run(next)->RunUntilCaughtUp());
  world.CheckWhole("p");
}

TEST_CASE("a rebuild that stopped at poison is not promoted, and goes on once it is skipped") {
  const World world(300, 10);
  const auto live = world.Run(ChainProjection("p"));
  REQUIRE_OK(live->RunUntilCaughtUp());
  const Projection bad = ChainProjection("p", [](const EventView& event) {
    return event.position == Position(77) ? absl::InvalidArgumentError("cannot") : absl::OkStatus();
  });
  const auto rebuild = Start(world, bad);
  const absl::Status stopped = rebuild->Run();
  CHECK(absl::IsFailedPrecondition(stopped));
  REQUIRE(PoisonOf(stopped));
  CHECK(PoisonOf(stopped)->position == Position(77));
  CHECK(absl::IsFailedPrecondition(rebuild->Promote()));
  CHECK(absl::IsFailedPrecondition(rebuild->Compare().status()));
  CHECK(absl::IsNotFound(world->Promote("p")));
  CHECK(CurrentOf(world).generation == 1);
  world.CheckWhole("p");
  REQUIRE_OK(world.store()->RecordSkip(
      {.projection = "p", .position = Position(77), .reason = "a test", .actor = "tests"}));
  REQUIRE_OK(rebuild->Run());
  const auto report = rebuild->Compare();
  REQUIRE_OK(report);
  CHECK_FALSE(report->equal);
  REQUIRE(report->differences.size() == 1);
  CHECK(report->differences[0].kind == RowDifference::Kind::kChanged);
  const auto skipped = world.store()->EventAt(Position(77));
  REQUIRE_OK(skipped);
  CHECK(report->differences[0].key == EncodeKey(std::string((*skipped)->stream)));
  CHECK(report->differences[0].table == "chains");
}

TEST_CASE("there is one rebuild of a projection at a time, and it clears up after others") {
  const World world(200, 10);
  const Projection projection = ChainProjection("p");
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  {
    const auto first = Start(world, projection);
    CHECK(first->generation() == 2);
    CHECK(absl::IsUnavailable(world->StartRebuild(projection, {}).status()));
    // Destroyed without a word, as by a crash: with and without tables.
  }
  {
    const auto second = Start(world, projection);
    CHECK(second->generation() == 3);
    REQUIRE_OK(second->Run());
  }
  CHECK(GenerationsOf(world) == std::vector<std::uint64_t>{1, 3});
  // What a rebuild left whose process died in its load.
  Tamper(world, 3, [](const Generation& generation, WriteTransaction& transaction) {
    auto checkpoint = generation.ReadCheckpoint(transaction);
    REQUIRE_OK(checkpoint);
    checkpoint->built = false;
    return generation.WriteCheckpoint(*checkpoint, &transaction);
  });
  CHECK(absl::IsNotFound(world->Promote("p")));
  CHECK(absl::IsNotFound(world->Compare("p").status()));
  CHECK(world->Verify()->ok());
  world.CheckWhole("p");
  const auto third = Start(world, projection);
  CHECK(third->generation() == 4);
  REQUIRE_OK(third->Run());
  CHECK(third->Compare()->equal);
  CHECK(GenerationsOf(world) == std::vector<std::uint64_t>{1, 4});
  REQUIRE_OK(third->Discard());
  CHECK(GenerationsOf(world) == std::vector<std::uint64_t>{1});
  CHECK(absl::IsFailedPrecondition(third->Discard()));
}

TEST_CASE("a rebuild needs no read model before it, and can be the first") {
  const World world(200, 10);
  const Projection projection = ChainProjection("p");
  {
    const auto rebuild = Start(world, projection, {.threads = 2});
    REQUIRE_OK(rebuild->Run());
    CHECK(absl::IsNotFound(rebuild->Compare().status()));
    REQUIRE_OK(rebuild->Promote());
  }
  CHECK(absl::IsNotFound(world->Rollback("p")));
  world.CheckWhole("p");
  REQUIRE_OK(AppendMany(world.store(), 100, 10));
  REQUIRE_OK(world.Run(projection)->RunUntilCaughtUp());
  world.CheckWhole("p");
}

TEST_CASE("a read model that cannot be gone on with is replaced by a rebuild") {
  World world(200, 10);
  const Projection projection = ChainProjection("p");
  REQUIRE_OK(world.Run(projection)->RunUntilCaughtUp());
  world.Reopen();
  Tamper(world, 1, [](const Generation& generation, WriteTransaction& transaction) {
    auto checkpoint = generation.ReadCheckpoint(transaction);
    REQUIRE_OK(checkpoint);
    checkpoint->frame_hash ^= 1;  // of another history
    return generation.WriteCheckpoint(*checkpoint, &transaction);
  });
  CHECK(absl::IsFailedPrecondition(world->Run(projection, {}).status()));
  REQUIRE_OK(AppendMany(world.store(), 100, 10));
  const auto rebuild = Start(world, projection);
  REQUIRE_OK(rebuild->Run());
  CHECK(rebuild->progress().target == Position(300));
  REQUIRE_OK(rebuild->Promote());
  world.CheckWhole("p");
  CHECK(absl::IsFailedPrecondition(world->Rollback("p")));
}

TEST_CASE("a promotion is refused where the live read model has gone on, and works once followed") {
  const World world(300, 10);
  const Projection projection = ChainProjection("p");
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(100)));
  const auto rebuild = Start(world, projection, {.threads = 2});
  REQUIRE_OK(rebuild->Run());
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(200)));
  CHECK(absl::IsFailedPrecondition(world->Promote("p")));
  CHECK_FALSE(world->Compare("p")->equal);
  REQUIRE_OK(rebuild->Run());
  CHECK(world->Compare("p")->equal);
  // The rebuild itself follows as it promotes.
  REQUIRE_OK(runner->RunUntilCaughtUp(Position(250)));
  REQUIRE_OK(rebuild->Promote());
  CHECK(world.Read("p").position() == Position(250));
  REQUIRE_OK(runner->RunUntilCaughtUp());
  world.CheckWhole("p");
}

TEST_CASE("a handler that is not deterministic shows, row by row") {
  const World world(200, 10);
  std::atomic<std::uint64_t> salt{0};
  Projection projection = ChainProjection("p");
  projection.handler = [&](const EventView& event, HandlerContext& context) {
    return kChains.Update(context, std::string(event.stream), [&](Chain& chain) {
      chain.hash += event.stream == "acct-4" ? salt.load() : 1;
    });
  };
  const auto runner = world.Run(projection);
  REQUIRE_OK(runner->RunUntilCaughtUp());
  for (const std::uint64_t other : {0U, 7U}) {
    salt = other;
    const auto rebuild = Start(world, projection);
    REQUIRE_OK(rebuild->Run());
    const auto report = rebuild->Compare();
    REQUIRE_OK(report);
    CHECK(report->equal == (other == 0));
    REQUIRE(report->differences.size() == (other == 0 ? 0 : 1));
    if (other != 0) CHECK(report->differences[0].key == EncodeKey(std::string("acct-4")));
    REQUIRE_OK(rebuild->Discard());
  }
}

TEST_CASE("a row that was changed, removed or added shows in a comparison and in a verification") {
  const std::string key = EncodeKey(std::string("acct-4"));
  const std::string other = EncodeKey(std::string("acct-5"));
  using Kind = RowDifference::Kind;
  for (const Kind kind : {Kind::kChanged, Kind::kOnlyLive, Kind::kOnlyNew}) {
    World world(200, 10);
    const Projection projection = ChainProjection("p");
    REQUIRE_OK(world.Run(projection)->RunUntilCaughtUp());
    REQUIRE_OK(Start(world, projection)->Run());
    CHECK(world->Compare("p")->equal);
    CHECK(world->Verify()->ok());
    CHECK(VerifyProjections(*world.store())->generations == 2);
    world.Reopen();
    Tamper(world, 2, [&](const Generation& generation, WriteTransaction& transaction) {
      if (kind == Kind::kOnlyLive) return transaction.Delete(generation.table(0), key).status();
      return transaction.Put(generation.table(0), kind == Kind::kChanged ? key : other,
                             std::string(16, 'x'));
    });
    // The digest is of the rows as they were put, so the comparison is told, not fooled.
    for (const bool here : {false, true}) {
      const auto report = here ? world->Verify() : VerifyProjections(*world.store());
      REQUIRE_OK(report);
      REQUIRE(report->findings.size() == 1);
      CHECK(report->findings[0].kind == "projection");
      CHECK(report->findings[0].file == "projections/p/2/data.mdb");
      CHECK(report->projections == 1);
      CHECK(report->generations == 2);
    }
    Tamper(world, 2, [&](const Generation& generation, WriteTransaction& transaction) {
      auto checkpoint = generation.ReadCheckpoint(transaction);
      REQUIRE_OK(checkpoint);
      ++checkpoint->tables[0].digest.low;
      return generation.WriteCheckpoint(*checkpoint, &transaction);
    });
    const auto report = world->Compare("p");
    REQUIRE_OK(report);
    CHECK_FALSE(report->equal);
    REQUIRE(report->differences.size() == 1);
    CHECK(report->differences[0].kind == kind);
    CHECK(report->differences[0].key == (kind == Kind::kOnlyNew ? other : key));
  }
}

TEST_CASE("a rebuild can be cancelled, reports progress, and goes on") {
  const World world(5'000, 50);
  Projection projection = ChainProjection("p", [](const EventView& event) {
    if (event.position.value() % 2'000 == 0) std::this_thread::sleep_for(milliseconds(700));
    return absl::OkStatus();
  });
  std::atomic<bool> go{false};
  std::vector<RebuildProgress> reports;
  const auto rebuild =
      Start(world, projection,
            {.on_progress = [&](const RebuildProgress& progress) { reports.push_back(progress); },
             .keep_going = [&] { return go.load(); }});
  CHECK(absl::IsCancelled(rebuild->Run()));
  go = true;
  REQUIRE_OK(rebuild->Run());
  REQUIRE(!reports.empty());
  CHECK(reports[0].generation == rebuild->generation());
  CHECK(reports[0].target == Position(5'000));
  CHECK(reports[0].scanned > Position(0));
  CHECK(reports[0].matched > 0);
  CHECK(reports[0].events_per_second > 0);
  CHECK(reports[0].seconds_left > 0);
  CHECK(rebuild->progress().scanned == Position(5'000));
  CHECK(rebuild->progress().seconds_left == 0);
}

TEST_CASE("a rebuild on several threads needs rows by key") {
  const World world(10, 2);
  Projection projection = ChainProjection("p");
  projection.rows_by_key = false;
  CHECK(absl::IsInvalidArgument(world->StartRebuild(projection, {.threads = 2}).status()));
  CHECK(absl::IsInvalidArgument(world->StartRebuild(projection, {.threads = 0}).status()));
}

TEST_CASE("a read model is verified while its runner commits to it") {
  const World world(500, 20);
  const auto runner = world.Run(ChainProjection("p"));
  REQUIRE_OK(runner->Start());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done && AppendMany(world.store(), 20, 20).ok()) {
    }
  });
  for (int i = 0; i < 20; ++i) {
    const auto here = world->Verify();
    REQUIRE_OK(here);
    CHECK(here->findings.empty());
    CHECK(here->generations == 1);
    // Without what is open here: it may find no quiet moment, but never damage.
    const auto anywhere = VerifyProjections(*world.store());
    if (!absl::IsUnavailable(anywhere.status())) {
      REQUIRE_OK(anywhere);
      CHECK(anywhere->findings.empty());
    }
  }
  done = true;
  writer.join();
  REQUIRE_OK(runner->Stop(seconds(20)));
  const auto report = VerifyProjections(*world.store());
  REQUIRE_OK(report);
  CHECK(report->ok());
  CHECK(report->rows == 20);
}

TEST_CASE("a live generation that is gone, damaged or of another history is found") {
  World world(200, 10);
  CHECK(VerifyProjections(*world.store())->projections == 0);
  REQUIRE_OK(world.Run(ChainProjection("p"))->RunUntilCaughtUp());
  world.Reopen();
  const std::filesystem::path folder = ProjectionFolder(world.path(), "p");
  SECTION("another history") {
    Tamper(world, 1, [](const Generation& generation, WriteTransaction& transaction) {
      auto checkpoint = generation.ReadCheckpoint(transaction);
      REQUIRE_OK(checkpoint);
      checkpoint->incarnation.back() ^= 1;
      return generation.WriteCheckpoint(*checkpoint, &transaction);
    });
  }
  SECTION("damaged") { std::filesystem::resize_file(folder / "1" / "data.mdb", 3 * 4096); }
  SECTION("gone") { std::filesystem::remove(folder / "1" / "data.mdb"); }
  SECTION("nobody knows which") { std::filesystem::resize_file(folder / "CURRENT", 10); }
  const auto report = VerifyProjections(*world.store());
  REQUIRE_OK(report);
  CHECK(report->findings.size() == 1);
}

}  // namespace daybook::testing
