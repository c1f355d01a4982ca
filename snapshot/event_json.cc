#include "daybook/event_json.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/status.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

constexpr std::array<std::pair<ContentType, std::string_view>, 4> kContentTypes = {{
    {ContentType::kOctetStream, "application/octet-stream"},
    {ContentType::kJson, "application/json"},
    {ContentType::kCapnProto, "application/capnp"},
    {ContentType::kProtobuf, "application/protobuf"},
}};

void AppendCount(std::uint64_t count, std::string& out) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), count);
  out.append(digits.data(), end);
}

void AppendData(const EventView& event, std::string& out) {
  if (IsJsonData(event)) {
    out.append(",\"data\":");
    AppendJsonLine(AsText(event.data), out);
    return;
  }
  out.append(",\"data_base64\":");
  AppendJsonBase64(AsText(event.data), out);
  out.append(",\"content_type\":");
  AppendJsonString(ContentTypeName(event.content_type, event.content_type_text), out);
}

void AppendMetadata(const EventView& event, std::string& out) {
  if (event.metadata.empty()) {
    out.append(",\"metadata\":{}");
  } else if (IsJsonObject(event.metadata)) {
    out.append(",\"metadata\":");
    AppendJsonLine(event.metadata, out);
  } else {  // a program that uses the library wrote something else there
    out.append(",\"metadata\":{},\"metadata_base64\":");
    AppendJsonBase64(event.metadata, out);
  }
}

}  // namespace

std::string_view ContentTypeName(ContentType type, std::string_view text) {
  for (const auto& [known, name] : kContentTypes) {
    if (known == type) return name;
  }
  return text;
}

ContentType ContentTypeOf(std::string_view name) {
  for (const auto& [type, known] : kContentTypes) {
    if (known == name) return type;
  }
  return ContentType::kText;
}

bool IsJsonData(const EventView& event) {
  return event.content_type == ContentType::kJson && IsJsonValue(AsText(event.data));
}

// Line breaks can stand between tokens only: within a string JSON forbids them.
void AppendJsonLine(std::string_view json, std::string& out) {
  for (;;) {
    const std::size_t line_break = json.find_first_of("\n\r");
    out.append(json, 0, line_break);
    if (line_break == std::string_view::npos) return;
    json.remove_prefix(line_break + 1);
  }
}

void AppendJsonBase64(std::string_view bytes, std::string& out) {
  std::string text;
  absl::Base64Escape(ToAbsl(bytes), &text);
  out.push_back('"');
  out.append(text);
  out.push_back('"');
}

void AppendJsonTags(const TagList& tags, std::string& out) {
  out.push_back('[');
  const std::size_t begin = out.size();
  for (const std::string_view tag : tags) {
    if (out.size() > begin) out.push_back(',');
    AppendJsonString(tag, out);
  }
  out.push_back(']');
}

const std::string& EventJson::TextOf(Timestamp time, TimeText& last) {
  if (last.text.empty() || last.time != time) last = {time, time.ToString()};
  return last.text;
}

void EventJson::Append(const EventView& event, std::string& out) {
  out.append("{\"position\":");
  AppendCount(event.position.value(), out);
  out.append(",\"stream\":");
  AppendJsonString(event.stream, out);
  out.append(",\"version\":");
  AppendCount(event.version.value(), out);
  out.append(",\"type\":");
  AppendJsonString(event.type, out);
  out.append(",\"id\":\"").append(event.id.ToString());
  out.append("\",\"recorded_at\":\"").append(TextOf(event.recorded_at, recorded_));
  out.append("\",\"effective_at\":\"").append(TextOf(event.effective_at(), effective_));
  out.append("\",\"tags\":");
  AppendJsonTags(event.tags, out);
  AppendData(event, out);
  AppendMetadata(event, out);
  out.push_back('}');
}

}  // namespace daybook
