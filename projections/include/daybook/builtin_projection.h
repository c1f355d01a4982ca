// Ready-made projections over JSON events, for which no C++ has to be written: what the command
// runs.
//
//   count       how many events
//   sum:FIELD   the exact sum of a field, as in daybook/json_fold.h: 64-bit integers, or decimals
//               added as decimals; overflow, and a field that is no number, make the event poison
//   last        the data of the last event
//
// each by stream, by category or by type. Events of the store's own streams, whose names begin with
// `$`, are none of anybody's books: they are left out unless they are asked for.

#ifndef DAYBOOK_BUILTIN_PROJECTION_H_
#define DAYBOOK_BUILTIN_PROJECTION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/projection.h"
#include "daybook/tables.h"
#include "daybook/values.h"

namespace daybook {

struct BuiltinProjection {
  enum class Kind : std::uint8_t { kCount, kSum, kLast };
  enum class By : std::uint8_t { kStream, kCategory, kType };
  Kind kind = Kind::kCount;
  By by = By::kStream;
  std::string field;  // of kSum; a name, or a JSON Pointer where it begins with `/`
  bool system_streams = false;

  // From "count", "sum" or "last", from "stream", "category" or "type", and a field, which only sum
  // has and needs. kInvalidArgument says what is wrong.
  static absl::StatusOr<BuiltinProjection> Make(std::string_view kind, std::string_view by,
                                                std::string_view field);
  // "builtin count stream", "builtin sum type amount", with the store's own streams
  // "builtin+system count stream": what Projection::definition keeps, and back.
  // kInvalidArgument where it is not the definition of one.
  [[nodiscard]] std::string Definition() const;
  static absl::StatusOr<BuiltinProjection> Parse(std::string_view definition);

  // The projection of that name, for Projections::Run. Its key is what it is by, and rows_by_key.
  [[nodiscard]] Projection ToProjection(std::string_view name) const;
};

// A row of a ready-made projection.
struct BuiltinRow {
  std::string group;  // the stream, category or type
  Position position;  // of the last event that counted
  std::string value;  // JSON: a number, for kLast any value
};

// Calls `visit` for the rows of a ready-made projection, by group, until it says false.
absl::Status ScanBuiltin(const BuiltinProjection& builtin, const TableReader& model,
                         const std::function<bool(const BuiltinRow&)>& visit);

}  // namespace daybook

#endif  // DAYBOOK_BUILTIN_PROJECTION_H_
