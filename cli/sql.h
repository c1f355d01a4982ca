// `daybook sql`: a question in SQL, and its rows.

#ifndef DAYBOOK_CLI_SQL_H_
#define DAYBOOK_CLI_SQL_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/json_fold.h"
#include "daybook/moment.h"

namespace daybook::cli {

// How rows are written.
enum class RowFormat : std::uint8_t {
  kTable,      // aligned, for people
  kJsonLines,  // an object a line
  kJson,       // one array
  kCsv,        // RFC 4180
};

struct SqlFlags {
  std::string store;
  bool no_mmap = false;
  std::string statement;
  std::optional<RowFormat> format;  // if not given: a table for people, else JSON lines
  std::chrono::milliseconds timeout{0};
  std::optional<std::uint64_t> max_rows;
  AsOf as_of;
  JsonFold fold;
};

// kDeadlineExceeded where a limit of time or rows was reached: the rows before it are printed, and
// what is printed is whole (an array is closed).
absl::Status RunSql(const SqlFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_SQL_H_
