// Helpers for absl::Status: early returns, conversion of string views, and statuses with typed
// details.

#ifndef DAYBOOK_BASE_STATUS_H_
#define DAYBOOK_BASE_STATUS_H_

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daybook/error.h"

namespace daybook {

// Debian's Abseil keeps its string_view apart from the standard one: these two are the only bridge.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// Where the typed details stand in a status; daybook/error.h reads them.
inline constexpr std::string_view kConflictPayloadUrl = "daybook/conflict";
inline constexpr std::string_view kDamagePayloadUrl = "daybook/damage";

// kDataLoss about bytes of a file: `what` says what is wrong with them, the message adds where they
// are and what to do, and DamageOf() gives `damage` back.
absl::Status DataLossAt(const Damage& damage, std::string_view what);

// kAborted: a version or a query condition did not hold. ConflictOf() gives `conflict` back.
absl::Status ConflictStatus(const Conflict& conflict);

}  // namespace daybook

#define DAYBOOK_STATUS_CONCAT_INNER_(a, b) a##b
#define DAYBOOK_STATUS_CONCAT_(a, b) DAYBOOK_STATUS_CONCAT_INNER_(a, b)

// Returns the status of `expr` from the function around it, unless it is OK.
#define DAYBOOK_RETURN_IF_ERROR(expr)        \
  do {                                       \
    ::absl::Status daybook_status_ = (expr); \
    if (!daybook_status_.ok()) [[unlikely]]  \
      return daybook_status_;                \
  } while (false)

// `lhs` is an lvalue or a declaration: DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenRead(path));
#define DAYBOOK_ASSIGN_OR_RETURN(lhs, ...) \
  DAYBOOK_ASSIGN_OR_RETURN_INNER_(DAYBOOK_STATUS_CONCAT_(daybook_or_, __LINE__), lhs, __VA_ARGS__)
#define DAYBOOK_ASSIGN_OR_RETURN_INNER_(result, lhs, ...) \
  auto result = (__VA_ARGS__);                            \
  if (!result.ok()) [[unlikely]]                          \
    return std::move(result).status();                    \
  lhs = std::move(result).value()

#endif  // DAYBOOK_BASE_STATUS_H_
