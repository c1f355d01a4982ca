#include "simulation/explorer.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "simulation/save.h"
#include "tests/counted.h"

namespace daybook::simulation {

void Counts::Add(const Counts& other) {
  states += other.states;
  duplicates += other.duplicates;
  for (std::size_t i = 0; i < by_kind.size(); ++i) by_kind[i] += other.by_kind[i];
  for (std::size_t i = 0; i < by_depth.size(); ++i) by_depth[i] += other.by_depth[i];
  for (std::size_t i = 0; i < by_workload.size(); ++i) by_workload[i] += other.by_workload[i];
  recordings += other.recordings;
  operations += other.operations;
  read_first += other.read_first;
  verified += other.verified;
  reopened += other.reopened;
  with_index += other.with_index;
  failures += other.failures;
}

std::string Counts::Line(const std::string& what, double seconds) const {
  return testing::Counted(what)
      .Add("states", states)
      .Add("failures", failures)
      .AddSeconds("seconds", seconds)
      .Add("states_a_minute",
           static_cast<std::uint64_t>(static_cast<double>(states) / std::max(seconds, 0.001) * 60))
      .Add("duplicates", duplicates)
      .Add("recordings", recordings)
      .Add("operations", operations)
      .Add("by_kind", by_kind, [](std::size_t i) { return NameOf(static_cast<Choice::Kind>(i)); })
      .Add("by_crashes", by_depth, [](std::size_t i) { return std::to_string(i + 1); })
      .Add("by_workload", by_workload, WorkloadName)
      .Add("read_before_recovery", read_first)
      .Add("verified", verified)
      .Add("reopened_for_writing", reopened)
      .Add("with_earlier_index", with_index)
      .line();
}

namespace {

// What Replay takes.
std::string SaveForReplay(const CrashState& state, const CheckPlan& plan) {
  std::string bytes;
  state.Save(&bytes);
  PutNumber(plan.reads_first ? 1 : 0, &bytes);
  PutNumber(plan.verifies ? 1 : 0, &bytes);
  PutNumber(plan.reopens ? 1 : 0, &bytes);
  PutNumber(plan.seed, &bytes);
  return bytes;
}

// Leaves a state to be replayed, and says how.
std::string LeaveToReplay(const std::string& file, const std::string& state) {
  std::ofstream(file, std::ios::binary) << state;
  return "\n  replay: daybook_crash_states --replay " + file + "\n";
}

}  // namespace

// After so many operations of a recording.
struct Explorer::Moment {
  const Recording* recording;
  std::size_t depth;
  std::uint64_t operations;
  const Disk* disk;
  std::uint64_t acknowledged, handed_over, backed_up;
  bool is_quiet;  // the last operation made nothing that could be lost
};

void Explorer::ExploreWorkload(std::size_t workload, std::uint64_t seed) {
  // A repair is a few operations long, and each of other damage.
  const std::uint64_t runs = workload == kRepairWorkload   ? 20
                             : workload == kBackupWorkload ? kBackupParts
                                                           : 1;
  for (std::uint64_t run = 0; run < runs && !IsDone(); ++run) {
    ExploreRun(workload, seed + (run << 32));
  }
}

void Explorer::ExploreRun(std::size_t workload, std::uint64_t seed) {
  workload_ = workload;
  seed_ = seed;
  random_.seed(seed);
  if (plan_.last_words != nullptr) {
    plan_.last_words->Say(std::string("workload ") + WorkloadName(workload) + ", seed " +
                          std::to_string(seed));
  }
  std::string problem;
  const Recording recording = RecordWorkload(workload, seed, opener_, &problem);
  ++counts_.recordings;
  if (!problem.empty()) {
    ++counts_.failures;
    failures_ += std::string("workload ") + WorkloadName(workload) + ", seed " +
                 std::to_string(seed) + ": it failed without a crash: " + problem + "\n";
    return;
  }
  counts_.operations += recording.log.size();
  seen_.clear();
  Explore(recording, 0);
}

void Explorer::Explore(const Recording& recording, std::size_t depth) {
  Disk disk = recording.base;
  Moment moment{&recording, depth, 0, &disk, 0, 0, 0, false};
  for (std::uint64_t n = 0; n <= recording.log.size(); ++n) {
    if (n > 0) {
      const Op& op = recording.log[n - 1];
      disk.Apply(op, static_cast<std::uint32_t>(n) + static_cast<std::uint32_t>(depth << 24));
      if (op.kind == Op::Kind::kMark) {
        moment.acknowledged = std::max(moment.acknowledged, op.offset);
        if (op.other != 0) moment.handed_over = op.other;
        moment.backed_up = std::max(moment.backed_up, std::uint64_t{op.inode});
      }
      moment.is_quiet = op.kind == Op::Kind::kSync || op.kind == Op::Kind::kSyncFolder ||
                        op.kind == Op::Kind::kMark;
    }
    if (depth > 0 && n == 0) continue;
    moment.operations = n;
    ExploreMoment(moment);
    if (IsDone()) return;
  }
}

void Explorer::ExploreMoment(const Moment& moment) {
  const bool is_small = workload_ == 0;
  const bool is_deep = moment.depth > 0;
  Look(moment, {Choice::Kind::kLost, 0, 0});
  Look(moment, {Choice::Kind::kKept, 0, 0});
  if (is_small || !is_deep || random_() % 4 == 0) Look(moment, {Choice::Kind::kKilled, 0, 0});
  if (moment.is_quiet && !is_small && random_() % 8 != 0) return;
  const std::vector<std::uint32_t> pending = moment.disk->pending();
  for (const std::uint32_t op : pending) {
    // All of them where it is small; elsewhere the latest, and some of the others.
    const bool is_late = op + 3 >= pending.back();
    if (!is_small && !(is_late && !is_deep) && random_() % 16 != 0) continue;
    Look(moment, {Choice::Kind::kOneLost, op, 0});
    Look(moment, {Choice::Kind::kOneKept, op, 0});
    for (int i = 0; i < (is_small ? 4 : 2); ++i) {
      Look(moment, {Choice::Kind::kTorn, op, random_()});
    }
  }
  if (pending.size() < 2 && !is_small) {
    Look(moment, {Choice::Kind::kTornSectors, 0, random_()});
    return;
  }
  for (std::uint64_t i = 0; i < (is_deep ? 1 : plan_.random_states); ++i) {
    Look(moment, {Choice::Kind::kReordered, 0, random_()});
    Look(moment, {Choice::Kind::kSectors, 0, random_()});
    Look(moment, {Choice::Kind::kTornSectors, 0, random_()});
    Look(moment, {Choice::Kind::kNamesLost, 0, random_()});
  }
  Look(moment, {Choice::Kind::kSizesLost, 0, 0});
}

void Explorer::Look(const Moment& moment, const Choice& choice) {
  if (IsDone()) return;
  CrashState state;
  state.disk = moment.disk->Crash(choice);
  const std::uint64_t hash = state.disk.Hash() + moment.acknowledged * 0x9E3779B97F4A7C15U +
                             moment.backed_up * 0xC2B2AE3D27D4EB4FU;
  if (!seen_.insert(hash).second) {
    ++counts_.duplicates;
    return;
  }
  const Recording& recording = *moment.recording;
  state.subject = recording.subject;
  state.setting = recording.setting;
  state.history = recording.history;
  state.acknowledged = moment.acknowledged;
  state.handed_over = moment.handed_over;
  state.backed_up = moment.backed_up;
  std::size_t copies = 0;
  while (copies < recording.indexes.size() &&
         recording.indexes[copies].operations <= moment.operations) {
    ++copies;
  }
  if (copies > 0 && random_() % 2 == 0) {
    state.index =
        recording.indexes[copies - 1 - (random_() % 4 == 0 ? random_() % copies : 0)].data;
  }
  CheckPlan plan;
  // What a killed writer left in the cache is where a reader can see too much.
  plan.reads_first = random_() % (choice.kind == Choice::Kind::kKilled ? 2 : 8) == 0;
  plan.verifies = random_() % 16 == 0;
  plan.reopens = random_() % 8 == 0;
  plan.seed = random_();
  ++counts_.states;
  ++counts_.by_kind[static_cast<std::size_t>(choice.kind)];
  ++counts_.by_depth[moment.depth];
  ++counts_.by_workload[workload_];
  counts_.read_first += plan.reads_first ? 1 : 0;
  counts_.verified += plan.verifies ? 1 : 0;
  counts_.reopened += plan.reopens ? 1 : 0;
  counts_.with_index += state.index.empty() ? 0 : 1;
  // A machine that went down while a killed process' store was recovered is a crash of its own; and
  // what stands behind the one write that was lost must not come to life behind the next. Looking
  // at a backup is many operations long: of those, fewer.
  const bool is_telling =
      choice.kind == Choice::Kind::kKilled || choice.kind == Choice::Kind::kOneLost;
  const std::uint64_t share = workload_ == kBackupWorkload ? 8 : 1;
  const std::uint64_t every =
      share * (is_telling ? plan_.recovery_every / 4 : plan_.recovery_every);
  const bool goes_deeper = moment.depth + 1 < kDepths && random_() % every == 0;
  Recording recovery;
  const std::string saved = SaveForReplay(state, plan);
  if (plan_.last_words != nullptr) plan_.last_words->LookAt(saved);
  const std::string what =
      CheckCrashState(bench_, std::move(state), plan, opener_, goes_deeper ? &recovery : nullptr);
  if (plan_.last_words != nullptr) plan_.last_words->LookAt("");
  if (!what.empty()) return Failed(moment, choice, saved, what);
  if (goes_deeper) Explore(recovery, moment.depth + 1);
}

void Explorer::Failed(const Moment& moment, const Choice& choice, const std::string& state,
                      const std::string& what) {
  ++counts_.failures;
  const std::string file = plan_.failures_folder + "/crash-state-" + std::to_string(seed_) + "-" +
                           WorkloadName(workload_) + "-" + std::to_string(counts_.failures) +
                           ".state";
  failures_ += std::string("workload ") + WorkloadName(workload_) + ", seed " +
               std::to_string(seed_) + ", " + std::to_string(moment.depth + 1) +
               " crash(es), after operation " + std::to_string(moment.operations) + " of " +
               std::to_string(moment.recording->log.size()) + ", " + NameOf(choice.kind) +
               " (operation " + std::to_string(choice.op & 0xFFFFFF) + "), acknowledged " +
               std::to_string(moment.acknowledged) + " of " + std::to_string(moment.handed_over) +
               ": " + what + LeaveToReplay(file, state);
}

std::string Replay(const std::string& file, const StoreOpener& opener) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::string_view rest = bytes;
  CrashState state = CrashState::Load(&rest);
  CheckPlan plan;
  plan.reads_first = TakeNumber(&rest) != 0;
  plan.verifies = TakeNumber(&rest) != 0;
  plan.reopens = TakeNumber(&rest) != 0;
  plan.seed = TakeNumber(&rest);
  const Bench bench;
  return CheckCrashState(bench, std::move(state), plan, opener, nullptr);
}

namespace {

// Of the worker number `worker`: seeds of its own, and each workload in turn.
void Work(const Exploration& exploration, std::uint64_t worker, const StoreOpener& opener,
          LastWords* last_words, int result) {
  ExplorerPlan plan;
  plan.last_words = last_words;
  plan.until = std::chrono::steady_clock::now() + exploration.time;
  plan.failures_folder = exploration.failures_folder;
  plan.failures_max = exploration.failures_max;
  plan.states_max = (exploration.states + exploration.workers - 1) / exploration.workers;
  Explorer explorer(plan, opener);
  for (std::uint64_t run = 0; !explorer.IsDone(); ++run) {
    // The small one once, in the first round of the first worker.
    const std::uint64_t turn = run * exploration.workers + worker;
    const std::uint64_t apart = worker * (kWorkloads - 1) / exploration.workers;
    std::size_t workload = turn == 0 ? 0 : 1 + (run + apart) % (kWorkloads - 1);
    for (std::size_t i = 0; i < kWorkloads; ++i) {
      if (exploration.workload == WorkloadName(i)) workload = i;
    }
    explorer.ExploreWorkload(workload, exploration.seed + turn);
  }
  const Counts counts = explorer.counts();
  const std::string& text = explorer.failures();
  const auto put = [result](const void* bytes, std::size_t size) {
    if (write(result, bytes, size) != static_cast<ssize_t>(size)) _exit(1);
  };
  put(&counts, sizeof counts);
  if (!text.empty()) put(text.data(), text.size());
}

struct Worker {
  pid_t pid = 0;
  int result = -1;  // what it writes there is read here
  std::unique_ptr<LastWords> last_words = std::make_unique<LastWords>();
};

// What a worker that died was at, to be tried again.
std::string TellOfDeath(const Exploration& exploration, const Worker& worker, int ended) {
  std::string how = "a worker ended with " + std::to_string(WEXITSTATUS(ended));
  if (WIFSIGNALED(ended)) how = std::string("a worker died: ") + strsignal(WTERMSIG(ended));
  how += ", at " + worker.last_words->what();
  const std::string state = worker.last_words->state();
  if (state.empty()) return how + ", between two states\n";
  return how + LeaveToReplay(exploration.failures_folder + "/crash-state-death-" +
                                 std::to_string(worker.pid) + ".state",
                             state);
}

// Adds what a worker has to say when it is done. False: it died.
bool Collect(const Worker& worker, int* ended, Explored* all) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(worker.result, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(worker.result);
  waitpid(worker.pid, ended, 0);
  Counts counts;
  if (*ended != 0 || text.size() < sizeof counts) return false;
  std::memcpy(&counts, text.data(), sizeof counts);
  all->counts.Add(counts);
  all->failures += text.substr(sizeof counts);
  return true;
}

}  // namespace

Explored ExploreCrashStates(const Exploration& exploration, const StoreOpener& opener) {
  std::vector<Worker> workers;
  for (std::uint64_t number = 0; number < exploration.workers; ++number) {
    int ends[2];
    if (pipe(ends) != 0) break;
    Worker worker;
    worker.pid = fork();
    worker.result = ends[0];
    if (worker.pid == 0) {
      close(ends[0]);
      Work(exploration, number, opener, worker.last_words.get(), ends[1]);
      _exit(0);
    }
    close(ends[1]);
    workers.push_back(std::move(worker));
  }
  Explored all;
  for (const Worker& worker : workers) {
    int ended = 0;
    if (Collect(worker, &ended, &all)) continue;
    ++all.counts.failures;
    all.failures += TellOfDeath(exploration, worker, ended);
  }
  return all;
}

}  // namespace daybook::simulation
