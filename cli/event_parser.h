// A record of the input as an event: the fields of NDJSON and of CSV, and what they may hold.

#ifndef DAYBOOK_CLI_EVENT_PARSER_H_
#define DAYBOOK_CLI_EVENT_PARSER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cli/record_reader.h"
#include "daybook/event.h"
#include "daybook/json_text.h"

namespace daybook::cli {

// How the fields of the input are called.
struct FieldNames {
  std::string stream = "stream";
  std::string type = "type";
  std::string time;  // empty: `time`, or `effective_at`
  std::string data = "data";
  std::string data_base64 = "data_base64";
  std::string content_type = "content_type";
  std::string id = "id";
  std::string tags = "tags";
  std::string metadata = "metadata";
};

// An event and its stream. The views are valid until the parser's next record, and as long as the
// record.
struct ParsedEvent {
  std::string_view stream;
  NewEvent event;
};

// Parses records. Not thread-safe; copies are independent. What is not allowed is kInvalidArgument,
// and the message names the field; it does not name file and line, which the caller knows.
class EventParser {
 public:
  EventParser(InputFormat format, FieldNames names);

  // Reads the first record of CSV, which names the columns; NDJSON has none.
  absl::Status SetColumns(std::string_view record);
  [[nodiscard]] bool needs_columns() const {
    return format_ == InputFormat::kCsv && columns_.empty();
  }

  absl::Status Parse(std::string_view record, ParsedEvent& event);

 private:
  // What a field is for. kIgnored: where the event stood in another store.
  enum class Role : std::uint8_t {
    kStream,
    kType,
    kTime,
    kData,
    kDataBase64,
    kContentType,
    kId,
    kTags,
    kMetadata,
    kIgnored,
    kOther,
  };
  static constexpr std::size_t kRoles = static_cast<std::size_t>(Role::kIgnored);
  // The text of each field; of data, tags and metadata it is JSON.
  using Texts = std::array<std::optional<std::string_view>, kRoles>;

  [[nodiscard]] Role RoleOf(std::string_view name) const;
  static std::optional<std::string_view>& TextOf(Texts& texts, Role role) {
    return texts[static_cast<std::size_t>(role)];
  }
  static const std::optional<std::string_view>& TextOf(const Texts& texts, Role role) {
    return texts[static_cast<std::size_t>(role)];
  }

  absl::Status TakeJsonFields(std::string_view record, Texts& texts);
  absl::Status TakeJsonField(const JsonField& field, Role role, Texts& texts);
  absl::Status TakeCsvFields(std::string_view record, Texts& texts);
  // The text of a JSON string: as it stands, or in scratch_ where it has escapes.
  absl::Status Unquote(std::string_view token, std::string_view& text);

  absl::Status Assemble(const Texts& texts, ParsedEvent& event);
  absl::Status TakeData(const Texts& texts, NewEvent& event);
  absl::Status TakeTags(std::string_view text, NewEvent& event);

  InputFormat format_;
  FieldNames names_;
  std::vector<std::string> columns_;
  std::vector<Role> column_roles_;
  bool data_from_columns_ = false;  // CSV without data: the other columns are it
  // Of the record at hand.
  std::vector<JsonField> fields_;
  std::vector<std::string> cells_;
  std::deque<std::string> scratch_;
  std::string data_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_EVENT_PARSER_H_
