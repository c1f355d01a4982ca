// The values of flags, from their text. kInvalidArgument says which flag and what it takes.

#ifndef DAYBOOK_CLI_FLAG_VALUES_H_
#define DAYBOOK_CLI_FLAG_VALUES_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "daybook/append.h"
#include "daybook/json_fold.h"
#include "daybook/values.h"

namespace daybook::cli {

// Of a flag that was not given, `text` and `value` are absent.
using FlagText = std::optional<std::string>;

// A count in decimal digits, at least `min` and at most 2^63-1.
absl::Status ParseFlag(const char* flag, const FlagText& text, std::uint64_t min,
                       std::optional<std::uint64_t>& value);
absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<Version>& value);
absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<Position>& value);
absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<Timestamp>& value);
absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<EventId>& value);
// any, none, exists or a count.
absl::Status ParseFlag(const char* flag, const FlagText& text, ExpectedVersion& value);
// Seconds, whole or with decimals, from 0.001 on.
absl::Status ParseFlag(const char* flag, const FlagText& text, std::chrono::milliseconds& value);
// merge, sum:FIELD, count, last.
absl::Status ParseFlag(const char* flag, const FlagText& text, JsonFold& value);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_FLAG_VALUES_H_
