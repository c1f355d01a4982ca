// `daybook backup` and `daybook restore`.

#ifndef DAYBOOK_CLI_BACKUP_H_
#define DAYBOOK_CLI_BACKUP_H_

#include <string>

#include "absl/status/status.h"
#include "cli/console.h"

namespace daybook::cli {

struct BackupFlags {
  std::string store;
  std::string backup;
  bool fast = false;
  bool no_mmap = false;
};

absl::Status RunBackup(const BackupFlags& flags, Console& console);

struct RestoreFlags {
  std::string backup;
  std::string store;
};

absl::Status RunRestore(const RestoreFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_BACKUP_H_
