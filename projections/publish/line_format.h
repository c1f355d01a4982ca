// Events on their way out as lines of JSON.

#ifndef DAYBOOK_PUBLISH_LINE_FORMAT_H_
#define DAYBOOK_PUBLISH_LINE_FORMAT_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "daybook/cloud_event.h"
#include "daybook/event_json.h"
#include "daybook/sink.h"

namespace daybook {

class LineFormat {
 public:
  enum class Kind : std::uint8_t { kEvents, kCloudEvents };
  // "events" or "cloudevents"; kInvalidArgument.
  static absl::StatusOr<Kind> KindOf(std::string_view name);

  LineFormat(Kind kind, std::string_view incarnation) : kind_(kind), cloud_event_(incarnation) {}
  // With its line feed.
  void Append(const OutgoingEvent& event, std::string* out);

 private:
  const Kind kind_;
  EventJson event_json_;
  CloudEvent cloud_event_;
};

// The mark in a line that is a CloudEvent; nullopt where it is none of a store.
std::optional<BrokerMark> MarkOfLine(std::string_view line);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_LINE_FORMAT_H_
