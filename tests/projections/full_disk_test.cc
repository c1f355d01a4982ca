// A disk that fills up under a projection: nothing of the batch is half there, readers go on, and
// once there is room it goes on where it was.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "crash/process.h"
#include "projections/projection_testing.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/small_disk.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Table<std::uint64_t, std::string> kLongTexts("texts");
constexpr int kEvents = 600;

// Chains, and a long row for each event, so that batches need pages.
Projection LongRows() {
  Projection projection = ChainProjection("p");
  projection.tables.push_back(kLongTexts.name());
  projection.handler = [chains = projection.handler](const EventView& event,
                                                     HandlerContext& context) {
    const absl::Status put =
        kLongTexts.Put(context, event.position.value(), std::string(1500, 'x'));
    return put.ok() ? chains(event, context) : put;
  };
  return projection;
}

struct DiskTotals {
  std::uint64_t disks = 0, refused = 0, waited = 0, refused_rebuilds = 0, refused_promotions = 0;
};

bool IsFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && !status.message().empty();
}

// What a reader sees is the log up to a checkpoint, whole.
absl::Status CheckReadable(const Store& store, Projections* projections, Position* at) {
  auto model = projections->OpenModel("p");
  DAYBOOK_EXPECT_OK(model);
  auto snapshot = (*model)->Read();
  DAYBOOK_EXPECT_OK(snapshot);
  *at = snapshot->position();
  if (*at == Position(0)) return absl::OkStatus();
  const auto chains = ChainsOf(*snapshot);
  DAYBOOK_EXPECT_OK(chains);
  const auto expected = ChainsOfLog(store, {.to_position = *at});
  DAYBOOK_EXPECT_OK(expected);
  DAYBOOK_EXPECT(*chains == *expected);
  const auto rows = kLongTexts.Count(*snapshot);
  DAYBOOK_EXPECT_OK(rows);
  DAYBOOK_EXPECT(*rows == at->value());
  return absl::OkStatus();
}

struct DiskWorld {
  std::unique_ptr<Store> store;
  std::unique_ptr<Projections> projections;
};

absl::StatusOr<DiskWorld> OpenOn(const fs::path& disk) {
  fs::remove_all(disk / "store");
  DiskWorld world;
  auto store = Store::Open(disk / "store", SmallSegments());
  if (!store.ok()) return store.status();
  world.store = *std::move(store);
  const absl::Status appended = AppendMany(world.store.get(), kEvents, 20);
  if (!appended.ok()) return appended;
  auto projections = Projections::Open(*world.store, {});
  if (!projections.ok()) return projections.status();
  world.projections = *std::move(projections);
  return world;
}

// Steps that meet a disk with so many free pages.
absl::Status StepOnFullDisk(const fs::path& disk, std::uint64_t pages, DiskTotals* totals) {
  auto world = OpenOn(disk);
  DAYBOOK_EXPECT_OK(world);
  RunnerOptions options;
  options.batch_events_max = 100;
  auto runner = world->projections->Run(LongRows(), options);
  DAYBOOK_EXPECT_OK(runner);
  DAYBOOK_EXPECT_OK((*runner)->Step());
  FillDisk(disk, pages);
  absl::Status status;
  Position before;
  while (status.ok() && (*runner)->checkpoint() < Position(kEvents)) {
    before = (*runner)->checkpoint();
    status = (*runner)->Step().status();
  }
  DAYBOOK_EXPECT(status.ok() || IsFull(status));
  Position seen;
  if (!status.ok()) {
    ++totals->refused;
    DAYBOOK_EXPECT((*runner)->checkpoint() == before);
    DAYBOOK_EXPECT((*runner)->status().state == ProjectionState::kFailed);
    DAYBOOK_EXPECT(!(*runner)->status().error.empty());
    DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
    DAYBOOK_EXPECT(seen == before);
    DAYBOOK_EXPECT(IsFull((*runner)->Step().status()));  // it stays so, and loses nothing
  }
  MakeRoom(disk);
  DAYBOOK_EXPECT_OK((*runner)->RunUntilCaughtUp());
  DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
  DAYBOOK_EXPECT(seen == Position(kEvents));
  ++totals->disks;
  return absl::OkStatus();
}

// A live runner waits for room.
absl::Status LiveOnFullDisk(const fs::path& disk, DiskTotals* totals) {
  auto world = OpenOn(disk);
  DAYBOOK_EXPECT_OK(world);
  RunnerOptions options;
  options.batch_events_max = 100;
  options.retry_interval = milliseconds(5);
  auto runner = world->projections->Run(LongRows(), options);
  DAYBOOK_EXPECT_OK(runner);
  DAYBOOK_EXPECT_OK((*runner)->Step());
  FillDisk(disk, 4);
  DAYBOOK_EXPECT_OK((*runner)->Start());
  for (int i = 0; i < 4000 && (*runner)->status().state != ProjectionState::kWaiting; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  Position seen;
  DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
  DAYBOOK_EXPECT(seen < Position(kEvents));
  totals->waited += 1;
  MakeRoom(disk);
  auto model = world->projections->OpenModel("p");
  DAYBOOK_EXPECT_OK(model);
  DAYBOOK_EXPECT_OK((*model)->AtLeast(Position(kEvents), seconds(30)));
  DAYBOOK_EXPECT_OK((*runner)->Stop(seconds(30)));
  return CheckReadable(*world->store, world->projections.get(), &seen);
}

// A rebuild and its promotion that meet a disk with so many free pages.
absl::Status RebuildOnFullDisk(const fs::path& disk, std::uint64_t pages, DiskTotals* totals) {
  auto world = OpenOn(disk);
  DAYBOOK_EXPECT_OK(world);
  auto runner = world->projections->Run(LongRows(), {});
  DAYBOOK_EXPECT_OK(runner);
  DAYBOOK_EXPECT_OK((*runner)->RunUntilCaughtUp(Position(300)));
  FillDisk(disk, pages);
  Position seen;
  auto rebuild = world->projections->StartRebuild(LongRows(), {.threads = 2});
  if (!rebuild.ok()) {
    DAYBOOK_EXPECT(IsFull(rebuild.status()));
    ++totals->refused_rebuilds;
    DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
    MakeRoom(disk);
    rebuild = world->projections->StartRebuild(LongRows(), {.threads = 2});
    DAYBOOK_EXPECT_OK(rebuild);
    FillDisk(disk, pages);
  }
  absl::Status status = (*rebuild)->Run();
  if (!status.ok() && !IsFull(status)) return status;
  if (!status.ok()) {
    ++totals->refused_rebuilds;
    DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
    DAYBOOK_EXPECT(seen == Position(300));
    MakeRoom(disk);
    DAYBOOK_EXPECT_OK((*rebuild)->Run());
    FillDisk(disk, pages % 40);
  }
  auto same = (*rebuild)->Compare();
  DAYBOOK_EXPECT_OK(same);
  DAYBOOK_EXPECT(same->equal);
  status = (*rebuild)->Promote();
  if (!status.ok() && !IsFull(status)) return status;
  DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
  DAYBOOK_EXPECT(seen == Position(300));
  MakeRoom(disk);
  if (!status.ok()) {
    ++totals->refused_promotions;
    DAYBOOK_EXPECT_OK((*rebuild)->Promote());
  }
  DAYBOOK_EXPECT_OK((*runner)->RunUntilCaughtUp());
  DAYBOOK_EXPECT((*runner)->status().generation == (*rebuild)->generation());
  DAYBOOK_EXPECT_OK(CheckReadable(*world->store, world->projections.get(), &seen));
  DAYBOOK_EXPECT(seen == Position(kEvents));
  ++totals->disks;
  return absl::OkStatus();
}

}  // namespace

TEST_CASE("a disk that fills up under a projection undoes a batch as a whole, and no reader stops",
          "[disk]") {
  RunOnDisk("6m", [&](const fs::path& disk) -> absl::Status {
    DiskTotals totals;
    const auto named = [](const char* what, std::uint64_t pages, const absl::Status& status) {
      return absl::InternalError(std::string(what) + ", " + std::to_string(pages) +
                                 " pages free: " + std::string(status.message()));
    };
    DAYBOOK_EXPECT_OK(LiveOnFullDisk(disk, &totals));
    const int step = Cycles(1, 9);
    for (int pages = 0; pages < 140; pages += step) {
      const auto left = static_cast<std::uint64_t>(pages);
      absl::Status status = StepOnFullDisk(disk, left, &totals);
      if (!status.ok()) return named("steps", left, status);
      status = RebuildOnFullDisk(disk, left, &totals);
      if (!status.ok()) return named("a rebuild", left, status);
    }
    Counted("projections.full_disk")
        .Add("full_disks", totals.disks)
        .Add("refused_steps", totals.refused)
        .Add("refused_rebuilds", totals.refused_rebuilds)
        .Add("refused_promotions", totals.refused_promotions)
        .Add("waited", totals.waited)
        .Print();
    DAYBOOK_EXPECT(totals.refused > 0);
    DAYBOOK_EXPECT(totals.refused_rebuilds > 0);
    DAYBOOK_EXPECT(totals.refused_promotions > 0);
    return absl::OkStatus();
  });
}

}  // namespace daybook::testing
