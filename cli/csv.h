// One record of CSV (RFC 4180: commas, and double quotes around a field, doubled within it).

#ifndef DAYBOOK_CLI_CSV_H_
#define DAYBOOK_CLI_CSV_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace daybook::cli {

// Splits a record, given without its line ending, into its fields. kInvalidArgument where a quote
// stands where none may stand, or is not closed.
absl::Status SplitCsvRecord(std::string_view record, std::vector<std::string>& fields);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_CSV_H_
