// `daybook bisect`: the first event after which something holds of a stream.

#ifndef DAYBOOK_CLI_BISECT_H_
#define DAYBOOK_CLI_BISECT_H_

#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/json_fold.h"
#include "daybook/moment.h"

namespace daybook::cli {

struct BisectFlags {
  std::string store;
  bool no_mmap = false;
  std::string stream;
  std::string where;  // an SQL expression
  bool monotone = false;
  AsOf as_of;
  JsonFold fold;
};

// Prints the event as `read` does; nothing where it never holds.
absl::Status RunBisect(const BisectFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_BISECT_H_
