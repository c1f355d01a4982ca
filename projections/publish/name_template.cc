#include "daybook/name_template.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {
namespace {

using Field = NameTemplate::Field;

constexpr std::array<std::pair<std::string_view, Field>, 4> kFields = {{
    {"stream", Field::kStream},
    {"category", Field::kCategory},
    {"type", Field::kType},
    {"id", Field::kId},
}};
constexpr std::string_view kTagPrefix = "tag:";

absl::Status BadTemplate(std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the template '", ToAbsl(text), "': ", ToAbsl(what),
      "; there are {stream}, {category}, {type}, {id} and {tag:NAME}, and {{ and }} are braces"));
}

bool IsTokenByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         c == '-';
}

void AppendValue(std::string_view value, NameEscape escape, std::string* out) {
  if (escape == NameEscape::kNone) {
    out->append(value);
    return;
  }
  if (value.empty()) out->push_back('_');
  for (const char c : value) out->push_back(IsTokenByte(c) ? c : '_');
}

// What stands behind "NAME:" in the first tag that begins so.
std::string_view TagValue(const TagList& tags, std::string_view name) {
  for (const std::string_view tag : tags) {
    if (tag.size() > name.size() && tag.starts_with(name) && tag[name.size()] == ':') {
      return tag.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace

absl::StatusOr<NameTemplate> NameTemplate::Parse(std::string_view text) {
  NameTemplate parsed;
  parsed.text_ = std::string(text);
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) parsed.parts_.push_back({Field::kText, std::exchange(plain, {})});
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      plain.push_back(c);
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      plain.push_back(c);
      ++at;
      continue;
    }
    const std::size_t close = text.find('}', at);
    if (c == '}' || close == std::string_view::npos) return BadTemplate(text, "a brace is alone");
    const std::string_view name = text.substr(at + 1, close - at - 1);
    end_plain();
    const auto* const known =
        std::find_if(kFields.begin(), kFields.end(), [&](auto& f) { return f.first == name; });
    if (known != kFields.end()) {
      parsed.parts_.push_back({known->second, ""});
    } else if (name.starts_with(kTagPrefix) && name.size() > kTagPrefix.size()) {
      parsed.parts_.push_back({Field::kTag, std::string(name.substr(kTagPrefix.size()))});
    } else {
      return BadTemplate(text, absl::StrCat("there is no field {", ToAbsl(name), "}"));
    }
    at = close;
  }
  end_plain();
  return parsed;
}

void NameTemplate::AppendTo(const EventView& event, NameEscape escape, std::string* out) const {
  for (const Part& part : parts_) {
    switch (part.field) {
      case Field::kText:
        out->append(part.text);
        break;
      case Field::kStream:
        AppendValue(event.stream, escape, out);
        break;
      case Field::kCategory:
        AppendValue(CategoryOf(event.stream), escape, out);
        break;
      case Field::kType:
        AppendValue(event.type, escape, out);
        break;
      case Field::kId:
        AppendValue(event.id.ToString(), escape, out);
        break;
      case Field::kTag:
        AppendValue(TagValue(event.tags, part.text), escape, out);
        break;
    }
  }
}

bool NameTemplate::Uses(Field field) const {
  return std::any_of(parts_.begin(), parts_.end(), [&](auto& part) { return part.field == field; });
}

bool NameTemplate::SplitsStreams() const {
  return Uses(Field::kType) || Uses(Field::kId) || Uses(Field::kTag);
}

bool NameTemplate::is_constant() const {
  return std::all_of(parts_.begin(), parts_.end(),
                     [](auto& part) { return part.field == Field::kText; });
}

}  // namespace daybook
