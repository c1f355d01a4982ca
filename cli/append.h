// `daybook append`: one event.

#ifndef DAYBOOK_CLI_APPEND_H_
#define DAYBOOK_CLI_APPEND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/append.h"

namespace daybook::cli {

struct AppendFlags {
  std::string store;
  std::string stream;
  std::string type;
  std::optional<std::string> data;  // the text itself, or @FILE, or "-" for standard input
  std::optional<std::string> content_type;
  std::optional<std::string> metadata;
  std::vector<std::string> tags;
  std::optional<EventId> id;
  std::optional<Timestamp> effective_at;
  ExpectedVersion expected;
  bool create = true;
};

absl::Status RunAppend(const AppendFlags& flags, Console& console);

// The event that the flags describe; `data` are its bytes. kInvalidArgument where what should be
// JSON is not. The views point into the arguments.
absl::StatusOr<NewEvent> EventOf(const AppendFlags& flags, std::string_view data);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_APPEND_H_
