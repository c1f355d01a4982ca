// An event as a line of NDJSON, and as a line for a person.

#ifndef DAYBOOK_CLI_PRINT_EVENT_H_
#define DAYBOOK_CLI_PRINT_EVENT_H_

#include <string>

#include "cli/errors.h"
#include "daybook/event.h"
#include "daybook/event_json.h"

namespace daybook::cli {

// Appends events to a buffer, each with its line feed. Not thread-safe.
class EventPrinter {
 public:
  explicit EventPrinter(OutputMode mode) : mode_(mode) {}
  void Append(const EventView& event, std::string& out);

 private:
  // Events of one commit share their time, and neighbours often do: the last text is kept.
  const std::string& RecordedText(const EventView& event);
  void AppendText(const EventView& event, std::string& out);

  OutputMode mode_;
  EventJson json_;
  Timestamp recorded_at_;
  std::string recorded_text_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PRINT_EVENT_H_
