#include "cli/content_type.h"

#include <array>
#include <utility>

namespace daybook::cli {
namespace {

constexpr std::array<std::pair<ContentType, std::string_view>, 4> kNames = {{
    {ContentType::kOctetStream, "application/octet-stream"},
    {ContentType::kJson, "application/json"},
    {ContentType::kCapnProto, "application/capnp"},
    {ContentType::kProtobuf, "application/protobuf"},
}};

}  // namespace

std::string_view ContentTypeName(ContentType type, std::string_view text) {
  for (const auto& [known, name] : kNames) {
    if (known == type) return name;
  }
  return text;
}

ContentType ContentTypeOf(std::string_view name) {
  for (const auto& [type, known] : kNames) {
    if (known == name) return type;
  }
  return ContentType::kText;
}

bool IsJsonContentType(std::string_view name) {
  return ContentTypeOf(name) == ContentType::kJson || name.ends_with("+json");
}

void SetContentType(std::string_view name, NewEvent& event) {
  event.content_type = ContentTypeOf(name);
  event.content_type_text = event.content_type == ContentType::kText ? name : std::string_view();
}

}  // namespace daybook::cli
