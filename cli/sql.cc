#include "cli/sql.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/row_printer.h"
#include "cli/signals.h"
#include "daybook/sql.h"

namespace daybook::cli {
namespace {

std::vector<std::string> ColumnNames(const SqlStatement& statement) {
  std::vector<std::string> names;
  for (int i = 0; i < statement.columns(); ++i) names.emplace_back(statement.column_name(i));
  return names;
}

absl::Status PrintRows(SqlStatement& statement, std::optional<std::uint64_t> rows_max,
                       RowPrinter& printer, Output& out) {
  std::vector<SqlValue> row(static_cast<std::size_t>(statement.columns()));
  for (std::uint64_t rows = 0; !out.closed(); ++rows) {
    const absl::StatusOr<bool> more = statement.Step();
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    if (rows == rows_max) {
      return absl::DeadlineExceededError(
          absl::StrCat("there are more rows than --max-rows, the first ", rows,
                       " were printed, raise it, or ask for less"));
    }
    for (int i = 0; i < statement.columns(); ++i) {
      row[static_cast<std::size_t>(i)] = statement.column(i);
    }
    printer.Append(row, out.buffer());
    DAYBOOK_CLI_RETURN_IF_ERROR(out.FlushIfLarge());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunSql(const SqlFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  SqlOptions options;
  options.as_of = flags.as_of;
  options.fold = flags.fold;
  options.timeout = flags.timeout;
  options.interrupted = Interrupted;
  const absl::StatusOr<std::unique_ptr<SqlSession>> session = SqlSession::Open(**reader, options);
  if (!session.ok()) return session.status();
  absl::StatusOr<SqlStatement> statement = (*session)->Prepare(flags.statement);
  if (!statement.ok()) return statement.status();
  const RowFormat by_mode =
      console.mode() == OutputMode::kText ? RowFormat::kTable : RowFormat::kJsonLines;
  const std::unique_ptr<RowPrinter> printer =
      RowPrinter::Make(flags.format.value_or(by_mode), ColumnNames(*statement), console.columns());
  Output& out = console.out();
  const absl::Status status = PrintRows(*statement, flags.max_rows, *printer, out);
  printer->Finish(out.buffer());
  return absl::IsCancelled(status) ? InterruptedError() : status;
}

}  // namespace daybook::cli
