// A busy day: money is issued to many accounts, and several threads move it around.

#ifndef EXAMPLES_LEDGER_WORKLOAD_H_
#define EXAMPLES_LEDGER_WORKLOAD_H_

#include <cstdint>
#include <string>

#include "daybook/store.h"

namespace ledger {

struct WorkloadOptions {
  std::uint64_t accounts = 50'000;
  std::uint64_t events = 1'000'000;  // in all; rounded to whole transfers
  std::uint64_t batch = 1'000;       // accounts that are given money in one commit
  std::uint64_t threads = 4;
};

struct WorkloadResult {
  std::uint64_t events = 0;
  std::uint64_t commits = 0;
  std::uint64_t refused = 0;    // transfers for which there was not enough money
  std::uint64_t conflicts = 0;  // lost races: each was decided anew
  double seconds = 0;           // until the last event was on the device
};

// "account-00042"
std::string AccountName(std::uint64_t number);

// Does the day's work on an empty store and shows how far it is on stderr. On return all of it is
// on the device.
absl::StatusOr<WorkloadResult> RunWorkload(daybook::Store* store, const WorkloadOptions& options);

}  // namespace ledger

#endif  // EXAMPLES_LEDGER_WORKLOAD_H_
