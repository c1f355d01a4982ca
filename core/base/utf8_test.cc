#include "base/utf8.h"

#include <cstdint>
#include <string>

#include "daybook/event.h"
#include "tests/catch.h"

namespace daybook {
namespace {

// A code point by the plain rule, without looking whether it may be encoded: a second opinion.
std::string Encode(std::uint32_t point, int bytes) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  switch (bytes) {
    case 1:
      return {static_cast<char>(point)};
    case 2:
      return {static_cast<char>(0xC0 | (point >> 6)), tail(0)};
    case 3:
      return {static_cast<char>(0xE0 | (point >> 12)), tail(6), tail(0)};
    default:
      return {static_cast<char>(0xF0 | (point >> 18)), tail(12), tail(6), tail(0)};
  }
}

TEST_CASE("each code point is valid in its shortest form alone, and no surrogate is") {
  for (std::uint32_t point = 0; point <= 0x1FFFFF; ++point) {
    const int shortest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    const bool exists = point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
    for (int bytes = shortest; bytes <= 4; ++bytes) {
      const bool valid = IsValidUtf8(Encode(point, bytes));
      if (valid != (exists && bytes == shortest))
        FAIL("U+" << std::hex << point << " in " << bytes);
    }
  }
}

TEST_CASE("every two bytes are judged as the standard does") {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const bool two_ascii = first < 0x80 && second < 0x80;
      const bool one_pair = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
      if (IsValidUtf8(text) != (two_ascii || one_pair)) FAIL(first << " " << second);
    }
  }
}

TEST_CASE(
    "a wrong byte is found wherever it stands among ASCII, and a sequence across words is not "
    "wrong") {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = '\xFF';
      CHECK_FALSE(IsValidUtf8(text));
      text = std::string(at, 'a') + "\xF0\x9F\x93\x92" + std::string(size - at, 'b');
      CHECK(IsValidUtf8(text));
      for (std::size_t cut = 1; cut < 4; ++cut) {
        CHECK_FALSE(IsValidUtf8(std::string_view(text).substr(0, at + cut)));
      }
    }
  }
  CHECK(IsValidUtf8(""));
  CHECK(IsValidUtf8(std::string_view("\0\x7F\x1F", 3)));
}

std::string RefusalOfName(std::string_view name) {
  const absl::Status status = ValidateName("type", name);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST_CASE("a name has 1 to 255 bytes") {
  CHECK_OK(ValidateName("type", "a"));
  CHECK_OK(ValidateName("type", std::string(255, 'a')));
  CHECK_THAT(RefusalOfName(""), testing::HasText("type: empty"));
  CHECK_THAT(RefusalOfName(std::string(256, 'a')), testing::HasText("type: 256 bytes"));
  // Bytes, not characters.
  std::string wide;
  for (int i = 0; i < 128; ++i) wide += "é";
  CHECK_THAT(RefusalOfName(wide), testing::HasText("256 bytes"));
}

TEST_CASE("a name has no control character, at any place, and every other one is fine") {
  for (unsigned byte = 0; byte < 0x80; ++byte) {
    for (std::size_t at = 0; at < 20; ++at) {
      std::string name(20, 'n');
      name[at] = static_cast<char>(byte);
      const bool control = byte < 0x20 || byte == 0x7F;
      if (ValidateName("type", name).ok() == control) FAIL(byte << " at " << at);
    }
  }
  CHECK_THAT(RefusalOfName("abc\ndef"), testing::HasText("U+000A at byte 3"));
  CHECK_THAT(RefusalOfName("Überweisung\x7F"), testing::HasText("U+007F at byte 12"));
  CHECK_THAT(RefusalOfName(std::string_view("\0", 1)), testing::HasText("U+0000 at byte 0"));
  CHECK_OK(ValidateName("type", "Überweisung getätigt 記帳 📒"));
  CHECK_OK(ValidateName("type", "\xC2\x80"));  // U+0080 is none of those that are refused
}

TEST_CASE("a name is UTF-8, and the message says where it is not") {
  CHECK_THAT(RefusalOfName("abcdefgh\xFFi"), testing::HasText("not UTF-8 at byte 8"));
  CHECK_THAT(RefusalOfName("ab\xC3"), testing::HasText("not UTF-8 at byte 2"));
  CHECK_THAT(RefusalOfName("\xED\xA0\x80"), testing::HasText("not UTF-8 at byte 0"));
}

TEST_CASE(
    "a stream's name begins neither with a hyphen nor, unless it is the store's own, with a "
    "dollar") {
  CHECK_OK(ValidateStreamName("account-42"));
  CHECK_OK(ValidateStreamName("a-$-b"));
  CHECK_OK(ValidateStreamName("$store", SystemNames::kAllow));
  for (const char* name : {"-a", "-", "$store", "$"}) {
    INFO(name);
    CHECK(ValidateStreamName(name).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK_FALSE(ValidateStreamName("-a", SystemNames::kAllow).ok());
  CHECK_FALSE(ValidateStreamName("", SystemNames::kAllow).ok());
  CHECK_FALSE(ValidateStreamName("a\n").ok());
  CHECK_OK(ValidateName("tag", "-a"));
  CHECK_OK(ValidateName("tag", "$a"));
}

TEST_CASE("a text as a JSON string has quotes, backslashes and control characters escaped") {
  CHECK(QuotedJson("") == "\"\"");
  CHECK(QuotedJson("a \"b\" \\ \xC3\xA9") == "\"a \\\"b\\\" \\\\ \xC3\xA9\"");
  CHECK(QuotedJson("1\n2\x01") == "\"1\\u000a2\\u0001\"");
}

}  // namespace
}  // namespace daybook
