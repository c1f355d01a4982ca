#include "projections/publish/line_format.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/json_text.h"

namespace daybook {

absl::StatusOr<LineFormat::Kind> LineFormat::KindOf(std::string_view name) {
  if (name == "events") return Kind::kEvents;
  if (name == "cloudevents") return Kind::kCloudEvents;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no format '", ToAbsl(name), "': events or cloudevents"));
}

void LineFormat::Append(const OutgoingEvent& event, std::string* out) {
  if (kind_ == Kind::kCloudEvents) {
    cloud_event_.Reset(event);
    cloud_event_.AppendStructured(out);
  } else {
    event_json_.Append(*event.event, *out);
    if (!event.replay.empty()) {
      out->back() = ',';
      out->append("\"replay\":");
      AppendJsonString(event.replay, *out);
      out->push_back('}');
    }
  }
  out->push_back('\n');
}

std::optional<BrokerMark> MarkOfLine(std::string_view line) {
  std::vector<JsonField> fields;
  if (!SplitJsonObject(line, fields).ok()) return std::nullopt;
  std::map<std::string_view, std::string> texts;
  for (const JsonField& field : fields) {
    if (!field.value.starts_with('"')) continue;
    absl::StatusOr<std::string> text = UnquoteJson(field.value);
    if (text.ok()) texts[field.key] = *std::move(text);
  }
  return MarkOfEnvelope([&](std::string_view name) {
    const auto found = texts.find(name);
    return found == texts.end() ? std::string_view() : std::string_view(found->second);
  });
}

}  // namespace daybook
