// What the command makes of the media type that a user names.

#ifndef DAYBOOK_CLI_CONTENT_TYPE_H_
#define DAYBOOK_CLI_CONTENT_TYPE_H_

#include <string_view>

#include "daybook/event.h"

namespace daybook::cli {

// Whether what is named so is JSON text: application/json, or any name that ends with +json.
bool IsJsonContentType(std::string_view name);
// Gives the event the content type that has this name. The name must outlive the event.
void SetContentType(std::string_view name, NewEvent& event);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_CONTENT_TYPE_H_
