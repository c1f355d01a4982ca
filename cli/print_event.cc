#include "cli/print_event.h"

#include <cstdint>

namespace daybook::cli {
namespace {

void AppendCount(std::uint64_t count, std::string& out) { out.append(std::to_string(count)); }

}  // namespace

const std::string& EventPrinter::RecordedText(const EventView& event) {
  if (recorded_text_.empty() || recorded_at_ != event.recorded_at) {
    recorded_at_ = event.recorded_at;
    recorded_text_ = recorded_at_.ToString();
  }
  return recorded_text_;
}

void EventPrinter::Append(const EventView& event, std::string& out) {
  if (mode_ == OutputMode::kJson) {
    json_.Append(event, out);
    out.push_back('\n');
  } else {
    AppendText(event, out);
  }
}

void EventPrinter::AppendText(const EventView& event, std::string& out) {
  AppendCount(event.position.value(), out);
  out.append("  ").append(event.stream).push_back('@');
  AppendCount(event.version.value(), out);
  out.append("  ").append(event.type);
  out.append("  ").append(RecordedText(event));
  if (event.effective_at() != event.recorded_at) {
    out.append("  (effective ").append(event.effective_at().ToString()).push_back(')');
  }
  for (const std::string_view tag : event.tags) out.append("  #").append(tag);
  out.append("  ");
  if (IsJsonData(event)) {
    AppendJsonLine(AsText(event.data), out);
  } else {
    out.push_back('<');
    AppendCount(event.data.size(), out);
    out.append(" bytes of ");
    out.append(ContentTypeName(event.content_type, event.content_type_text)).push_back('>');
  }
  out.push_back('\n');
}

}  // namespace daybook::cli
