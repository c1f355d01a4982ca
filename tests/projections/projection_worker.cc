// Does with a projection what can be done with one, in no order, until it is killed.
//
//   daybook_projection_worker STORE SEED
//
// Says a letter for each step that it begins: (a)ppend, (s)tep, (b)uild anew, (p)romote, roll
// bac(k), (r)etry, s(k)ip as 'x', (l)ive; and on an error, a line that begins with "failed".

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "projections/worked_projection.h"

namespace daybook::testing {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

void Say(const char* step) {
  std::fputs(step, stdout);
  std::fflush(stdout);
}

// Ends the program with what went wrong, if anything did.
void Expect(const char* what, const absl::Status& status) {
  if (status.ok()) return;
  std::printf("\nfailed: %s: %s\n", what, status.ToString().c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

class Worker {
 public:
  Worker(const std::string& directory, std::uint64_t seed)
      : directory_(directory), random_(seed), mended_(random_() % 3 == 0) {}

  void Work() {
    Open();
    Say("o");
    for (;;) {
      switch (random_() % 12) {
        case 0:
        case 1:
        case 2:
          Append();
          break;
        case 3:
          Rebuild();
          break;
        case 4:
          Promote();
          break;
        case 5:
          RollBack();
          break;
        case 6:
          Retry();
          break;
        case 7:
          Skip();
          break;
        case 8:
          Live();
          break;
        default:
          Step();
      }
    }
  }

 private:
  void Open() {
    auto store = Store::Open(directory_, {.segment_bytes_max = 64 << 10});
    Expect("open the store", store.status());
    store_ = *std::move(store);
    auto projections = Projections::Open(*store_, {});
    Expect("open the projections", projections.status());
    projections_ = *std::move(projections);
    RunnerOptions options;
    options.batch_events_max = 1 + random_() % 40;
    options.map_bytes = 1 << 20;
    auto runner = projections_->Run(WorkedProjection(mended_), options);
    Expect("run", runner.status());
    runner_ = *std::move(runner);
  }

  void Append() {
    Say("a");
    Commit commit;
    const std::uint64_t events = 1 + random_() % 30;
    for (std::uint64_t i = 0; i < events; ++i) {
      const std::uint64_t number = random_() % 12;
      const std::string stream = (number < 9 ? "acct-" : "other-") + std::to_string(number);
      const std::uint64_t kind = random_() % 60;
      const std::string_view type = kind == 0 ? kHopeless : kind < 3 ? kHealable : "Good";
      Expect("add", commit.Add(stream, {.type = type, .data = AsBytes("{}")}));
    }
    Expect("append", store_->Append(commit).status());
  }

  void Step() {
    Say("s");
    Expect("step", runner_->Step().status());
  }

  void Rebuild() {
    Say("b");
    RebuildOptions options;
    options.threads = 1 + static_cast<unsigned>(random_() % 2);
    options.map_bytes = 1 << 20;
    const auto rebuild = projections_->StartRebuild(WorkedProjection(mended_), options);
    Expect("start a rebuild", rebuild.status());
    Expect("rebuild", (*rebuild)->Run());
    if (random_() % 2 == 0) Expect("compare", (*rebuild)->Compare().status());
    if (random_() % 4 == 0) Expect("discard", (*rebuild)->Discard());
  }

  // There may be nothing to promote, or the live one has gone on.
  void Promote() {
    Say("p");
    const absl::Status status = projections_->Promote(kWorked);
    if (!absl::IsFailedPrecondition(status) && !absl::IsNotFound(status)) Expect("promote", status);
  }

  void RollBack() {
    Say("k");
    const absl::Status status = projections_->Rollback(kWorked);
    if (!absl::IsNotFound(status)) Expect("roll back", status);
  }

  void Retry() {
    Say("r");
    Expect("retry", runner_->RetryAll().status());
  }

  void Skip() {
    Say("x");
    const auto parked = runner_->Parked();
    Expect("list the parked", parked.status());
    for (const ParkedKey& key : *parked) {
      const auto event = store_->EventAt(key.events.front().position);
      Expect("read the event", event.status());
      if ((*event)->type != kHopeless) continue;
      Expect("skip", projections_
                         ->Skip({.projection = kWorked,
                                 .position = key.events.front().position,
                                 .reason = "hopeless",
                                 .actor = "worker"})
                         .status());
    }
  }

  void Live() {
    Say("l");
    Expect("start", runner_->Start());
    Append();
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 5));
    Expect("stop", runner_->Stop(20s));
  }

  const std::string directory_;
  std::mt19937_64 random_;
  const bool mended_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projections> projections_;
  std::unique_ptr<ProjectionRunner> runner_;
};

}  // namespace
}  // namespace daybook::testing

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  daybook::testing::Worker(argv[1], std::strtoull(argv[2], nullptr, 10)).Work();
}
