// Rows as an aligned table.

#ifndef DAYBOOK_CLI_TABLE_PRINTER_H_
#define DAYBOOK_CLI_TABLE_PRINTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/row_printer.h"

namespace daybook::cli {

class TablePrinter final : public RowPrinter {
 public:
  TablePrinter(std::vector<std::string> names, std::optional<std::size_t> columns);
  void Append(const std::vector<SqlValue>& row, std::string& out) override;
  void Finish(std::string& out) override;

 private:
  struct Cell {
    std::string text;  // printable
    bool is_number = false;
    bool is_null = false;
  };
  static Cell CellOf(const SqlValue& value);
  // Settles the widths, from the rows that wait, and writes the names and these rows.
  void Begin(std::string& out);
  void FitInto(std::size_t columns);
  void AppendRow(const std::vector<Cell>& row, std::string& out) const;

  const std::optional<std::size_t> columns_;
  std::vector<Cell> names_;
  std::vector<std::size_t> widths_;
  std::vector<bool> right_;  // columns of numbers
  std::vector<std::vector<Cell>> waiting_;
  bool begun_ = false;
  std::uint64_t rows_ = 0;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_TABLE_PRINTER_H_
