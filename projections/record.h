// A few named values as text with a checksum: what CURRENT, STATUS and a checkpoint are.
//
//   daybook <kind> <format>\n
//   <name>=<value>\n            in any number; in a value \ and line feed are \\ and \n
//   checksum=<16 hex digits>\n  XXH3-64 of all bytes before this line

#ifndef DAYBOOK_PROJECTIONS_RECORD_H_
#define DAYBOOK_PROJECTIONS_RECORD_H_

#include <charconv>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/values.h"

namespace daybook {

// A value. Names are of lower-case letters, digits, `_` and `.`; the last of equal ones counts.
class Record {
 public:
  void Set(std::string_view name, std::string_view value) { fields_.emplace_back(name, value); }
  void Set(std::string_view name, std::uint64_t value) { Set(name, std::to_string(value)); }
  void Set(std::string_view name, std::int64_t value) { Set(name, std::to_string(value)); }

  [[nodiscard]] std::optional<std::string_view> Find(std::string_view name) const;
  // kDataLoss where there is none, or it is no number that fits.
  [[nodiscard]] absl::StatusOr<std::string> Text(std::string_view name) const;
  template <std::integral T>
  [[nodiscard]] absl::StatusOr<T> Number(std::string_view name) const {
    const std::optional<std::string_view> text = Find(name);
    T value{};
    if (!text) return Bad(name);
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) return Bad(name);
    return value;
  }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const {
    return fields_;
  }

 private:
  static absl::Status Bad(std::string_view name);
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Reads fields of a record until one is not there.
class RecordFields {
 public:
  explicit RecordFields(const Record& record) : record_(record) {}
  template <class T>
  RecordFields& Number(std::string_view name, T* value) {
    if (status_.ok()) Take(record_.Number<T>(name), value);
    return *this;
  }
  RecordFields& Number(std::string_view name, Position* position) {
    std::uint64_t value = 0;
    Number(name, &value);
    *position = Position(value);
    return *this;
  }
  RecordFields& Text(std::string_view name, std::string* value) {
    if (status_.ok()) Take(record_.Text(name), value);
    return *this;
  }
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  template <class T>
  void Take(absl::StatusOr<T> from, T* to) {
    status_ = from.status();
    if (from.ok()) *to = *std::move(from);
  }
  const Record& record_;
  absl::Status status_;
};

// A value as it stands in a line: `\` and the characters of `escaped`, of which there are line feed
// and tab, have a `\` before them and are `\`, `n` and `t`. Unescaped() is its inverse.
void AppendEscaped(std::string_view value, std::string_view escaped, std::string* out);
std::string Unescaped(std::string_view value);

inline constexpr int kRecordFormat = 1;

std::string EncodeRecord(std::string_view kind, const Record& record);
// kDataLoss where it is damaged or of another kind, kFailedPrecondition where its format is newer.
absl::StatusOr<Record> DecodeRecord(std::string_view kind, std::string_view bytes);

// The same in a file, which is replaced as a whole. The messages name it.
absl::StatusOr<Record> ReadRecordFile(std::string_view kind, const std::filesystem::path& path);
// kDurable: on the device on return; kVolatile: a crash of the machine may leave it empty or as it
// was, readers never see it half-written.
enum class Written : std::uint8_t { kDurable, kVolatile };
absl::Status WriteRecordFile(std::string_view kind, const Record& record, Written written,
                             const std::filesystem::path& path);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_RECORD_H_
