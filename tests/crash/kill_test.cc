// Writers and readers that are killed again and again, at any moment, in stores that live on.

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "crash/killed_writer.h"
#include "crash/process.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kKillsOfStore = 100;  // then a new one: each check reads all of it

struct KillTotals {
  std::uint64_t kills = 0, reader_kills = 0, acknowledged = 0, found = 0, seen = 0;
  std::uint64_t torn = 0, verified = 0, rebuilt = 0, by_reader = 0;
  Moments moments;
};

void RequireVerified(const fs::path& directory) {
  const auto report = Verify(directory, {});
  REQUIRE_OK(report);
  for (const Finding& finding : report->findings) {
    FAIL(finding.kind << " " << finding.file << " " << finding.offset << ": " << finding.hint);
  }
}

// What is left of the store after a kill holds what it must.
void CheckStore(const fs::path& directory, std::mt19937_64* random, bool acknowledged_is_durable,
                History* history, KillTotals* totals) {
  if ((*random)() % 7 == 0) {
    DeleteDerived(directory);
    ++totals->rebuilt;
  }
  if ((*random)() % 10 == 9) {
    RequireVerified(directory);
    ++totals->verified;
  }
  if (acknowledged_is_durable && (*random)() % 3 == 0) {
    // A reader sees at least what was acknowledged, and the next writer finds what the kill left.
    const auto reader = Reader::Open(directory, {});
    REQUIRE_OK(reader);
    REQUIRE(history->Check(**reader) == "");
    ++totals->by_reader;
    return;
  }
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16 << 10} << ((*random)() % 7);
  options.on_notice = [totals](const Notice& notice) {
    totals->torn += notice.message.find("are cleared") != std::string::npos ? 1 : 0;
  };
  const auto store = Store::Open(directory, options);
  REQUIRE_OK(store);
  REQUIRE(history->Check(**store) == "");
}

void KillInOneStore(std::uint64_t seed, int kills, bool small_segments, KillTotals* totals) {
  std::mt19937_64 random(seed);
  TempFolder folder;
  const fs::path directory = folder / "store";
  History history;
  for (int kill = 0; kill < kills; ++kill) {
    CAPTURE(seed, kill);
    Life life;
    life.seed = seed * 1000 + static_cast<std::uint64_t>(kill);
    life.lasts = std::chrono::microseconds(random() % 60000);
    life.from_start = random() % 8 == 0;
    life.small_segments = small_segments;
    life.readers = static_cast<int>(random() % 3);
    REQUIRE(LiveAndDie(directory, life, &history) == "");
    ++totals->kills;
    totals->reader_kills += static_cast<std::uint64_t>(life.readers);
    totals->moments.Look(directory);
    if (!fs::exists(directory / "STORE")) continue;
    CheckStore(directory, &random, life.seed % 4 != 3, &history, totals);
  }
  const auto store = Store::Open(directory, {});
  REQUIRE_OK(store);
  REQUIRE(history.Check(**store) == "");
  totals->acknowledged += history.acknowledged();
  totals->found += history.found();
  totals->seen += history.seen();
}

void Run(const std::string& suite, int kills, bool small_segments) {
  const std::uint64_t seed = Seed("daybook_crash_test '[kill]'");
  KillTotals totals;
  for (int done = 0; done < kills; done += kKillsOfStore) {
    KillInOneStore(seed + static_cast<std::uint64_t>(done), std::min(kKillsOfStore, kills - done),
                   small_segments, &totals);
  }
  Counted(suite)
      .Add("kills", totals.kills)
      .Add("reader_kills", totals.reader_kills)
      .Add("acknowledged_events", totals.acknowledged)
      .Add("found_events", totals.found)
      .Add("events_readers_saw", totals.seen)
      .Add("torn_tails", totals.torn)
      .Add("kills_with_a_spare", totals.moments.preallocations)
      .Add("kills_before_a_sidecar", totals.moments.sidecars)
      .Add("kills_in_creation", totals.moments.creations)
      .Add("verified", totals.verified)
      .Add("rebuilt", totals.rebuilt)
      .Add("opened_by_reader", totals.by_reader)
      .Add("lost", 0)
      .Print();
  CHECK(totals.acknowledged > totals.kills);
}

}  // namespace

TEST_CASE("what was acknowledged survives every kill of the writer", "[kill]") {
  Run("kill.writers", Cycles(150, 30), false);
}

TEST_CASE("what was acknowledged survives every kill of a writer that is always sealing",
          "[kill]") {
  Run("kill.sealers", Cycles(100, 20), true);
}

}  // namespace daybook::testing
