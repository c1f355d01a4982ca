// Defects that the simulated disk found in the store, one test each.

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "daybook/backup.h"
#include "io/file.h"
#include "simulation/oracle.h"
#include "simulation/simulated_system.h"
#include "tests/catch.h"

namespace daybook::simulation {
namespace {

using testing::HasText;

// The disk of a store that is at work behind these steps, as a crash leaves it.
class AtWork {
 public:
  AtWork() : mount_(bench_.root(), Disk()), driver_(&bench_, &mount_, {}, 1, &Store::Open) {}

  Driver* operator->() { return &driver_; }
  Mount& mount() { return mount_; }
  [[nodiscard]] std::string path() const { return bench_.store(); }
  std::uint32_t Now() { return mount_.disk().Find("store/log/00000000000000000001.log"); }
  Disk Crash(Choice::Kind kind) { return mount_.disk().Crash({kind, 0, 0}); }

 private:
  Bench bench_;
  Mount mount_;
  Driver driver_;
};

// What replaying `log` on `disk` gives just behind the rename to `name`; how many operations that
// are, or 0.
std::size_t ApplyUptoRenameTo(const std::string& name, const std::vector<Op>& log, Disk* disk) {
  for (std::size_t i = 0; i < log.size(); ++i) {
    disk->Apply(log[i], static_cast<std::uint32_t>(i + 1));
    if (log[i].kind == Op::Kind::kRename && log[i].to_name == name) return i + 1;
  }
  return 0;
}

TEST_CASE("the name of a new store is durable before its first acknowledgement") {
  AtWork store;
  store->Open();
  store->Append(1);
  REQUIRE(store->problem().empty());
  CHECK(store.Crash(Choice::Kind::kLost).Find("store/STORE") != 0);
  store->Close();
}

TEST_CASE("a creator that was killed behind the rename to STORE leaves no store that can vanish") {
  // The disk just before the folder of STORE is synced for the last time.
  Recording recording;
  {
    AtWork store;
    store->Open();
    REQUIRE(store->problem().empty());
    recording = store->Take("creation");
    store->Close();
  }
  Disk killed;
  const std::size_t renamed = ApplyUptoRenameTo("STORE", recording.log, &killed);
  REQUIRE(renamed != 0);
  CHECK(killed.Crash({Choice::Kind::kLost, 0, 0}).Find("store/STORE") == 0);
  CHECK(killed.Crash({Choice::Kind::kOneKept, static_cast<std::uint32_t>(renamed), 0})
            .Find("store/log/00000000000000000001.log") != 0);
  const Bench bench;
  Mount mount(bench.root(), killed);
  Driver driver(&bench, &mount, {}, 1, &Store::Open);
  driver.Open();
  driver.Append(1);
  REQUIRE(driver.problem().empty());
  CHECK(mount.disk().Crash({Choice::Kind::kLost, 0, 0}).Find("store/STORE") != 0);
  driver.Close();
}

TEST_CASE("a backup and a restore that returned are there after a power loss, names and all") {
  AtWork store;
  store->Open();
  store->Append(3);
  REQUIRE(store->problem().empty());
  const std::filesystem::path root = std::filesystem::path(store.path()).parent_path();
  REQUIRE_OK(Backup(store.path(), root / "backup", {}));
  const Disk backed_up = store.Crash(Choice::Kind::kLost);
  CHECK(backed_up.Find("backup/MANIFEST") != 0);
  CHECK(backed_up.Find("backup/log/00000000000000000001.log") != 0);
  // A name may end in a slash, as a shell completes it.
  REQUIRE_OK(Restore(root / "backup", root / "restored/", {}));
  const Disk restored = store.Crash(Choice::Kind::kLost);
  CHECK(restored.Find("restored/STORE") != 0);
  CHECK(restored.Find("restored/log/00000000000000000001.log") != 0);
  store->Close();
}

TEST_CASE("a restore that was killed behind the rename to STORE leaves no store that can vanish") {
  const Bench bench;
  Disk killed;
  std::vector<Op> log;
  {
    Mount mount(bench.root(), Disk());
    Driver driver(&bench, &mount, {}, 1, &Store::Open);
    driver.Open();
    driver.Append(3);
    driver.Close();
    REQUIRE(driver.problem().empty());
    REQUIRE_OK(Backup(bench.store(), bench.root() + "/backup", {}));
    mount.StartLog(&killed);
    REQUIRE_OK(Restore(bench.root() + "/backup", bench.root() + "/restored", {}));
    log = mount.TakeLog();
  }
  REQUIRE(ApplyUptoRenameTo("STORE", log, &killed) != 0);
  Mount mount(bench.root(), killed);
  std::filesystem::create_directories(bench.root() + "/restored/index");
  const auto store = Store::Open(bench.root() + "/restored", Setting().Options(nullptr));
  REQUIRE_OK(store);
  NewEvent event;
  event.type = "Happened";
  REQUIRE_OK((*store)->Append("s", ExpectedVersion::Any(), {event}));
  const Disk after = mount.disk().Crash({Choice::Kind::kLost, 0, 0});
  CHECK(after.Find("restored/STORE") != 0);
  CHECK(after.Find("restored/log/00000000000000000004.log") != 0);
}

TEST_CASE("no crash of the backup behind one that was killed leaves a folder that is no backup") {
  const Bench bench;
  Disk killed;
  std::vector<Op> log;
  {
    Mount mount(bench.root(), Disk());
    Driver driver(&bench, &mount, {}, 1, &Store::Open);
    driver.Open();
    driver.Append(3);
    driver.Close();
    REQUIRE(driver.problem().empty());
    mount.StartLog(&killed);
    REQUIRE_OK(Backup(bench.store(), bench.root() + "/backup", {}));
    log = mount.TakeLog();
  }
  REQUIRE(ApplyUptoRenameTo("MANIFEST", log, &killed) != 0);
  {
    Mount mount(bench.root(), killed);
    mount.StartLog();
    REQUIRE_OK(Backup(bench.store(), bench.root() + "/backup", {}));
    log = mount.TakeLog();
  }
  std::size_t found = 0;
  for (std::uint32_t i = 0; i < log.size(); ++i) {
    killed.Apply(log[i], 1000 + i);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Disk after = killed.Crash({Choice::Kind::kNamesLost, 0, seed});
      if (after.Find("backup/log") == 0) continue;
      ++found;
      REQUIRE(after.Find("backup/MANIFEST") != 0);
    }
  }
  CHECK(found > 0);
}

TEST_CASE("a log replays on the disk that it began with, whatever other threads do meanwhile") {
  const Bench bench;
  for (int round = 0; round < 30; ++round) {
    Mount mount(bench.root(), Disk());
    std::atomic<bool> is_over = false;
    std::atomic<int> made = 0;
    std::thread busy([&] {
      for (; !is_over; ++made) {
        auto file = File::CreateNew(bench.root() + "/" + std::to_string(made));
        if (!file.ok() || !file->WriteAt(0, AsBytes(std::string_view("text"))).ok()) return;
      }
    });
    while (made < 3) std::this_thread::yield();
    Disk base;
    mount.StartLog(&base);
    const int before = made;
    while (made < before + 3) std::this_thread::yield();
    is_over = true;
    busy.join();
    std::uint32_t next = base.NextInode();
    for (const Op& op : mount.TakeLog()) {
      if (op.kind == Op::Kind::kCreateFile) REQUIRE(op.inode == next++);
      base.Apply(op, 1);
    }
    CHECK(base.Names(Disk::kRoot) == mount.disk().Names(Disk::kRoot));
  }
}

TEST_CASE("an append that finds no next segment refuses as with a full disk, whatever the error") {
  for (const int error : {EIO, ENOSPC, EINTR}) {
    const Bench bench;
    Mount mount(bench.root(), Disk());
    const auto store = Store::Open(bench.store(), Setting().Options(nullptr));
    REQUIRE_OK(store);
    mount.SetFault(Fault{Call::kCreate, 1, UINT64_MAX, error == EINTR ? EIO : error});
    if (error == EINTR) mount.SetFault(Fault{Call::kSync, 1, UINT64_MAX, EINTR});
    absl::Status status;
    const std::string data(1000, 'x');
    for (int i = 0; i < 40 && status.ok(); ++i) {
      NewEvent event;
      event.type = "Happened";
      event.data = AsBytes(data);
      status = (*store)->Append("s", ExpectedVersion::Any(), {event}).status();
    }
    CHECK(absl::IsResourceExhausted(status));
    const Position before = (*store)->visible();
    mount.SetFault(std::nullopt);
    NewEvent event;
    event.type = "Happened";
    CHECK_OK((*store)->Append("s", ExpectedVersion::Any(), {event}));
    CHECK((*store)->visible().value() == before.value() + 1);
  }
}

TEST_CASE("a look at STORE that fails is an error of the opening, or none") {
  AtWork store;
  store->Open();
  store->Close();
  REQUIRE(store->problem().empty());
  for (std::uint64_t n = 1; n < 12; ++n) {
    store.mount().SetFault(Fault{Call::kLookUp, n, 1, EIO});
    const auto opened = Store::Open(store.path(), Setting().Options(nullptr));
    const bool told = opened.ok() || absl::IsDataLoss(opened.status());
    CHECK(told);
  }
  store.mount().SetFault(std::nullopt);
}

TEST_CASE("a folder that is there and cannot be looked at is not called another thing") {
  AtWork store;
  store->Open();
  store->Close();
  store.mount().SetFault(Fault{Call::kLookUp, 1, UINT64_MAX, EIO});
  const auto opened = Store::Open(store.path(), Setting().Options(nullptr));
  CHECK_THAT(opened.status().ToString(), HasText("Input/output error"));
  store.mount().SetFault(std::nullopt);
}

}  // namespace
}  // namespace daybook::simulation
