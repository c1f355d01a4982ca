// `daybook verify` and `daybook repair`: whether a store is whole, and making it so.

#ifndef DAYBOOK_CLI_HEALTH_H_
#define DAYBOOK_CLI_HEALTH_H_

#include <string>

#include "absl/status/status.h"
#include "cli/console.h"

namespace daybook::cli {

struct VerifyFlags {
  std::string store;
  bool no_mmap = false;
  bool fast = false;
  bool snapshots = false;
  bool projections = false;
};

// kDataLoss where something was found; the findings are printed.
absl::Status RunVerify(const VerifyFlags& flags, Console& console);

struct RepairFlags {
  std::string store;
  std::string from_backup;
  bool accept_loss = false;
  bool dry_run = false;
};

absl::Status RunRepair(const RepairFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_HEALTH_H_
