#include "cli/content_type.h"

#include "daybook/event_json.h"

namespace daybook::cli {

bool IsJsonContentType(std::string_view name) {
  return ContentTypeOf(name) == ContentType::kJson || name.ends_with("+json");
}

void SetContentType(std::string_view name, NewEvent& event) {
  event.content_type = ContentTypeOf(name);
  event.content_type_text = event.content_type == ContentType::kText ? name : std::string_view();
}

}  // namespace daybook::cli
