// `daybook diff` and `daybook blame`: what differs between two moments, and who changed a field.

#ifndef DAYBOOK_CLI_EXPLAIN_H_
#define DAYBOOK_CLI_EXPLAIN_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/json_fold.h"
#include "daybook/moment.h"

namespace daybook::cli {

struct DiffFlags {
  std::string store;
  bool no_mmap = false;
  std::string stream;
  Position from;
  std::optional<Position> to;  // what is there now, if not given
  std::optional<Timestamp> effective_at;
  JsonFold fold;
};

absl::Status RunDiff(const DiffFlags& flags, Console& console);

struct BlameFlags {
  std::string store;
  bool no_mmap = false;
  std::string stream;
  std::string field;
  AsOf as_of;
  JsonFold fold;
};

absl::Status RunBlame(const BlameFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_EXPLAIN_H_
