// What came out of damaging a store in every place (daybook_damage does that), and what a repair
// makes of it. DAYBOOK_SOAK=1 in the environment makes it every bit and every byte.

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
bool IsShort() { return std::getenv("DAYBOOK_TEST_SHORT") != nullptr; }

std::vector<Finding> FindingsOf(const SmallStore& store) {
  const auto report = Verify(store.path(), {});
  REQUIRE_OK(report);
  return report->findings;
}

bool Covers(const std::vector<Finding>& findings, std::uint64_t position) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.first_position.value() <= position && position <= finding.last_position.value();
  });
}

// Of the bytes that are not zero every one, or every third in a short run; of the others some.
std::vector<std::uint64_t> OffsetsOf(const std::string& bytes) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < bytes.size(); ++i) {
    const bool is_picked = bytes[i] != 0 && (!IsShort() || i % 3 == 0);
    if (IsSoak() || is_picked || i % 61 == 0) offsets.push_back(i);
  }
  return offsets;
}

// Where the last frame of a segment begins that ends in a mark or a seal.
std::uint64_t LastMark(const std::string& bytes) {
  return RoundUp(bytes.find_last_not_of('\0') + 1, kFrameAlignment) - sizeof(FrameHeader);
}

// A store whose last segment is sealed, as closing leaves a large one.
void EndInSeal(const SmallStore& store) {
  store.Remove(store.segments().back());
  store.Remove("WAKE");
  std::filesystem::remove_all(store.path() / "index");
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  const auto opened = Store::Open(store.path(), options);
  REQUIRE_OK(opened);
  REQUIRE_OK((*opened)->WaitIndexed());
}

TEST_CASE("as of a version behind the damage a reader says what is damaged") {
  const SmallStore store;
  const auto whole = Reader::Open(store.path(), {});
  REQUIRE_OK(whole);
  const auto head = (*whole)->Head("account-0");
  REQUIRE_OK(head);
  store.Flip(store.segments()[1], 92, 4);  // its header
  const auto reader = Reader::Open(store.path(), {});
  REQUIRE_OK(reader);
  const auto is_named = [&](const absl::Status& status) {
    const auto damage = DamageOf(status);
    return absl::IsDataLoss(status) && damage && damage->file == store.segments()[1];
  };
  const AsOf then = AsOf::AtVersion(head->version);
  CHECK(is_named((*reader)->Read({.stream = "account-0", .as_of = then}).status()));
  CHECK(is_named((*reader)->Head("account-0", then).status()));
  CHECK(is_named((*reader)->Read({.to_position = head->last_position}).status()));
  CHECK(is_named((*reader)->Read({.from_position = head->last_position}).status()));
  ReadOptions versions{.stream = "account-0"};
  versions.to_version = head->version;
  CHECK(is_named((*reader)->Read(versions).status()));
}

TEST_CASE("a sealed segment that was cut off is named, not the one behind it") {
  const SmallStore store;
  store.Truncate(store.segments()[1], 8000);
  const auto opened = AppendOne(store.path());
  REQUIRE(absl::IsDataLoss(opened.status()));
  const auto damage = DamageOf(opened.status());
  REQUIRE(damage.has_value());
  CHECK(damage->file == store.segments()[1]);
  CHECK(damage->offset == 8000);
}

TEST_CASE("a reader says that the last segment is cut off, though nothing saw how far it went") {
  const SmallStore store;
  store.Remove("WAKE");
  const std::string& last = store.segments().back();
  for (const std::uint64_t size : {4096U, 5000U, 16000U}) {
    store.Truncate(last, size);
    const auto reader = Reader::Open(store.path(), {});
    REQUIRE_OK(reader);
    auto cursor = (*reader)->Read({});
    REQUIRE_OK(cursor);
    const absl::Status end = cursor->ForEach([](const EventView&) { return absl::OkStatus(); });
    REQUIRE(absl::IsDataLoss(end));
    const auto damage = DamageOf(end);
    REQUIRE(damage.has_value());
    CHECK(damage->file == last);
    store.Restore();
    store.Remove("WAKE");
  }
}

TEST_CASE("events that stand in another place of a damaged segment leave its sidecar alone") {
  const SmallStore store;
  const std::string& file = store.segments()[1];
  const std::string& bytes = store.tree().at(file);
  // Every sector changes places with the next one: among these are whole events that moved.
  for (std::uint64_t at = kSegmentHeaderBytes; at + 1024 <= bytes.size(); at += 512) {
    store.Write(file, at, bytes.substr(at + 512, 512) + bytes.substr(at, 512));
    for (const Finding& finding : FindingsOf(store)) {
      if (finding.file != file) FAIL(at << ": " << ToText(finding));
    }
    store.Restore();
  }
}

TEST_CASE("a damaged WAKE is told of by who opens the store") {
  const SmallStore store;
  const auto told = [&](const auto& open) {
    bool is_told = false;
    open([&](const Notice& notice) {
      is_told = is_told || notice.message.starts_with("WAKE is damaged");
    });
    return is_told;
  };
  const auto read = [&](const NoticeHandler& handler) {
    ReaderOptions options;
    options.on_notice = handler;
    REQUIRE_OK(Reader::Open(store.path(), options));
  };
  const auto write = [&](const NoticeHandler& handler) {
    StoreOptions options;
    options.on_notice = handler;
    REQUIRE_OK(Store::Open(store.path(), options));
  };
  CHECK_FALSE(told(read));
  store.Flip("WAKE", 40, 1);
  CHECK(told(read));
  CHECK(told(write));
  CHECK_FALSE(told(read));
  store.Truncate("WAKE", 100);
  CHECK(told(read));
  CHECK(told(write));
}

TEST_CASE("where the seal of the last segment is damaged, nothing stays of what named it") {
  const SmallStore store;
  EndInSeal(store);
  CHECK(FindingsOf(store).empty());
  const std::string last = store.segments()[store.segments().size() - 2];
  const EventsRead before = ReadEvents(store.path());
  store.Flip(last, LastMark(store.tree().at(last)) + 8, 2);
  CHECK_FALSE(FindingsOf(store).empty());
  CHECK(ReadEvents(store.path()).events == before.events);
  const auto appended = AppendOne(store.path());
  REQUIRE_OK(appended);
  CHECK(*appended == before.events.size() + 1);
  for (const Finding& finding : FindingsOf(store)) FAIL(ToText(finding));
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
