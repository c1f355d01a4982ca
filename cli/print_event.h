// An event as a line of NDJSON, and as a line for a person.

#ifndef DAYBOOK_CLI_PRINT_EVENT_H_
#define DAYBOOK_CLI_PRINT_EVENT_H_

#include <string>

#include "cli/errors.h"
#include "daybook/event.h"

namespace daybook::cli {

// Appends events to a buffer, each with its line feed. Not thread-safe.
//
// JSON goes out byte for byte as it was given, without the line breaks between its tokens. Bytes
// that are not what their content type says are shown as data_base64: a line is always valid JSON.
class EventPrinter {
 public:
  explicit EventPrinter(OutputMode mode) : mode_(mode) {}
  void Append(const EventView& event, std::string& out);

 private:
  // Events of one commit share their time, and neighbours often do: the last text is kept.
  struct TimeText {
    Timestamp time;
    std::string text;
  };
  static const std::string& TextOf(Timestamp time, TimeText& last);

  void AppendJson(const EventView& event, std::string& out);
  void AppendText(const EventView& event, std::string& out);

  OutputMode mode_;
  TimeText recorded_;
  TimeText effective_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PRINT_EVENT_H_
