// The media types by which the command names what an event's bytes are.
//
//   application/octet-stream  0     application/json      1
//   application/capnp         2     application/protobuf  3     any other: as a text

#ifndef DAYBOOK_CLI_CONTENT_TYPE_H_
#define DAYBOOK_CLI_CONTENT_TYPE_H_

#include <string_view>

#include "daybook/event.h"

namespace daybook::cli {

// The name of a content type; `text` is it where the type is kText.
std::string_view ContentTypeName(ContentType type, std::string_view text);
// kText for every name that is not one of the four; then the name itself is its text.
ContentType ContentTypeOf(std::string_view name);
// Whether what is named so is JSON text: application/json, or any name that ends with +json.
bool IsJsonContentType(std::string_view name);
// Gives the event the content type that has this name. The name must outlive the event.
void SetContentType(std::string_view name, NewEvent& event);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_CONTENT_TYPE_H_
