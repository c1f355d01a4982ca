// A SQL expression over the state of a stream and the event that made it: what says where a
// predicate holds, as in `amount_cents > 3500 and type = 'Fine'`.
//
// In scope are
//
//   state         the state: an integer where the fold is a sum or a count and it fits in 64 bits,
//                 else text; for other folds the JSON text
//   the event     position, stream, category, version, type, id, recorded_at, effective_at,
//                 recorded_ns, effective_ns, data, data_blob, metadata and tags, as in `events`
//   any other     name that SQL can write without quotes is that field of the state at its top,
//                 as json_extract(state, '$."name"') gives it; NULL where it is absent
//
// Times compare as moments, as in daybook/sql.h. Only expressions are possible: no statement, no
// table, and no function that reaches out of the expression.

#ifndef DAYBOOK_SQL_EXPRESSION_H_
#define DAYBOOK_SQL_EXPRESSION_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/json_fold.h"

namespace daybook {

// Used by one thread at a time.
class SqlExpression {
 public:
  // kInvalidArgument says what is wrong with the expression, and where.
  static absl::StatusOr<SqlExpression> Compile(std::string_view expression, const JsonFold& fold);
  SqlExpression(SqlExpression&&) noexcept;
  SqlExpression& operator=(SqlExpression&&) noexcept;
  ~SqlExpression();

  // Whether it holds: a number other than 0, as in WHERE; NULL is false. `state` is what
  // JsonFold::ToJson gives. kInvalidArgument, with the expression, where it fails.
  absl::StatusOr<bool> Holds(std::string_view state, const EventView& event);

 private:
  class Impl;
  explicit SqlExpression(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_SQL_EXPRESSION_H_
