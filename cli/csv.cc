#include "cli/csv.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace daybook::cli {
namespace {

absl::Status CsvError(std::size_t at, const char* what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the line is not CSV at byte ", at + 1, ": ", what));
}

// Reads a field in quotes, which begins at *at; leaves *at behind its closing quote.
absl::Status ReadQuoted(std::string_view record, std::size_t* at, std::string& field) {
  const std::size_t begin = *at;
  for (;;) {
    const std::size_t quote = record.find('"', *at + 1);
    if (quote == std::string_view::npos) return CsvError(begin, "a quote that is not closed");
    field.append(record, *at + 1, quote - *at - 1);
    *at = quote + 1;
    if (*at >= record.size() || record[*at] != '"') return absl::OkStatus();
    field.push_back('"');  // two quotes are one
  }
}

}  // namespace

absl::Status SplitCsvRecord(std::string_view record, std::vector<std::string>& fields) {
  fields.clear();
  for (std::size_t at = 0;; ++at) {
    std::string& field = fields.emplace_back();
    if (at < record.size() && record[at] == '"') {
      if (absl::Status status = ReadQuoted(record, &at, field); !status.ok()) return status;
      if (at < record.size() && record[at] != ',')
        return CsvError(at, "text after a closing quote");
    } else {
      const std::size_t end = std::min(record.find(',', at), record.size());
      field = record.substr(at, end - at);
      if (const std::size_t quote = field.find('"'); quote != std::string::npos) {
        return CsvError(at + quote, "a quote within a field that does not begin with one");
      }
      at = end;
    }
    if (at >= record.size()) return absl::OkStatus();
  }
}

}  // namespace daybook::cli
