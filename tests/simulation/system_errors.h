// The system fails at the n-th call: what the store says, what it still serves, and what the device
// holds.

#ifndef DAYBOOK_TESTS_SIMULATION_SYSTEM_ERRORS_H_
#define DAYBOOK_TESTS_SIMULATION_SYSTEM_ERRORS_H_

#include <array>
#include <cstdint>
#include <string>

#include "simulation/recording.h"

namespace daybook::simulation {

inline constexpr std::size_t kErrorKinds = 7;

struct ErrorCounts {
  std::uint64_t runs = 0;   // with a fault that struck
  std::uint64_t unmet = 0;  // the run was over before the fault's turn
  std::uint64_t strikes = 0;
  std::array<std::uint64_t, kCalls> by_call{};
  std::array<std::uint64_t, kCalls> calls{};  // made in the last run before it was healed
  std::array<std::uint64_t, kErrorKinds> by_error{};
  std::uint64_t open_refused = 0, append_refused = 0, outcome_unknown = 0, poisoned = 0;
  std::uint64_t healthy_after_full_disk = 0, unnoticed = 0, device_compared = 0;
  std::uint64_t failures = 0;

  void Add(const ErrorCounts& other);
  // One line: counted: {...}
  [[nodiscard]] std::string Line(double seconds) const;
};

// One run of a store from its creation to its second closing, with a fault. "" or what is wrong:
//   - a status that docs/errors.md does not have for it;
//   - an acknowledged event that is missing, in the store at work, in one that is poisoned, after
//     healing, or on the device if the power goes;
//   - a store that a full disk poisons, or that goes on after a failed sync;
//   - one that cannot be opened once the fault is healed.
struct ErrorRun {
  Fault fault;
  Durability durability = Durability::kSync;
  std::uint64_t seed = 1;
};
std::string RunWithFault(const Bench& bench, const ErrorRun& run, const StoreOpener& opener,
                         ErrorCounts* counts);

// Each call of a run, with each error, once and for ever; every `stride`-th of them. Forks so many
// processes. Prints each failure with the options that repeat it, and what was counted.
struct ErrorExploration {
  std::uint64_t workers = 2;
  std::uint64_t stride = 1;
  std::uint64_t failures_max = 20;  // of each worker
};
ErrorCounts ExploreSystemErrors(const ErrorExploration& exploration, const StoreOpener& opener);

// A fault as the program's options say it, and back; false where it is none.
std::string TextOf(const ErrorRun& run);
bool ParseErrorRun(const std::string& text, ErrorRun* run);

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_SYSTEM_ERRORS_H_
