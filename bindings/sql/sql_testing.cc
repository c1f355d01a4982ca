#include "bindings/sql/sql_testing.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "daybook/event.h"
#include "tests/catch.h"

namespace daybook::sql::testing {
namespace {

struct Shown {
  std::string operator()(std::monostate /*null*/) const { return "NULL"; }
  std::string operator()(std::int64_t value) const { return absl::StrCat(value); }
  std::string operator()(double value) const { return absl::StrCat(value); }
  std::string operator()(std::string_view text) const { return std::string(text); }
  std::string operator()(std::span<const std::byte> bytes) const {
    return absl::StrCat("x:", std::string(AsText(bytes)));
  }
};

}  // namespace

std::string Show(const SqlValue& value) { return std::visit(Shown(), value); }

absl::StatusOr<Rows> TryAsk(SqlSession& session, std::string_view sql,
                            const std::vector<SqlValue>& parameters) {
  absl::StatusOr<SqlStatement> statement = session.Prepare(sql);
  if (!statement.ok()) return statement.status();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    absl::Status status = statement->Bind(static_cast<int>(i) + 1, parameters[i]);
    if (!status.ok()) return status;
  }
  Rows rows;
  for (;;) {
    absl::StatusOr<bool> found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) return rows;
    std::vector<std::string>& row = rows.emplace_back();
    for (int i = 0; i < statement->columns(); ++i) row.push_back(Show(statement->column(i)));
  }
}

absl::StatusOr<Rows> TryAsk(const Reader& reader, std::string_view sql, const SqlOptions& options) {
  absl::StatusOr<std::unique_ptr<SqlSession>> session = SqlSession::Open(reader, options);
  if (!session.ok()) return session.status();
  return TryAsk(**session, sql);
}

Rows Ask(const Reader& reader, std::string_view sql, const SqlOptions& options) {
  absl::StatusOr<Rows> rows = TryAsk(reader, sql, options);
  INFO(sql);
  REQUIRE_OK(rows);
  return *std::move(rows);
}

}  // namespace daybook::sql::testing
