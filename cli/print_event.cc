#include "cli/print_event.h"

#include <array>
#include <charconv>

#include "absl/strings/escaping.h"
#include "cli/content_type.h"
#include "cli/strings.h"
#include "daybook/json_text.h"

namespace daybook::cli {
namespace {

void AppendCount(std::uint64_t count, std::string& out) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), count);
  out.append(digits.data(), end);
}

// Line breaks can stand between tokens only: within a string JSON forbids them.
void AppendWithoutLineBreaks(std::string_view json, std::string& out) {
  for (;;) {
    const std::size_t line_break = json.find_first_of("\n\r");
    out.append(json, 0, line_break);
    if (line_break == std::string_view::npos) return;
    json.remove_prefix(line_break + 1);
  }
}

void AppendBase64(std::string_view bytes, std::string& out) {
  std::string text;
  absl::Base64Escape(ToAbsl(bytes), &text);
  out.push_back('"');
  out.append(text);
  out.push_back('"');
}

bool IsPrintableAsJson(const EventView& event) {
  return event.content_type == ContentType::kJson && IsJsonValue(AsText(event.data));
}

void AppendData(const EventView& event, std::string& out) {
  if (IsPrintableAsJson(event)) {
    out.append(",\"data\":");
    AppendWithoutLineBreaks(AsText(event.data), out);
    return;
  }
  out.append(",\"data_base64\":");
  AppendBase64(AsText(event.data), out);
  out.append(",\"content_type\":");
  AppendJsonString(ContentTypeName(event.content_type, event.content_type_text), out);
}

void AppendMetadata(const EventView& event, std::string& out) {
  if (event.metadata.empty()) {
    out.append(",\"metadata\":{}");
  } else if (IsJsonObject(event.metadata)) {
    out.append(",\"metadata\":");
    AppendWithoutLineBreaks(event.metadata, out);
  } else {  // a program that uses the library wrote something else there
    out.append(",\"metadata\":{},\"metadata_base64\":");
    AppendBase64(event.metadata, out);
  }
}

}  // namespace

const std::string& EventPrinter::TextOf(Timestamp time, TimeText& last) {
  if (last.text.empty() || last.time != time) last = {time, time.ToString()};
  return last.text;
}

void EventPrinter::Append(const EventView& event, std::string& out) {
  if (mode_ == OutputMode::kJson) {
    AppendJson(event, out);
  } else {
    AppendText(event, out);
  }
}

void EventPrinter::AppendJson(const EventView& event, std::string& out) {
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
  out.append("\",\"tags\":[");
  const std::size_t tags_begin = out.size();
  for (const std::string_view tag : event.tags) {
    if (out.size() > tags_begin) out.push_back(',');
    AppendJsonString(tag, out);
  }
  out.push_back(']');
  AppendData(event, out);
  AppendMetadata(event, out);
  out.append("}\n");
}

void EventPrinter::AppendText(const EventView& event, std::string& out) {
  AppendCount(event.position.value(), out);
  out.append("  ").append(event.stream).push_back('@');
  AppendCount(event.version.value(), out);
  out.append("  ").append(event.type);
  out.append("  ").append(TextOf(event.recorded_at, recorded_));
  if (event.effective_at() != event.recorded_at) {
    out.append("  (effective ").append(TextOf(event.effective_at(), effective_)).push_back(')');
  }
  for (const std::string_view tag : event.tags) out.append("  #").append(tag);
  out.append("  ");
  if (IsPrintableAsJson(event)) {
    AppendWithoutLineBreaks(AsText(event.data), out);
  } else {
    out.push_back('<');
    AppendCount(event.data.size(), out);
    out.append(" bytes of ");
    out.append(ContentTypeName(event.content_type, event.content_type_text)).push_back('>');
  }
  out.push_back('\n');
}

}  // namespace daybook::cli
