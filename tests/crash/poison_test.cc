// A write or sync of the log that fails: what the writer says while it lives, and what is there
// when the store is opened again.

#include <sys/wait.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "crash/history.h"
#include "crash/process.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

struct Outcome {
  History history;
  std::vector<std::vector<std::pair<std::string, EventId>>> unknown, refused;  // commits
};

std::string RunWriter(const std::filesystem::path& store, const std::string& mode, int n,
                      std::uint64_t seed, bool reopen) {
  std::vector<std::string> command = {DAYBOOK_POISON_WRITER, store.native(), mode,
                                      std::to_string(n), std::to_string(seed)};
  if (reopen) command.push_back("reopen");
  // A runtime of a sanitizer wants to be the first library.
  Process writer(command,
                 {"LD_PRELOAD=" DAYBOOK_FAILING_DISK, "ASAN_OPTIONS=verify_asan_link_order=0"});
  const int status = writer.Finish();
  const std::string& said = writer.said();
  INFO(said.substr(said.size() - std::min<std::size_t>(said.size(), 500)));
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  return said;
}

Outcome Understand(const std::string& said) {
  Outcome outcome;
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    if (line[0] == 'A') {
      REQUIRE(outcome.history.Acknowledge(line) == "");
      continue;
    }
    REQUIRE((line[0] == 'U' || line[0] == 'P'));
    std::istringstream words(line.substr(1));
    auto& commit = (line[0] == 'U' ? outcome.unknown : outcome.refused).emplace_back();
    for (std::string stream, id; words >> stream >> id;) {
      commit.emplace_back(stream, *EventId::Parse(id));
    }
  }
  return outcome;
}

// Appends the commits whose outcome was not known again, with the same ids.
void Retry(Store* store, const Outcome& outcome) {
  for (const auto& events : outcome.unknown) {
    Commit commit;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const PlannedEvent event(events[i].second, i, events.size());
      REQUIRE_OK(commit.Add(events[i].first, event.AsNew()));
    }
    const bool was_there = outcome.history.ids().contains(events.front());
    const auto result = store->Append(commit);
    REQUIRE_OK(result);
    CHECK(result->duplicate == was_there);
  }
}

struct PoisonTotals {
  std::uint64_t runs = 0, acknowledged = 0, unknown = 0, unknown_found = 0, refused = 0;
};

void RunOnce(const std::string& mode, int n, bool reopen, PoisonTotals* totals) {
  CAPTURE(mode, n, reopen);
  TempFolder folder;
  Outcome outcome =
      Understand(RunWriter(folder / "store", mode, n, static_cast<std::uint64_t>(n), reopen));
  {
    const auto store = Store::Open(folder / "store", SmallSegments());
    REQUIRE_OK(store);
    REQUIRE(outcome.history.Check(**store) == "");
    for (const auto& events : outcome.refused) {
      for (const auto& event : events) REQUIRE(!outcome.history.ids().contains(event));
    }
    for (const auto& events : outcome.unknown) {
      totals->unknown_found += outcome.history.ids().contains(events.front()) ? 1 : 0;
    }
    Retry(store->get(), outcome);
    // Everything once, and whole: History says so of every id.
    REQUIRE(outcome.history.Check(**store) == "");
    for (const auto& events : outcome.unknown) {
      for (const auto& event : events) REQUIRE(outcome.history.ids().contains(event));
    }
  }
  const auto report = Verify(folder / "store", {});
  REQUIRE_OK(report);
  CHECK(report->ok());
  ++totals->runs;
  totals->acknowledged += outcome.history.acknowledged();
  totals->unknown += outcome.unknown.size();
  totals->refused += outcome.refused.size();
}

void Print(const char* what, const PoisonTotals& totals) {
  Counted("poison." + std::string(what))
      .Add("runs", totals.runs)
      .Add("acknowledged_events", totals.acknowledged)
      .Add("unknown_commits", totals.unknown)
      .Add("unknown_commits_found", totals.unknown_found)
      .Add("refused_commits", totals.refused)
      .Add("lost", 0)
      .Print();
}

}  // namespace

TEST_CASE("a failed sync poisons, and a retry after a reopen appends exactly once", "[poison]") {
  PoisonTotals totals;
  for (int n = 1; n <= Cycles(24, 6); ++n) RunOnce("sync", n, n % 2 == 0, &totals);
  Print("sync", totals);
  CHECK(totals.unknown > 0);
  CHECK(totals.refused > 0);
}

TEST_CASE("a failed write poisons, and a retry after a reopen appends exactly once", "[poison]") {
  PoisonTotals totals;
  for (int n = 1; n <= Cycles(24, 6); ++n) RunOnce("write", n, n % 2 == 0, &totals);
  Print("write", totals);
  CHECK(totals.unknown > 0);
}

TEST_CASE("a failed sync of a buffered store takes back what was only visible", "[poison]") {
  TempFolder folder;
  for (const bool reopen : {false, true}) {
    const std::filesystem::path directory = folder / (reopen ? "here" : "there");
    Outcome outcome = Understand(RunWriter(directory, "buffered", 0, 1, reopen));
    const auto store = Store::Open(directory, SmallSegments());
    REQUIRE_OK(store);
    REQUIRE(outcome.history.Check(**store) == "");
  }
}

}  // namespace daybook::testing
