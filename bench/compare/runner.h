// Runs contestants in turn and keeps what they did.

#ifndef DAYBOOK_BENCH_COMPARE_RUNNER_H_
#define DAYBOOK_BENCH_COMPARE_RUNNER_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compare/workload.h"

namespace daybook::bench {

class Stopwatch {
 public:
  [[nodiscard]] double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct RunOptions {
  std::filesystem::path directory;  // for the stores; emptied
  int pairs = 5;
  double scale = 1;
  bool smoke = false;

  // A number of the full workload at this scale, never below `least`, a multiple of `unit`.
  [[nodiscard]] std::uint64_t Scaled(std::uint64_t full, std::uint64_t least,
                                     std::uint64_t unit = 1) const {
    const auto scaled = static_cast<std::uint64_t>(static_cast<double>(full) * scale);
    return std::max(scaled, least) / unit * unit;
  }
};

// One who takes part: `run` does the work once and returns its rate (per second).
struct Contestant {
  std::string name;
  std::function<double()> run;
};

// `subject` must reach `bar` times the rate of `rival`, both among the contestants; or, where
// `rival` is empty, the rate `bar` itself.
struct Comparison {
  std::string subject;
  std::string rival;
  double bar = 0;
};

struct Spread {
  double median = 0, min = 0, max = 0;
};
Spread SpreadOf(std::vector<double> values);

struct Verdict {
  Comparison comparison;
  std::vector<double> ratios;  // one a round
  Spread ratio;                // of the rates; where there is no rival, the subject's rate itself
  [[nodiscard]] bool met() const { return ratio.median >= comparison.bar; }
  [[nodiscard]] bool half_met() const { return ratio.median >= comparison.bar / 2; }
};

struct WorkloadResult {
  std::string id;  // "W1"
  std::string title;
  std::string unit;        // of the rates: "events/s"
  std::string durability;  // in words
  std::string data;        // how much of what, in words
  struct Rates {
    std::string name;
    std::vector<double> rates;  // one a round
  };
  std::vector<Rates> contestants;
  std::vector<Verdict> verdicts;
};

// Runs every contestant once a round, one after another (A B C A B C ...), for options.pairs
// rounds, and compares within rounds. Fills result->contestants and result->verdicts. `warm_up`
// adds a round before that does not count.
enum class WarmUp : std::uint8_t { kNo, kYes };
void RunRounds(const RunOptions& options, WarmUp warm_up,
               const std::vector<Contestant>& contestants,
               const std::vector<Comparison>& comparisons, WorkloadResult* result);

// An empty directory of this name among the stores, without what a run before left there.
std::filesystem::path FreshDirectory(const RunOptions& options, std::string_view name);
// Waits until the file system has written what runs before left to it, so that nobody pays for
// another.
void SettleDisk(const std::filesystem::path& directory);

// Ends the program unless both are the same: a contestant lost or invented events.
void CheckSeen(std::string_view who, const Seen& seen, const Seen& expected);

// The workloads: what docs/benchmarks.md says of each.
WorkloadResult RunW1(const RunOptions& options);
WorkloadResult RunW2(const RunOptions& options);
WorkloadResult RunW3(const RunOptions& options);
WorkloadResult RunW4(const RunOptions& options);
WorkloadResult RunW5(const RunOptions& options);
WorkloadResult RunW6(const RunOptions& options);
WorkloadResult RunW7(const RunOptions& options);
WorkloadResult RunW8(const RunOptions& options);
WorkloadResult RunW8Memory(const RunOptions& options);
WorkloadResult RunW10(const RunOptions& options);
WorkloadResult RunW12(const RunOptions& options);
WorkloadResult RunLive(const RunOptions& options);
WorkloadResult RunLiveMax(const RunOptions& options);
WorkloadResult RunFilter(const RunOptions& options);
// Only in a build with that sink, where there is a server.
WorkloadResult RunW11Nats(const RunOptions& options);
WorkloadResult RunW11NatsMemory(const RunOptions& options);
// Only in a build with SQL.
WorkloadResult RunSql(const RunOptions& options);

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_RUNNER_H_
