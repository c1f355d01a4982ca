#include "bindings/sql/database.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bindings/sql/moment_text.h"

namespace daybook::sql {
namespace {

// How many instructions of SQLite's machine run between two looks at the clock: some ten
// microseconds.
constexpr int kProgressInstructions = 1000;
// The longest text or blob: the largest event in hexadecimal, and some more.
constexpr int kValueBytesMax = 64 << 20;
// What a sort or a GROUP BY holds in memory, and what it goes to a temporary file beyond: in
// pieces of this size it can also be interrupted.
constexpr char kMemory[] = "PRAGMA cache_size = -16384";
// SQLite's own tables, which are declared when they are first named: by a CREATE TABLE, which the
// authorizer could not tell from one of a query's.
constexpr char kOwnTables[] = "SELECT 1 FROM json_each('[]'), json_tree('[]')";

std::string_view TextAt(const void* data, int size) {
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

int CollateMoments(void* /*unused*/, int a_size, const void* a, int b_size, const void* b) {
  return CompareMoments(TextAt(a, a_size), TextAt(b, b_size));
}

absl::Status OpenError(sqlite3* db) {
  return absl::InternalError(absl::StrCat("SQLite does not open: ", sqlite3_errmsg(db)));
}

// What stands behind a statement: space, comments and semicolons.
bool IsBlank(sqlite3* db, std::string_view text) {
  while (!text.empty()) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code =
        sqlite3_prepare_v2(db, text.data(), static_cast<int>(text.size()), &statement, &tail);
    const StatementPtr owner(statement);
    if (code != SQLITE_OK || statement != nullptr) return false;
    const auto used = static_cast<std::size_t>(tail - text.data());
    if (used == 0) return false;
    text.remove_prefix(used);
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open() {
  std::unique_ptr<Database> database(new Database());
  if (absl::Status status = database->SetUp(); !status.ok()) return status;
  return database;
}

Database::~Database() { sqlite3_close_v2(db_); }

absl::Status Database::SetUp() {
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  if (sqlite3_open_v2(":memory:", &db_, kFlags, nullptr) != SQLITE_OK) return OpenError(db_);
  if (absl::Status status = Configure(); !status.ok()) return status;
  if (sqlite3_create_collation_v2(db_, kTimeCollation, SQLITE_UTF8, this, &Database::Collate,
                                  nullptr) != SQLITE_OK ||
      sqlite3_create_collation_v2(db_, kMomentCollation, SQLITE_UTF8, nullptr, &CollateMoments,
                                  nullptr) != SQLITE_OK) {
    return OpenError(db_);
  }
  sqlite3_progress_handler(db_, kProgressInstructions, &Database::OnProgress, this);
  sqlite3_set_authorizer(db_, &Database::Authorize, this);
  return absl::OkStatus();
}

absl::Status Database::Configure() {
  if (sqlite3_exec(db_, kMemory, nullptr, nullptr, nullptr) != SQLITE_OK) return OpenError(db_);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  // A name in double quotes that is no column is an error and not a text.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_exec(db_, kOwnTables, nullptr, nullptr, nullptr);  // a SQLite without JSON has none
  sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, kValueBytesMax);
  sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(db_, SQLITE_LIMIT_WORKER_THREADS, 0);
  return absl::OkStatus();
}

absl::Status Database::AddTable(const char* name, const sqlite3_module* module, void* aux) {
  if (sqlite3_create_module_v2(db_, name, module, aux, nullptr) != SQLITE_OK) {
    return OpenError(db_);
  }
  return absl::OkStatus();
}

int Database::Declare(const char* schema) {
  declaring_ = true;  // it is a CREATE TABLE, and SQLite asks about it
  const int code = sqlite3_declare_vtab(db_, schema);
  declaring_ = false;
  return code;
}

// Whatever is not on this list is refused, so also what a later SQLite may add.
int Database::Authorize(void* self, int action, const char* /*first*/, const char* second,
                        const char* /*database*/, const char* /*trigger*/) {
  if (static_cast<Database*>(self)->declaring_) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return sqlite3_stricmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}

int Database::OnProgress(void* self) {
  Query* const query = static_cast<Database*>(self)->query_;
  return query != nullptr && !query->KeepGoing() ? 1 : 0;
}

int Database::Collate(void* self, int a_size, const void* a, int b_size, const void* b) {
  const Comparison compared = CompareTimes(TextAt(a, a_size), TextAt(b, b_size));
  if (!compared.is_time) {
    static_cast<Database*>(self)->Fail(absl::InvalidArgumentError(
        "a time is compared with a text that is no RFC 3339 time with a zone, as in "
        "2026-01-31T09:00:00Z, or out of range; compare substr() of it, or a *_ns column"));
  }
  return compared.order;
}

void Database::Fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
  sqlite3_interrupt(db_);
}

absl::Status Database::PrepareError(std::string_view sql, std::size_t ours) const {
  const int code = sqlite3_errcode(db_);
  if (code == SQLITE_AUTH) {
    return absl::InvalidArgumentError(
        "SQL: only SELECT is possible, with the tables and functions of SQLite and Daybook");
  }
  if (code == SQLITE_NOMEM) return absl::ResourceExhaustedError("SQL: out of memory");
  const int offset = sqlite3_error_offset(db_);
  std::string where;
  const auto at = static_cast<std::size_t>(offset);
  if (offset >= 0 && at >= ours && at < sql.size()) {
    where = absl::StrCat(", at byte ", at - ours);
  }
  return absl::InvalidArgumentError(absl::StrCat("SQL: ", sqlite3_errmsg(db_), where));
}

absl::StatusOr<StatementPtr> Database::Prepare(std::string_view sql, std::size_t ours) {
  if (sql.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("SQL: a NUL byte in the statement");
  }
  if (sql.size() > static_cast<std::size_t>(sqlite3_limit(db_, SQLITE_LIMIT_SQL_LENGTH, -1))) {
    return absl::InvalidArgumentError("SQL: the statement is too long");
  }
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  // An empty view may have no address.
  if (sql.empty()) sql = "";
  if (sqlite3_prepare_v2(db_, sql.data(), static_cast<int>(sql.size()), &statement, &tail) !=
      SQLITE_OK) {
    return PrepareError(sql, ours);
  }
  StatementPtr owner(statement);
  if (statement == nullptr) return absl::InvalidArgumentError("SQL: there is no statement");
  if (sqlite3_column_count(statement) == 0 || sqlite3_stmt_readonly(statement) == 0) {
    return absl::InvalidArgumentError("SQL: only SELECT is possible");
  }
  if (!IsBlank(db_, sql.substr(static_cast<std::size_t>(tail - sql.data())))) {
    return absl::InvalidArgumentError("SQL: more than one statement; give one");
  }
  return owner;
}

absl::Status Database::StepError(int code) const {
  const std::string message = absl::StrCat("SQL: ", sqlite3_errmsg(db_));
  switch (code & 0xFF) {
    case SQLITE_NOMEM:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, "; a large sort needs room for temporary files (SQLITE_TMPDIR)"));
    case SQLITE_INTERRUPT:
      return absl::CancelledError(message);
    default:
      return absl::InvalidArgumentError(message);
  }
}

absl::StatusOr<bool> Database::Step(sqlite3_stmt* statement, Query* query) {
  query_ = query;
  failure_ = absl::OkStatus();
  const int code = sqlite3_step(statement);
  query_ = nullptr;
  if (query != nullptr && !query->status().ok()) return query->status();
  if (!failure_.ok()) {
    if (query != nullptr) query->Fail(failure_);
    return failure_;
  }
  if (code == SQLITE_ROW || code == SQLITE_DONE) return code == SQLITE_ROW;
  absl::Status status = StepError(code);
  if (query != nullptr) query->Fail(status);
  return status;
}

}  // namespace daybook::sql
