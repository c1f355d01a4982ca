#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "daybook/store.h"
#include "io/directory.h"
#include "log/format.h"
#include "store/verify_check.h"
#include "tests/catch.h"
#include "tests/corruption/small_store.h"

namespace daybook::testing {
namespace {

std::vector<Finding> FindingsOf(const std::filesystem::path& path) {
  const auto report = Verify(path, {});
  REQUIRE_OK(report);
  return report->findings;
}

// The files in quarantine/ of a tree.
Tree QuarantineOf(const Tree& tree) {
  Tree found;
  for (const auto& [name, bytes] : tree) {
    if (name.starts_with("quarantine/")) found[name] = bytes;
  }
  return found;
}

void CheckLogIsAsItWas(const SmallStore& store) {
  const Tree tree = ReadTree(store.path());
  for (const std::string& file : store.segments()) CHECK(tree.at(file) == store.tree().at(file));
  CHECK(tree.at("STORE") == store.tree().at("STORE"));
}

// The offset of the frame whose first record is that of the position.
std::uint64_t FrameOf(const SmallStore& store, std::uint64_t position) {
  return store.record(position).begin - sizeof(CommitHeader) - sizeof(FrameHeader);
}

// The first position of a segment, by its place in the list.
std::uint64_t FirstOf(const SmallStore& store, std::size_t segment) {
  return FirstPositionOf(std::filesystem::path(store.segments()[segment]).filename().string());
}

TEST_CASE("a whole store needs no repair") {
  const SmallStore store;
  const auto report = Repair(store.path(), {.accept_loss = true});
  REQUIRE_OK(report);
  CHECK(report->rebuilt + report->quarantined + report->restored + report->lost == 0);
  CHECK(ReadTree(store.path()) == store.tree());
}

TEST_CASE("a store that is open is not repaired, and what is no store is left alone") {
  const SmallStore store;
  {
    const auto open = Store::Open(store.path(), {});
    REQUIRE_OK(open);
    CHECK(absl::IsUnavailable(Repair(store.path(), {}).status()));
    CHECK(absl::IsUnavailable(Repair(store.path(), {.dry_run = true}).status()));
  }
  const TempFolder empty;
  CHECK(absl::IsNotFound(Repair(empty.path(), {}).status()));
  CHECK(std::filesystem::is_empty(empty.path()));
}

TEST_CASE("one flipped bit is found and flipped back, and a copy of the damage is kept") {
  const SmallStore store;
  const RecordPlace& record = store.record(20);
  store.Flip(record.file, record.end - 20, 5);
  const std::string damaged = ReadTree(store.path()).at(record.file);
  const auto report = Repair(store.path(), {});
  REQUIRE_OK(report);
  CHECK(report->restored == 1);
  CHECK(report->quarantined == 1);
  CHECK(report->lost == 0);
  CheckLogIsAsItWas(store);
  CHECK(FindingsOf(store.path()).empty());
  const Tree quarantine = QuarantineOf(ReadTree(store.path()));
  REQUIRE(quarantine.size() == 1);
  CHECK(damaged.find(quarantine.begin()->second) != std::string::npos);
  CHECK_THAT(quarantine.begin()->first,
             HasText(std::filesystem::path(record.file).filename().string()));
}

TEST_CASE("two flipped bits in two events of one frame are both flipped back") {
  const SmallStore store;
  std::uint64_t position = 10;  // two events of one commit
  while (store.record(position).end != store.record(position + 1).begin) ++position;
  store.Flip(store.record(position).file, store.record(position).end - 20);
  store.Flip(store.record(position).file, store.record(position + 1).begin + 3);
  const auto report = Repair(store.path(), {});
  REQUIRE_OK(report);
  CHECK(report->restored == 2);
  CheckLogIsAsItWas(store);
}

TEST_CASE("two flipped bits in one event are not guessed at") {
  const SmallStore store;
  const RecordPlace& record = store.record(20);
  store.Flip(record.file, record.end - 20);
  store.Flip(record.file, record.end - 30);
  const absl::Status status = Repair(store.path(), {}).status();
  REQUIRE(absl::IsDataLoss(status));
  const auto damage = DamageOf(status);
  REQUIRE(damage);
  CHECK(damage->file == record.file);
  CHECK(damage->first_position == Position(20));
  CHECK_THAT(std::string(status.message()), HasText("backup"));
  CHECK(QuarantineOf(ReadTree(store.path())).size() == 1);
  // Asked again it finds the same, and copies nothing again.
  CHECK(absl::IsDataLoss(Repair(store.path(), {}).status()));
  CHECK(QuarantineOf(ReadTree(store.path())).size() == 1);
}

TEST_CASE("a frame header that is gone is made again from what stands around it") {
  const SmallStore store;
  const std::uint64_t first = FirstOf(store, 1);
  store.Zero(store.segments()[1], FrameOf(store, first), sizeof(FrameHeader));
  REQUIRE_OK(Repair(store.path(), {}));
  CheckLogIsAsItWas(store);
}

TEST_CASE("a seal that is gone is made again, since the next segment names its hash") {
  const SmallStore store;
  const std::string& file = store.segments().front();
  const std::uint64_t end = RoundUp(store.tree().at(file).find_last_not_of('\0'), 64);
  store.Zero(file, end - sizeof(FrameHeader), sizeof(FrameHeader));
  REQUIRE_OK(Repair(store.path(), {}));
  CheckLogIsAsItWas(store);
}

TEST_CASE("a segment header with many flipped bits is made again from what the log says") {
  const SmallStore store;
  for (const std::string& file : store.segments()) {
    for (std::uint64_t at = 0; at < 72; at += 3) store.Flip(file, at, at % 8);
    for (std::uint64_t at = 80; at < 128; at += 3) store.Flip(file, at, at % 8);
  }
  const auto report = Repair(store.path(), {});
  REQUIRE_OK(report);
  CHECK(report->restored > 0);
  CheckLogIsAsItWas(store);
}

TEST_CASE("STORE is mended by its bit, by a backup, or made anew") {
  const SmallStore store;
  const TempFolder other;
  store.CopyTo(other / "backup");
  store.Flip("STORE", 70);
  REQUIRE_OK(Repair(store.path(), {}));
  CheckLogIsAsItWas(store);
  store.Zero("STORE", 0, 200);
  CHECK(absl::IsDataLoss(Repair(store.path(), {}).status()));
  REQUIRE_OK(Repair(store.path(), {.from_backup = other / "backup"}));
  CheckLogIsAsItWas(store);
  store.Zero("STORE", 0, 200);
  REQUIRE_OK(Repair(store.path(), {.accept_loss = true}));
  CHECK(FindingsOf(store.path()).empty());
  CHECK(ReadEvents(store.path()).events == store.events().events);
}

TEST_CASE("what is derived and damaged is made again, and what it says is the same") {
  const SmallStore store;
  for (const auto& [file, bytes] : store.tree()) {
    if (!file.ends_with(".idx") && file != "index/data.mdb") continue;
    store.Zero(file, bytes.size() / 2, 100);
    store.Zero(file, 200, 100);
  }
  const std::size_t findings = FindingsOf(store.path()).size();
  REQUIRE(findings >= 3);
  const auto report = Repair(store.path(), {});
  REQUIRE_OK(report);
  CHECK(report->rebuilt == findings);
  CHECK(report->quarantined == 0);
  CHECK(FindingsOf(store.path()).empty());
  const Tree tree = ReadTree(store.path());
  for (const auto& [file, bytes] : store.tree()) {
    if (file.ends_with(".idx")) CHECK(tree.at(file) == bytes);
  }
  REQUIRE_OK(AppendOne(store.path()));  // which makes index/ again
  CHECK(FindingsOf(store.path()).empty());
}

TEST_CASE("a copy of another store is refused as a backup") {
  const SmallStore store, other;
  store.Flip(store.record(20).file, store.record(20).end - 20);
  CHECK(absl::IsFailedPrecondition(Repair(store.path(), {.from_backup = other.path()}).status()));
}

TEST_CASE("a backup that is damaged itself gives only what proves itself") {
  const SmallStore store;
  const TempFolder folder;
  store.CopyTo(folder / "backup");
  const RecordPlace& record = store.record(20);
  store.Zero(record.file, record.begin, 80);
  std::fstream(folder / "backup" / record.file, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(record.begin + 10))
      .put('x');
  CHECK(absl::IsDataLoss(Repair(store.path(), {.from_backup = folder / "backup"}).status()));
}

// Gives up what cannot be mended; what is left must be what the findings named before.
RepairReport AcceptLoss(const SmallStore& store) {
  const auto report = Repair(store.path(), {.accept_loss = true});
  REQUIRE_OK(report);
  for (const Finding& finding : FindingsOf(store.path())) {
    if (finding.kind != "lost") FAIL_CHECK(ToText(finding));
  }
  return *report;
}

TEST_CASE("an event that is given up is recorded, and reads over it say so for ever") {
  const SmallStore store;
  const RecordPlace& record = store.record(20);
  store.Zero(record.file, record.begin + 8, 90);
  const RepairReport report = AcceptLoss(store);
  CHECK(report.lost == 1);
  CHECK(report.quarantined == 1);
  const EventsRead read = ReadEvents(store.path());
  CHECK(read.damaged == std::vector<std::uint64_t>{20});
  CHECK(read.events.size() == store.events().events.size());  // one less, and the record of it
  const auto reader = Reader::Open(store.path(), {});
  REQUIRE_OK(reader);
  const auto event = (*reader)->EventAt(kStoreStream, Version(1));
  REQUIRE_OK(event);
  CHECK((*event)->type == kLossAcceptedType);
  const auto loss = ParseAcceptedLoss(AsText((*event)->data));
  REQUIRE(loss);
  CHECK(loss->file == record.file);
  CHECK(loss->positions.first == 20);
  CHECK(loss->positions.last == 20);
}

TEST_CASE("a segment that is gone is given up, and all others stay readable") {
  const SmallStore store;
  const std::uint64_t head = store.events().events.size();
  for (std::size_t i = 0; i < store.segments().size(); ++i) {
    CAPTURE(i);
    store.Remove(store.segments()[i]);
    const std::uint64_t first = FirstOf(store, i);
    const std::uint64_t behind = i + 1 < store.segments().size() ? FirstOf(store, i + 1) : head + 1;
    const RepairReport report = AcceptLoss(store);
    CHECK(report.lost == behind - first);
    const auto appended = AppendOne(store.path());
    REQUIRE_OK(appended);
    CHECK(*appended > head);
    const EventsRead read = ReadEvents(store.path());
    CHECK(read.damaged.size() == behind - first);
    for (std::uint64_t position = 1; position <= head; ++position) {
      if (position >= first && position < behind) continue;
      REQUIRE(read.events.at(position) == store.events().events.at(position));
    }
    store.Restore();
  }
}

TEST_CASE("a segment whose salt is gone is given up whole") {
  const SmallStore store;
  const std::uint64_t head = store.events().events.size();
  for (std::size_t i = 0; i < store.segments().size(); ++i) {
    CAPTURE(i);
    store.Zero(store.segments()[i], 0, 256);
    if (i + 1 == store.segments().size()) store.Remove("WAKE");  // only the records say how many
    const RepairReport report = AcceptLoss(store);
    CHECK(report.lost > 0);
    const auto appended = AppendOne(store.path());
    REQUIRE_OK(appended);
    CHECK(*appended > head);
    store.Restore();
  }
}

TEST_CASE("damage in the active segment closes it where it is, and the log goes on behind") {
  const SmallStore store;
  const std::string& file = store.segments().back();
  const std::uint64_t head = store.events().events.size();
  const std::uint64_t first = FirstOf(store, store.segments().size() - 1);
  REQUIRE(head > first + 2);
  store.Zero(file, store.record(first + 1).begin, 200);
  CHECK(absl::IsDataLoss(Store::Open(store.path(), {}).status()));
  const RepairReport report = AcceptLoss(store);
  CHECK(report.lost > 0);
  CHECK(Directory::Exists(store.path() / "log" / SegmentFileName(head + 1)));
  const EventsRead read = ReadEvents(store.path());
  CHECK(read.events.contains(head));
  CHECK(read.events.contains(head + 1));
  CHECK(read.damaged.size() == report.lost);
  REQUIRE_OK(AppendOne(store.path()));
}

TEST_CASE("positions that only WAKE saw are not used again") {
  const SmallStore store;
  const std::string& file = store.segments().back();
  const std::uint64_t first = FirstOf(store, store.segments().size() - 1);
  const std::uint64_t head = store.events().events.size();
  const std::uint64_t frame = FrameOf(store, first);
  store.Zero(file, frame, (std::uint64_t{16} << 10) - frame);
  const RepairReport report = AcceptLoss(store);
  CHECK(report.lost == head + 1 - first);
  const EventsRead read = ReadEvents(store.path());
  CHECK(read.damaged.size() == head + 1 - first);
  CHECK(read.events.contains(head + 1));
}

TEST_CASE("a store with accepted losses opens without anything that is derived") {
  const SmallStore store;
  const std::uint64_t head = store.events().events.size();
  const RecordPlace& record = store.record(20);
  store.Zero(record.file, record.begin + 8, 90);
  store.Remove(store.segments()[1]);
  const std::uint64_t first = FirstOf(store, store.segments().size() - 1);
  store.Zero(store.segments().back(), store.record(first + 1).begin, 200);
  AcceptLoss(store);
  for (const auto& [file, bytes] : ReadTree(store.path())) {
    if (IsDerived(file)) store.Remove(file);
  }
  const auto appended = AppendOne(store.path());
  REQUIRE_OK(appended);
  CHECK(*appended > head);
  const EventsRead read = ReadEvents(store.path());
  for (const auto& [position, text] : read.events) {
    if (position <= head) CHECK(text == store.events().events.at(position));
  }
  CHECK(read.events.contains(1));
  CHECK(read.events.contains(first - 1));
  for (const Finding& finding : FindingsOf(store.path())) {
    if (finding.kind != "lost") FAIL_CHECK(ToText(finding));
  }
}

TEST_CASE("a file of another store is not written over") {
  const SmallStore store, other;
  const std::string& file = store.segments()[1];
  std::ofstream(store.path() / file, std::ios::binary) << other.tree().at(other.segments()[1]);
  const std::string foreign = ReadTree(store.path()).at(file);
  CHECK(absl::IsDataLoss(Repair(store.path(), {.accept_loss = true}).status()));
  CHECK(ReadTree(store.path()).at(file) == foreign);
}

TEST_CASE("a repair that is killed anywhere can be run again") {
  const SmallStore store;
  const std::uint64_t head = store.events().events.size();
  for (int i = 0; i < 60; ++i) {
    store.Zero(store.segments()[0], 5000, 512);
    store.Remove(store.segments()[1]);
    store.Zero(store.segments().back(), 0, 256);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(Repair(store.path(), {.accept_loss = true}).ok() ? 0 : 1);
    std::this_thread::sleep_for(std::chrono::microseconds(100 * i));
    kill(child, SIGKILL);
    int ended = 0;
    REQUIRE(waitpid(child, &ended, 0) == child);
    AcceptLoss(store);
    const auto appended = AppendOne(store.path());
    REQUIRE_OK(appended);
    CHECK(*appended > head);
    const EventsRead read = ReadEvents(store.path());
    for (const auto& [position, text] : read.events) {
      if (position <= head) REQUIRE(text == store.events().events.at(position));
    }
    store.Restore();
  }
}

}  // namespace
}  // namespace daybook::testing
