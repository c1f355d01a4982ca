#include "bindings/sql/event_columns.h"

#include <charconv>
#include <cstdint>
#include <string>

#include "daybook/json_text.h"

namespace daybook::sql {
namespace {

void ResultTags(sqlite3_context* context, const TagList& tags) {
  if (tags.empty()) {
    sqlite3_result_text(context, "[]", 2, SQLITE_STATIC);
    return;
  }
  std::string text = "[";
  for (const std::string_view tag : tags) {
    if (text.size() > 1) text += ',';
    AppendJsonString(tag, text);
  }
  text += ']';
  ResultText(context, text);
}

}  // namespace

void ResultText(sqlite3_context* context, std::string_view text) {
  // A text without an address would be NULL.
  sqlite3_result_text64(context, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
}

void ResultCount(sqlite3_context* context, std::uint64_t count) {
  sqlite3_result_int64(context, static_cast<std::int64_t>(count));
}

void ResultState(sqlite3_context* context, const JsonFold& fold, std::string_view json) {
  std::int64_t value = 0;
  const bool is_number =
      fold.kind() == JsonFold::Kind::kSum || fold.kind() == JsonFold::Kind::kCount;
  const auto parsed = std::from_chars(json.data(), json.data() + json.size(), value);
  if (is_number && parsed.ec == std::errc() && parsed.ptr == json.data() + json.size()) {
    sqlite3_result_int64(context, value);
  } else {
    ResultText(context, json);
  }
}

void ResultTime(sqlite3_context* context, Timestamp time) { ResultText(context, time.ToString()); }

void ResultEventColumn(sqlite3_context* context, int column, const EventView& event) {
  switch (column) {
    case kPosition:
      return ResultCount(context, event.position.value());
    case kStream:
      return ResultText(context, event.stream);
    case kCategory:
      return ResultText(context, CategoryOf(event.stream));
    case kVersion:
      return ResultCount(context, event.version.value());
    case kType:
      return ResultText(context, event.type);
    case kId:
      return ResultText(context, event.id.ToString());
    case kRecordedAt:
      return ResultTime(context, event.recorded_at);
    case kEffectiveAt:
      return ResultTime(context, event.effective_at());
    case kRecordedNs:
      return sqlite3_result_int64(context, event.recorded_at.unix_nanoseconds());
    case kEffectiveNs:
      return sqlite3_result_int64(context, event.effective_at().unix_nanoseconds());
    case kData:
      if (event.content_type == ContentType::kJson) ResultText(context, AsText(event.data));
      return;  // else NULL
    case kDataBlob:
      return sqlite3_result_blob64(context, event.data.empty() ? "" : AsText(event.data).data(),
                                   event.data.size(), SQLITE_TRANSIENT);
    case kMetadata:
      if (!event.metadata.empty()) ResultText(context, event.metadata);
      return;
    case kTags:
      return ResultTags(context, event.tags);
    default:
      return;
  }
}

}  // namespace daybook::sql
