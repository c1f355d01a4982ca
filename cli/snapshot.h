// `daybook snapshot`: which snapshots a store has, and their removal.

#ifndef DAYBOOK_CLI_SNAPSHOT_H_
#define DAYBOOK_CLI_SNAPSHOT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"

namespace daybook::cli {

struct SnapshotFlags {
  enum class Action : std::uint8_t { kList, kDrop };
  Action action = Action::kList;
  std::string store;
  bool no_mmap = false;
  std::string stream;  // empty: of all
};

// Prints a line for each snapshot that there is, or that was removed.
absl::Status RunSnapshot(const SnapshotFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_SNAPSHOT_H_
