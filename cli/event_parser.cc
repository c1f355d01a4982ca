#include "cli/event_parser.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/content_type.h"
#include "cli/csv.h"
#include "cli/errors.h"
#include "cli/strings.h"

namespace daybook::cli {
namespace {

absl::Status FieldError(std::string_view field, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the field `", ToAbsl(field), "` ", ToAbsl(what)));
}

bool HasEscapes(std::string_view text) { return text.find('\\') != std::string_view::npos; }

}  // namespace

EventParser::EventParser(InputFormat format, FieldNames names)
    : format_(format), names_(std::move(names)) {}

EventParser::Role EventParser::RoleOf(std::string_view name) const {
  if (name == names_.stream) return Role::kStream;
  if (name == names_.type) return Role::kType;
  if (names_.time.empty() ? name == "time" || name == "effective_at" : name == names_.time) {
    return Role::kTime;
  }
  if (name == names_.data) return Role::kData;
  if (name == names_.data_base64) return Role::kDataBase64;
  if (name == names_.content_type) return Role::kContentType;
  if (name == names_.id) return Role::kId;
  if (name == names_.tags) return Role::kTags;
  if (name == names_.metadata) return Role::kMetadata;
  if (name == "position" || name == "version" || name == "recorded_at") return Role::kIgnored;
  return Role::kOther;
}

absl::Status EventParser::SetColumns(std::string_view record) {
  if (!IsUtf8(record)) return absl::InvalidArgumentError("the names of the columns are not UTF-8");
  DAYBOOK_CLI_RETURN_IF_ERROR(SplitCsvRecord(record, columns_));
  bool has_data = false;
  std::array<bool, kRoles> taken = {};
  for (auto column = columns_.begin(); column != columns_.end(); ++column) {
    if (std::find(columns_.begin(), column, *column) != column) {
      return absl::InvalidArgumentError(
          absl::StrCat("the column `", *column, "` stands there twice"));
    }
    const Role role = column_roles_.emplace_back(RoleOf(*column));
    has_data |= role == Role::kData || role == Role::kDataBase64;
    if (static_cast<std::size_t>(role) >= kRoles) continue;
    if (std::exchange(taken[static_cast<std::size_t>(role)], true)) {
      return absl::InvalidArgumentError("both columns `time` and `effective_at`: say --time-field");
    }
  }
  for (const auto& [role, name] :
       {std::pair(Role::kStream, &names_.stream), {Role::kType, &names_.type}}) {
    if (!taken[static_cast<std::size_t>(role)]) {
      return absl::InvalidArgumentError(
          absl::StrCat("no column `", *name, "`: name it by --stream-field or --type-field"));
    }
  }
  data_from_columns_ = !has_data;
  return absl::OkStatus();
}

absl::Status EventParser::Parse(std::string_view record, ParsedEvent& event) {
  if (!IsUtf8(record)) return absl::InvalidArgumentError("the line is not UTF-8");
  if (record.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("the line holds a NUL byte");
  }
  scratch_.clear();
  Texts texts;
  DAYBOOK_CLI_RETURN_IF_ERROR(format_ == InputFormat::kCsv ? TakeCsvFields(record, texts)
                                                           : TakeJsonFields(record, texts));
  return Assemble(texts, event);
}

absl::Status EventParser::Unquote(std::string_view token, std::string_view& text) {
  text = token.substr(1, token.size() - 2);
  if (!HasEscapes(text)) return absl::OkStatus();
  absl::StatusOr<std::string> unquoted = UnquoteJson(token);
  if (!unquoted.ok()) return unquoted.status();
  text = scratch_.emplace_back(*std::move(unquoted));
  return absl::OkStatus();
}

absl::Status EventParser::TakeJsonFields(std::string_view record, Texts& texts) {
  DAYBOOK_CLI_RETURN_IF_ERROR(SplitJsonObject(record, fields_));
  for (const JsonField& field : fields_) {
    std::string_view name = field.key;
    if (HasEscapes(name)) {
      const std::string_view quoted(name.data() - 1, name.size() + 2);
      if (!Unquote(quoted, name).ok()) continue;  // half a character names none of ours
    }
    const Role role = RoleOf(name);
    if (role == Role::kIgnored || role == Role::kOther) continue;
    if (TextOf(texts, role).has_value()) {
      return role == Role::kTime && names_.time.empty()
                 ? FieldError(name, "is not the only time: say which by --time-field")
                 : FieldError(name, "stands there twice");
    }
    DAYBOOK_CLI_RETURN_IF_ERROR(TakeJsonField(field, role, texts));
  }
  return absl::OkStatus();
}

absl::Status EventParser::TakeJsonField(const JsonField& field, Role role, Texts& texts) {
  const char first = field.value.front();
  std::string_view text = field.value;
  switch (role) {
    case Role::kData:
      break;
    case Role::kTags:
      if (first != '[') return FieldError(field.key, "is not an array of strings");
      break;
    case Role::kMetadata:
      if (first != '{') return FieldError(field.key, "is not a JSON object");
      break;
    default:
      if (first != '"') return FieldError(field.key, "is not a string");
      if (const absl::Status status = Unquote(field.value, text); !status.ok()) {
        return FieldError(field.key, ToStd(status.message()));
      }
  }
  TextOf(texts, role) = text;
  return absl::OkStatus();
}

absl::Status EventParser::TakeCsvFields(std::string_view record, Texts& texts) {
  DAYBOOK_CLI_RETURN_IF_ERROR(SplitCsvRecord(record, cells_));
  if (cells_.size() != columns_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the line has ", cells_.size(), " fields where the first line names ", columns_.size()));
  }
  data_.clear();
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Role role = column_roles_[i];
    if (role == Role::kOther && data_from_columns_) {
      data_.push_back(data_.empty() ? '{' : ',');
      AppendJsonString(columns_[i], data_);
      data_.push_back(':');
      AppendJsonString(cells_[i], data_);
    } else if (role != Role::kOther && role != Role::kIgnored && !cells_[i].empty()) {
      TextOf(texts, role) = cells_[i];
    }
  }
  if (!data_.empty()) {
    data_.push_back('}');
    TextOf(texts, Role::kData) = data_;
  }
  // One tag needs no brackets.
  std::optional<std::string_view>& tags = TextOf(texts, Role::kTags);
  if (tags.has_value() && !tags->starts_with('[')) {
    std::string& array = scratch_.emplace_back("[");
    AppendJsonString(*tags, array);
    array.push_back(']');
    tags = array;
  }
  return absl::OkStatus();
}

absl::Status EventParser::Assemble(const Texts& texts, ParsedEvent& event) {
  NewEvent& made = event.event;
  std::vector<std::string_view> tags = std::move(made.tags);  // keeps its memory
  tags.clear();
  made = NewEvent{.tags = std::move(tags)};
  if (!TextOf(texts, Role::kStream)) return FieldError(names_.stream, "is missing");
  if (!TextOf(texts, Role::kType)) return FieldError(names_.type, "is missing");
  event.stream = *TextOf(texts, Role::kStream);
  made.type = *TextOf(texts, Role::kType);
  if (const auto& text = TextOf(texts, Role::kTime)) {
    const absl::StatusOr<Timestamp> time = Timestamp::Parse(*text);
    const std::string_view name = names_.time.empty() ? "time" : std::string_view(names_.time);
    if (!time.ok()) return FieldError(name, ToStd(time.status().message()));
    made.effective_at = *time;
  }
  if (const auto& text = TextOf(texts, Role::kId)) {
    const absl::StatusOr<EventId> id = EventId::Parse(*text);
    if (!id.ok()) return FieldError(names_.id, ToStd(id.status().message()));
    if (id->is_nil()) return FieldError(names_.id, "is the nil UUID, which names nothing");
    made.id = *id;
  }
  if (const auto& text = TextOf(texts, Role::kMetadata)) {
    if (!IsJsonObject(*text)) return FieldError(names_.metadata, "is not a JSON object");
    if (!IsEmptyJsonObject(*text)) made.metadata = TrimJson(*text);
  }
  if (const auto& text = TextOf(texts, Role::kTags))
    DAYBOOK_CLI_RETURN_IF_ERROR(TakeTags(*text, made));
  return TakeData(texts, made);
}

absl::Status EventParser::TakeData(const Texts& texts, NewEvent& event) {
  const auto& data = TextOf(texts, Role::kData);
  const auto& base64 = TextOf(texts, Role::kDataBase64);
  const auto& content_type = TextOf(texts, Role::kContentType);
  if (data && base64) return FieldError(names_.data, "stands beside data_base64: give one of them");
  SetContentType(content_type.value_or(data ? "application/json" : "application/octet-stream"),
                 event);
  if (base64) {
    std::string& bytes = scratch_.emplace_back();
    if (!absl::Base64Unescape(ToAbsl(*base64), &bytes))
      return FieldError(names_.data_base64, "is not base64");
    event.data = AsBytes(bytes);
  } else if (data && format_ == InputFormat::kCsv && content_type &&
             !IsJsonContentType(*content_type)) {
    event.data = AsBytes(*data);  // a cell is text of any kind
  } else if (data) {
    if (content_type && !IsJsonContentType(*content_type)) {
      return FieldError(names_.content_type, "is not JSON: give such data as data_base64");
    }
    if (format_ == InputFormat::kCsv && !IsJsonValue(*data))
      return FieldError(names_.data, "is not JSON");
    event.data = AsBytes(TrimJson(*data));
  }
  return absl::OkStatus();
}

absl::Status EventParser::TakeTags(std::string_view text, NewEvent& event) {
  JsonScanner scanner(text);
  scanner.Consume('[');
  scanner.SkipSpace();
  for (bool more = !scanner.Consume(']'); more;) {
    scanner.SkipSpace();
    const std::size_t begin = scanner.at();
    if (!scanner.SkipString()) return FieldError(names_.tags, "is not an array of strings");
    std::string_view tag;
    DAYBOOK_CLI_RETURN_IF_ERROR(Unquote(text.substr(begin, scanner.at() - begin), tag));
    event.tags.push_back(tag);
    scanner.SkipSpace();
    more = scanner.Consume(',');
    if (!more && !scanner.Consume(']'))
      return FieldError(names_.tags, "is not an array of strings");
  }
  scanner.SkipSpace();
  return scanner.at_end() ? absl::OkStatus()
                          : FieldError(names_.tags, "is not an array of strings");
}

}  // namespace daybook::cli
