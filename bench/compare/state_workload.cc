// W10: the state of an aggregate of 1,000,000 events through snapshots, now and at past moments.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"
#include "daybook/repository.h"
#include "daybook/snapshots.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

constexpr char kStream[] = "account-long";
constexpr std::uint64_t kEventsPerCommit = 8;
constexpr std::uint32_t kRungs = 64;
constexpr std::uint64_t kMoments = 20;

struct SeenFold {
  using State = Seen;
  static std::string_view id() { return "seen"; }
  static std::uint32_t revision() { return 1; }
  void Apply(Seen& seen, const EventView& event) const {
    seen.Add(event.version.value(), AsText(event.data));
  }
  void Save(const Seen& seen, std::string& out) const {
    out.append(reinterpret_cast<const char*>(&seen), sizeof seen);
  }
  absl::StatusOr<Seen> Restore(std::string_view bytes) const {
    Seen seen;
    if (bytes.size() != sizeof seen) return absl::DataLossError("not a state");
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(&seen));
    return seen;
  }
};
using States = Repository<SeenFold>;

RepositoryOptions Options(std::shared_ptr<SnapshotStore> snapshots, std::uint64_t every) {
  RepositoryOptions options;
  options.snapshots = std::move(snapshots);
  options.policy.every_events = every;
  options.policy.retention = SnapshotRetention::EvenGrid(kRungs);
  options.verify_one_in = 0;
  options.cached_states_max = 0;  // what is measured is the snapshots
  return options;
}

// The states at every moment that is asked for, and when each was recorded.
struct Expected {
  std::vector<AsOf> moments;  // by position, version and time in turn
  std::vector<Seen> states;
  Seen now;
};

Expected Append(Store* store, std::uint64_t events) {
  const Plan plan({.events = events, .events_per_commit = kEventsPerCommit});
  std::mt19937_64 random(10);
  std::vector<std::uint64_t> commits;
  for (std::uint64_t i = 0; i < kMoments; ++i) commits.push_back(random() % plan.commits());
  std::sort(commits.begin(), commits.end());
  Expected expected;
  Commit commit;
  for (std::uint64_t c = 0; c < plan.commits(); ++c) {
    commit.Clear();
    for (std::uint64_t i = 0; i < kEventsPerCommit; ++i) {
      const Event event = plan.At(c * kEventsPerCommit + i);
      CheckDaybook(commit.Add(kStream, {.type = event.type, .data = AsBytes(event.data)}));
      expected.now.Add(c * kEventsPerCommit + i + 1, event.data);
    }
    const absl::StatusOr<AppendResult> result = store->Append(commit);
    CheckDaybook(result.status());
    for (; expected.moments.size() < kMoments && commits[expected.moments.size()] == c;) {
      const AppendedEvent& last = result->events.back();
      const std::size_t kind = expected.moments.size() % 3;
      expected.moments.push_back(kind == 0   ? AsOf::AtPosition(last.position)
                                 : kind == 1 ? AsOf::AtVersion(last.version)
                                             : AsOf::RecordedAt(last.recorded_at));
      expected.states.push_back(expected.now);
    }
  }
  return expected;
}

// One load, held against what it must be. Its rate.
double LoadRate(const States& states, const AsOf& as_of, const Seen& expected,
                std::uint64_t folded_max) {
  const Stopwatch watch;
  const auto state = states.LoadAt(kStream, as_of);
  const double seconds = watch.Seconds();
  CheckDaybook(state.status());
  CheckSeen("W10", state->state(), expected);
  if (state->info().folded > folded_max) Die("W10: more than the tail was folded");
  return 1 / seconds;
}

}  // namespace

WorkloadResult RunW10(const RunOptions& options) {
  // The bar is about so many, at whatever scale. The last are behind the last snapshot, so that now
  // is not a snapshot's own version.
  const std::uint64_t every = options.smoke ? 40 : 1'000;
  const std::uint64_t behind = every / 10 * 9 / kEventsPerCommit * kEventsPerCommit;
  const std::uint64_t events = (options.smoke ? 8'000 : 1'000'000) + behind;
  const StoreOptions store_options{.durability = Durability::kBuffered};
  const std::filesystem::path directory = FreshDirectory(options, "W10");
  auto store = Store::Open(directory, store_options);
  CheckDaybook(store.status());
  const Expected expected = Append(store->get(), events);
  CheckDaybook((*store)->Flush());
  {
    // The first load takes the snapshots; to measure, the store is opened again.
    auto taken = SnapshotStore::Open(**store, {});
    CheckDaybook(taken.status());
    const std::shared_ptr<SnapshotStore> snapshots = *std::move(taken);
    LoadRate(States(**store, {}, Options(snapshots, every)), {}, expected.now, events);
    CheckDaybook(snapshots->Flush());
  }
  store->reset();
  store = Store::Open(directory, store_options);
  CheckDaybook(store.status());
  auto opened = SnapshotStore::Open(**store, {});
  CheckDaybook(opened.status());
  const std::shared_ptr<SnapshotStore> snapshots = *std::move(opened);
  RepositoryOptions without;
  without.cached_states_max = 0;
  const States states(**store, {}, Options(snapshots, every)), plain(**store, {}, without);
  const std::uint64_t tail_max = 2 * events / kRungs + every;

  const std::vector<Contestant> contestants = {
      {"now",
       [&] {
         constexpr int kLoads = 20;
         std::vector<double> rates;
         for (int i = 0; i < kLoads; ++i) {
           rates.push_back(LoadRate(states, {}, expected.now, every));
         }
         return SpreadOf(rates).median;
       }},
      {"slowest of 20 past moments",
       [&] {
         double slowest = 1e9;
         for (std::size_t i = 0; i < expected.moments.size(); ++i) {
           slowest = std::min(slowest,
                              LoadRate(states, expected.moments[i], expected.states[i], tail_max));
         }
         return slowest;
       }},
      {"now, without snapshots", [&] { return LoadRate(plain, {}, expected.now, events); }}};
  WorkloadResult result{
      .id = "W10",
      .title = "state of a long aggregate through snapshots, now and at past moments",
      .unit = "loads/s",
      .durability = "reading, checksums verified",
      .data = "a stream of " + std::to_string(events) + " events of 256 bytes; a snapshot every " +
              std::to_string(every) +
              " events, of which an even grid of 64 stays; no state in memory, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants,
            {{contestants[0].name, "", 1'000}, {contestants[1].name, "", 50}}, &result);
  return result;
}

}  // namespace daybook::bench
