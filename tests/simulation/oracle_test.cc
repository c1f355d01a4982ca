// The oracle fires: each thing that must not be is made once, and is told.

#include "simulation/oracle.h"

#include <algorithm>

#include "log/format.h"
#include "simulation/explorer.h"
#include "simulation/save.h"
#include "simulation/system_errors.h"
#include "tests/catch.h"

namespace daybook::simulation {
namespace {

using testing::HasText;

// A store of three commits, closed, as a state that nothing was lost of.
class ClosedStore {
 public:
  ClosedStore() {
    Recording recording;
    {
      Mount mount(bench.root(), Disk());
      Driver driver(&bench, &mount, {}, 1, &Store::Open);
      driver.Open();
      for (const std::size_t events : {1U, 3U, 2U}) driver.Append(events);
      driver.Close();
      REQUIRE(driver.problem().empty());
      recording = driver.Take("closed");
    }
    for (std::size_t i = 0; i < recording.log.size(); ++i) {
      state.disk.Apply(recording.log[i], static_cast<std::uint32_t>(i + 1));
    }
    state.disk = state.disk.Crash({Choice::Kind::kKept, 0, 0});
    state.history = recording.history;
    state.acknowledged = state.handed_over = recording.history.size();
  }
  std::string Look(const CheckPlan& plan = {}) {
    return CheckCrashState(bench, state, plan, &Store::Open, nullptr);
  }
  FileBytes& log() {
    return state.disk.Bytes(state.disk.Find("store/log/00000000000000000001.log"));
  }

  Bench bench;
  CrashState state;
};

TEST_CASE("a store that lost nothing is well") {
  ClosedStore store;
  CHECK(store.Look() == "");
  CHECK(store.Look({.reads_first = true, .verifies = true, .reopens = true}) == "");
}

TEST_CASE("what was acknowledged and is not there is told") {
  ClosedStore store;
  Random random(2);
  store.state.history.Plan(1, {}, &random);
  store.state.acknowledged = store.state.handed_over = store.state.history.size();
  CHECK_THAT(store.Look(), HasText("ends at 6, but 7 were acknowledged"));
}

TEST_CASE("what is there and was never handed over is told") {
  ClosedStore store;
  store.state.acknowledged = 1;
  store.state.handed_over = 4;
  CHECK_THAT(store.Look(), HasText("position 5: it was not appended yet"));
  CHECK_THAT(store.Look({.reads_first = true}), HasText("reader before recovery"));
}

TEST_CASE("half a commit is told") {
  ClosedStore store;
  // The last commit, of the positions 5 and 6, as if it had been one of three events.
  std::string bytes;
  store.state.history.Save(&bytes);
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  PutNumber(3, &bytes);
  std::string_view rest = bytes;
  store.state.history = History::Load(&rest);
  CHECK_THAT(store.Look(), HasText("position 6: half a commit"));
}

TEST_CASE("an event that differs is told") {
  ClosedStore store;
  History other;
  Random random(9);
  for (const std::size_t events : {1U, 3U, 2U}) other.Plan(events, {}, &random);
  store.state.history = other;
  CHECK_THAT(store.Look(), HasText("after recovery: position 1: another"));
}

TEST_CASE("a crash that is called damage is told") {
  ClosedStore store;
  // A byte of the first event: here the store is right to refuse, and the oracle is to fire.
  store.log().data()[kSegmentHeaderBytes + 300] ^= std::byte{1};
  CHECK_THAT(store.Look(), HasText("open: DATA_LOSS"));
  CHECK_THAT(store.Look({.reads_first = true}), HasText("reader before recovery"));
}

TEST_CASE("a log that was cut short without a word is told") {
  ClosedStore store;
  // All frames, and the witness.
  FileBytes& log = store.log();
  std::fill(log.data() + kSegmentHeaderBytes, log.data() + log.size(), std::byte{0});
  CHECK_THAT(store.Look(), HasText("open: DATA_LOSS"));
  FileBytes& wake = store.state.disk.Bytes(store.state.disk.Find("store/WAKE"));
  std::fill(wake.data(), wake.data() + wake.size(), std::byte{0});
  CHECK_THAT(store.Look(), HasText("ends at 0, but 6 were acknowledged"));
}

TEST_CASE("a state that was saved is looked at in the same way again") {
  ClosedStore store;
  store.state.acknowledged = 1;
  store.state.handed_over = 4;
  std::string bytes;
  store.state.Save(&bytes);
  std::string_view rest = bytes;
  const CrashState again = CrashState::Load(&rest);
  CHECK(rest.empty());
  const Bench bench;
  CHECK_THAT(CheckCrashState(bench, again, {}, &Store::Open, nullptr),
             HasText("position 5: it was not appended yet"));
}

TEST_CASE("a workload that fails by itself is told") {
  const StoreOpener refuses = [](const std::filesystem::path&, const StoreOptions&) {
    return absl::StatusOr<std::unique_ptr<Store>>(absl::InternalError("refused"));
  };
  std::string problem;
  static_cast<void>(RecordWorkload(1, 1, refuses, &problem));
  CHECK_THAT(problem, HasText("refused"));
  Explorer explorer({}, refuses);
  explorer.ExploreWorkload(1, 1);
  CHECK(explorer.counts().failures == 1);
}

TEST_CASE("a fault reads as it was written") {
  ErrorRun run;
  for (const char* text : {"sync_data 16 1 EIO sync 3",
                           "write 7 18446744073709551615 ENOSPC_after_a_part buffered 1"}) {
    REQUIRE(ParseErrorRun(text, &run));
    CHECK(TextOf(run) == text);
  }
  CHECK_FALSE(ParseErrorRun("sync_data of nothing", &run));
}

}  // namespace
}  // namespace daybook::simulation
