// Makes the states that a crash can leave of a recording, and has each looked at by the oracle.

#ifndef DAYBOOK_TESTS_SIMULATION_EXPLORER_H_
#define DAYBOOK_TESTS_SIMULATION_EXPLORER_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_set>

#include "simulation/last_words.h"
#include "simulation/oracle.h"
#include "simulation/recording.h"

namespace daybook::simulation {

inline constexpr std::size_t kDepths = 3;

// What was tried. Plain numbers, so that a process can hand it on through a pipe.
struct Counts {
  std::uint64_t states = 0;      // distinct, and looked at
  std::uint64_t duplicates = 0;  // made, and passed over: looked at before
  std::array<std::uint64_t, kChoiceKinds> by_kind{};
  // By how many crashes are behind each other: in a workload, in its recovery, in the recovery of
  // that.
  std::array<std::uint64_t, kDepths> by_depth{};
  std::array<std::uint64_t, kWorkloads> by_workload{};
  std::uint64_t recordings = 0, operations = 0;
  std::uint64_t read_first = 0, verified = 0, reopened = 0, with_index = 0;
  std::uint64_t failures = 0;

  void Add(const Counts& other);
  // One line: counted: {...}
  [[nodiscard]] std::string Line(const std::string& what, double seconds) const;
};

struct ExplorerPlan {
  std::uint64_t states_max = UINT64_MAX;
  std::uint64_t failures_max = 5;
  // Random subsets at each operation of a workload.
  std::uint64_t random_states = 4;
  // Of so many states, one has its recovery crashed as well.
  std::uint64_t recovery_every = 60;
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max();
  std::string failures_folder;      // where states that fail are left to replay
  LastWords* last_words = nullptr;  // nullptr: none
};

// Not thread-safe; one in a process at a time.
class Explorer {
 public:
  Explorer(const ExplorerPlan& plan, StoreOpener opener)
      : plan_(plan), opener_(std::move(opener)) {}

  // The states of one run of a workload; for `creation` all that there are of the kinds that are
  // not random.
  void ExploreWorkload(std::size_t workload, std::uint64_t seed);
  [[nodiscard]] bool IsDone() const {
    return counts_.states >= plan_.states_max || counts_.failures >= plan_.failures_max ||
           std::chrono::steady_clock::now() >= plan_.until;
  }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  // How each failure reads and is replayed, a line each.
  [[nodiscard]] const std::string& failures() const { return failures_; }

 private:
  struct Moment;  // of a recording
  void ExploreRun(std::size_t workload, std::uint64_t seed);
  void Explore(const Recording& recording, std::size_t depth);
  void ExploreMoment(const Moment& moment);
  void Look(const Moment& moment, const Choice& choice);
  // `state` is what replays it.
  void Failed(const Moment& moment, const Choice& choice, const std::string& state,
              const std::string& what);

  const ExplorerPlan plan_;
  const StoreOpener opener_;
  const Bench bench_;
  Random random_;
  std::size_t workload_ = 0;
  std::uint64_t seed_ = 0;
  std::unordered_set<std::uint64_t> seen_;  // of one recording
  Counts counts_;
  std::string failures_;
};

// Explores with so many processes until so many states were looked at or the time is over, from
// `seed` on. A process that dies is a failure: what it was at is told and left to replay.
struct Exploration {
  std::uint64_t states = 0;
  std::chrono::seconds time = std::chrono::hours(24 * 365);
  std::uint64_t seed = 0;
  std::uint64_t workers = 2;
  std::uint64_t failures_max = 5;  // of each worker
  std::string workload;            // only this one
  std::string failures_folder;
};
struct Explored {
  Counts counts;
  std::string failures;  // how each reads and is replayed, a line each
};
Explored ExploreCrashStates(const Exploration& exploration, const StoreOpener& opener);

// Looks again at a state that was left by a failure. "" or what is wrong with it.
std::string Replay(const std::string& file, const StoreOpener& opener);

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_EXPLORER_H_
