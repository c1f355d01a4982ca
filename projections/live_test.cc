// A live runner beside the writer, readers that wait, and both in other processes.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "projections/projection_testing.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<Store> OpenStore(const std::filesystem::path& path,
                                 const StoreOptions& options = SmallSegments()) {
  auto store = Store::Open(path, options);
  REQUIRE_OK(store);
  return *std::move(store);
}

std::unique_ptr<Projections> OpenProjections(Store* store) {
  auto projections = Projections::Open(*store, {});
  REQUIRE_OK(projections);
  return *std::move(projections);
}

}  // namespace

TEST_CASE("a live projection follows appends, and a reader waits for what it has appended") {
  const TempFolder folder;
  const auto store = OpenStore(folder / "store");
  const auto projections = OpenProjections(store.get());
  const auto runner = projections->Run(ChainProjection("p"), {});
  REQUIRE_OK(runner);
  REQUIRE_OK((*runner)->Start());
  CHECK(absl::IsFailedPrecondition((*runner)->Start()));
  CHECK(absl::IsFailedPrecondition((*runner)->Step().status()));
  const auto model = projections->OpenModel("p");
  REQUIRE_OK(model);
  for (int i = 0; i < 50; ++i) {
    REQUIRE_OK(AppendMany(store.get(), 20, 5));
    const auto snapshot = (*model)->AtLeast(store->durable(), seconds(20));
    REQUIRE_OK(snapshot);
    CHECK(ChainsOf(*snapshot).value() ==
          ChainsOfLog(*store, {.to_position = snapshot->position()}).value());
  }
  CHECK((*runner)->status().state == ProjectionState::kRunning);
  const absl::Status too_late =
      (*model)->AtLeast(Position(store->durable().value() + 1), milliseconds(5)).status();
  CHECK(absl::IsDeadlineExceeded(too_late));
  CHECK_THAT(std::string(too_late.message()), HasText("position 1000"));
  REQUIRE_OK((*runner)->Stop(seconds(20)));
  CHECK_OK((*runner)->Stop(seconds(20)));
  CHECK((*runner)->status().state == ProjectionState::kIdle);
}

TEST_CASE("an idle runner stops at once") {
  const TempFolder folder;
  const auto store = OpenStore(folder / "store");
  const auto projections = OpenProjections(store.get());
  const auto runner = projections->Run(ChainProjection("p"), {});
  REQUIRE_OK(runner);
  for (int i = 0; i < 20; ++i) {
    REQUIRE_OK((*runner)->Start());
    if (i % 2 == 0) std::this_thread::sleep_for(milliseconds(i));
    const auto before = std::chrono::steady_clock::now();
    REQUIRE_OK((*runner)->Stop(seconds(20)));
    CHECK(std::chrono::steady_clock::now() - before < seconds(3));
  }
}

TEST_CASE("a live projection ends at poison, with everything before it posted") {
  const TempFolder folder;
  const auto store = OpenStore(folder / "store");
  const auto projections = OpenProjections(store.get());
  const auto runner = projections->Run(ChainProjection("p",
                                                       [](const EventView& event) {
                                                         return event.position == Position(77)
                                                                    ? absl::InternalError("bad")
                                                                    : absl::OkStatus();
                                                       }),
                                       {});
  REQUIRE_OK(runner);
  REQUIRE_OK((*runner)->Start());
  REQUIRE_OK(AppendMany(store.get(), 100, 5));
  const absl::Status ended = (*runner)->WaitEnded(seconds(20));
  REQUIRE(PoisonOf(ended));
  CHECK(PoisonOf(ended)->position == Position(77));
  CHECK((*runner)->checkpoint() == Position(76));
  CHECK((*runner)->status().state == ProjectionState::kPoison);
  CHECK((*runner)->status().events_behind == 24);
  CHECK((*runner)->Stop(seconds(1)) == ended);
}

TEST_CASE("in a buffered store nothing is posted before it is durable") {
  const TempFolder folder;
  StoreOptions options = SmallSegments();
  options.durability = Durability::kBuffered;
  options.sync_interval = std::chrono::hours(1);
  const auto store = OpenStore(folder / "store", options);
  const auto projections = OpenProjections(store.get());
  const auto runner = projections->Run(ChainProjection("p"), {});
  REQUIRE_OK(runner);
  REQUIRE_OK(AppendMany(store.get(), 30, 5));
  CHECK_FALSE((*runner)->Step()->moved());
  REQUIRE_OK((*runner)->Start());
  const auto model = projections->OpenModel("p");
  REQUIRE_OK(model);
  CHECK(absl::IsDeadlineExceeded((*model)->AtLeast(Position(1), milliseconds(20)).status()));
  REQUIRE_OK(store->Flush());
  CHECK_OK((*model)->AtLeast(Position(30), seconds(20)));
  REQUIRE_OK((*runner)->Stop(seconds(20)));
}

TEST_CASE(
    "a reader in another process sees one moment, waits, and goes on where the map has grown or a "
    "rebuild took over") {
  const TempFolder folder;
  const auto path = folder / "store";
  int told[2];
  REQUIRE(pipe(told) == 0);
  // Before this process has a thread or the tables open.
  Child child([&]() -> absl::Status {
    char byte = 0;
    DAYBOOK_EXPECT(read(told[0], &byte, 1) == 1);  // there is a projection now
    auto reader = Reader::Open(path, {});
    DAYBOOK_EXPECT_OK(reader);
    auto projections = Projections::Open(**reader, {});
    DAYBOOK_EXPECT_OK(projections);
    auto model = (*projections)->OpenModel("p");
    DAYBOOK_EXPECT_OK(model);
    std::uint64_t last = 0, generation = 0;
    for (std::uint64_t wanted = 100; wanted <= 3000; wanted += 100) {
      auto snapshot = (*model)->AtLeast(Position(wanted), seconds(60));
      DAYBOOK_EXPECT_OK(snapshot);
      DAYBOOK_EXPECT(snapshot->position().value() >= last);
      last = snapshot->position().value();
      auto chains = ChainsOf(*snapshot);
      DAYBOOK_EXPECT_OK(chains);
      auto expected = ChainsOfLog(**reader, {.to_position = snapshot->position()});
      DAYBOOK_EXPECT_OK(expected);
      DAYBOOK_EXPECT(*chains == *expected);
      generation = snapshot->generation();
    }
    DAYBOOK_EXPECT(generation == 3);  // each with a map of its own that began small
    // A second runner is refused here too, and a skip is not this process's to record.
    DAYBOOK_EXPECT(absl::IsUnavailable((*projections)->Run(ChainProjection("p"), {}).status()));
    return absl::OkStatus();
  });
  const auto store = OpenStore(path);
  const auto projections = OpenProjections(store.get());
  RunnerOptions options;
  options.map_bytes = std::uint64_t{1} << 20;
  Projection projection = ChainProjection("p");
  constexpr Table<std::uint64_t, std::string> kTexts("texts");
  projection.tables.push_back(kTexts.name());
  projection.handler = [&, chains = projection.handler](const EventView& event,
                                                        HandlerContext& context) {
    const absl::Status put = kTexts.Put(context, event.position.value(), std::string(2000, 'x'));
    return put.ok() ? chains(event, context) : put;
  };
  const auto runner = projections->Run(projection, options);
  REQUIRE_OK(runner);
  REQUIRE_OK((*runner)->Start());
  REQUIRE(write(told[1], "x", 1) == 1);
  for (int i = 0; i < 30; ++i) {
    REQUIRE_OK(AppendMany(store.get(), 100, 40));
    std::this_thread::sleep_for(milliseconds(3));
    if (i != 8 && i != 20) continue;
    // Built with a small map that grows, and grown on with, while the reader looks at either.
    const auto rebuild = projections->StartRebuild(projection, {.map_bytes = options.map_bytes});
    REQUIRE_OK(rebuild);
    REQUIRE_OK((*rebuild)->Run());
    REQUIRE_OK((*rebuild)->Promote());
  }
  CHECK_OK(child.Wait());
  REQUIRE_OK((*runner)->Stop(seconds(20)));
  close(told[0]);
  close(told[1]);
}

TEST_CASE("a runner in another process than the writer posts what is durable, and is woken") {
  const TempFolder folder;
  const auto path = folder / "store";
  REQUIRE_OK(AppendMany(OpenStore(path).get(), 10, 3));
  Child child([&]() -> absl::Status {
    auto reader = Reader::Open(path, {});
    DAYBOOK_EXPECT_OK(reader);
    auto projections = Projections::Open(**reader, {});
    DAYBOOK_EXPECT_OK(projections);
    auto runner = (*projections)->Run(ChainProjection("p"), {});
    DAYBOOK_EXPECT_OK(runner);
    DAYBOOK_EXPECT_OK((*runner)->Start());
    auto model = (*projections)->OpenModel("p");
    DAYBOOK_EXPECT_OK(model);
    DAYBOOK_EXPECT_OK((*model)->AtLeast(Position(1010), seconds(60)));
    return (*runner)->Stop(seconds(20));
  });
  const auto store = OpenStore(path);
  for (int i = 0; i < 50; ++i) {
    REQUIRE_OK(AppendMany(store.get(), 20, 5));
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK_OK(child.Wait());
  const auto projections = OpenProjections(store.get());
  const auto model = projections->OpenModel("p");
  REQUIRE_OK(model);
  const auto snapshot = (*model)->Read();
  REQUIRE_OK(snapshot);
  CHECK(snapshot->position() == Position(1010));
  CHECK(ChainsOf(*snapshot).value() == ChainsOfLog(*store).value());
}

TEST_CASE("a runner that is killed at any moment leaves a read model that goes on exactly") {
  const TempFolder folder;
  const auto path = folder / "store";
  REQUIRE_OK(AppendMany(OpenStore(path).get(), 20000, 50));
  for (int round = 0; round < 12; ++round) {
    const pid_t pid = fork();
    if (pid == 0) {
      auto reader = Reader::Open(path, {});
      auto projections = Projections::Open(**reader, {});
      RunnerOptions options;
      options.batch_events_max = 64;
      auto runner = (*projections)->Run(ChainProjection("p"), options);
      const bool done = runner.ok() && (*runner)->RunUntilCaughtUp().ok();
      _exit(done ? 0 : 1);
    }
    std::this_thread::sleep_for(milliseconds(3 + 7 * round));
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  const auto store = OpenStore(path);
  const auto projections = OpenProjections(store.get());
  const auto runner = projections->Run(ChainProjection("p"), {});
  REQUIRE_OK(runner);
  REQUIRE_OK((*runner)->RunUntilCaughtUp());
  const auto model = projections->OpenModel("p");
  REQUIRE_OK(model);
  CHECK(ChainsOf((*model)->Read().value()).value() == ChainsOfLog(*store).value());
}

TEST_CASE("a read model of another history than the store's is refused") {
  const TempFolder folder;
  const auto path = folder / "store";
  {
    const auto store = OpenStore(path);
    REQUIRE_OK(AppendMany(store.get(), 20, 3));
    const auto projections = OpenProjections(store.get());
    REQUIRE_OK(projections->Run(ChainProjection("p"), {}).value()->RunUntilCaughtUp());
  }
  // A store of another incarnation that comes by the same read model.
  {
    const auto store = OpenStore(folder / "other");
    REQUIRE_OK(AppendMany(store.get(), 20, 3));
  }
  std::filesystem::copy(path / "projections", folder / "other" / "projections",
                        std::filesystem::copy_options::recursive);
  const auto store = OpenStore(folder / "other");
  const auto projections = OpenProjections(store.get());
  for (const absl::Status& refused : {projections->Run(ChainProjection("p"), {}).status(),
                                      projections->OpenModel("p").status()}) {
    CHECK(absl::IsFailedPrecondition(refused));
    CHECK_THAT(std::string(refused.message()), HasText("incarnation") && HasText("rebuild"));
  }
}

}  // namespace daybook::testing
