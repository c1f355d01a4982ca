// `daybook streams` and `daybook stats`: what a store holds.

#ifndef DAYBOOK_CLI_INSPECT_H_
#define DAYBOOK_CLI_INSPECT_H_

#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/read.h"

namespace daybook::cli {

struct StreamsFlags {
  std::string store;
  bool no_mmap = false;
  StreamsOptions options;
};

absl::Status RunStreams(const StreamsFlags& flags, Console& console);

struct StatsFlags {
  std::string store;
  bool no_mmap = false;
};

absl::Status RunStats(const StatsFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_INSPECT_H_
