// `daybook read` and `daybook tail`: events, as they stand and as they come.

#ifndef DAYBOOK_CLI_READ_H_
#define DAYBOOK_CLI_READ_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/read.h"

namespace daybook::cli {

struct ReadFlags {
  std::string store;
  bool no_mmap = false;
  ReadOptions options;
};

absl::Status RunRead(const ReadFlags& flags, Console& console);

struct TailFlags {
  std::string store;
  bool no_mmap = false;
  ReadOptions options;            // filters only
  std::optional<Position> from;   // the first position; what comes from now on, if not given
  std::optional<Position> until;  // ends when this position was seen
  std::uint64_t limit = UINT64_MAX;
};

absl::Status RunTail(const TailFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_READ_H_
