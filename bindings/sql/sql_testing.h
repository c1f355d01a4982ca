// What the tests of SQL share.

#ifndef DAYBOOK_BINDINGS_SQL_SQL_TESTING_H_
#define DAYBOOK_BINDINGS_SQL_SQL_TESTING_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "daybook/sql.h"

namespace daybook::sql::testing {

using Rows = std::vector<std::vector<std::string>>;

// A value as text: NULL, a number, the text, or a blob behind "x:".
std::string Show(const SqlValue& value);
// All rows of a query.
absl::StatusOr<Rows> TryAsk(SqlSession& session, std::string_view sql,
                            const std::vector<SqlValue>& parameters = {});
absl::StatusOr<Rows> TryAsk(const Reader& reader, std::string_view sql,
                            const SqlOptions& options = {});
// The same, where nothing may fail.
Rows Ask(const Reader& reader, std::string_view sql, const SqlOptions& options = {});

}  // namespace daybook::sql::testing

#endif  // DAYBOOK_BINDINGS_SQL_SQL_TESTING_H_
