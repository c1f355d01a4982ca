// What stands in the place of `sql` and `bisect` in a build without SQLite.

#include "cli/bisect.h"
#include "cli/sql.h"

namespace daybook::cli {
namespace {

absl::Status NoSqlError() {
  return absl::FailedPreconditionError(
      "this daybook was built without SQL, the command, use one that was built with DAYBOOK_SQL");
}

}  // namespace

absl::Status RunBisect(const BisectFlags& /*flags*/, Console& /*console*/) { return NoSqlError(); }

absl::Status RunSql(const SqlFlags& /*flags*/, Console& /*console*/) { return NoSqlError(); }

}  // namespace daybook::cli
