// Damaged snapshots: whatever happened to the bytes of snapshots/, no process dies of it, no answer
// is another one, and the next snapshots are whole. And what repair, backup and restore do with
// them.

#include <fstream>
#include <functional>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "crash/process.h"
#include "daybook/backup.h"
#include "derived/chain_states.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/counted.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 4096, kSector = 512;

std::string ReadFile(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A store with snapshots, closed; the bytes of their file, and as it was a while before.
class SnapshotLab {
 public:
  explicit SnapshotLab(std::size_t padding) : padding_(padding) {
    std::mt19937_64 random(7);
    StoreOptions options = SmallSegments();
    options.durability = Durability::kBuffered;
    const auto store = Store::Open(path(), options);
    REQUIRE_OK(store);
    for (const int events : {80, 120}) {
      before_ = now_;
      for (int i = 0; i < events; ++i) REQUIRE_OK(AppendToSome(store->get(), &random));
      REQUIRE_OK((*store)->WaitDurable((*store)->visible()));
      auto snapshots = SnapshotStore::Open(**store, {});
      REQUIRE_OK(snapshots);
      const std::shared_ptr<SnapshotStore> shared = *std::move(snapshots);
      REQUIRE_OK(StatesOf(**store, shared, padding_));
      REQUIRE_OK(shared->Flush());
      REQUIRE(shared->stats().taken > 10);
      now_ = ReadFile(file());
    }
    states_ = StatesOf(**store, nullptr, padding_).value();
  }

  [[nodiscard]] fs::path path() const { return folder_ / "store"; }
  [[nodiscard]] fs::path file() const { return path() / "snapshots" / "data.mdb"; }
  [[nodiscard]] const std::string& before() const { return before_; }
  [[nodiscard]] const std::string& now() const { return now_; }

  // Looks at the folder as it is now, and has it used. Whether it was discarded.
  absl::StatusOr<bool> Look(std::uint64_t* hits = nullptr) const { return LookIn(path(), hits); }
  absl::StatusOr<bool> LookIn(const fs::path& path, std::uint64_t* hits = nullptr) const {
    const auto reader = Reader::Open(path, {});
    DAYBOOK_EXPECT_OK(reader);
    const auto listed = ListSnapshots(**reader);
    DAYBOOK_EXPECT(listed.ok() || absl::IsDataLoss(listed.status()));
    bool discarded = false;
    {
      SnapshotStoreOptions options;
      options.on_notice = [&discarded](const Notice&) { discarded = true; };
      auto opened = SnapshotStore::Open(**reader, options);
      DAYBOOK_EXPECT_OK(opened);
      const std::shared_ptr<SnapshotStore> snapshots = *std::move(opened);
      for (int round = 0; round < 2; ++round) {
        const auto states = StatesOf(**reader, snapshots, padding_, hits);
        DAYBOOK_EXPECT_OK(states);
        DAYBOOK_EXPECT(*states == states_);
        DAYBOOK_EXPECT_OK(snapshots->Flush());
      }
    }
    return discarded;
  }

 private:
  const TempFolder folder_;
  const std::size_t padding_;
  std::string before_, now_;
  std::vector<std::string> states_;
};

// One way to damage a file.
struct Damage {
  const char* name;
  std::function<void(const SnapshotLab&, std::mt19937_64*, std::string*)> apply;
};

void Scribble(std::string* bytes, std::size_t at, std::size_t count, std::mt19937_64* random) {
  for (std::size_t i = at; i < std::min(at + count, bytes->size()); ++i) {
    (*bytes)[i] = static_cast<char>((*random)());
  }
}

std::vector<Damage> Damages() {
  return {
      {"a bit",
       [](const SnapshotLab&, std::mt19937_64* random, std::string* bytes) {
         const std::uint64_t bit = (*random)() % (bytes->size() * 8);
         (*bytes)[bit / 8] = static_cast<char>((*bytes)[bit / 8] ^ (1 << (bit % 8)));
       }},
      {"a bit of what leads the pages",
       [](const SnapshotLab&, std::mt19937_64* random, std::string* bytes) {
         const std::size_t page = (*random)() % (bytes->size() / kPage);
         const std::uint64_t bit = page * kPage * 8 + (*random)() % (160 * 8);
         (*bytes)[bit / 8] = static_cast<char>((*bytes)[bit / 8] ^ (1 << (bit % 8)));
       }},
      {"zeros",
       [](const SnapshotLab&, std::mt19937_64* random, std::string* bytes) {
         const std::size_t at = (*random)() % (bytes->size() / kSector) * kSector;
         std::fill_n(bytes->begin() + static_cast<std::ptrdiff_t>(at), kSector, '\0');
       }},
      {"garbage",
       [](const SnapshotLab&, std::mt19937_64* random, std::string* bytes) {
         Scribble(bytes, (*random)() % bytes->size(), 1 + (*random)() % 3000, random);
       }},
      {"a cut", [](const SnapshotLab&, std::mt19937_64* random,
                   std::string* bytes) { bytes->resize((*random)() % bytes->size()); }},
      {"a page in the place of another",
       [](const SnapshotLab&, std::mt19937_64* random, std::string* bytes) {
         const std::size_t pages = bytes->size() / kPage;
         const std::string page = bytes->substr((*random)() % pages * kPage, kPage);
         bytes->replace((*random)() % pages * kPage, kPage, page);
       }},
      {"sectors that a power loss kept from coming",
       [](const SnapshotLab& lab, std::mt19937_64* random, std::string* bytes) {
         const std::uint64_t of_eight = 1 + (*random)() % 7;
         for (std::size_t at = 0; at + kSector <= lab.before().size(); at += kSector) {
           if ((*random)() % 8 >= of_eight) continue;
           bytes->replace(at, kSector, lab.before(), at, kSector);
         }
       }},
      {"the end that a power loss kept from coming",
       [](const SnapshotLab& lab, std::mt19937_64* random, std::string* bytes) {
         const std::size_t page = (*random)() % (lab.before().size() / kPage);
         bytes->replace(0, page * kPage, lab.before(), 0, page * kPage);
       }},
      {"noise behind the end",
       [](const SnapshotLab&, std::mt19937_64* random, std::string* bytes) {
         const std::size_t end = bytes->size();
         bytes->resize(end + 1 + (*random)() % 20000);
         Scribble(bytes, end, bytes->size(), random);
       }},
  };
}

// What the snapshots are after they were damaged, looked at and used: pages that are whole, and
// states that are used again.
absl::Status CheckMended(const SnapshotLab& lab) {
  std::uint64_t hits = 0;
  const auto discarded = lab.Look(&hits);
  DAYBOOK_EXPECT_OK(discarded);
  DAYBOOK_EXPECT(!*discarded);
  DAYBOOK_EXPECT(hits > 0);
  const auto repaired = Repair(lab.path(), {});
  DAYBOOK_EXPECT_OK(repaired);
  DAYBOOK_EXPECT(repaired->rebuilt == 0);
  return absl::OkStatus();
}

}  // namespace

TEST_CASE("damaged snapshots end no process and change no answer", "[snapshots]") {
  const std::uint64_t seed = Seed("daybook_derived_test \"[snapshots]\"");
  std::mt19937_64 random(seed);
  std::uint64_t cases = 0, discarded = 0;
  for (const std::size_t padding : {std::size_t{0}, std::size_t{6000}}) {
    const SnapshotLab lab(padding);
    for (int round = 0; round < Cycles(20, 3); ++round) {
      for (const Damage& damage : Damages()) {
        CAPTURE(seed, padding, round, damage.name);
        std::string bytes = lab.now();
        damage.apply(lab, &random, &bytes);
        fs::remove_all(lab.file().parent_path());
        WriteFile(lab.file(), bytes);
        const absl::Status status = InChild([&]() -> absl::Status {
          const auto looked = lab.Look();
          DAYBOOK_EXPECT_OK(looked);
          DAYBOOK_EXPECT_OK(CheckMended(lab));
          return *looked ? absl::AlreadyExistsError("discarded") : absl::OkStatus();
        });
        ++cases;
        if (absl::IsAlreadyExists(status)) {
          ++discarded;
        } else {
          REQUIRE_OK(status);
        }
      }
    }
  }
  CHECK(discarded > cases / 10);
  CHECK(discarded < cases);
  Counted("snapshots.damage").Add("cases", cases).Add("discarded", discarded).Print();
}

TEST_CASE("a repair empties damaged snapshots, and leaves whole ones and those that are open",
          "[snapshots]") {
  const SnapshotLab lab(0);
  const auto whole = Repair(lab.path(), {});
  REQUIRE_OK(whole);
  CHECK(whole->rebuilt == 0);
  CHECK(ReadFile(lab.file()) == lab.now());

  std::string damaged = lab.now();
  for (std::size_t page = 0; page * kPage < damaged.size(); ++page) damaged[page * kPage + 10] ^= 1;
  WriteFile(lab.file(), damaged);
  const auto dry = Repair(lab.path(), {.dry_run = true});
  REQUIRE_OK(dry);
  CHECK(dry->rebuilt == 1);
  CHECK(ReadFile(lab.file()) == damaged);
  std::string said;
  RepairOptions options;
  options.on_notice = [&said](const Notice& notice) { said += notice.message; };
  const auto repaired = Repair(lab.path(), options);
  REQUIRE_OK(repaired);
  CHECK(repaired->rebuilt == 1);
  CHECK_THAT(said, HasText("snapshots/ is damaged"));
  CHECK_FALSE(fs::exists(lab.file()));
  CHECK_FALSE(lab.Look().value());

  const auto reader = Reader::Open(lab.path(), {});
  REQUIRE_OK(reader);
  const auto open = SnapshotStore::Open(**reader, {});
  REQUIRE_OK(open);
  const std::string taken = ReadFile(lab.file());
  CHECK(Repair(lab.path(), {}).value().rebuilt == 0);
  CHECK(ReadFile(lab.file()) == taken);
}

TEST_CASE("a backup has no snapshots, and a restored store begins without and ignores older ones",
          "[snapshots]") {
  const SnapshotLab lab(0);
  const TempFolder other;
  WriteFile(lab.path() / "projections" / "p" / "data.mdb", "what is derived");
  REQUIRE_OK(Backup(lab.path(), other / "backup", {}));
  for (const auto& entry : fs::recursive_directory_iterator(other / "backup")) {
    const std::string name = entry.path().lexically_relative(other / "backup");
    CHECK(name.find("snapshots") == std::string::npos);
    CHECK(name.find("projections") == std::string::npos);
    CHECK(name.find(".mdb") == std::string::npos);
  }
  const fs::path restored = other / "restored";
  REQUIRE_OK(Restore(other / "backup", restored, {}));
  CHECK_FALSE(fs::exists(restored / "snapshots"));
  CHECK_FALSE(fs::exists(restored / "projections"));
  CHECK_FALSE(lab.LookIn(restored).value());

  // Of the incarnation before, though every event is the same.
  WriteFile(restored / "snapshots" / "data.mdb", lab.now());
  std::uint64_t hits = 0;
  CHECK(lab.LookIn(restored, &hits).value());
  CHECK(hits > 0);
  CHECK_FALSE(lab.LookIn(restored).value());
}

}  // namespace daybook::testing
