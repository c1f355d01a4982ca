// Damages a small store in every place, one at a time. DAYBOOK_SOAK=1 in the environment makes it
// every bit and every byte.

#include <cstdlib>
#include <set>
#include <string>

#include "daybook/store.h"
#include "log/format.h"
#include "tests/catch.h"
#include "tests/corruption/small_store.h"

namespace daybook::testing {
namespace {

bool IsSoak() { return std::getenv("DAYBOOK_SOAK") != nullptr; }

std::vector<Finding> FindingsOf(const SmallStore& store) {
  const auto report = Verify(store.path(), {});
  REQUIRE_OK(report);
  return report->findings;
}

bool Names(const std::vector<Finding>& findings, const std::string& file) {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& finding) { return finding.file == file; });
}

bool Covers(const std::vector<Finding>& findings, std::uint64_t position) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.first_position.value() <= position && position <= finding.last_position.value();
  });
}

// What a reader still gives is what was written, and nothing else.
void CheckReadsAreTrue(const SmallStore& store, const EventsRead& read) {
  for (const auto& [position, text] : read.events) {
    if (text != store.events().events.at(position)) FAIL("another event at " << position);
  }
}

// Found, naming the file and the event; or not found, and then every read is as before.
void CheckDamage(const SmallStore& store, const std::string& file, std::uint64_t offset) {
  const std::vector<Finding> findings = FindingsOf(store);
  if (findings.empty()) {
    const EventsRead read = ReadEvents(store.path());
    if (!read.status.ok() || read.events != store.events().events) {
      FAIL("damage at " << file << " " << offset << " was not found, and reads differ");
    }
    return;
  }
  if (!Names(findings, file)) {
    FAIL("damage at " << file << " " << offset << " was found as " << ToText(findings.front()));
  }
  if (!IsLogFile(file)) return;
  const std::optional<std::uint64_t> position = store.PositionAt(file, offset);
  if (position && !Covers(findings, *position)) {
    FAIL("damage at " << file << " " << offset << ", position " << *position << " was found as "
                      << ToText(findings.front()));
  }
}

// Every byte that is not zero, and some of those that are.
std::vector<std::uint64_t> OffsetsOf(const std::string& bytes) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < bytes.size(); ++i) {
    if (IsSoak() || bytes[i] != 0 || i % 61 == 0) offsets.push_back(i);
  }
  return offsets;
}

TEST_CASE("every flipped bit of the log is found, at its file and its event") {
  const SmallStore store;
  REQUIRE(store.segments().size() >= 3);
  std::uint64_t flips = 0;
  for (const auto& [file, bytes] : store.tree()) {
    if (!IsLogFile(file) && file != "STORE") continue;
    for (const std::uint64_t offset : OffsetsOf(bytes)) {
      for (unsigned bit = IsSoak() ? 0 : offset % 8; bit < 8; bit += IsSoak() ? 1 : 8) {
        store.Flip(file, offset, bit);
        CheckDamage(store, file, offset);
        store.Flip(file, offset, bit);
        ++flips;
      }
    }
  }
  CHECK(flips > 10'000);
  CHECK(FindingsOf(store).empty());
}

TEST_CASE("a flipped bit of what is derived is found or harmless, and reads stay true") {
  const SmallStore store;
  for (const auto& [file, bytes] : store.tree()) {
    if (!IsDerived(file)) continue;
    std::uint64_t n = 0;
    for (const std::uint64_t offset : OffsetsOf(bytes)) {
      if (!IsSoak() && n++ % 4 != 0) continue;
      store.Flip(file, offset, offset % 8);
      const std::vector<Finding> findings = FindingsOf(store);
      if (!findings.empty() && !Names(findings, file)) {
        FAIL("damage at " << file << " " << offset << " was found as " << ToText(findings.front()));
      }
      if (n % 16 == 0) {
        const EventsRead read = ReadEvents(store.path());
        CHECK_OK(read.status);
        CHECK(read.events == store.events().events);
      }
      store.Flip(file, offset, offset % 8);
    }
  }
  CHECK(FindingsOf(store).empty());
}

TEST_CASE("a file that is cut off anywhere is found, and reads stay true") {
  const SmallStore store;
  for (const auto& [file, bytes] : store.tree()) {
    if (!IsLogFile(file)) continue;
    for (std::uint64_t size = 0; size < bytes.size(); size += IsSoak() ? 64 : 320) {
      store.Truncate(file, size);
      const std::vector<Finding> findings = FindingsOf(store);
      if (!Names(findings, file)) FAIL("a cut of " << file << " at " << size << " was not found");
      for (const RecordPlace& record : store.records()) {
        if (record.file == file && record.end > size && !Covers(findings, record.position)) {
          FAIL("a cut of " << file << " at " << size << " does not name " << record.position);
        }
      }
      CheckReadsAreTrue(store, ReadEvents(store.path()));
      store.Restore();
    }
  }
}

TEST_CASE("a zeroed sector is found, and reads stay true") {
  const SmallStore store;
  constexpr std::uint64_t kSector = 512;
  for (const auto& [file, bytes] : store.tree()) {
    if (!IsLogFile(file) && !file.ends_with(".idx")) continue;
    for (std::uint64_t at = 0; at + kSector <= bytes.size(); at += kSector) {
      if (bytes.find_first_not_of('\0', at) >= at + kSector) continue;
      store.Zero(file, at, kSector);
      const std::vector<Finding> findings = FindingsOf(store);
      bool last_mark = false;  // a mark behind the last event may go: nothing rests on it
      if (findings.empty()) last_mark = ReadEvents(store.path()).events == store.events().events;
      if (!last_mark && !Names(findings, file)) FAIL(file << " " << at << " was not found");
      for (const RecordPlace& record : store.records()) {
        if (record.file == file && record.begin < at + kSector && record.end > at &&
            !Covers(findings, record.position)) {
          FAIL("a zeroed sector of " << file << " at " << at << " does not name "
                                     << record.position);
        }
      }
      CheckReadsAreTrue(store, ReadEvents(store.path()));
      store.Restore();
    }
  }
}

TEST_CASE("a repair brings every flipped bit of the log back, byte for byte") {
  const SmallStore store;
  std::uint64_t n = 0;
  for (const auto& [file, bytes] : store.tree()) {
    if (!IsLogFile(file) && file != "STORE") continue;
    for (const std::uint64_t offset : OffsetsOf(bytes)) {
      if (!IsSoak() && n++ % 23 != 0) continue;
      store.Flip(file, offset, offset % 8);
      if (!FindingsOf(store).empty()) {
        const auto repaired = Repair(store.path(), {});
        if (!repaired.ok()) FAIL(file << " " << offset << ": " << repaired.status());
        const Tree tree = ReadTree(store.path());
        if (tree.at(file) != bytes) FAIL(file << " " << offset << " is not as it was");
        if (!FindingsOf(store).empty()) FAIL(file << " " << offset << " has findings left");
      }
      store.Restore();
    }
  }
}

TEST_CASE("a repair from a backup brings zeroed sectors and cut files back, byte for byte") {
  const SmallStore store;
  const TempFolder other;
  store.CopyTo(other / "backup");
  const RepairOptions options{.from_backup = other / "backup"};
  const auto check = [&](const std::string& file, std::uint64_t at) {
    if (!FindingsOf(store).empty()) {
      const auto repaired = Repair(store.path(), options);
      if (!repaired.ok()) FAIL(file << " " << at << ": " << repaired.status());
      // A mark behind the last event of the log promises nothing, and its loss is none.
      const bool is_last = file == store.segments().back();
      const std::uint64_t end = is_last ? store.records().back().end : store.tree().at(file).size();
      const std::string repaired_bytes = ReadTree(store.path()).at(file);
      if (repaired_bytes.size() != store.tree().at(file).size() ||
          repaired_bytes.substr(0, end) != store.tree().at(file).substr(0, end)) {
        FAIL(file << " " << at << " is not as it was");
      }
      if (!FindingsOf(store).empty()) FAIL(file << " " << at << " has findings left");
    }
    store.Restore();
  };
  for (const std::string& file : store.segments()) {
    const std::string& bytes = store.tree().at(file);
    for (std::uint64_t at = 0; at + 512 <= bytes.size(); at += IsSoak() ? 512 : 1024) {
      store.Zero(file, at, 512);
      check(file, at);
      store.Truncate(file, at);
      check(file, at);
    }
    store.Remove(file);
    check(file, 0);
  }
}

TEST_CASE("accepted loss keeps every other event, and no position is used twice") {
  const SmallStore store;
  const std::uint64_t head = store.events().events.size();
  std::uint64_t n = 0;
  for (const std::string& file : store.segments()) {
    const std::string& bytes = store.tree().at(file);
    for (std::uint64_t at = 0; at + 512 <= bytes.size(); at += 512) {
      if (!IsSoak() && n++ % 3 != 0) continue;
      CAPTURE(file, at);
      store.Zero(file, at, 512);
      const std::vector<Finding> findings = FindingsOf(store);
      const auto repaired = Repair(store.path(), {.accept_loss = true});
      if (!repaired.ok()) FAIL(file << " " << at << ": " << repaired.status());
      const auto again = Repair(store.path(), {.accept_loss = true});
      REQUIRE_OK(again);
      if (again->lost + again->restored + again->quarantined + again->rebuilt != 0) {
        FAIL("a second repair of " << file << " " << at << " found something to do");
      }
      const auto appended = AppendOne(store.path());
      REQUIRE_OK(appended);
      CHECK(*appended > head);
      const EventsRead read = ReadEvents(store.path());
      REQUIRE_OK(read.status);
      CHECK(read.damaged.size() == repaired->lost);
      for (std::uint64_t position = 1; position <= head; ++position) {
        const auto found = read.events.find(position);
        if (found == read.events.end()) {
          if (!Covers(findings, position)) FAIL("position " << position << " was lost as well");
        } else if (found->second != store.events().events.at(position)) {
          FAIL("position " << position << " has another event");
        }
      }
      for (const Finding& finding : FindingsOf(store)) {
        if (finding.kind != "lost") FAIL("left: " << ToText(finding));
      }
      store.Restore();
    }
  }
}

TEST_CASE("a dry run changes no byte") {
  const SmallStore store;
  for (const std::string& file : store.segments()) {
    for (const std::uint64_t offset : {100U, 4096U, 4200U, 6000U, 9000U}) {
      store.Flip(file, offset, 3);
      if (offset == 9000U) store.Zero(file, offset, 512);
      const Tree before = ReadTree(store.path());
      for (const bool accept_loss : {false, true}) {
        const auto repaired = Repair(store.path(), {.dry_run = true, .accept_loss = accept_loss});
        CHECK((repaired.ok() || absl::IsDataLoss(repaired.status())));
        CHECK(ReadTree(store.path()) == before);
      }
      store.Restore();
    }
  }
}

}  // namespace
}  // namespace daybook::testing
