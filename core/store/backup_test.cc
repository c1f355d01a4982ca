#include "daybook/backup.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "io/directory.h"
#include "io/file.h"
#include "log/format.h"
#include "store/backup_manifest.h"
#include "store/store_file.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/corruption/small_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

// A store, and a folder with room for backups and what is restored of them.
struct Places {
  SmallStore store;
  TempFolder folder;
  [[nodiscard]] fs::path backup() const { return folder / "backup"; }
  [[nodiscard]] fs::path restored() const { return folder / "restored"; }
};

std::map<std::uint64_t, std::string> EventsOf(const fs::path& store) {
  EventsRead read = ReadEvents(store);
  REQUIRE_OK(read.status);
  return read.events;
}

void Flip(const fs::path& file, std::uint64_t offset, unsigned bit = 0) {
  std::fstream f(file, std::ios::binary | std::ios::in | std::ios::out);
  f.seekg(static_cast<std::streamoff>(offset));
  const int byte = f.get();
  f.seekp(static_cast<std::streamoff>(offset));
  f.put(static_cast<char>(byte ^ (1 << bit)));
}

std::vector<Finding> FindingsOf(const fs::path& path) {
  const auto report = Verify(path, {});
  REQUIRE_OK(report);
  return report->findings;
}

}  // namespace

TEST_CASE("a backup becomes a store with the same events, in an incarnation of its own") {
  const Places at;
  const auto report = Backup(at.store.path(), at.backup(), {});
  REQUIRE_OK(report);
  CHECK(report->position == Position(150));
  CHECK(report->segments == at.store.segments().size());
  CHECK(report->verified);
  CHECK(ReadTree(at.store.path()) == at.store.tree());  // nothing is written to the store
  CHECK_FALSE(fs::exists(at.backup() / "STORE"));
  CHECK(absl::IsInvalidArgument(Store::Open(at.backup(), {}).status()));
  CHECK(absl::IsNotFound(Reader::Open(at.backup(), {}).status()));

  const auto restored = Restore(at.backup(), at.restored(), {});
  REQUIRE_OK(restored);
  CHECK(restored->position == Position(150));
  CHECK(EventsOf(at.restored()) == EventsOf(at.store.path()));
  CHECK(FindingsOf(at.restored()).empty());
  const auto parent = ReadStoreFile(at.store.path());
  const auto child = ReadStoreFile(at.restored());
  REQUIRE_OK(parent);
  REQUIRE_OK(child);
  CHECK(child->store_id == parent->store_id);
  CHECK(child->incarnation != parent->incarnation);
  CHECK(child->parent_incarnation == parent->incarnation);
  CHECK(child->parent_position == 150);
  CHECK(child->parent_frame_hash != 0);
  // It goes on, in segments of its own, with or without what is derived.
  CHECK(AppendOne(at.restored()).value() == 151);
  fs::remove_all(at.restored() / "index");
  for (const auto& file : fs::directory_iterator(at.restored() / "log")) {
    if (file.path().extension() == ".idx") fs::remove(file.path());
  }
  CHECK(AppendOne(at.restored()).value() == 152);
  CHECK(FindingsOf(at.restored()).empty());
}

TEST_CASE("a restored store is backed up and restored in its turn") {
  const Places at;
  fs::path store = at.store.path();
  for (int i = 1; i <= 3; ++i) {
    const fs::path backup = at.folder / ("b" + std::to_string(i));
    const fs::path next = at.folder / ("s" + std::to_string(i));
    REQUIRE_OK(Backup(store, backup, {}));
    REQUIRE_OK(Restore(backup, next, {}));
    REQUIRE_OK(AppendOne(next));
    CHECK(FindingsOf(next).empty());
    store = next;
  }
  CHECK(EventsOf(store).size() == 153);
  // STORE is found again from segments of four incarnations.
  const StoreHeader before = ReadStoreFile(store).value();
  std::ofstream(store / "STORE", std::ios::binary) << std::string(256, 'x');
  REQUIRE_OK(Repair(store, {.accept_loss = true}));
  const StoreHeader after = ReadStoreFile(store).value();
  CHECK(IdentityOf(after) == IdentityOf(before));
  CHECK(after.parent_incarnation == before.parent_incarnation);
  CHECK(after.parent_position == before.parent_position);
  CHECK(FindingsOf(store).empty());
}

TEST_CASE("an increment copies what is new and nothing else") {
  const Places at;
  const std::uint64_t all = Backup(at.store.path(), at.backup(), {})->bytes;
  const Tree before = ReadTree(at.backup());
  const auto again = Backup(at.store.path(), at.backup(), {});
  REQUIRE_OK(again);
  CHECK(again->bytes == 0);
  CHECK(again->position == Position(150));
  CHECK(ReadTree(at.backup()) == before);
  for (std::uint64_t position = 151; position < 200; ++position) {
    REQUIRE(AppendOne(at.store.path()).value() == position);
    const auto next = Backup(at.store.path(), at.backup(), {.fast = position % 2 == 0});
    REQUIRE_OK(next);
    REQUIRE(next->position == Position(position));
    REQUIRE(next->bytes > 0);
    REQUIRE(next->bytes < all / 4);
    REQUIRE(next->verified == (position % 2 != 0));
  }
  CHECK(FindingsOf(at.backup()).empty());
  REQUIRE_OK(Restore(at.backup(), at.restored(), {}));
  CHECK(EventsOf(at.restored()) == EventsOf(at.store.path()));
}

TEST_CASE("an empty store is backed up and restored") {
  const TempFolder folder;
  REQUIRE_OK(Store::Open(folder / "s", {}));
  const auto report = Backup(folder / "s", folder / "b", {});
  REQUIRE_OK(report);
  CHECK(report->position == Position(0));
  CHECK(report->segments == 0);
  REQUIRE_OK(Restore(folder / "b", folder / "r", {}));
  CHECK(AppendOne(folder / "r").value() == 1);
  CHECK(AppendOne(folder / "s").value() == 1);
  CHECK(Backup(folder / "s", folder / "b", {})->position == Position(1));
}

TEST_CASE("beside a writer that seals, each backup holds what was acknowledged before it began") {
  const FileAccess access = GENERATE(FileAccess::kMap, FileAccess::kRead);
  const TempFolder folder;
  auto store = Store::Open(folder / "s", {.segment_bytes_max = 16 << 10});
  REQUIRE_OK(store);
  std::atomic<std::uint64_t> acknowledged = 0;
  std::atomic<bool> stop = false;
  absl::Status appended;
  std::thread writer([&] {
    const std::string data(200, 'd');
    while (!stop) {
      Commit commit;
      for (int i = 0; i < 3; ++i) {
        appended.Update(commit.Add("s-" + std::to_string(i), {.type = "T", .data = AsBytes(data)}));
      }
      const auto result = (*store)->Append(commit);
      appended.Update(result.status());
      if (!appended.ok()) return;
      acknowledged = result->last_position.value();
    }
  });
  std::uint64_t position = 0;
  for (int run = 0; run < 40; ++run) {
    const std::uint64_t before = acknowledged;
    const auto report =
        Backup(folder / "s", folder / "b", {.fast = run % 3 != 0, .access = access});
    REQUIRE_OK(report);
    REQUIRE(report->position.value() >= before);
    REQUIRE(report->position.value() % 3 == 0);  // no half commit
    REQUIRE(report->position.value() >= position);
    position = report->position.value();
  }
  stop = true;
  writer.join();
  REQUIRE_OK(appended);
  const Tree log = ReadTree(folder / "s" / "log");
  REQUIRE(log.size() > 4);
  REQUIRE_OK(Restore(folder / "b", folder / "r", {}));
  const auto all = EventsOf(folder / "s");
  const auto restored = EventsOf(folder / "r");
  REQUIRE(restored.size() == position);
  for (const auto& [at, text] : restored) REQUIRE(text == all.at(at));
}

TEST_CASE("what cannot be backed up there is refused, and nothing is changed") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  const Tree before = ReadTree(at.backup());
  absl::Status status;
  std::string words;
  SECTION("another store") {
    const SmallStore other;
    status = Backup(other.path(), at.backup(), {}).status();
    words = "another store";
  }
  SECTION("another incarnation") {
    REQUIRE_OK(Restore(at.backup(), at.restored(), {}));
    status = Backup(at.restored(), at.backup(), {}).status();
    words = "incarnation";
  }
  SECTION("a copy that went another way within a segment") {
    REQUIRE_OK(AppendOne(at.store.path()));
    at.store.CopyTo(at.folder / "copy");
    REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
    WriteTree(at.backup(), ReadTree(at.backup()));
    REQUIRE_OK(AppendOne(at.folder / "copy"));
    REQUIRE_OK(AppendOne(at.folder / "copy"));
    const Tree now = ReadTree(at.backup());
    status = Backup(at.folder / "copy", at.backup(), {}).status();
    CHECK(ReadTree(at.backup()) == now);
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()), HasText("another way"));
    return;
  }
  SECTION("a store that has lost what the backup has") {
    const RecordPlace& last = at.store.record(150);
    const std::uint64_t from = GENERATE_COPY(last.begin - 160, last.begin / 64 * 64 - 1024);
    at.store.Zero(last.file, from, (16 << 10) - from);
    status = Backup(at.store.path(), at.backup(), {}).status();
    CHECK(absl::IsDataLoss(status));
    CHECK_THAT(std::string(status.message()), HasText("--from-backup"));
    CHECK(ReadTree(at.backup()) == before);
    return;
  }
  CHECK(absl::IsFailedPrecondition(status));
  CHECK_THAT(std::string(status.message()), HasText(words));
  CHECK(ReadTree(at.backup()) == before);
}

TEST_CASE("a folder that holds other things is no place for a backup or a store") {
  const Places at;
  fs::create_directory(at.backup());
  std::ofstream(at.backup() / "letter") << "x";
  CHECK(absl::IsInvalidArgument(Backup(at.store.path(), at.backup(), {}).status()));
  CHECK(absl::IsInvalidArgument(Backup(at.store.path(), at.store.path(), {}).status()));
  CHECK(ReadTree(at.store.path()) == at.store.tree());
  CHECK(absl::IsNotFound(Backup(at.folder / "none", at.folder / "b", {}).status()));
  CHECK_FALSE(fs::exists(at.folder / "b"));
  CHECK(absl::IsNotFound(Restore(at.folder / "none", at.restored(), {}).status()));
  CHECK_FALSE(fs::exists(at.restored()));
  REQUIRE_OK(Backup(at.store.path(), at.folder / "b", {}));
  CHECK(absl::IsInvalidArgument(Restore(at.folder / "b", at.backup(), {}).status()));
  CHECK(absl::IsInvalidArgument(Restore(at.folder / "b", at.store.path(), {}).status()));
}

TEST_CASE("one run at a time writes to a backup") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  File lock = File::OpenOrCreate(at.backup() / "LOCK").value();
  REQUIRE(lock.TryLockExclusive().value());
  CHECK(absl::IsUnavailable(Backup(at.store.path(), at.backup(), {}).status()));
}

TEST_CASE("a flipped bit anywhere in a backup is found by the next run, by verify and by restore") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  const bool is_short = std::getenv("DAYBOOK_TEST_SHORT") != nullptr;
  int flipped = 0;
  for (const auto& [name, bytes] : ReadTree(at.backup())) {
    if (bytes.empty()) continue;  // LOCK
    const std::size_t step = (name == "MANIFEST" ? 1 : 61) * (is_short ? 17 : 1);
    for (std::size_t offset = 0; offset < bytes.size(); offset += step) {
      CAPTURE(name, offset);
      Flip(at.backup() / name, offset, static_cast<unsigned>(offset % 8));
      const absl::Status next = Backup(at.store.path(), at.backup(), {}).status();
      // The format number of the manifest may say that it is newer.
      const bool newer = name == "MANIFEST" && offset >= 8 && offset < 12;
      REQUIRE((newer ? absl::IsFailedPrecondition(next) : absl::IsDataLoss(next)));
      const absl::Status restored = Restore(at.backup(), at.restored(), {}).status();
      REQUIRE(restored.code() == next.code());
      REQUIRE_FALSE(fs::exists(at.restored() / "STORE"));
      const auto verified = VerifyBackup(at.backup(), {});
      REQUIRE((newer ? absl::IsFailedPrecondition(verified.status())
                     : verified.ok() && verified->findings.size() == 1));
      fs::remove_all(at.restored());
      Flip(at.backup() / name, offset, static_cast<unsigned>(offset % 8));
      ++flipped;
    }
  }
  CHECK(flipped > (is_short ? 60 : 1500));
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
}

TEST_CASE("a fast run finds what the new part stands on") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  REQUIRE_OK(AppendOne(at.store.path()));
  const fs::path last = at.backup() / at.store.segments().back();
  const fs::path first = at.backup() / at.store.segments().front();
  SECTION("the segment that goes on, all of it") {
    Flip(last, 5000);
    CHECK(absl::IsDataLoss(Backup(at.store.path(), at.backup(), {.fast = true}).status()));
  }
  SECTION("the last frame of another") {
    Flip(first, fs::file_size(first) - 100);
    CHECK(absl::IsDataLoss(Backup(at.store.path(), at.backup(), {.fast = true}).status()));
  }
  SECTION("a file that is cut off") {
    fs::resize_file(first, fs::file_size(first) - 64);
    CHECK(absl::IsDataLoss(Backup(at.store.path(), at.backup(), {.fast = true}).status()));
  }
  SECTION("but not what lies between, which it does not say to be verified") {
    Flip(first, 5000);
    const auto report = Backup(at.store.path(), at.backup(), {.fast = true});
    REQUIRE_OK(report);
    CHECK_FALSE(report->verified);
  }
}

TEST_CASE("damage of the store is not copied, and the backup stays as it was") {
  const Places at;
  const bool last = GENERATE(true, false);
  const std::uint64_t position = last ? 149 : 20;
  at.store.Flip(at.store.record(position).file, at.store.record(position).end - 20);
  const auto report = Backup(at.store.path(), at.backup(), {});
  REQUIRE(absl::IsDataLoss(report.status()));
  const auto damage = DamageOf(report.status());
  REQUIRE(damage);
  CHECK(damage->file == at.store.record(position).file);
  CHECK(absl::IsFailedPrecondition(Restore(at.backup(), at.restored(), {}).status()));
  at.store.Restore();
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
}

TEST_CASE("events that a repair gave up are no obstacle to a backup, and stay given up") {
  const Places at;
  const RecordPlace& record = at.store.record(20);
  at.store.Zero(record.file, record.begin, record.end - record.begin);
  REQUIRE_OK(Repair(at.store.path(), {.accept_loss = true}));
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  REQUIRE_OK(Restore(at.backup(), at.restored(), {}));
  const EventsRead original = ReadEvents(at.store.path());
  const EventsRead restored = ReadEvents(at.restored());
  CHECK(original.damaged == std::vector<std::uint64_t>{20});
  CHECK(restored.damaged == original.damaged);
  CHECK(restored.events == original.events);
  for (const Finding& finding : FindingsOf(at.restored())) CHECK(finding.kind == "lost");
}

TEST_CASE("a restore that was interrupted is no store, and the next one says what to do") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  REQUIRE_OK(Restore(at.backup(), at.restored(), {}));
  fs::rename(at.restored() / "STORE", at.restored() / "RESTORING");
  CHECK(absl::IsNotFound(Reader::Open(at.restored(), {}).status()));
  CHECK(absl::IsInvalidArgument(Store::Open(at.restored(), {}).status()));
  const absl::Status again = Restore(at.backup(), at.restored(), {}).status();
  CHECK(absl::IsInvalidArgument(again));
  CHECK_THAT(std::string(again.message()), HasText("remove the folder"));
}

TEST_CASE("what a sink was told is in every backup, and the log's derived files are not") {
  const Places at;
  fs::create_directories(at.store.path() / "publish" / "bus" / "dead");
  std::ofstream(at.store.path() / "publish" / "bus" / "cursor") << "150";
  std::ofstream(at.store.path() / "publish" / "bus" / "dead" / "1") << "poison";
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  std::ofstream(at.store.path() / "publish" / "bus" / "cursor") << "151";
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  for (const auto& [name, bytes] : ReadTree(at.backup())) {
    CAPTURE(name);
    CHECK((name == "MANIFEST" || name == "LOCK" || name.ends_with(".log") ||
           name.starts_with("files/2/publish/bus/")));
  }
  REQUIRE_OK(Restore(at.backup(), at.restored(), {}));
  const Tree restored = ReadTree(at.restored());
  CHECK(restored.at("publish/bus/cursor") == "151");
  CHECK(restored.at("publish/bus/dead/1") == "poison");
  Flip(at.backup() / "files/2/publish/bus/cursor", 1);
  CHECK(absl::IsDataLoss(Backup(at.store.path(), at.backup(), {}).status()));
  CHECK(FindingsOf(at.backup()).size() == 1);
}

TEST_CASE("a repair takes from a backup what the log has lost, its end too") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  const Tree tree = at.store.tree();
  SECTION("two flipped bits") {
    at.store.Flip(at.store.record(20).file, at.store.record(20).end - 20);
    at.store.Flip(at.store.record(20).file, at.store.record(20).end - 30);
  }
  SECTION("a segment's file") { at.store.Remove(at.store.segments()[1]); }
  SECTION("all of its files") {
    for (const std::string& file : at.store.segments()) at.store.Remove(file);
  }
  SECTION("the last events, and every witness of them") {
    const RecordPlace& place = at.store.record(149);
    const std::uint64_t begin = place.begin / 64 * 64 - 192;
    at.store.Zero(place.file, begin, (16 << 10) - begin);
    at.store.Remove("WAKE");
  }
  SECTION("STORE") { at.store.Zero("STORE", 40, 40); }
  REQUIRE_OK(Repair(at.store.path(), {.from_backup = at.backup()}));
  // A reader believes the last events once a writer has made sure of them.
  REQUIRE_OK(Store::Open(at.store.path(), {.segment_bytes_max = 16 << 10}));
  CHECK(EventsOf(at.store.path()) == at.store.events().events);
  CHECK(FindingsOf(at.store.path()).empty());
}

TEST_CASE("a restored store is repaired from the backup that it was made of") {
  const Places at;
  REQUIRE_OK(Backup(at.store.path(), at.backup(), {}));
  REQUIRE_OK(Restore(at.backup(), at.restored(), {}));
  REQUIRE_OK(AppendOne(at.restored()));
  const RecordPlace& place = at.store.record(20);
  Flip(at.restored() / place.file, place.end - 20);
  Flip(at.restored() / place.file, place.end - 30);
  CHECK(absl::IsDataLoss(Repair(at.restored(), {}).status()));
  REQUIRE_OK(Repair(at.restored(), {.from_backup = at.backup()}));
  CHECK(FindingsOf(at.restored()).empty());
  CHECK(EventsOf(at.restored()).size() == 151);
  // An inherited segment's header is made again with the incarnation that it had.
  const std::string before = ReadTree(at.restored()).at(place.file);
  Flip(at.restored() / place.file, 60);
  Flip(at.restored() / place.file, 61);
  REQUIRE_OK(Repair(at.restored(), {}));
  CHECK(ReadTree(at.restored()).at(place.file) == before);
}

TEST_CASE("a disk that is full leaves the backup as it was, and the next run goes on") {
  const absl::Status status = InChild([]() -> absl::Status {
    const TempFolder folder;
    const fs::path disk = folder / "disk";
    fs::create_directory(disk);
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=400k") != 0) {
      return absl::UnavailableError("mount is not allowed");
    }
    const SmallStore store;
    DAYBOOK_EXPECT_OK(Backup(store.path(), disk / "b", {}));
    for (int i = 0; i < 400; ++i) DAYBOOK_EXPECT_OK(AppendOne(store.path()));
    std::ofstream(disk / "filler") << std::string((200 << 10), 'f');
    const absl::Status full = Backup(store.path(), disk / "b", {}).status();
    DAYBOOK_EXPECT(absl::IsResourceExhausted(full));
    const auto verified = VerifyBackup(disk / "b", {});
    DAYBOOK_EXPECT_OK(verified);
    DAYBOOK_EXPECT(verified->ok() && verified->positions == 150);
    const absl::Status restored = Restore(disk / "b", disk / "r", {}).status();
    DAYBOOK_EXPECT(absl::IsResourceExhausted(restored));
    DAYBOOK_EXPECT(!fs::exists(disk / "r" / "STORE"));
    fs::remove_all(disk / "r");
    fs::remove(disk / "filler");
    const auto after = Backup(store.path(), disk / "b", {});
    DAYBOOK_EXPECT_OK(after);
    DAYBOOK_EXPECT(after->position == Position(550));
    return absl::OkStatus();
  });
  if (absl::IsUnavailable(status)) {
    WARN("SKIPPED: " << status.message());
    return;
  }
  REQUIRE_OK(status);
}

}  // namespace daybook::testing
