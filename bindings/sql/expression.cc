#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bindings/sql/database.h"
#include "bindings/sql/event_columns.h"
#include "bindings/sql/moment_query.h"
#include "bindings/sql/table.h"
#include "daybook/sql_expression.h"

namespace daybook {
namespace {

constexpr std::string_view kHead = "SELECT ((";
// More fields than anybody writes into an expression by hand.
constexpr std::size_t kFieldsMax = 500;

// The one row that an expression sees.
struct Row {
  sql::Database* database = nullptr;
  JsonFold fold;
  std::string_view state;
  const EventView* event = nullptr;
};

class RowCursor final : public sql::TableCursor {
 public:
  explicit RowCursor(const Row* row) : row_(row) {}
  absl::Status Filter(const sql::Plan& /*plan*/, std::span<sqlite3_value*> /*arguments*/) override {
    at_end_ = false;
    return absl::OkStatus();
  }
  absl::Status Next() override {
    at_end_ = true;
    return absl::OkStatus();
  }
  [[nodiscard]] bool AtEnd() const override { return at_end_; }
  absl::Status Column(sqlite3_context* context, int column) override {
    if (column != sql::kEventColumns) {
      sql::ResultEventColumn(context, column, *row_->event);
      return absl::OkStatus();
    }
    sql::ResultState(context, row_->fold, row_->state);
    return absl::OkStatus();
  }
  [[nodiscard]] std::int64_t row_id() const override { return 1; }

 private:
  const Row* row_;
  bool at_end_ = true;
};

struct RowTable {
  using Context = Row;
  static constexpr char kSchema[] =
      "CREATE TABLE event(" DAYBOOK_SQL_EVENT_COLUMNS ", state " DAYBOOK_SQL_STATE_TYPE ")";
  static int BestIndex(Row* /*row*/, sqlite3_index_info* info) {
    info->estimatedRows = 1;
    info->estimatedCost = 1;
    return SQLITE_OK;
  }
  static std::unique_ptr<sql::TableCursor> Open(Row* row) {
    return std::make_unique<RowCursor>(row);
  }
};

constexpr sqlite3_module kModule = sql::Module<RowTable>::Make();

bool IsPlainName(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c < 0;
  };
  if (name.empty() || !is_letter(name[0])) return false;
  for (const char c : name) {
    if (!is_letter(c) && (c < '0' || c > '9')) return false;
  }
  return true;
}

// A plain name has nothing in it that would have to be escaped.
std::string StatementOf(std::string_view expression, const std::vector<std::string>& fields) {
  std::string sql(kHead);
  // The line break ends a comment.
  sql.append(expression).append("\n) IS TRUE) FROM (SELECT *");
  for (const std::string& field : fields) {
    absl::StrAppend(&sql, ", json_extract(state, '$.\"", field, "\"') AS \"", field, "\"");
  }
  return sql.append(" FROM event)");
}

absl::Status Named(std::string_view expression, const absl::Status& status) {
  constexpr std::size_t kShownMax = 200;
  const std::string shown(expression.substr(0, kShownMax));
  return {status.code(), absl::StrCat("the expression `", shown, "`: ", status.message())};
}

}  // namespace

class SqlExpression::Impl {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Compile(std::string_view expression,
                                                       const JsonFold& fold);
  absl::StatusOr<bool> Holds(std::string_view state, const EventView& event);

 private:
  absl::Status Prepare(bool with_fields);
  // The name of the column that Prepare did not find; empty where that is not what it failed by.
  [[nodiscard]] std::string_view MissingField() const;

  std::string expression_;
  Row row_;
  std::unique_ptr<sql::Database> database_;
  sql::StatementPtr statement_;
};

std::string_view SqlExpression::Impl::MissingField() const {
  constexpr std::string_view kMissing = "no such column: ";
  std::string_view message = sqlite3_errmsg(database_->handle());
  if (!message.starts_with(kMissing)) return {};
  message.remove_prefix(kMissing.size());
  return IsPlainName(message) ? message : std::string_view();
}

absl::Status SqlExpression::Impl::Prepare(bool with_fields) {
  std::vector<std::string> fields;
  for (;;) {
    absl::StatusOr<sql::StatementPtr> statement =
        database_->Prepare(StatementOf(expression_, fields), kHead.size());
    if (statement.ok()) {
      statement_ = *std::move(statement);
      break;
    }
    const std::string_view missing = MissingField();
    if (!with_fields || missing.empty() || fields.size() == kFieldsMax) return statement.status();
    fields.emplace_back(missing);
  }
  absl::StatusOr<sql::StatementPtr> better =
      database_->Prepare(StatementOf(sql::WithMoments(expression_), fields));
  if (better.ok()) statement_ = *std::move(better);
  if (sqlite3_column_count(statement_.get()) != 1) {
    return absl::InvalidArgumentError("it is not one expression");
  }
  if (sqlite3_bind_parameter_count(statement_.get()) != 0) {
    return absl::InvalidArgumentError("it has a parameter; write the value");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SqlExpression::Impl>> SqlExpression::Impl::Compile(
    std::string_view expression, const JsonFold& fold) {
  auto impl = std::make_unique<Impl>();
  absl::StatusOr<std::unique_ptr<sql::Database>> database = sql::Database::Open();
  if (!database.ok()) return database.status();
  impl->database_ = *std::move(database);
  impl->expression_ = expression;
  const bool number = fold.kind() == JsonFold::Kind::kSum || fold.kind() == JsonFold::Kind::kCount;
  impl->row_ = {.database = impl->database_.get(), .fold = fold};
  absl::Status status = impl->database_->AddTable("event", &kModule, &impl->row_);
  if (status.ok()) status = impl->Prepare(!number);
  if (!status.ok()) return Named(expression, status);
  return impl;
}

absl::StatusOr<bool> SqlExpression::Impl::Holds(std::string_view state, const EventView& event) {
  row_.state = state;
  row_.event = &event;
  absl::StatusOr<bool> found = database_->Step(statement_.get(), nullptr);
  const bool holds = found.ok() && *found && sqlite3_column_int(statement_.get(), 0) != 0;
  sqlite3_reset(statement_.get());
  if (!found.ok()) return Named(expression_, found.status());
  return holds;
}

SqlExpression::SqlExpression(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqlExpression::SqlExpression(SqlExpression&&) noexcept = default;
SqlExpression& SqlExpression::operator=(SqlExpression&&) noexcept = default;
SqlExpression::~SqlExpression() = default;

absl::StatusOr<SqlExpression> SqlExpression::Compile(std::string_view expression,
                                                     const JsonFold& fold) {
  absl::StatusOr<std::unique_ptr<Impl>> impl = Impl::Compile(expression, fold);
  if (!impl.ok()) return impl.status();
  return SqlExpression(*std::move(impl));
}

absl::StatusOr<bool> SqlExpression::Holds(std::string_view state, const EventView& event) {
  return impl_->Holds(state, event);
}

}  // namespace daybook
