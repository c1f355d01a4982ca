// An event as a line of JSON, and the media types by which the content of events is named:
//
//   application/octet-stream  0     application/json      1
//   application/capnp         2     application/protobuf  3     any other: as a text

#ifndef DAYBOOK_EVENT_JSON_H_
#define DAYBOOK_EVENT_JSON_H_

#include <string>
#include <string_view>

#include "daybook/event.h"
#include "daybook/values.h"

namespace daybook {

// The name of a content type; `text` is it where the type is kText.
std::string_view ContentTypeName(ContentType type, std::string_view text);
// kText for every name that is not one of the four; then the name itself is its text.
ContentType ContentTypeOf(std::string_view name);

// Whether the data of an event goes out as JSON text: its type says JSON, and it is.
bool IsJsonData(const EventView& event);
// Appends JSON text without the line breaks between its tokens; nothing else changes.
void AppendJsonLine(std::string_view json, std::string& out);
// Appends bytes in base64, in quotes.
void AppendJsonBase64(std::string_view bytes, std::string& out);
// Appends the tags as a JSON array.
void AppendJsonTags(const TagList& tags, std::string& out);

// Writes events as JSON objects:
//
//   {"position":1,"stream":"account-42","version":1,"type":"Deposited","id":"...",
//    "recorded_at":"...Z","effective_at":"...Z","tags":["customer:7"],"data":{...},
//    "metadata":{...}}
//
// JSON goes out byte for byte as it was given, without the line breaks between its tokens. Bytes
// that are not what their content type says are shown as data_base64: it is always valid JSON.
// Not thread-safe.
class EventJson {
 public:
  // The object, without a line feed.
  void Append(const EventView& event, std::string& out);

 private:
  // Events of one commit share their time, and neighbours often do: the last text is kept.
  struct TimeText {
    Timestamp time;
    std::string text;
  };
  static const std::string& TextOf(Timestamp time, TimeText& last);
  TimeText recorded_, effective_;
};

}  // namespace daybook

#endif  // DAYBOOK_EVENT_JSON_H_
