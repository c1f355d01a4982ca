#include "daybook/cloud_event.h"

#include <charconv>
#include <cstdint>
#include <system_error>
#include <vector>

#include "daybook/event_json.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

constexpr std::string_view kSourcePrefix = "urn:daybook:";
constexpr std::size_t kSequenceDigits = 20;
// What of the metadata is carried as an attribute of its own.
constexpr std::array<std::string_view, 4> kFromMetadata = {"correlation", "causation",
                                                           "traceparent", "tracestate"};

void SetNumber(std::uint64_t number, std::size_t digits, std::string* out) {
  std::array<char, kSequenceDigits> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  const auto size = static_cast<std::size_t>(end - text.data());
  out->assign(digits > size ? digits - size : 0, '0');
  out->append(text.data(), size);
}

std::optional<Position> ParsePosition(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > kCountMax) {
    return std::nullopt;
  }
  return Position(value);
}

}  // namespace

CloudEvent::CloudEvent(std::string_view incarnation)
    : source_(std::string(kSourcePrefix).append(incarnation)) {}

void CloudEvent::Reset(const OutgoingEvent& outgoing) {
  const EventView& event = *outgoing.event;
  event_ = &event;
  count_ = 0;
  content_type_ = event.data.empty() ? std::string_view()
                                     : ContentTypeName(event.content_type, event.content_type_text);
  id_ = event.id.ToString();
  SetNumber(event.position.value(), kSequenceDigits, &sequence_);
  SetNumber(event.version.value(), 0, &version_);
  recorded_ = event.recorded_at.ToString();
  Add("specversion", "1.0");
  Add("id", id_);
  Add("source", source_);
  Add("type", event.type);
  Add("subject", event.stream);
  if (event.effective_at() == event.recorded_at) {
    Add("time", recorded_);
  } else {
    time_ = event.effective_at().ToString();
    Add("time", time_);
  }
  if (!content_type_.empty()) Add("datacontenttype", content_type_);
  Add("sequence", sequence_);
  Add("partitionkey", event.stream);
  Add("streamversion", version_);
  Add("recordedtime", recorded_);
  if (!event.tags.empty()) {
    tags_.clear();
    AppendJsonTags(event.tags, tags_);
    Add("tags", tags_);
  }
  if (!event.metadata.empty()) AddMetadata(event.metadata);
  if (outgoing.is_aside()) {
    SetNumber(outgoing.line.value(), kSequenceDigits, &line_);
    Add("line", line_);
  }
  if (!outgoing.replay.empty()) Add("replay", outgoing.replay);
}

void CloudEvent::AddMetadata(std::string_view metadata) {
  std::vector<JsonField> fields;
  if (IsJsonObject(metadata) && SplitJsonObject(metadata, fields).ok()) {
    for (std::size_t i = 0; i < kFromMetadata.size(); ++i) {
      for (const JsonField& field : fields) {
        if (field.key != kFromMetadata[i] || !field.value.starts_with('"')) continue;
        absl::StatusOr<std::string> text = UnquoteJson(field.value);
        if (!text.ok() || text->empty()) continue;
        from_metadata_[i] = *std::move(text);
        Add(kFromMetadata[i], from_metadata_[i]);
      }
    }
  }
  Add("metadata", metadata);
}

void CloudEvent::AppendStructured(std::string* json) const {
  json->push_back('{');
  const std::size_t begin = json->size();
  for (const Attribute& attribute : *this) {
    if (json->size() > begin) json->push_back(',');
    AppendJsonString(attribute.name, *json);
    json->push_back(':');
    AppendJsonString(attribute.value, *json);
  }
  if (IsJsonData(*event_)) {
    json->append(",\"data\":");
    AppendJsonLine(AsText(event_->data), *json);
  } else if (!event_->data.empty()) {
    json->append(",\"data_base64\":");
    AppendJsonBase64(AsText(event_->data), *json);
  }
  json->push_back('}');
}

void AppendPercentEncoded(std::string_view value, std::string* out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '"' && c != '%') {
      out->push_back(c);
      continue;
    }
    out->push_back('%');
    out->push_back(kDigits[byte >> 4]);
    out->push_back(kDigits[byte & 15]);
  }
}

std::optional<BrokerMark> MarkOf(std::string_view source, std::string_view sequence,
                                 std::string_view line, std::string_view replay) {
  if (!source.starts_with(kSourcePrefix)) return std::nullopt;
  const std::optional<Position> position = ParsePosition(sequence);
  const std::optional<Position> of_line = line.empty() ? position : ParsePosition(line);
  if (!position || !of_line) return std::nullopt;
  BrokerMark mark;
  mark.incarnation = std::string(source.substr(kSourcePrefix.size()));
  mark.line = *of_line;
  mark.replay = std::string(replay);
  if (!line.empty() || !replay.empty()) mark.aside = *position;
  return mark;
}

}  // namespace daybook
