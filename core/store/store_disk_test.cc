// A disk that is full: nothing acknowledged is lost, and the store goes on when there is room
// again.
//
// The disk is a small tmpfs in a mount namespace of a child process, so that nothing is left
// behind.

#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/small_disk.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

// Appends until the disk is full; `*events` counts what was acknowledged.
absl::Status AppendUntilFull(Store* store, std::uint64_t* events) {
  for (int i = 0; i < 3000; ++i) {
    const auto result = AppendText(store, "a", std::string(300, 'x'));
    if (!result.ok()) return result.status();
    if (result->last_position.value() != ++*events) return absl::InternalError("a gap");
  }
  return absl::OkStatus();
}

absl::Status CheckEvents(const Reader& reader, std::uint64_t events) {
  const auto read = ReadAll(reader);
  DAYBOOK_EXPECT_OK(read);
  DAYBOOK_EXPECT(read->size() == events);
  return absl::OkStatus();
}

absl::Status RunOnFullDisk(const fs::path& disk) {
  const fs::path path = disk / "store";
  std::uint64_t events = 0;
  auto store = Store::Open(path, SmallSegments());
  DAYBOOK_EXPECT_OK(store);
  for (int i = 0; i < 30; ++i, ++events) {
    DAYBOOK_EXPECT_OK(AppendText(store->get(), "a", std::string(300, 'x')));
  }
  for (int round = 0; round < 4; ++round) {
    FillDisk(disk);
    // In the middle of a preallocation: the spare that is being made, or the next one, has no room.
    DAYBOOK_EXPECT(absl::IsResourceExhausted(AppendUntilFull(store->get(), &events)));
    DAYBOOK_EXPECT(absl::IsResourceExhausted(AppendUntilFull(store->get(), &events)));
    DAYBOOK_EXPECT_OK((*store)->Flush());
    DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
    DAYBOOK_EXPECT((*store)->visible().value() == events);
    // A commit that needs a segment of its own.
    const std::string large(200000, 'x');
    DAYBOOK_EXPECT(absl::IsResourceExhausted(AppendText(store->get(), "a", large).status()));
    DAYBOOK_EXPECT((*store)->visible().value() == events);
    if (round % 2 == 1) {
      // Closed and opened on the full disk.
      store->reset();
      store = Store::Open(path, SmallSegments());
      DAYBOOK_EXPECT_OK(store);
      DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
      const absl::Status full = AppendUntilFull(store->get(), &events);
      DAYBOOK_EXPECT(absl::IsResourceExhausted(full));
    }
    DAYBOOK_EXPECT_OK(CheckEvents(**Reader::Open(path, {}), events));
    MakeRoom(disk);
    for (int i = 0; i < 100; ++i, ++events) {
      DAYBOOK_EXPECT_OK(AppendText(store->get(), "a", std::string(300, 'x')));
    }
    DAYBOOK_EXPECT_OK(AppendText(store->get(), "a", large));
    ++events;
  }
  store->reset();
  store = Store::Open(path, SmallSegments());
  DAYBOOK_EXPECT_OK(store);
  DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
  store->reset();
  const auto report = Verify(path, {});
  DAYBOOK_EXPECT_OK(report);
  for (const Finding& finding : report->findings) {
    return absl::InternalError(finding.file + ": " + finding.hint);
  }
  return absl::OkStatus();
}

absl::Status RunOnFullDiskWithoutIndex(const fs::path& disk) {
  const fs::path path = disk / "store";
  std::uint64_t events = 0;
  {
    const auto store = Store::Open(path, SmallSegments());
    DAYBOOK_EXPECT_OK(store);
    for (; events < 300; ++events) {
      DAYBOOK_EXPECT_OK(AppendText(store->get(), "a", std::string(300, 'x')));
    }
  }
  for (const fs::path& file : FilesOf(path, ".idx")) fs::remove(file);
  FillDisk(disk);
  // There is no room for a sidecar: the segments are indexed in memory.
  {
    const auto store = Store::Open(path, SmallSegments());
    DAYBOOK_EXPECT_OK(store);
    DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
    DAYBOOK_EXPECT((*store)->Head("a")->version.value() == events);
  }
  MakeRoom(disk);
  const auto store = Store::Open(path, SmallSegments());
  DAYBOOK_EXPECT_OK(store);
  DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
  DAYBOOK_EXPECT_OK(AppendText(store->get(), "a", "x"));
  return absl::OkStatus();
}

absl::Status CreateOnFullDisk(const fs::path& disk) {
  const fs::path path = disk / "store";
  FillDisk(disk);
  DAYBOOK_EXPECT(absl::IsResourceExhausted(Store::Open(path, SmallSegments()).status()));
  DAYBOOK_EXPECT(absl::IsNotFound(Reader::Open(path, {}).status()));
  MakeRoom(disk);
  const auto store = Store::Open(path, SmallSegments());
  DAYBOOK_EXPECT_OK(store);
  DAYBOOK_EXPECT_OK(AppendText(store->get(), "a", "x"));
  return absl::OkStatus();
}

}  // namespace

TEST_CASE("a full disk refuses appends and loses nothing") { RunOnDisk("3m", &RunOnFullDisk); }

TEST_CASE("a store without its sidecars opens on a full disk") {
  RunOnDisk("3m", &RunOnFullDiskWithoutIndex);
}

TEST_CASE("a creation on a full disk is taken up again when there is room") {
  RunOnDisk("3m", &CreateOnFullDisk);
}

}  // namespace daybook::testing
