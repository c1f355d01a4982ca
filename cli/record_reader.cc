#include "cli/record_reader.h"

#include <cstring>
#include <span>

#include "cli/errors.h"

namespace daybook::cli {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view WithoutSuffix(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

InputFormat FormatOf(std::string_view path) {
  const std::string_view name = WithoutSuffix(WithoutSuffix(path, ".gz"), ".zst");
  return name.ends_with(".csv") ? InputFormat::kCsv : InputFormat::kNdjson;
}

RecordReader::RecordReader(ByteSource& source, InputFormat format)
    : source_(source), format_(format), buffer_(2 * kReadBytes) {}

absl::StatusOr<std::optional<Record>> RecordReader::Next() {
  for (;;) {
    absl::StatusOr<std::optional<Record>> record = NextOrBlank();
    if (!record.ok() || !record->has_value()) return record;
    if ((*record)->too_long || !IsBlank((*record)->text)) return record;
  }
}

absl::StatusOr<std::optional<Record>> RecordReader::NextOrBlank() {
  bool too_long = false;
  while (!FindEnd()) {
    if (source_ended_) {
      if (begin_ == end_ && !too_long) return std::nullopt;
      return Take(end_ - begin_, too_long);
    }
    if (end_ - begin_ > kRecordBytesMax) {  // forget its bytes, go on looking for its end
      too_long = true;
      begin_ = scan_;
    }
    DAYBOOK_CLI_RETURN_IF_ERROR(Fill());
  }
  return Take(scan_ - begin_, too_long || scan_ - begin_ > kRecordBytesMax);
}

bool RecordReader::FindEnd() {
  if (format_ == InputFormat::kCsv) return FindEndOfCsv();
  const void* found = std::memchr(buffer_.data() + scan_, '\n', end_ - scan_);
  scan_ = found == nullptr
              ? end_
              : static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
  return found != nullptr;
}

bool RecordReader::FindEndOfCsv() {
  for (; scan_ < end_; ++scan_) {
    const char c = buffer_[scan_];
    if (place_ == CsvPlace::kQuoted) {
      if (c == '"') place_ = CsvPlace::kQuoteInQuoted;
      if (c == '\n') ++lines_within_;
    } else if (c == '\n') {
      return true;
    } else if (c == ',') {
      place_ = CsvPlace::kFieldStart;
    } else if (c == '"' && place_ != CsvPlace::kPlain) {  // opens a field, or is a doubled quote
      place_ = CsvPlace::kQuoted;
    } else {
      place_ = CsvPlace::kPlain;
    }
  }
  return false;
}

absl::Status RecordReader::Fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    scan_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < kReadBytes) buffer_.resize(buffer_.size() * 2);
  const absl::StatusOr<std::size_t> got =
      source_.Read(std::span<char>(buffer_).subspan(end_, kReadBytes));
  if (!got.ok()) return got.status();
  end_ += *got;
  source_ended_ = *got == 0;
  return absl::OkStatus();
}

// Takes `size` bytes as a record, and the line feed behind them if there is one.
Record RecordReader::Take(std::size_t size, bool too_long) {
  Record record = {.text = {buffer_.data() + begin_, size}, .line = line_, .too_long = too_long};
  const bool ended = begin_ + size < end_;
  begin_ = scan_ = begin_ + size + (ended ? 1 : 0);
  line_ += lines_within_ + 1;
  lines_within_ = 0;
  place_ = CsvPlace::kFieldStart;
  if (too_long) record.text = {};
  if (at_file_start_ && record.text.starts_with(kByteOrderMark)) {
    record.text.remove_prefix(kByteOrderMark.size());
  }
  at_file_start_ = false;
  if (ended) record.text = WithoutSuffix(record.text, "\r");
  return record;
}

}  // namespace daybook::cli
