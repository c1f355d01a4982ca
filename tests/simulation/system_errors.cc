#include "simulation/system_errors.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <utility>
#include <vector>

#include "tests/counted.h"

namespace daybook::simulation {
namespace {

struct ErrorKind {
  const char* name;
  int error;
  Fault::Effect effect;
};
constexpr std::array<ErrorKind, kErrorKinds> kErrors = {{
    {"EIO", EIO, Fault::Effect::kError},
    {"ENOSPC", ENOSPC, Fault::Effect::kError},
    {"EDQUOT", EDQUOT, Fault::Effect::kError},
    {"EINTR", EINTR, Fault::Effect::kError},
    {"EIO_after_a_part", EIO, Fault::Effect::kErrorAfter},
    {"ENOSPC_after_a_part", ENOSPC, Fault::Effect::kErrorAfter},
    {"short", 0, Fault::Effect::kShort},
}};

std::size_t KindOf(const Fault& fault) {
  for (std::size_t i = 0; i < kErrors.size(); ++i) {
    if (kErrors[i].error == fault.error && kErrors[i].effect == fault.effect) return i;
  }
  return 0;
}

// What a call can fail with: the file system's errors everywhere, parts only where bytes are moved.
bool IsPossible(Call call, const ErrorKind& kind) {
  if (kind.effect == Fault::Effect::kErrorAfter) return call == Call::kWrite;
  if (kind.effect == Fault::Effect::kShort) return call == Call::kWrite || call == Call::kRead;
  const bool makes_room = call == Call::kWrite || call == Call::kCreate ||
                          call == Call::kMakeFolder || call == Call::kRename ||
                          call == Call::kSync || call == Call::kSyncData ||
                          call == Call::kSyncFolder;
  if (kind.error == ENOSPC || kind.error == EDQUOT) return makes_room;
  if (kind.error == EINTR) {
    return call == Call::kOpen || call == Call::kCreate || call == Call::kRead ||
           call == Call::kWrite || call == Call::kLock || call == Call::kSync ||
           call == Call::kSyncData || call == Call::kSyncFolder;
  }
  return true;
}

// All the faults that there are, for as many calls as a run without one makes.
std::vector<ErrorRun> AllRuns(std::uint64_t stride, const StoreOpener& opener) {
  std::vector<ErrorRun> runs;
  std::uint64_t number = 0;
  for (const Durability durability : {Durability::kSync, Durability::kBuffered}) {
    ErrorRun run;
    run.fault.times = 0;
    run.durability = durability;
    ErrorCounts counts;
    const Bench bench;
    if (const std::string what = RunWithFault(bench, run, opener, &counts); !what.empty()) {
      std::printf("a run without a fault: %s\n", what.c_str());
      return {};
    }
    for (std::size_t c = 0; c < kCalls; ++c) {
      for (std::uint64_t n = 1; n <= counts.calls[c]; ++n) {
        for (const ErrorKind& kind : kErrors) {
          if (!IsPossible(static_cast<Call>(c), kind)) continue;
          for (const bool for_ever : {false, true}) {
            if (for_ever && kind.effect == Fault::Effect::kShort && n > 1) continue;
            if (++number % stride != 0) continue;
            run.fault = {static_cast<Call>(c), n, 1, kind.error, kind.effect};
            // An interrupted call is made again: a hundred times is for ever.
            if (for_ever) run.fault.times = kind.error == EINTR ? 100 : UINT64_MAX;
            runs.push_back(run);
          }
        }
      }
    }
  }
  return runs;
}

void Work(const std::vector<ErrorRun>& runs, std::size_t first, const ErrorExploration& exploration,
          const StoreOpener& opener, std::atomic<std::uint64_t>* at, int result) {
  ErrorCounts counts;
  std::string failures;
  const Bench bench;
  for (std::size_t i = first; i < runs.size() && counts.failures < exploration.failures_max;
       i += exploration.workers) {
    at->store(i);
    alarm(60);  // a run that hangs ends the process, and is named
    const std::string what = RunWithFault(bench, runs[i], opener, &counts);
    const std::size_t kind = KindOf(runs[i].fault);
    ++counts.by_error[kind];
    if (what.empty()) continue;
    ++counts.failures;
    failures += TextOf(runs[i]) + ": " + what + "\n";
  }
  const auto put = [result](const void* bytes, std::size_t size) {
    if (write(result, bytes, size) != static_cast<ssize_t>(size)) _exit(1);
  };
  put(&counts, sizeof counts);
  if (!failures.empty()) put(failures.data(), failures.size());
}

std::string ReadAll(int end) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(end, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(end);
  return text;
}

}  // namespace

void ErrorCounts::Add(const ErrorCounts& other) {
  runs += other.runs;
  unmet += other.unmet;
  strikes += other.strikes;
  for (std::size_t i = 0; i < kCalls; ++i) by_call[i] += other.by_call[i];
  for (std::size_t i = 0; i < kErrorKinds; ++i) by_error[i] += other.by_error[i];
  open_refused += other.open_refused;
  append_refused += other.append_refused;
  outcome_unknown += other.outcome_unknown;
  poisoned += other.poisoned;
  healthy_after_full_disk += other.healthy_after_full_disk;
  unnoticed += other.unnoticed;
  device_compared += other.device_compared;
  failures += other.failures;
}

std::string ErrorCounts::Line(double seconds) const {
  return testing::Counted("system_errors")
      .Add("runs", runs)
      .Add("failures", failures)
      .AddSeconds("seconds", seconds)
      .Add("strikes", strikes)
      .Add("not_met", unmet)
      .Add("open_refused", open_refused)
      .Add("append_refused", append_refused)
      .Add("healthy_after_full_disk", healthy_after_full_disk)
      .Add("outcome_unknown", outcome_unknown)
      .Add("poisoned", poisoned)
      .Add("unnoticed", unnoticed)
      .Add("compared_with_the_device", device_compared)
      .Add("by_call", by_call, [](std::size_t i) { return NameOf(static_cast<Call>(i)); })
      .Add("by_error", by_error, [](std::size_t i) { return kErrors[i].name; })
      .line();
}

std::string TextOf(const ErrorRun& run) {
  std::ostringstream text;
  text << NameOf(run.fault.call) << ' ' << run.fault.n << ' ' << run.fault.times << ' '
       << kErrors[KindOf(run.fault)].name << ' '
       << (run.durability == Durability::kSync ? "sync" : "buffered") << ' ' << run.seed;
  return text.str();
}

bool ParseErrorRun(const std::string& text, ErrorRun* run) {
  std::istringstream in(text);
  std::string call;
  std::string error;
  std::string durability;
  in >> call >> run->fault.n >> run->fault.times >> error >> durability >> run->seed;
  run->durability = durability == "buffered" ? Durability::kBuffered : Durability::kSync;
  for (std::size_t c = 0; c < kCalls; ++c) {
    for (const ErrorKind& kind : kErrors) {
      if (call != NameOf(static_cast<Call>(c)) || error != kind.name) continue;
      run->fault.call = static_cast<Call>(c);
      run->fault.error = kind.error;
      run->fault.effect = kind.effect;
      return !in.fail();
    }
  }
  return false;
}

ErrorCounts ExploreSystemErrors(const ErrorExploration& exploration, const StoreOpener& opener) {
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<ErrorRun> runs = AllRuns(exploration.stride, opener);
  void* const shared =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* const at = static_cast<std::atomic<std::uint64_t>*>(shared);
  std::vector<std::pair<pid_t, int>> workers;
  for (std::size_t worker = 0; worker < exploration.workers; ++worker) {
    int ends[2];
    if (pipe(ends) != 0) break;
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      Work(runs, worker, exploration, opener, at + worker, ends[1]);
      _exit(0);
    }
    close(ends[1]);
    workers.emplace_back(pid, ends[0]);
  }
  ErrorCounts all;
  std::string failures;
  for (std::size_t worker = 0; worker < workers.size(); ++worker) {
    const std::string text = ReadAll(workers[worker].second);
    int ended = 0;
    waitpid(workers[worker].first, &ended, 0);
    ErrorCounts counts;
    if (ended != 0 || text.size() < sizeof counts) {
      ++all.failures;
      failures += TextOf(runs[at[worker].load()]) +
                  ": the process died or hung: " + std::to_string(ended) + "\n";
      continue;
    }
    std::memcpy(&counts, text.data(), sizeof counts);
    all.Add(counts);
    failures += text.substr(sizeof counts);
  }
  munmap(shared, 4096);
  if (runs.empty()) ++all.failures;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s%s\n", failures.c_str(), all.Line(seconds).c_str());
  std::fflush(stdout);
  return all;
}

}  // namespace daybook::simulation
