// The rows of a query, as a table, JSON or CSV.

#ifndef DAYBOOK_CLI_ROW_PRINTER_H_
#define DAYBOOK_CLI_ROW_PRINTER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/sql.h"
#include "daybook/sql.h"

namespace daybook::cli {

// Not thread-safe.
//
// JSON: integers in all their digits; a blob is base64; text that is not UTF-8 has U+FFFD in place
// of what is not. A column whose name is there already is called name:1, name:2.
// CSV: NULL is an empty cell, empty text is "", lines end in CR LF; a blob is base64.
// Table: widths are those of the first thousand rows; on a terminal text is cut until the table
// fits, numbers never are; a blob is x'00ff'.
class RowPrinter {
 public:
  // `columns` is the width of the terminal; without one nothing is cut.
  static std::unique_ptr<RowPrinter> Make(RowFormat format, std::vector<std::string> names,
                                          std::optional<std::size_t> columns);
  RowPrinter() = default;
  virtual ~RowPrinter() = default;
  RowPrinter(const RowPrinter&) = delete;
  RowPrinter& operator=(const RowPrinter&) = delete;

  // The values are read at once and not kept. May write nothing yet.
  virtual void Append(const std::vector<SqlValue>& row, std::string& out) = 0;
  // Writes what is left. Once, after the last row.
  virtual void Finish(std::string& out) = 0;
};

// An integer or a real in decimal digits; a real reads as one.
std::string NumberText(const SqlValue& value);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_ROW_PRINTER_H_
