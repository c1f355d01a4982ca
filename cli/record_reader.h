// Cuts input into records: the lines of NDJSON, the records of CSV.

#ifndef DAYBOOK_CLI_RECORD_READER_H_
#define DAYBOOK_CLI_RECORD_READER_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/input.h"

namespace daybook::cli {

enum class InputFormat : std::uint8_t { kNdjson, kCsv };

// CSV by the name's end (.csv, .csv.gz, .csv.zst), else NDJSON.
InputFormat FormatOf(std::string_view path);

// Longer records are not read: no event of 16 MiB needs as much, even in base64.
inline constexpr std::size_t kRecordBytesMax = std::size_t{32} << 20;

struct Record {
  std::string_view
      text;  // without its line ending (LF or CR LF), and without the file's byte order mark
  std::uint64_t line = 0;  // where it begins, counted from 1
  bool too_long = false;   // longer than kRecordBytesMax; text is empty then
};

// Not thread-safe. The source must outlive it.
class RecordReader {
 public:
  RecordReader(ByteSource& source, InputFormat format);

  // The next record that is not blank, valid until the next call; nullopt at the end.
  absl::StatusOr<std::optional<Record>> Next();

 private:
  // Where in a record of CSV the scan stands: only a line feed outside quotes ends it.
  enum class CsvPlace : std::uint8_t { kFieldStart, kPlain, kQuoted, kQuoteInQuoted };

  absl::StatusOr<std::optional<Record>> NextOrBlank();
  // Moves scan_ on; true where it stands on the line feed that ends the record.
  bool FindEnd();
  bool FindEndOfCsv();
  absl::Status Fill();  // reads more behind end_
  Record Take(std::size_t size, bool too_long);

  ByteSource& source_;
  const InputFormat format_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, scan_ = 0,
              end_ = 0;             // of the record, of what was not looked at, of what was read
  std::uint64_t line_ = 1;          // of begin_
  std::uint64_t lines_within_ = 0;  // line feeds between begin_ and scan_
  CsvPlace place_ = CsvPlace::kFieldStart;
  bool at_file_start_ = true;
  bool source_ended_ = false;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_RECORD_READER_H_
