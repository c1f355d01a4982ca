// Processes that run, rebuild, promote, park, retry and skip, killed at any moment, in stores that
// live on.

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <random>

#include "crash/power_loss.h"
#include "crash/process.h"
#include "projections/worked_projection.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

struct Totals {
  std::uint64_t kills = 0, losses = 0, steps = 0, verified = 0;
  WorkedCounts seen;
  PowerLoss loss;
  std::array<std::uint64_t, 256> killed_in{};  // by the letter of the step
};

// A store on its own and what is done to it.
class KilledStore {
 public:
  KilledStore(std::uint64_t seed, bool loses_power, Totals* totals)
      : seed_(seed), loses_power_(loses_power), random_(seed), totals_(totals) {}

  // "" or what is wrong.
  std::string LiveAndDie(int life) {
    std::vector<std::string> environment;
    if (loses_power_) {
      environment = undo_.Environment();
      environment.push_back("LD_PRELOAD=" DAYBOOK_UNDO_DISK);
      environment.push_back("ASAN_OPTIONS=verify_asan_link_order=0");
    }
    Process worker({DAYBOOK_PROJECTION_WORKER, directory_.string(),
                    std::to_string(seed_ * 1000 + static_cast<std::uint64_t>(life))},
                   environment);
    const auto begin = Process::Clock::now();
    if (random_() % 4 != 0) {
      worker.Listen(begin + std::chrono::seconds(30), [&] { return !worker.said().empty(); });
    }
    worker.Listen(Process::Clock::now() + std::chrono::microseconds(random_() % 120'000));
    worker.Kill();
    const std::string& said = worker.said();
    if (said.find("failed") != std::string::npos) return said;
    ++totals_->kills;
    totals_->steps += said.size();
    if (!said.empty()) ++totals_->killed_in[static_cast<unsigned char>(said.back())];
    return loses_power_ ? LosePower() : "";
  }

  // What the process, or the machine, left, before and after somebody runs it on.
  std::string Check() {
    // What this process would write goes past the undoing disk: not on top of what is still pending
    // there. The next process opens what was left.
    if (pending_ || !fs::exists(directory_ / "STORE")) return "";
    auto store = Store::Open(directory_, {});
    if (!store.ok()) return "the store: " + store.status().ToString();
    if (random_() % 3 == 0) {
      const auto report = VerifyProjections(**store);
      if (!report.ok()) return "verify: " + report.status().ToString();
      ++totals_->verified;
      if (!report->ok()) return "verify: " + report->findings.front().hint;
    }
    auto projections = Projections::Open(**store, {});
    if (!projections.ok()) return "the projections: " + projections.status().ToString();
    std::string what = CheckWorked(**store, projections->get(), &totals_->seen);
    if (!what.empty() || random_() % 3 != 0) return what;
    auto runner = (*projections)->Run(WorkedProjection(random_() % 2 == 0), {});
    if (!runner.ok()) return "the runner: " + runner.status().ToString();
    if (const absl::Status run = (*runner)->RunUntilCaughtUp(); !run.ok()) {
      return "running on: " + run.ToString();
    }
    if ((*runner)->checkpoint() != (*store)->durable()) return "it did not catch up";
    return CheckWorked(**store, projections->get(), &totals_->seen);
  }

 private:
  std::string LosePower() {
    undo_.Trim();
    pending_ = random_() % 4 == 0;  // only the process died
    if (pending_) return "";
    ++totals_->losses;
    const std::string what =
        undo_.LosePower(static_cast<Kept>(random_() % kKeptKinds), random_(), &totals_->loss);
    return what.empty() ? "" : "the test itself: " + what;
  }

  const std::uint64_t seed_;
  const bool loses_power_;
  std::mt19937_64 random_;
  Totals* const totals_;
  TempFolder folder_;
  const fs::path directory_ = folder_ / "store";
  UndoLog undo_{directory_, folder_ / "undo"};
  bool pending_ = false;  // the undoing disk can still take back what an earlier process wrote
};

constexpr int kLivesOfStore = 15;

void Run(const char* suite, int lives, bool loses_power) {
  const std::uint64_t seed = Seed("daybook_projections_crash_test");
  Totals totals;
  for (int done = 0; done < lives; done += kLivesOfStore) {
    const std::uint64_t of_store = seed + static_cast<std::uint64_t>(done);
    KilledStore store(of_store, loses_power, &totals);
    for (int life = 0; life < std::min(kLivesOfStore, lives - done); ++life) {
      CAPTURE(of_store, life);
      REQUIRE(store.LiveAndDie(life) == "");
      REQUIRE(store.Check() == "");
    }
  }
  Counted counted(suite);
  counted.Add("kills", totals.kills)
      .Add("power_losses", totals.losses)
      .Add("steps", totals.steps)
      .Add("rows", totals.seen.rows)
      .Add("events", totals.seen.events)
      .Add("parked", totals.seen.parked)
      .Add("skipped", totals.seen.skipped)
      .Add("verified", totals.verified)
      .Add("sectors_undone", totals.loss.sectors_undone);
  for (const char step : std::string("asbpkrxl")) {
    counted.Add("killed_in_" + std::string(1, step),
                totals.killed_in[static_cast<unsigned char>(step)]);
  }
  counted.Add("lost", 0).Print();
  CHECK(totals.seen.events > 0);
  CHECK(totals.seen.parked > 0);
  CHECK(totals.killed_in['b'] + totals.killed_in['p'] > 0);
}

}  // namespace

TEST_CASE("a kill between any two steps leaves a read model that skips and doubles nothing",
          "[kill]") {
  Run("projections.kill", Cycles(150, 30), false);
}

TEST_CASE("a power loss leaves a read model that skips and doubles nothing", "[power]") {
  Run("projections.power", Cycles(120, 30), true);
}

}  // namespace daybook::testing
