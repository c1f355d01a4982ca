#include "kv/derived.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "base/status.h"
#include "tests/catch.h"
#include "tests/small_disk.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;
using testing::HasText;
using testing::TempFolder;

// Opens the folder, adds an entry, and says how many there are then.
std::uint64_t OpenAndAdd(const fs::path& folder, const std::string& key, bool* discarded) {
  auto environment = OpenDerived(folder, {}, discarded);
  REQUIRE_OK(environment);
  const auto table = (*environment)->OpenTable("t");
  REQUIRE_OK(table);
  {
    auto transaction = (*environment)->BeginWrite();
    REQUIRE_OK(transaction);
    REQUIRE_OK(transaction->Put(*table, key, std::string(100, 'v')));
    REQUIRE_OK(transaction->Commit());
  }
  auto transaction = (*environment)->BeginRead();
  REQUIRE_OK(transaction);
  return transaction->Count(*table).value();
}

std::string Bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_CASE("a folder that can be derived again is kept while it is whole") {
  const TempFolder folder;
  const fs::path tables = folder.path() / "made" / "tables";
  fs::create_directory(tables.parent_path());
  bool discarded = false;
  CHECK(OpenAndAdd(tables, "a", &discarded) == 1);
  CHECK(OpenAndAdd(tables, "b", &discarded) == 2);
  CHECK_FALSE(discarded);
  REQUIRE_OK(DiscardDerived(tables));
  CHECK(OpenAndAdd(tables, "c", &discarded) == 1);
}

TEST_CASE("a flipped or missing byte of a derived folder empties it, or does no harm") {
  const TempFolder folder;
  const fs::path tables = folder.path() / "tables";
  bool discarded = false;
  for (int i = 0; i < 200; ++i) OpenAndAdd(tables, "key" + std::to_string(i), &discarded);
  REQUIRE_FALSE(discarded);
  const std::string whole = Bytes(tables / "data.mdb");
  std::uint64_t emptied = 0;
  for (std::size_t at = 0; at < whole.size(); at += 509) {
    std::string damaged = whole;
    if (at % 2 == 0) {
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    } else {
      damaged.resize(at);
    }
    Write(tables / "data.mdb", damaged);
    bool now = false;
    const std::uint64_t entries = OpenAndAdd(tables, "new", &now);
    emptied += now ? 1 : 0;
    CHECK(entries == (now ? 1U : 201U));
  }
  CHECK(emptied > 0);
}

TEST_CASE("the lock of a derived folder is taken once, and its holder survives a discard") {
  const TempFolder folder;
  const fs::path tables = folder.path() / "tables";
  {
    const auto lock = LockDerived(tables);
    REQUIRE_OK(lock);
    const auto second = LockDerived(tables);
    CHECK(absl::IsUnavailable(second.status()));
    CHECK_THAT(std::string(second.status().message()), HasText("LOCK"));
    bool discarded = false;
    OpenAndAdd(tables, "a", &discarded);
    REQUIRE_OK(DiscardDerived(tables));
    CHECK(absl::IsUnavailable(LockDerived(tables).status()));
  }
  REQUIRE_OK(LockDerived(tables));
}

TEST_CASE("tables that find no room when they are made leave nothing that looks damaged") {
  testing::RunOnDisk("1m", [](const fs::path& disk) -> absl::Status {
    int refused = 0;
    for (std::uint64_t pages = 0; pages < 30; ++pages) {
      for (const bool shared : {false, true}) {
        const fs::path tables = disk / "tables";
        fs::remove_all(tables);
        testing::FillDisk(disk, pages);
        bool discarded = false;
        const auto open = [&] {
          return shared ? OpenShared(tables, {}, IfMissing::kCreate)
                        : OpenDerived(tables, {}, &discarded);
        };
        const absl::Status status = open().status();
        DAYBOOK_EXPECT(status.ok() || absl::IsResourceExhausted(status));
        refused += status.ok() ? 0 : 1;
        testing::MakeRoom(disk);
        DAYBOOK_EXPECT(status.ok() || !fs::exists(tables / "data.mdb"));
        DAYBOOK_EXPECT_OK(open());
        DAYBOOK_EXPECT(!discarded);
      }
    }
    DAYBOOK_EXPECT(refused > 4 && refused < 60);
    return absl::OkStatus();
  });
}

TEST_CASE("a folder that others have open is made once, and refused where it is damaged") {
  const TempFolder folder;
  const fs::path tables = folder.path() / "tables";
  CHECK(absl::IsNotFound(OpenShared(tables, {}, IfMissing::kFail).status()));
  CHECK_FALSE(fs::exists(tables));
  {
    const auto environment = OpenShared(tables, {}, IfMissing::kCreate);
    REQUIRE_OK(environment);
    REQUIRE_OK((*environment)->OpenTable("t"));
  }
  CHECK(fs::file_size(tables / "lock.mdb") >= kLockFileBytes);
  {
    const auto environment = OpenShared(tables, {}, IfMissing::kFail);
    REQUIRE_OK(environment);
    CHECK_OK((*environment)->FindTable("t"));
  }
  const std::string whole = Bytes(tables / "data.mdb");
  Write(tables / "data.mdb", std::string(whole.size(), 'x'));
  CHECK(absl::IsDataLoss(OpenShared(tables, {}, IfMissing::kCreate).status()));
  CHECK(Bytes(tables / "data.mdb") == std::string(whole.size(), 'x'));
}

}  // namespace daybook
