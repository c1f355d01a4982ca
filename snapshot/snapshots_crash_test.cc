// What snapshots are worth after a kill, a flipped bit, a cut file, a full disk and a fork: every
// answer stays as it is without them.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/small_disk.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;

using testing::Chain;
using testing::ChainFold;
using testing::History;
using testing::TempFolder;

RepositoryOptions EveryFour(SnapshotStore* snapshots) {
  RepositoryOptions options;
  // Not owned: the test ends it when it wants to.
  options.snapshots = std::shared_ptr<SnapshotStore>(std::shared_ptr<void>(), snapshots);
  options.policy.every_events = 4;
  options.policy.retention = SnapshotRetention::All();
  options.verify_one_in = 0;
  options.cached_states_max = 0;
  return options;
}

std::shared_ptr<const AnyFold> FindChain(std::string_view /*id*/, std::uint32_t /*revision*/) {
  return std::make_shared<FoldAdapter<ChainFold>>(ChainFold());
}

// Every version of a stream through `chains` against a fold of all of it.
void CheckAllVersions(const Reader& reader, const Repository<ChainFold>& chains,
                      const std::string& stream) {
  const Repository<ChainFold> plain(reader);
  std::vector<Chain> states = {Chain()};
  REQUIRE_OK(plain.Walk(stream, {}, [&](const Chain& chain, const EventView&) {
    states.push_back(chain);
    return absl::StatusOr<bool>(true);
  }));
  bool all_same = true;
  for (std::uint64_t v = 0; v < states.size(); ++v) {
    const auto past = chains.LoadAt(stream, AsOf::AtVersion(Version(v)));
    all_same = all_same && past.ok() && past->state() == states[v];
  }
  CHECK(all_same);
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  REQUIRE(out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush());
}

// Appends and loads, taking snapshots as fast as it can, until it is killed.
absl::Status RunUntilKilled(const fs::path& directory) {
  StoreOptions store_options = testing::SmallSegments();
  store_options.durability = Durability::kBuffered;
  store_options.sync_interval = std::chrono::milliseconds(1);
  auto store = Store::Open(directory, store_options);
  DAYBOOK_EXPECT_OK(store);
  auto snapshots = SnapshotStore::Open(**store, {});
  DAYBOOK_EXPECT_OK(snapshots);
  const Repository<ChainFold> chains(**store, {}, EveryFour(snapshots->get()));
  const std::string data(50, 'd');
  for (;;) {
    const NewEvent event{.type = "Happened", .data = AsBytes(data)};
    DAYBOOK_EXPECT_OK((*store)->Append("s", ExpectedVersion::Any(), {event, event, event}));
    DAYBOOK_EXPECT_OK(chains.Load("s"));
  }
}

TEST_CASE("a process that is killed while it writes snapshots leaves sound ones", "[crash]") {
  const TempFolder folder;
  std::mt19937 random(7);
  std::uint64_t seen = 0;
  for (int cycle = 0; cycle < 10; ++cycle) {
    {
      testing::Child child([&] { return RunUntilKilled(folder / "store"); });
      std::this_thread::sleep_for(std::chrono::milliseconds(40 + random() % 120));
    }  // killed
    StoreOptions options = testing::SmallSegments();
    options.create = StoreOptions::Create::kIfMissing;
    auto store = Store::Open(folder / "store", options);
    REQUIRE_OK(store);
    const auto report = VerifySnapshots(**store, FindChain);
    REQUIRE_OK(report);
    CHECK(report->ok());
    seen += report->replayed;
    bool discarded = false;
    SnapshotStoreOptions snapshot_options;
    snapshot_options.on_notice = [&discarded](const Notice&) { discarded = true; };
    auto snapshots = SnapshotStore::Open(**store, snapshot_options);
    REQUIRE_OK(snapshots);
    CHECK_FALSE(discarded);
    CheckAllVersions(**store, Repository<ChainFold>(**store, {}, EveryFour(snapshots->get())), "s");
    CHECK((*snapshots)->stats().ignored == 0);
  }
  CHECK(seen > 0);
}

// A store of some streams with snapshots, closed, and the bytes of its data.mdb.
struct Damageable {
  explicit Damageable(const fs::path& directory)
      : history(directory, {}, 3), file(directory / "snapshots" / "data.mdb") {
    for (int i = 0; i < 40; ++i) history.AppendRandom(3);
    auto snapshots = SnapshotStore::Open(history.store(), {});
    REQUIRE_OK(snapshots);
    const Repository<ChainFold> chains(history.store(), ChainFold{.padding = 300},
                                       EveryFour(snapshots->get()));
    for (std::uint32_t s = 0; s < 3; ++s) REQUIRE_OK(chains.Load(History::StreamName(s)));
    REQUIRE_OK((*snapshots)->Flush());
    snapshots->reset();
    bytes = ReadFile(file);
    REQUIRE(bytes.size() > 8192);
  }

  // What opening and loading find: whether there was something to discard or to pass over.
  bool Check() {
    // Reading alone says what it can, and that is all.
    const auto listed = ListSnapshots(history.store());
    const auto report = VerifySnapshots(history.store(), FindPadded);
    const bool found = report.ok() && !report->ok();
    if (!listed.ok()) CHECK(found);
    bool noticed = false;
    SnapshotStoreOptions options;
    options.on_notice = [&noticed](const Notice&) { noticed = true; };
    auto snapshots = SnapshotStore::Open(history.store(), options);
    REQUIRE_OK(snapshots);
    const Repository<ChainFold> chains(history.store(), ChainFold{.padding = 300},
                                       EveryFour(snapshots->get()));
    for (std::uint32_t s = 0; s < 3; ++s) {
      CheckAllVersions(history.store(), chains, History::StreamName(s));
    }
    noticed = noticed || (*snapshots)->stats().ignored > 0;
    // What a load takes notice of, verification finds.
    if (noticed) CHECK(found);
    return noticed;
  }

  static std::shared_ptr<const AnyFold> FindPadded(std::string_view, std::uint32_t) {
    return std::make_shared<FoldAdapter<ChainFold>>(ChainFold{.padding = 300});
  }

  History history;
  fs::path file;
  std::string bytes;
};

TEST_CASE("a flipped bit in the tables changes no answer", "[crash]") {
  const TempFolder folder;
  Damageable damageable(folder / "store");
  std::mt19937 random(11);
  int noticed = 0;
  constexpr int kFlips = 150;
  for (int i = 0; i < kFlips; ++i) {
    std::string bytes = damageable.bytes;
    const std::size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    WriteFile(damageable.file, bytes);
    noticed += damageable.Check() ? 1 : 0;
  }
  CHECK(noticed >= kFlips / 20);  // the others hit what is of no use any more
  WriteFile(damageable.file, damageable.bytes);
  CHECK_FALSE(damageable.Check());
}

TEST_CASE("tables that are cut off or torn change no answer", "[crash]") {
  const TempFolder folder;
  Damageable damageable(folder / "store");
  const std::string& good = damageable.bytes;
  int noticed = 0;
  for (std::size_t bytes = 0; bytes < good.size(); bytes += 2048) {
    WriteFile(damageable.file, good.substr(0, bytes));
    noticed += damageable.Check() ? 1 : 0;
    std::string torn = good;
    std::fill_n(torn.begin() + static_cast<std::ptrdiff_t>(bytes), 512, '\0');
    WriteFile(damageable.file, torn);
    noticed += damageable.Check() ? 1 : 0;
  }
  CHECK(noticed > 5);
}

TEST_CASE("on a full disk answers stay, and what is not written is counted and told once",
          "[crash]") {
  testing::RunOnDisk("16m", [](const fs::path& disk) -> absl::Status {
    auto store = Store::Open(disk / "store", {});
    DAYBOOK_EXPECT_OK(store);
    const NewEvent event{.type = "Happened", .data = AsBytes("1")};
    for (int i = 0; i < 40; ++i) {
      DAYBOOK_EXPECT_OK((*store)->Append("s", ExpectedVersion::Any(), {event}));
    }
    std::atomic<int> told{0};
    SnapshotStoreOptions options;
    options.on_notice = [&told](const Notice&) { ++told; };
    auto snapshots = SnapshotStore::Open(**store, options);
    DAYBOOK_EXPECT_OK(snapshots);
    const Repository<ChainFold> chains(**store, ChainFold{.padding = 100'000},
                                       EveryFour(snapshots->get()));
    testing::FillDisk(disk);
    for (int i = 0; i < 3; ++i) {
      const auto loaded = chains.Load("s");
      DAYBOOK_EXPECT_OK(loaded);
      DAYBOOK_EXPECT(loaded->state().events == 40);
      DAYBOOK_EXPECT(absl::IsResourceExhausted((*snapshots)->Flush()));
    }
    DAYBOOK_EXPECT((*snapshots)->stats().dropped == 30);
    DAYBOOK_EXPECT((*snapshots)->stats().taken == 0);
    DAYBOOK_EXPECT(told == 1);
    testing::MakeRoom(disk);
    DAYBOOK_EXPECT_OK(chains.Load("s"));
    DAYBOOK_EXPECT_OK((*snapshots)->Flush());
    DAYBOOK_EXPECT((*snapshots)->stats().taken == 10);
    DAYBOOK_EXPECT(chains.Load("s")->info().folded == 0);
    return absl::OkStatus();
  });
}

TEST_CASE("a forked child refuses what it inherited, and ends", "[crash]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 10; ++i) history.Append("s");
  auto opened = SnapshotStore::Open(history.store(), {});
  REQUIRE_OK(opened);
  std::unique_ptr<SnapshotStore> snapshots = *std::move(opened);
  const absl::Status child = testing::InChild([&snapshots]() -> absl::Status {
    DAYBOOK_EXPECT(absl::IsFailedPrecondition(snapshots->Flush()));
    DAYBOOK_EXPECT(absl::IsFailedPrecondition(snapshots->Drop().status()));
    snapshots.reset();
    return absl::OkStatus();
  });
  CHECK_OK(child);
  const Repository<ChainFold> chains(history.store(), {}, EveryFour(snapshots.get()));
  REQUIRE_OK(chains.Load("s"));
  CHECK_OK(snapshots->Flush());
  CHECK(snapshots->stats().taken == 2);
}

TEST_CASE("without the right to write there are no snapshots to take, and the same answers",
          "[crash]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 10; ++i) history.Append("s");
  {
    auto snapshots = SnapshotStore::Open(history.store(), {});
    REQUIRE_OK(snapshots);
    const Repository<ChainFold> chains(history.store(), {}, EveryFour(snapshots->get()));
    REQUIRE_OK(chains.Load("s"));
  }
  const Chain expected = history.ExpectedAt("s", {}).state;
  constexpr auto kLookOnly = static_cast<fs::perms>(0555);
  fs::permissions(folder.path(), kLookOnly);
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    fs::permissions(entry.path(), kLookOnly);
  }
  fs::permissions(folder / "store" / "snapshots" / "LOCK", fs::perms::none);
  const absl::Status child = testing::InChild([&]() -> absl::Status {
    constexpr uid_t kNobody = 65534;
    DAYBOOK_EXPECT(geteuid() != 0 || seteuid(kNobody) == 0);
    const auto reader = Reader::Open(folder / "store", {});
    DAYBOOK_EXPECT_OK(reader);
    DAYBOOK_EXPECT(absl::IsPermissionDenied(SnapshotStore::Open(**reader, {}).status()));
    const Repository<ChainFold> chains(**reader);
    const auto loaded = chains.Load("s");
    DAYBOOK_EXPECT_OK(loaded);
    DAYBOOK_EXPECT(loaded->state() == expected);
    const auto listed = ListSnapshots(**reader);
    DAYBOOK_EXPECT_OK(listed);
    DAYBOOK_EXPECT(listed->size() == 2);
    const auto report = VerifySnapshots(**reader, FindChain);
    DAYBOOK_EXPECT_OK(report);
    DAYBOOK_EXPECT(report->ok() && report->replayed == 2);
    return absl::OkStatus();
  });
  for (const char* below : {"", "store", "store/log", "store/index", "store/snapshots"}) {
    fs::permissions(folder.path() / below, fs::perms::owner_all);
  }
  CHECK_OK(child);
}

}  // namespace
}  // namespace daybook
