// A SQLite connection that can ask and do nothing else: in memory, SELECT only, nothing attached,
// nothing loaded, nothing set.

#ifndef DAYBOOK_BINDINGS_SQL_DATABASE_H_
#define DAYBOOK_BINDINGS_SQL_DATABASE_H_

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bindings/sql/query.h"

namespace daybook::sql {

class Database;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Not thread-safe. Stands where it was made: SQLite points to it.
class Database {
 public:
  static absl::StatusOr<std::unique_ptr<Database>> Open();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Adds a table that is there by its name alone; `module` must be static.
  absl::Status AddTable(const char* name, const sqlite3_module* module, void* aux);
  // Declares the columns of a table, from within its xConnect; a code of SQLite's.
  int Declare(const char* schema);

  // One statement that only reads. kInvalidArgument says what is wrong with it, and where: at which
  // byte behind the first `ours`, which the caller has put there.
  absl::StatusOr<StatementPtr> Prepare(std::string_view sql, std::size_t ours = 0);
  // The next row; false at the end. `query` is what its tables belong to, or nullptr.
  absl::StatusOr<bool> Step(sqlite3_stmt* statement, Query* query);

  // Of the step that runs.
  [[nodiscard]] Query* query() const { return query_; }
  // Ends the step that runs with this error, from within.
  void Fail(absl::Status status);
  [[nodiscard]] sqlite3* handle() const { return db_; }

 private:
  Database() = default;
  absl::Status SetUp();
  absl::Status Configure();
  absl::Status PrepareError(std::string_view sql, std::size_t ours) const;
  [[nodiscard]] absl::Status StepError(int code) const;

  static int Authorize(void* self, int action, const char* first, const char* second,
                       const char* database, const char* trigger);
  static int OnProgress(void* self);
  static int Collate(void* self, int a_size, const void* a, int b_size, const void* b);

  sqlite3* db_ = nullptr;
  Query* query_ = nullptr;
  bool declaring_ = false;
  absl::Status failure_;
};

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_DATABASE_H_
