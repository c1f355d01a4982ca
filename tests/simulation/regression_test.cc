// Defects that the simulated disk found in the store, one test each.

#include <cerrno>
#include <filesystem>

#include "daybook/backup.h"
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
  std::size_t i = 0;
  for (; i < recording.log.size(); ++i) {
    killed.Apply(recording.log[i], static_cast<std::uint32_t>(i + 1));
    if (recording.log[i].kind == Op::Kind::kRename && recording.log[i].to_name == "STORE") break;
  }
  REQUIRE(i < recording.log.size());
  CHECK(killed.Crash({Choice::Kind::kLost, 0, 0}).Find("store/STORE") == 0);
  CHECK(killed.Crash({Choice::Kind::kOneKept, static_cast<std::uint32_t>(i + 1), 0})
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
