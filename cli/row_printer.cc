#include "cli/row_printer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/strings.h"
#include "cli/table_printer.h"
#include "daybook/json_text.h"

namespace daybook::cli {
namespace {

// Text as JSON must be, with U+FFFD for each byte that belongs to no character.
std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = 1;
    while (length < 4 && length < text.size() && !IsUtf8(text.substr(0, length))) ++length;
    if (IsUtf8(text.substr(0, length))) {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    } else {
      out.append("\uFFFD");
      text.remove_prefix(1);
    }
  }
  return out;
}

void AppendJsonText(std::string_view text, std::string& out) {
  if (IsUtf8(text)) {
    AppendJsonString(text, out);
  } else {
    AppendJsonString(ReplaceInvalidUtf8(text), out);
  }
}

std::string Base64(std::span<const std::byte> bytes) {
  std::string out;
  absl::Base64Escape(ToAbsl(AsText(bytes)), &out);
  return out;
}

void AppendJsonValue(const SqlValue& value, std::string& out) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    AppendJsonText(*text, out);
  } else if (const auto* blob = std::get_if<std::span<const std::byte>>(&value)) {
    out.append(1, '"').append(Base64(*blob)).push_back('"');
  } else if (std::holds_alternative<std::monostate>(value)) {
    out.append("null");
  } else {
    out.append(NumberText(value));
  }
}

// JSON lines, or one array of the same objects.
class JsonPrinter final : public RowPrinter {
 public:
  JsonPrinter(std::vector<std::string> names, bool array) : array_(array) {
    std::vector<std::string> seen;
    for (const std::string& name : names) {
      std::string unique = name;
      for (int i = 1; std::count(seen.begin(), seen.end(), unique) > 0; ++i) {
        unique = absl::StrCat(name, ":", i);
      }
      seen.push_back(unique);
      std::string& key = keys_.emplace_back();
      AppendJsonText(unique, key);
      key.push_back(':');
    }
  }
  void Append(const std::vector<SqlValue>& row, std::string& out) override {
    if (array_) out.append(first_ ? "[\n" : ",\n");
    first_ = false;
    out.push_back('{');
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out.push_back(',');
      out.append(keys_[i]);
      AppendJsonValue(row[i], out);
    }
    out.push_back('}');
    if (!array_) out.push_back('\n');
  }
  void Finish(std::string& out) override {
    if (array_) out.append(first_ ? "[]\n" : "\n]\n");
  }

 private:
  const bool array_;
  bool first_ = true;
  std::vector<std::string> keys_;
};

class CsvPrinter final : public RowPrinter {
 public:
  explicit CsvPrinter(std::vector<std::string> names) : names_(std::move(names)) {}
  void Append(const std::vector<SqlValue>& row, std::string& out) override {
    AppendHeader(out);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out.push_back(',');
      AppendCell(row[i], out);
    }
    out.append("\r\n");
  }
  void Finish(std::string& out) override { AppendHeader(out); }

 private:
  void AppendHeader(std::string& out) {
    if (header_written_) return;
    header_written_ = true;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i > 0) out.push_back(',');
      AppendText(names_[i], out);
    }
    out.append("\r\n");
  }
  static void AppendText(std::string_view text, std::string& out) {
    if (!text.empty() && text.find_first_of("\",\r\n") == std::string_view::npos) {
      out.append(text);
      return;
    }
    out.push_back('"');
    for (const char c : text) out.append(c == '"' ? 2 : 1, c);
    out.push_back('"');
  }
  static void AppendCell(const SqlValue& value, std::string& out) {
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      AppendText(*text, out);
    } else if (const auto* blob = std::get_if<std::span<const std::byte>>(&value)) {
      AppendText(Base64(*blob), out);
    } else if (!std::holds_alternative<std::monostate>(value)) {
      out.append(NumberText(value));
    }
  }

  const std::vector<std::string> names_;
  bool header_written_ = false;
};

}  // namespace

std::string NumberText(const SqlValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return absl::StrCat(*integer);
  const double real = std::get<double>(value);
  // Not a number JSON can say; too large for a double is.
  if (std::isinf(real)) return real > 0 ? "1e999" : "-1e999";
  std::array<char, 32> digits;
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), real);
  std::string text(digits.data(), end);
  // A real stays one for those who read it again.
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

std::unique_ptr<RowPrinter> RowPrinter::Make(RowFormat format, std::vector<std::string> names,
                                             std::optional<std::size_t> columns) {
  switch (format) {
    case RowFormat::kTable:
      return std::make_unique<TablePrinter>(std::move(names), columns);
    case RowFormat::kJsonLines:
      return std::make_unique<JsonPrinter>(std::move(names), /*array=*/false);
    case RowFormat::kJson:
      return std::make_unique<JsonPrinter>(std::move(names), /*array=*/true);
    case RowFormat::kCsv:
      return std::make_unique<CsvPrinter>(std::move(names));
  }
  return nullptr;
}

}  // namespace daybook::cli
