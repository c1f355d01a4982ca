#include "daybook/json_text.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "snapshot/digit.h"

namespace daybook {
namespace {

bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20; }

// How many bytes at the front of a text stand for themselves within a string: neither a quote, nor
// a backslash, nor a control character. Eight at a time: each of the three tests marks the first
// such byte of a word exactly, and may mark bytes behind it falsely ("Bit Twiddling Hacks",
// "Determine if a word has a byte less than n").
std::size_t PlainBytes(std::string_view text) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kEach = 0x0101010101010101;
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    const std::uint64_t quote = word ^ (kEach * '"');
    const std::uint64_t backslash = word ^ (kEach * '\\');
    const std::uint64_t marks = (((quote - kEach) & ~quote) | ((backslash - kEach) & ~backslash) |
                                 ((word - kEach * 0x20) & ~word)) &
                                (kEach * 0x80);
    if (marks != 0) return at + static_cast<std::size_t>(std::countr_zero(marks)) / 8;
  }
  while (at < text.size() && text[at] != '"' && text[at] != '\\' && !IsControl(text[at])) ++at;
  return at;
}

}  // namespace

bool JsonScanner::Fail(std::string_view problem) {
  problem_ = problem;
  return false;
}

absl::Status JsonScanner::ToStatus(std::string_view what) const {
  const bool nul = at_ < text_.size() && text_[at_] == '\0';
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(what), " is not JSON at byte ", at_ + 1,
                                                 ": ", nul ? "a NUL byte" : ToAbsl(problem_)));
}

bool JsonScanner::SkipEscape() {
  ++at_;  // the backslash
  switch (Peek()) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      ++at_;
      return true;
    case 'u':
      ++at_;
      for (int digit = 0; digit < 4; ++digit, ++at_) {
        if (!IsHex(Peek())) return Fail("four hex digits belong after \\u");
      }
      return true;
    default:
      return Fail("an escape that JSON does not know");
  }
}

bool JsonScanner::SkipString() {
  if (!Consume('"')) return Fail("a string is missing");
  for (;;) {
    at_ += PlainBytes(text_.substr(at_));
    if (at_ == text_.size()) return Fail("a string is not closed");
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c != '\\') return Fail("a control character in a string");
    if (!SkipEscape()) return false;
  }
}

bool JsonScanner::SkipDigits() {
  std::size_t at = at_;
  while (at < text_.size() && IsDigit(text_[at])) ++at;
  if (at == at_) return Fail("a digit is missing");
  at_ = at;
  return true;
}

bool JsonScanner::SkipNumber() {
  Consume('-');
  if (!Consume('0') && !SkipDigits()) return false;
  if (Consume('.') && !SkipDigits()) return false;
  if (Consume('e') || Consume('E')) {
    if (!Consume('+')) Consume('-');
    return SkipDigits();
  }
  return true;
}

bool JsonScanner::SkipWord(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return Fail("a value is missing");
  at_ += word.size();
  return true;
}

bool JsonScanner::SkipScalar() {
  const char c = Peek();
  if (c == '"') return SkipString();
  if (c == '-' || IsDigit(c)) return SkipNumber();
  if (c == 't') return SkipWord("true");
  if (c == 'f') return SkipWord("false");
  return SkipWord("null");
}

bool JsonScanner::SkipKey() {
  SkipSpace();
  if (Peek() != '"') return Fail("a key is missing");
  if (!SkipString()) return false;
  SkipSpace();
  return Consume(':') || Fail("a colon is missing");
}

// Goes into an object or array: stands before its first value then, or behind it if it is empty.
bool JsonScanner::Open(char bracket, bool* empty) {
  if (open_.size() + around_ >= kJsonDepthMax) return Fail("nested too deep");
  ++at_;
  SkipSpace();
  *empty = Consume(bracket == '{' ? '}' : ']');
  if (*empty) return true;
  open_.push_back(bracket);
  return bracket != '{' || SkipKey();
}

// Behind a value within an object or array: on to the next value, or out of it.
bool JsonScanner::CloseOrGoOn(bool* closed) {
  SkipSpace();
  const bool object = open_.back() == '{';
  *closed = Consume(object ? '}' : ']');
  if (*closed) {
    open_.pop_back();
    return true;
  }
  if (!Consume(',')) return Fail("a comma or a closing bracket is missing");
  return !object || SkipKey();
}

bool JsonScanner::SkipValue(std::size_t around) {
  SkipSpace();
  if (Peek() != '{' && Peek() != '[') return SkipScalar();
  around_ = around;
  open_.clear();
  for (;;) {
    SkipSpace();
    const char c = Peek();
    bool done = true;
    if (c == '{' || c == '[') {
      if (!Open(c, &done)) return false;
    } else if (!SkipScalar()) {
      return false;
    }
    while (done && !open_.empty()) {
      if (!CloseOrGoOn(&done)) return false;
    }
    if (done) return true;
  }
}

bool IsUtf8(std::string_view text) { return IsValidUtf8(text); }

bool IsJsonValue(std::string_view text) {
  JsonScanner scanner(text);
  if (!scanner.SkipValue()) return false;
  scanner.SkipSpace();
  return scanner.at_end() && IsUtf8(text);
}

bool IsJsonObject(std::string_view text) {
  const std::string_view trimmed = TrimJson(text);
  return !trimmed.empty() && trimmed.front() == '{' && IsJsonValue(trimmed);
}

bool IsEmptyJsonObject(std::string_view text) {
  const std::string_view trimmed = TrimJson(text);
  return TrimJson(trimmed.substr(1, trimmed.size() - 2)).empty();
}

std::string_view TrimJson(std::string_view text) {
  while (!text.empty() && IsJsonSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsJsonSpace(text.back())) text.remove_suffix(1);
  return text;
}

namespace {

absl::Status RefuseRepeatedKeys(const std::vector<JsonField>& fields) {
  absl::flat_hash_set<absl::string_view> seen;
  constexpr std::size_t kFew = 24;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    bool repeated = false;
    if (fields.size() <= kFew) {
      for (std::size_t j = 0; j < i; ++j) repeated |= fields[j].key == fields[i].key;
    } else {
      repeated = !seen.insert(ToAbsl(fields[i].key)).second;
    }
    if (repeated) {
      return absl::InvalidArgumentError(
          absl::StrCat("the field `", ToAbsl(fields[i].key), "` stands there twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SplitJsonObject(std::string_view text, std::vector<JsonField>& fields) {
  fields.clear();
  JsonScanner scanner(text);
  scanner.SkipSpace();
  if (!scanner.Consume('{')) {
    return absl::InvalidArgumentError(
        "the line is not a JSON object: it does not begin with a brace");
  }
  scanner.SkipSpace();
  bool more = !scanner.Consume('}');
  while (more) {
    scanner.SkipSpace();
    const std::size_t key = scanner.at();
    if (!scanner.SkipString()) return scanner.ToStatus();
    const std::size_t key_end = scanner.at();
    scanner.SkipSpace();
    if (!scanner.Consume(':')) {
      scanner.Fail("a colon is missing");
      return scanner.ToStatus();
    }
    scanner.SkipSpace();
    const std::size_t value = scanner.at();
    if (!scanner.SkipValue()) return scanner.ToStatus();
    fields.push_back(
        {text.substr(key + 1, key_end - key - 2), text.substr(value, scanner.at() - value)});
    scanner.SkipSpace();
    more = scanner.Consume(',');
    if (!more && !scanner.Consume('}')) {
      scanner.Fail("a comma or a closing brace is missing");
      return scanner.ToStatus();
    }
  }
  scanner.SkipSpace();
  if (!scanner.at_end()) {
    scanner.Fail("text after the object");
    return scanner.ToStatus();
  }
  return RefuseRepeatedKeys(fields);
}

namespace {

// Four hexadecimal digits at `at`; the scanner has seen that they are there.
std::uint32_t HexAt(std::string_view text, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    value = value << 4 | static_cast<std::uint32_t>(IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

// The escape at `*at`, behind its backslash; false for half a surrogate pair.
bool AppendEscape(std::string_view text, std::size_t* at, std::string& out) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  const char name = text[(*at)++];
  if (name != 'u') {
    out.push_back(kMeant[kNames.find(name)]);
    return true;
  }
  std::uint32_t code = HexAt(text, *at);
  *at += 4;
  if (code >= 0xD800 && code < 0xE000) {
    if (code >= 0xDC00 || text.substr(*at, 2) != "\\u") return false;
    const std::uint32_t low = HexAt(text, *at + 2);
    if (low < 0xDC00 || low >= 0xE000) return false;
    *at += 6;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(code, out);
  return true;
}

}  // namespace

absl::StatusOr<std::string> UnquoteJson(std::string_view token) {
  JsonScanner scanner(token);
  bool is_text = !token.empty() && token.front() == '"' && scanner.SkipString() &&
                 scanner.at_end() && IsUtf8(token);
  std::string out;
  if (is_text) token = token.substr(1, token.size() - 2);
  for (std::size_t at = 0; is_text && at < token.size();) {
    const std::size_t escape = std::min(token.find('\\', at), token.size());
    out.append(token, at, escape - at);
    at = escape + 1;
    if (escape < token.size()) is_text = AppendEscape(token, &at, out);
  }
  if (is_text) return out;
  return absl::InvalidArgumentError("is not a JSON string of whole characters");
}

void AppendJsonEscaped(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '"' && c != '\\' && !IsControl(c)) continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    if (IsControl(c)) {
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    } else {
      out.push_back('\\');
      out.push_back(c);
    }
  }
  out.append(text, plain);
}

void AppendJsonString(std::string_view text, std::string& out) {
  out.push_back('"');
  AppendJsonEscaped(text, out);
  out.push_back('"');
}

std::string CanonicalJsonKey(std::string_view key) {
  std::string out;
  std::string meant;
  for (std::size_t at = 0; at < key.size();) {
    const std::size_t escape = std::min(key.find('\\', at), key.size());
    out.append(key, at, escape - at);
    at = escape + 1;
    if (escape == key.size()) break;
    meant.clear();
    if (AppendEscape(key, &at, meant)) {
      AppendJsonEscaped(meant, out);
    } else {
      out.append("\\u");
      for (const char digit : key.substr(at - 4, 4)) {
        out.push_back(IsDigit(digit) ? digit : static_cast<char>(digit | 0x20));
      }
    }
  }
  return out;
}

void AppendJsonCompact(std::string_view value, std::string& out) {
  std::size_t kept = 0;  // from here on it has to be copied
  for (std::size_t at = 0; at < value.size();) {
    if (value[at] == '"') {
      ++at;
      while (at < value.size() && value[at] != '"') {
        at += value[at] == '\\' ? 2 : std::max<std::size_t>(PlainBytes(value.substr(at)), 1);
      }
      ++at;
    } else if (IsJsonSpace(value[at])) {
      out.append(value, kept, at - kept);
      while (at < value.size() && IsJsonSpace(value[at])) ++at;
      kept = at;
    } else {
      ++at;
    }
  }
  out.append(value, kept);
}

}  // namespace daybook
