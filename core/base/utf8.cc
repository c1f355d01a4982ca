#include "base/utf8.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "daybook/event.h"

namespace daybook {
namespace {

constexpr std::uint64_t kEach = 0x0101010101010101;  // times a byte: that byte in each of eight
constexpr std::uint64_t kHighBits = kEach * 0x80;

std::uint64_t LoadWord(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Whether one of eight bytes is below 0x20, is 0x7F, or is above: the last two are those that 0x7F
// and the carry of one more would bring to the high bit. The tests are exact as a yes or no for the
// word (see "Bit Twiddling Hacks", "Determine if a word has a byte less than n").
bool HasOtherThanPrintableAscii(std::uint64_t word) {
  const std::uint64_t control = (word - kEach * 0x20) & ~word;
  const std::uint64_t del = word + kEach;
  return ((control | del | word) & kHighBits) != 0;
}

std::uint8_t ByteAt(std::string_view text, std::size_t index) {
  return static_cast<std::uint8_t>(text[index]);
}

// The bytes that the sequence beginning at `index` with a byte ≥ 0x80 takes; 0 where it is none
// (table 3-7 of Unicode).
std::size_t SequenceBytes(std::string_view text, std::size_t index) {
  const std::uint8_t lead = ByteAt(text, index);
  const std::size_t length = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() - index < length) return 0;
  // The second byte rules out overlong forms, surrogates and what is above U+10FFFF.
  const std::uint8_t second = ByteAt(text, index + 1);
  const std::uint8_t lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (second < lowest || second > highest) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((ByteAt(text, index + i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

bool IsPrintableAscii(std::string_view text) {
  std::size_t index = 0;
  for (; index + 8 <= text.size(); index += 8) {
    if (HasOtherThanPrintableAscii(LoadWord(text.data() + index))) return false;
  }
  for (; index < text.size(); ++index) {
    if (ByteAt(text, index) < 0x20 || ByteAt(text, index) >= 0x7F) return false;
  }
  return true;
}

absl::Status NameError(std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(what), ": ", ToAbsl(why)));
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  std::size_t index = 0;
  while (index < text.size()) {
    if (index + 8 <= text.size() && (LoadWord(text.data() + index) & kHighBits) == 0) {
      index += 8;
    } else if (ByteAt(text, index) < 0x80) {
      ++index;
    } else {
      const std::size_t length = SequenceBytes(text, index);
      if (length == 0) return false;
      index += length;
    }
  }
  return true;
}

absl::Status ValidateName(std::string_view what, std::string_view name) {
  if (name.empty()) return NameError(what, "empty; a name has 1 to 255 bytes");
  if (name.size() > kNameBytesMax) {
    return NameError(what, absl::StrCat(name.size(), " bytes; a name has 1 to ", kNameBytesMax));
  }
  if (IsPrintableAscii(name)) return absl::OkStatus();
  for (std::size_t index = 0; index < name.size();) {
    const std::uint8_t byte = ByteAt(name, index);
    if (byte < 0x20 || byte == 0x7F) {
      return NameError(what, absl::StrFormat("U+%04X at byte %u; a name has no control characters",
                                             static_cast<unsigned>(byte), index));
    }
    const std::size_t length = byte < 0x80 ? 1 : SequenceBytes(name, index);
    if (length == 0) return NameError(what, absl::StrCat("not UTF-8 at byte ", index));
    index += length;
  }
  return absl::OkStatus();
}

absl::Status ValidateStreamName(std::string_view name, SystemNames system) {
  DAYBOOK_RETURN_IF_ERROR(ValidateName("stream", name));
  if (name.front() == '-')
    return NameError("stream", "begins with '-'; its category would be empty");
  if (name.front() == '$' && system == SystemNames::kRefuse) {
    return NameError("stream", "begins with '$'; such names are the store's own");
  }
  return absl::OkStatus();
}

std::string QuotedJson(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&quoted, absl::StrFormat("\\u%04x", static_cast<unsigned>(c)));
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace daybook
