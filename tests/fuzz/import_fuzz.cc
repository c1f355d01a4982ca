// What `daybook import` reads: NDJSON and CSV, cut into records and parsed into events. The first
// byte says which, the second how much a read gives.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/csv.h"
#include "cli/event_parser.h"
#include "cli/record_reader.h"
#include "daybook/append.h"
#include "daybook/json_text.h"
#include "tests/fuzz/fuzz_support.h"

namespace daybook::fuzzing {
namespace {

using cli::EventParser;
using cli::InputFormat;

class MemorySource : public cli::ByteSource {
 public:
  MemorySource(std::string_view text, std::size_t piece) : text_(text), piece_(piece) {}
  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    const std::size_t n = std::min({to.size(), piece_, text_.size() - at_});
    std::copy_n(text_.begin() + static_cast<std::ptrdiff_t>(at_), n, to.begin());
    at_ += n;
    return n;
  }
  [[nodiscard]] std::uint64_t bytes_read() const override { return at_; }
  [[nodiscard]] std::optional<std::uint64_t> bytes_total() const override { return text_.size(); }

 private:
  const std::string_view text_;
  const std::size_t piece_;
  std::size_t at_ = 0;
};

std::vector<std::string> RecordsOf(std::string_view text, InputFormat format, std::size_t piece) {
  MemorySource source(text, piece);
  cli::RecordReader reader(source, format);
  std::vector<std::string> records;
  std::uint64_t line = 0;
  for (;;) {
    const auto record = reader.Next();
    DAYBOOK_FUZZ_CHECK(record.ok());
    if (!record->has_value()) return records;
    DAYBOOK_FUZZ_CHECK((*record)->line > line && !(*record)->too_long);
    line = (*record)->line;
    records.emplace_back((*record)->text);
  }
}

// A second opinion: what another parser takes for JSON is JSON for us.
void CheckJson(std::string_view text) {
  // It passes over a byte order mark, and takes a zero byte for the end.
  if (text.starts_with("\xEF") || text.find('\0') != std::string_view::npos) return;
  if (std::count(text.begin(), text.end(), '[') + std::count(text.begin(), text.end(), '{') >=
      900) {
    return;
  }
  if (nlohmann::json::accept(text)) DAYBOOK_FUZZ_CHECK(IsJsonValue(text));
}

void ParseAll(const std::vector<std::string>& records, InputFormat format) {
  EventParser parser(format, {});
  for (const std::string& record : records) {
    if (parser.needs_columns()) {
      if (!parser.SetColumns(record).ok()) return;
      continue;
    }
    if (format == InputFormat::kNdjson) CheckJson(record);
    cli::ParsedEvent parsed;
    const absl::Status status = parser.Parse(record, parsed);
    if (!status.ok()) {
      DAYBOOK_FUZZ_CHECK(absl::IsInvalidArgument(status) && !status.message().empty());
      continue;
    }
    if (format == InputFormat::kNdjson) DAYBOOK_FUZZ_CHECK(IsJsonObject(record));
    if (parsed.event.content_type == ContentType::kJson) {
      DAYBOOK_FUZZ_CHECK(parsed.event.data.empty() || IsJsonValue(AsText(parsed.event.data)));
    }
    DAYBOOK_FUZZ_CHECK(parsed.event.metadata.empty() || IsJsonObject(parsed.event.metadata));
    Commit commit;
    const absl::Status added = commit.Add(parsed.stream, parsed.event);
    DAYBOOK_FUZZ_CHECK(added.ok() || absl::IsInvalidArgument(added));
    if (added.ok()) Tally::Get().Accepted();
  }
}

}  // namespace
}  // namespace daybook::fuzzing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace daybook::fuzzing;
  Tally::Get().Input();
  if (size < 2) return 0;
  const auto format = data[0] % 2 == 0 ? InputFormat::kNdjson : InputFormat::kCsv;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::vector<std::string> records = RecordsOf(text, format, std::size_t{1} << 20);
  // How the input comes in pieces does not matter. Not every time: the buffers take their time.
  if (data[1] % 64 < 16) DAYBOOK_FUZZ_CHECK(RecordsOf(text, format, data[1] % 16 + 1U) == records);
  ParseAll(records, format);
  return 0;
}
