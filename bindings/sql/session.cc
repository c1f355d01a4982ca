#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bindings/sql/database.h"
#include "bindings/sql/moment_query.h"
#include "bindings/sql/query.h"
#include "bindings/sql/tables.h"
#include "daybook/sql.h"

namespace daybook {

// What a session and its statements share.
class SqlSession::Impl {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Open(const Reader& reader,
                                                    const SqlOptions& options);
  [[nodiscard]] absl::StatusOr<SqlStatement> Prepare(std::string_view sql);

 private:
  Impl(const Reader& reader, const SqlOptions& options) : reader_(reader), options_(options) {}
  absl::Status SetUp();

  const Reader& reader_;
  const SqlOptions options_;
  sql::Tables tables_{};
  std::unique_ptr<sql::Database> database_;
};

class SqlStatement::Impl {
 public:
  Impl(const Reader& reader, const SqlOptions& options, sql::Database* in, sql::StatementPtr given)
      : query(reader, options), database(in), statement(std::move(given)) {
    for (int i = 0; i < sqlite3_column_count(statement.get()); ++i) {
      const char* const name = sqlite3_column_name(statement.get(), i);
      names.emplace_back(name == nullptr ? "" : name);
    }
  }

  sql::Query query;
  sql::Database* database;
  sql::StatementPtr statement;
  std::vector<std::string> names;  // of the columns, as the query was given
  bool done = false;
};

namespace {

absl::Status CheckMoment(const Reader& reader, const AsOf& as_of) {
  if (as_of.version) {
    return absl::InvalidArgumentError(
        "SQL as of a version: versions are of one stream; give a position or a time");
  }
  ReadOptions read;
  read.as_of = as_of;
  read.limit = 0;
  return reader.Read(read).status();
}

struct BindValue {
  sqlite3_stmt* statement;
  int index;
  int operator()(std::monostate /*null*/) const { return sqlite3_bind_null(statement, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
  int operator()(std::string_view text) const {
    return sqlite3_bind_text64(statement, index, text.empty() ? "" : text.data(), text.size(),
                               SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  int operator()(std::span<const std::byte> bytes) const {
    return sqlite3_bind_blob64(statement, index, bytes.empty() ? "" : AsText(bytes).data(),
                               bytes.size(), SQLITE_TRANSIENT);
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<SqlSession::Impl>> SqlSession::Impl::Open(
    const Reader& reader, const SqlOptions& options) {
  if (absl::Status status = CheckMoment(reader, options.as_of); !status.ok()) return status;
  std::unique_ptr<Impl> impl(new Impl(reader, options));
  if (absl::Status status = impl->SetUp(); !status.ok()) return status;
  return impl;
}

absl::Status SqlSession::Impl::SetUp() {
  absl::StatusOr<std::unique_ptr<sql::Database>> database = sql::Database::Open();
  if (!database.ok()) return database.status();
  database_ = *std::move(database);
  tables_ = {.database = database_.get(), .reader = &reader_, .options = &options_};
  absl::Status status = sql::AddEventsTable(&tables_);
  if (status.ok()) status = sql::AddStreamsTable(&tables_);
  if (status.ok()) status = sql::AddStateTable(&tables_);
  return status;
}

absl::StatusOr<SqlStatement> SqlSession::Impl::Prepare(std::string_view sql) {
  absl::StatusOr<sql::StatementPtr> statement = database_->Prepare(sql);
  if (!statement.ok()) return statement.status();
  auto impl = std::make_unique<SqlStatement::Impl>(reader_, options_, database_.get(),
                                                   *std::move(statement));
  // What is wrong with a query is said of it as it was given.
  const std::string with_moments = sql::WithMoments(sql);
  if (with_moments != sql) {
    absl::StatusOr<sql::StatementPtr> better = database_->Prepare(with_moments);
    if (better.ok()) impl->statement = *std::move(better);
  }
  return SqlStatement(std::move(impl));
}

SqlSession::SqlSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqlSession::~SqlSession() = default;

absl::StatusOr<std::unique_ptr<SqlSession>> SqlSession::Open(const Reader& reader,
                                                             const SqlOptions& options) {
  absl::StatusOr<std::unique_ptr<Impl>> impl = Impl::Open(reader, options);
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<SqlSession>(new SqlSession(*std::move(impl)));
}

absl::StatusOr<SqlStatement> SqlSession::Prepare(std::string_view sql) {
  return impl_->Prepare(sql);
}

SqlStatement::SqlStatement(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqlStatement::SqlStatement(SqlStatement&&) noexcept = default;
SqlStatement& SqlStatement::operator=(SqlStatement&&) noexcept = default;
SqlStatement::~SqlStatement() = default;

absl::Status SqlStatement::Bind(int index, const SqlValue& value) {
  switch (std::visit(BindValue{impl_->statement.get(), index}, value)) {
    case SQLITE_OK:
      return absl::OkStatus();
    case SQLITE_RANGE:
      return absl::InvalidArgumentError(
          absl::StrCat("SQL: there is no parameter ", index, "; there are ",
                       sqlite3_bind_parameter_count(impl_->statement.get())));
    case SQLITE_MISUSE:
      return absl::InvalidArgumentError("SQL: the query has begun; Reset() it first");
    default:
      return absl::InvalidArgumentError("SQL: the value of a parameter is too large");
  }
}

absl::StatusOr<bool> SqlStatement::Step() {
  sql::Query& query = impl_->query;
  if (!query.begun()) query.Begin();
  if (!query.status().ok()) return query.status();
  if (impl_->done) return false;  // SQLite would begin anew
  absl::StatusOr<bool> row = impl_->database->Step(impl_->statement.get(), &query);
  impl_->done = row.ok() && !*row;
  return row;
}

void SqlStatement::Reset() {
  sqlite3_reset(impl_->statement.get());
  impl_->query.Reset();
  impl_->done = false;
}

int SqlStatement::columns() const { return sqlite3_column_count(impl_->statement.get()); }

std::string_view SqlStatement::column_name(int index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= impl_->names.size()) return "";
  return impl_->names[static_cast<std::size_t>(index)];
}

SqlValue SqlStatement::column(int index) const {
  sqlite3_stmt* const statement = impl_->statement.get();
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_TEXT: {
      const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
      return std::string_view(text,
                              static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
    }
    case SQLITE_BLOB: {
      const auto* const blob = static_cast<const std::byte*>(sqlite3_column_blob(statement, index));
      return std::span<const std::byte>(
          blob, static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
    }
    default:
      return std::monostate();
  }
}

}  // namespace daybook
