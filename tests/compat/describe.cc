#include "compat/describe.h"

#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook::testing {

absl::StatusOr<std::string> Describe(const Reader& reader) {
  std::string text;
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader.Read({}));
  DAYBOOK_RETURN_IF_ERROR(cursor.ForEach([&text](const EventView& event) {
    absl::StrAppend(&text, event.position.value(), " ", event.commit_first_position.value(), " ",
                    event.version.value(), " ", ToAbsl(event.stream), " | ", ToAbsl(event.type),
                    " | ", event.id.ToString(), " ", event.recorded_at.ToString(), " ",
                    event.effective_at_given ? event.effective_at_given->ToString() : "-", " ",
                    static_cast<unsigned>(event.content_type), " ");
    absl::StrAppend(&text, ToAbsl(event.content_type_text), " [");
    for (const std::string_view tag : event.tags) absl::StrAppend(&text, ToAbsl(tag), ";");
    absl::StrAppend(&text, "] ", ToAbsl(event.metadata), " =",
                    absl::BytesToHexString(ToAbsl(AsText(event.data))), "\n");
    return absl::OkStatus();
  }));
  return text;
}

std::string TextOf(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace daybook::testing
