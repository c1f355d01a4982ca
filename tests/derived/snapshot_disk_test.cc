// A disk that fills up while snapshots are written: appends and loads go on, every answer is what
// it was, and snapshots are taken again when there is room.

#include "crash/process.h"
#include "derived/chain_states.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/small_disk.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPadding = 3000;

struct Totals {
  std::uint64_t disks = 0, refused_to_open = 0, dropped = 0, taken = 0, appended = 0;
};

absl::StatusOr<std::shared_ptr<SnapshotStore>> OpenShared(const Reader& reader) {
  auto snapshots = SnapshotStore::Open(reader, {});
  if (!snapshots.ok()) return snapshots.status();
  return std::shared_ptr<SnapshotStore>(*std::move(snapshots));
}

absl::Status CheckSame(const Reader& reader, const std::shared_ptr<SnapshotStore>& snapshots) {
  const auto with = StatesOf(reader, snapshots, kPadding);
  DAYBOOK_EXPECT_OK(with);
  const auto without = StatesOf(reader, nullptr, kPadding);
  DAYBOOK_EXPECT_OK(without);
  DAYBOOK_EXPECT(*with == *without);
  return absl::OkStatus();
}

// Snapshots that meet a disk with so many free pages, as they are opened or later.
absl::Status FillUp(const fs::path& disk, std::uint64_t pages, bool opens_first, Totals* totals) {
  const fs::path path = disk / "store";
  fs::remove_all(path);
  std::mt19937_64 random(pages);
  const auto store = Store::Open(path, SmallSegments());
  DAYBOOK_EXPECT_OK(store);
  for (int i = 0; i < 100; ++i) DAYBOOK_EXPECT_OK(AppendToSome(store->get(), &random));
  DAYBOOK_EXPECT_OK((*store)->WaitIndexed());
  std::shared_ptr<SnapshotStore> snapshots;
  if (opens_first) {
    auto opened = OpenShared(**store);
    DAYBOOK_EXPECT_OK(opened);
    snapshots = *opened;
  }
  FillDisk(disk, pages);
  if (!opens_first) {
    auto opened = OpenShared(**store);
    DAYBOOK_EXPECT(opened.ok() || absl::IsResourceExhausted(opened.status()));
    totals->refused_to_open += opened.ok() ? 0 : 1;
    if (opened.ok()) snapshots = *opened;
  }
  for (int i = 0; i < 40; ++i) {
    const absl::Status appended = AppendToSome(store->get(), &random);
    DAYBOOK_EXPECT(appended.ok() || absl::IsResourceExhausted(appended));
    totals->appended += appended.ok() ? 1 : 0;
    if (i % 8 == 0) DAYBOOK_EXPECT_OK(CheckSame(**store, snapshots));
  }
  if (snapshots != nullptr) {
    const absl::Status flushed = snapshots->Flush();
    DAYBOOK_EXPECT(flushed.ok() || absl::IsResourceExhausted(flushed));
    DAYBOOK_EXPECT_OK(CheckSame(**store, snapshots));
    snapshots->Flush().IgnoreError();
    totals->dropped += snapshots->stats().dropped;
  }
  DAYBOOK_EXPECT_OK(CheckSnapshots(**store, kPadding));

  MakeRoom(disk);
  if (snapshots == nullptr) {
    auto opened = OpenShared(**store);
    DAYBOOK_EXPECT_OK(opened);
    snapshots = *opened;
  }
  for (int i = 0; i < 20; ++i) DAYBOOK_EXPECT_OK(AppendToSome(store->get(), &random));
  DAYBOOK_EXPECT_OK(CheckSame(**store, snapshots));
  DAYBOOK_EXPECT_OK(snapshots->Flush());
  DAYBOOK_EXPECT_OK(CheckSame(**store, snapshots));
  std::uint64_t replayed = 0;
  DAYBOOK_EXPECT_OK(CheckSnapshots(**store, kPadding, &replayed));
  DAYBOOK_EXPECT(replayed > 0);
  totals->taken += snapshots->stats().taken;
  ++totals->disks;
  return absl::OkStatus();
}

}  // namespace

TEST_CASE("a disk that fills up while snapshots are written changes no answer", "[snapshots]") {
  RunOnDisk("2m", [&](const fs::path& disk) -> absl::Status {
    Totals totals;
    for (std::uint64_t pages = 0; pages < static_cast<std::uint64_t>(Cycles(60, 20)); ++pages) {
      for (const bool opens_first : {true, false}) {
        const absl::Status status = FillUp(disk, pages, opens_first, &totals);
        if (!status.ok()) {
          return absl::InternalError(std::to_string(pages) + " pages free, " +
                                     (opens_first ? "opened before: " : "opened then: ") +
                                     std::string(status.message()));
        }
      }
    }
    Counted("snapshots.full_disk")
        .Add("full_disks", totals.disks)
        .Add("refused_to_open", totals.refused_to_open)
        .Add("dropped", totals.dropped)
        .Add("taken", totals.taken)
        .Add("appended", totals.appended)
        .Print();
    DAYBOOK_EXPECT(totals.dropped > 0);
    DAYBOOK_EXPECT(totals.appended > totals.disks);
    return absl::OkStatus();
  });
}

}  // namespace daybook::testing
