// The simulated disk itself: what may be there after a crash, and what must.

#include "simulation/disk.h"

#include <set>

#include "tests/catch.h"

namespace daybook::simulation {
namespace {

constexpr std::uint32_t kFile = 2;

// A disk with one file `f` in the root, its name durable.
class OneFile {
 public:
  OneFile() {
    Do({.kind = Op::Kind::kCreateFile, .inode = kFile, .folder = Disk::kRoot, .name = "f"});
    Do({.kind = Op::Kind::kSyncFolder, .inode = Disk::kRoot});
  }
  std::uint32_t Do(const Op& op) {
    disk.Apply(op, ++ops);
    return ops;
  }
  std::uint32_t Write(std::uint64_t offset, const std::string& text) {
    Op op{.kind = Op::Kind::kWrite, .inode = kFile, .offset = offset};
    for (const char c : text) op.bytes.push_back(static_cast<std::byte>(c));
    return Do(op);
  }
  void Sync() { Do({.kind = Op::Kind::kSync, .inode = kFile}); }
  void SyncFails() { Do({.kind = Op::Kind::kSyncFailed, .inode = kFile}); }

  Disk disk;
  std::uint32_t ops = 0;
};

std::string ContentOf(const Disk& disk, const std::string& name = "f") {
  const std::uint32_t file = disk.Find(name);
  if (file == 0) return "(none)";
  const FileBytes& bytes = disk.Bytes(file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::set<std::string> Crashes(const Disk& disk, Choice::Kind kind, const std::string& name = "f") {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    found.insert(ContentOf(disk.Crash({kind, 0, seed}), name));
  }
  return found;
}

TEST_CASE("what was not synced may be lost, with the size, and what was synced never is") {
  OneFile f;
  f.Write(0, "one");
  CHECK(ContentOf(f.disk.Crash({Choice::Kind::kLost, 0, 0})).empty());
  CHECK(ContentOf(f.disk.Crash({Choice::Kind::kKept, 0, 0})) == "one");
  f.Sync();
  CHECK(f.disk.pending().empty());
  f.Write(3, "two");
  CHECK(ContentOf(f.disk) == "onetwo");
  CHECK(Crashes(f.disk, Choice::Kind::kSectors) ==
        std::set<std::string>{"one", "onetwo", std::string("one\0\0\0", 6)});
  CHECK(ContentOf(f.disk.Crash({Choice::Kind::kSizesLost, 0, 0})) == "one");
}

TEST_CASE("sectors arrive in any order, and each is one that the cache had") {
  OneFile f;
  const std::string a(2 * kSectorBytes, 'a');
  f.Write(0, a);
  f.Sync();
  f.Write(0, std::string(2 * kSectorBytes, 'b'));
  f.Write(0, std::string(kSectorBytes, 'c'));
  std::set<std::string> expected;
  for (const char first : {'a', 'b', 'c'}) {
    for (const char second : {'a', 'b'}) {
      expected.insert(std::string(kSectorBytes, first) + std::string(kSectorBytes, second));
    }
  }
  CHECK(Crashes(f.disk, Choice::Kind::kSectors) == expected);
}

TEST_CASE("a torn write leaves a run of its bytes, and touches no byte outside of it") {
  OneFile f;
  f.Write(0, std::string(4 * kSectorBytes, 'a'));
  f.Sync();
  const std::uint32_t op = f.Write(300, std::string(1000, 'b'));
  bool is_cut_in_a_sector = false;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const std::string text = ContentOf(f.disk.Crash({Choice::Kind::kTorn, op, seed}));
    const std::size_t begin = text.find('b');
    if (begin == std::string::npos) continue;
    const std::size_t end = text.find_last_of('b') + 1;
    CHECK((begin >= 300 && end <= 1300));
    CHECK(text.substr(begin, end - begin) == std::string(end - begin, 'b'));
    is_cut_in_a_sector = is_cut_in_a_sector || (end != 1300 && end % kSectorBytes != 0);
  }
  CHECK(is_cut_in_a_sector);
}

TEST_CASE("a failed sync marks what it dropped as clean: only what is written again is synced") {
  OneFile f;
  f.Write(0, std::string(kSectorBytes, 'a') + std::string(kSectorBytes, 'b'));
  f.SyncFails();
  f.Sync();
  CHECK(ContentOf(f.disk) == std::string(kSectorBytes, 'a') + std::string(kSectorBytes, 'b'));
  CHECK(ContentOf(f.disk.Crash({Choice::Kind::kLost, 0, 0})) ==
        std::string(2 * kSectorBytes, '\0'));
  f.Write(0, std::string(kSectorBytes, 'a'));
  f.Sync();
  CHECK(ContentOf(f.disk.Crash({Choice::Kind::kLost, 0, 0})) ==
        std::string(kSectorBytes, 'a') + std::string(kSectorBytes, '\0'));
}

TEST_CASE("a name is durable by a sync of its folder and not by one of the file") {
  OneFile f;
  f.Do({.kind = Op::Kind::kCreateFile, .inode = 3, .folder = Disk::kRoot, .name = "g"});
  f.Do({.kind = Op::Kind::kSync, .inode = 3});
  CHECK(f.disk.Crash({Choice::Kind::kLost, 0, 0}).Find("g") == 0);
  f.Do({.kind = Op::Kind::kSyncFolder, .inode = Disk::kRoot});
  CHECK(f.disk.Crash({Choice::Kind::kLost, 0, 0}).Find("g") == 3);
  f.Do({.kind = Op::Kind::kRemove, .inode = 3, .folder = Disk::kRoot, .name = "g"});
  CHECK(f.disk.Find("g") == 0);
  CHECK(f.disk.Crash({Choice::Kind::kLost, 0, 0}).Find("g") == 3);
}

TEST_CASE("a rename is atomic, and what is made of a name later brings it along") {
  OneFile f;
  f.Write(0, "old");
  f.Sync();
  f.Do({.kind = Op::Kind::kCreateFile, .inode = 3, .folder = Disk::kRoot, .name = "f.tmp"});
  f.Do({.kind = Op::Kind::kRename,
        .inode = 3,
        .folder = Disk::kRoot,
        .to_folder = Disk::kRoot,
        .name = "f.tmp",
        .to_name = "f"});
  const std::uint32_t again =
      f.Do({.kind = Op::Kind::kCreateFile, .inode = 4, .folder = Disk::kRoot, .name = "f.tmp"});
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Disk after = f.disk.Crash({Choice::Kind::kNamesLost, 0, seed});
    const std::uint32_t whole = after.Find("f");
    const std::uint32_t aside = after.Find("f.tmp");
    const bool is_before = whole == 2 && (aside == 0 || aside == 3);
    const bool is_after = whole == 3 && (aside == 0 || aside == 4);
    CHECK((is_before || is_after));
  }
  CHECK(f.disk.Crash({Choice::Kind::kOneKept, again, 0}).Find("f") == 3);
}

TEST_CASE("a disk that was saved is the same disk") {
  OneFile f;
  f.Write(0, "one");
  f.SyncFails();
  f.Write(600, "two");
  f.Do({.kind = Op::Kind::kRemove, .inode = kFile, .folder = Disk::kRoot, .name = "f"});
  std::string bytes;
  f.disk.Save(&bytes);
  std::string_view rest = bytes;
  const Disk again = Disk::Load(&rest);
  CHECK(rest.empty());
  CHECK(again.Hash() == f.disk.Hash());
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Choice choice{Choice::Kind::kTornSectors, 0, seed};
    CHECK(ContentOf(again.Crash(choice)) == ContentOf(f.disk.Crash(choice)));
  }
}

}  // namespace
}  // namespace daybook::simulation
