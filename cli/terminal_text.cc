#include "cli/terminal_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_format.h"

namespace daybook::cli {
namespace {

constexpr char32_t kNoCharacter = 0xFFFFFFFF;

// Takes a character from the front of `text`, which is not empty; a byte that begins none is
// kNoCharacter.
char32_t TakeCharacter(std::string_view& text) {
  constexpr std::array<char32_t, 5> kMin = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t length = 1;
  if (lead >= 0xF0 && lead < 0xF8) {
    length = 4;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3;
  } else if (lead >= 0xC0 && lead < 0xE0) {
    length = 2;
  }
  char32_t character = length == 1 ? lead : lead & (0x7FU >> length);
  bool good = lead < 0x80 || (length > 1 && length <= text.size());
  for (std::size_t i = 1; good && i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    good = (next & 0xC0U) == 0x80;
    character = (character << 6U) | (next & 0x3FU);
  }
  good = good && character >= kMin[length] && character <= 0x10FFFF &&
         (character < 0xD800 || character > 0xDFFF);
  text.remove_prefix(good ? length : 1);
  return good ? character : kNoCharacter;
}

using Range = std::pair<char32_t, char32_t>;

template <std::size_t n>
bool IsIn(char32_t character, const std::array<Range, n>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [character](const Range& range) {
    return range.first <= character && character <= range.second;
  });
}

// What moves the cursor, or turns the direction of what follows.
bool GivesOrders(char32_t character) {
  constexpr std::array<Range, 6> kRanges = {{{0x00, 0x1F},
                                             {0x7F, 0x9F},
                                             {0x200E, 0x200F},
                                             {0x2028, 0x202E},
                                             {0x2066, 0x2069},
                                             {0xFEFF, 0xFEFF}}};
  return IsIn(character, kRanges);
}

// The common ranges of Unicode's East Asian Width W and F, and of emoji; and of combining marks.
std::size_t WidthOf(char32_t character) {
  constexpr std::array<Range, 10> kWide = {{{0x1100, 0x115F},
                                            {0x2E80, 0x303E},
                                            {0x3041, 0xA4CF},
                                            {0xAC00, 0xD7A3},
                                            {0xF900, 0xFAFF},
                                            {0xFE30, 0xFE6F},
                                            {0xFF00, 0xFF60},
                                            {0xFFE0, 0xFFE6},
                                            {0x1F300, 0x1FAFF},
                                            {0x20000, 0x3FFFD}}};
  constexpr std::array<Range, 6> kNone = {{{0x0300, 0x036F},
                                           {0x1AB0, 0x1AFF},
                                           {0x1DC0, 0x1DFF},
                                           {0x200B, 0x200D},
                                           {0x20D0, 0x20FF},
                                           {0xFE00, 0xFE0F}}};
  if (character < 0x0300) return 1;
  if (IsIn(character, kNone)) return 0;
  return IsIn(character, kWide) ? 2 : 1;
}

void AppendEscaped(char32_t character, std::string& out) {
  switch (character) {
    case '\n':
      out.append("\\n");
      break;
    case '\r':
      out.append("\\r");
      break;
    case '\t':
      out.append("\\t");
      break;
    default:
      if (character < 0x80) {
        absl::StrAppendFormat(&out, "\\x%02x", static_cast<std::uint32_t>(character));
      } else {
        absl::StrAppendFormat(&out, "\\u%04x", static_cast<std::uint32_t>(character));
      }
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t character = TakeCharacter(text);
    if (character == kNoCharacter) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(before.front()));
    } else if (GivesOrders(character)) {
      AppendEscaped(character, out);
    } else {
      out.append(before.substr(0, before.size() - text.size()));
    }
  }
  return out;
}

std::size_t DisplayWidth(std::string_view printable) {
  std::size_t width = 0;
  while (!printable.empty()) width += WidthOf(TakeCharacter(printable));
  return width;
}

std::string Cut(std::string_view printable, std::size_t columns) {
  constexpr std::string_view kEllipsis = "…";
  std::string_view rest = printable;
  std::size_t width = 0;
  std::size_t fits = 0;  // bytes that leave room for the ellipsis
  while (!rest.empty()) {
    width += WidthOf(TakeCharacter(rest));
    if (width < columns) fits = printable.size() - rest.size();
    if (width > columns) return std::string(printable.substr(0, fits)).append(kEllipsis);
  }
  return std::string(printable);
}

std::string IndentedJson(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  const auto new_line = [&out, &depth] { out.append(1, '\n').append(2 * depth, ' '); };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      std::size_t end = i + 1;
      while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
      out.append(Printable(json.substr(i, end + 1 - i)));
      i = end;
    } else if (c == '{' || c == '[') {
      out.push_back(c);
      const std::size_t next = json.find_first_not_of(" \t\r\n", i + 1);
      if (next != std::string_view::npos && (json[next] == '}' || json[next] == ']')) {
        out.push_back(json[next]);
        i = next;
      } else {
        ++depth;
        new_line();
      }
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
      new_line();
      out.push_back(c);
    } else if (c == ',') {
      out.push_back(c);
      new_line();
    } else if (c == ':') {
      out.append(": ");
    } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace daybook::cli
