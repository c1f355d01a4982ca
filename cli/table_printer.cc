#include "cli/table_printer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/strings.h"
#include "cli/terminal_text.h"

namespace daybook::cli {
namespace {

// The rows that settle the widths.
constexpr std::size_t kRowsWaitingMax = 1000;
constexpr std::string_view kSeparator = " | ";
// Text is not cut below this.
constexpr std::size_t kTextColumnsMin = 4;

}  // namespace

TablePrinter::TablePrinter(std::vector<std::string> names, std::optional<std::size_t> columns)
    : columns_(columns) {
  for (const std::string& name : names) names_.push_back({.text = Printable(name)});
}

TablePrinter::Cell TablePrinter::CellOf(const SqlValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return {.text = Printable(*text)};
  if (const auto* blob = std::get_if<std::span<const std::byte>>(&value)) {
    return {.text = absl::StrCat("x'", absl::BytesToHexString(ToAbsl(AsText(*blob))), "'")};
  }
  if (std::holds_alternative<std::monostate>(value)) return {.text = "NULL", .is_null = true};
  return {.text = NumberText(value), .is_number = true};
}

void TablePrinter::Append(const std::vector<SqlValue>& row, std::string& out) {
  std::vector<Cell> cells;
  cells.reserve(row.size());
  for (const SqlValue& value : row) cells.push_back(CellOf(value));
  ++rows_;
  if (begun_) {
    AppendRow(cells, out);
    return;
  }
  waiting_.push_back(std::move(cells));
  if (waiting_.size() == kRowsWaitingMax) Begin(out);
}

void TablePrinter::Finish(std::string& out) {
  if (!begun_) Begin(out);
  absl::StrAppend(&out, "(", rows_, rows_ == 1 ? " row)\n" : " rows)\n");
}

void TablePrinter::Begin(std::string& out) {
  begun_ = true;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    std::size_t width = DisplayWidth(names_[i].text);
    bool numbers = false;
    bool others = false;
    for (const std::vector<Cell>& row : waiting_) {
      width = std::max(width, DisplayWidth(row[i].text));
      numbers = numbers || row[i].is_number;
      others = others || !(row[i].is_number || row[i].is_null);
    }
    widths_.push_back(width);
    right_.push_back(numbers && !others);
  }
  if (columns_.has_value()) FitInto(*columns_);
  AppendRow(names_, out);
  for (std::size_t i = 0; i < widths_.size(); ++i) {
    if (i > 0) out.append("-+-");
    out.append(widths_[i], '-');
  }
  out.push_back('\n');
  for (const std::vector<Cell>& row : waiting_) AppendRow(row, out);
  waiting_.clear();
}

// Gives every column of text the same share, as far as it needs it: the widest are cut first.
void TablePrinter::FitInto(std::size_t columns) {
  const std::size_t separators = widths_.empty() ? 0 : (widths_.size() - 1) * kSeparator.size();
  const auto total_with = [this, separators](std::size_t share) {
    std::size_t total = separators;
    for (std::size_t i = 0; i < widths_.size(); ++i) {
      total += right_[i] ? widths_[i] : std::min(widths_[i], share);
    }
    return total;
  };
  std::size_t share = columns;
  while (share > kTextColumnsMin && total_with(share) > columns) --share;
  for (std::size_t i = 0; i < widths_.size(); ++i) {
    if (!right_[i]) widths_[i] = std::min(widths_[i], share);
  }
}

void TablePrinter::AppendRow(const std::vector<Cell>& row, std::string& out) const {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out.append(kSeparator);
    // A number that is cut would be another one.
    const bool may_cut = columns_.has_value() && !row[i].is_number;
    const std::string text = may_cut ? Cut(row[i].text, widths_[i]) : row[i].text;
    const std::size_t width = DisplayWidth(text);
    const std::size_t padding = widths_[i] > width ? widths_[i] - width : 0;
    if (right_[i]) out.append(padding, ' ');
    out.append(text);
    if (!right_[i] && i + 1 < row.size()) out.append(padding, ' ');
  }
  out.push_back('\n');
}

}  // namespace daybook::cli
