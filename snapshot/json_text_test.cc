#include "daybook/json_text.h"

#include <string>
#include <vector>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("every text that JSON allows is a value", "[json]") {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "-1",
                           "1.10",
                           "12e5",
                           "1E+2",
                           "1e-9",
                           "\"\"",
                           "\"a\\n\\u00e9\"",
                           "{}",
                           "[]",
                           "[1,[2,[]],{}]",
                           R"({"a":{"b":[1,2,{"c":null}]},"d":""})",
                           " \t{\r\n\"a\" : 1 } ",
                           "9223372036854775808",
                           "123456789012345678901234567890",
                           "1e400",
                           R"("\ud800")",
                           R"({"a":1,"a":2})"}) {
    INFO(text);
    CHECK(IsJsonValue(text));
  }
}

TEST_CASE("what JSON does not allow is refused", "[json]") {
  for (const char* text :
       {"",         " ",          "nul",   "True",  "01",        "+1",     "1.",      ".5",
        "1e",       "-",          "1 2",   "\"",    "\"a",       "\"\t\"", R"("\x")", R"("\u12g4")",
        "{",        "}",          "[",     "]",     "[1,]",      "[,1]",   "[1 2]",   "{\"a\"}",
        "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\":1]", "[1}",    "NaN",     "Infinity",
        "\xff",     "\"\xc3\"",   "'a'",   "[1]x",  "tru e"}) {
    INFO(text);
    CHECK_FALSE(IsJsonValue(text));
  }
  CHECK_FALSE(IsJsonValue(std::string_view("\"a\0b\"", 5)));
  CHECK_FALSE(IsJsonValue(std::string_view("1\0", 2)));
}

TEST_CASE("nesting is allowed to its limit and no deeper", "[json]") {
  const std::string open(kJsonDepthMax, '[');
  const std::string close(kJsonDepthMax, ']');
  CHECK(IsJsonValue(open + close));
  CHECK_FALSE(IsJsonValue("[" + open + close + "]"));
}

TEST_CASE("every beginning of a value is not one", "[json]") {
  const std::string text = R"({"a":[1.5e3,"x\u00e9\\",{"b":true}],"c":null})";
  REQUIRE(IsJsonValue(text));
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK_FALSE(IsJsonValue(text.substr(0, size)));
}

TEST_CASE("an object is split into its fields as they stand", "[json]") {
  std::vector<JsonField> fields;
  REQUIRE_OK(SplitJsonObject(R"( {"a" : 1.10 , "b\n":{"x":[1, 2]},"c":"}"} )", fields));
  REQUIRE(fields.size() == 3);
  CHECK(fields[0].key == "a");
  CHECK(fields[0].value == "1.10");
  CHECK(fields[1].key == "b\\n");
  CHECK(fields[1].value == R"({"x":[1, 2]})");
  CHECK(fields[2].value == R"("}")");
  REQUIRE_OK(SplitJsonObject("{}", fields));
  CHECK(fields.empty());
}

TEST_CASE("what is not one object is not split, and says where", "[json]") {
  std::vector<JsonField> fields;
  CHECK_THAT(std::string(SplitJsonObject("[1]", fields).message()),
             testing::HasText("does not begin with a brace"));
  CHECK_THAT(std::string(SplitJsonObject(R"({"a":1}x)", fields).message()),
             testing::HasText("at byte 8: text after the object"));
  CHECK_THAT(std::string(SplitJsonObject(R"({"a":01})", fields).message()),
             testing::HasText("at byte 7"));
  CHECK_THAT(std::string(SplitJsonObject(std::string_view("{\"a\0\":1}", 8), fields).message()),
             testing::HasText("a NUL byte"));
  for (const char* text : {"", "{", "{,}", R"({"a":1,})", R"({"a":1 "b":2})", R"({"a")"}) {
    INFO(text);
    CHECK(SplitJsonObject(text, fields).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a repeated key is refused among few fields and among many", "[json]") {
  std::vector<JsonField> fields;
  CHECK_THAT(std::string(SplitJsonObject(R"({"a":1,"b":2,"a":3})", fields).message()),
             testing::HasText("`a` stands there twice"));
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  REQUIRE_OK(SplitJsonObject(many + "\"z\":0}", fields));
  CHECK(fields.size() == 1001);
  CHECK_THAT(std::string(SplitJsonObject(many + "\"k500\":0}", fields).message()),
             testing::HasText("`k500` stands there twice"));
}

TEST_CASE("strings go into JSON and come out of it", "[json]") {
  for (const std::string text : {"", "plain", "a\"b\\c", "line\nbreak\x01", "\u00e9\U0001F600"}) {
    std::string quoted;
    AppendJsonString(text, quoted);
    INFO(quoted);
    CHECK(IsJsonValue(quoted));
    const absl::StatusOr<std::string> back = UnquoteJson(quoted);
    REQUIRE_OK(back);
    CHECK(*back == text);
  }
}

TEST_CASE("a string ends at its quote and breaks at a control character, wherever they stand",
          "[json]") {
  // Bytes around the special ones are those that differ from them by one, or in the high bit.
  for (const char around : {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xa2', '\xdc', '\xff'}) {
    for (std::size_t at = 1; at < 20; ++at) {
      for (int value = 0; value < 256; ++value) {
        const char byte = static_cast<char>(value);
        if (byte == '\\') continue;
        std::string text = "\"" + std::string(20, around) + "\"";
        text[at] = byte;
        JsonScanner scanner(text);
        const bool is_string = scanner.SkipString();
        if (is_string != (value >= 0x20) || scanner.at() != (value < 0x20  ? at
                                                             : byte == '"' ? at + 1
                                                                           : text.size())) {
          FAIL("byte " << value << " at " << at << " among '" << around << "'");
        }
      }
    }
  }
}

TEST_CASE("every escape is read for what it means", "[json]") {
  const auto meant = [](std::string_view token) {
    const auto text = UnquoteJson(token);
    return text.ok() ? *text : "refused";
  };
  CHECK(meant(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(meant(R"("\u0041\u00e9\u00E9\u20ac\uFFFF")") == "A\u00e9\u00e9\u20ac\uffff");
  CHECK(meant(R"("\u0000")") == std::string(1, '\0'));
  CHECK(meant(R"("\u007f\u0080\u07ff\u0800")") == "\x7f\u0080\u07ff\u0800");
  CHECK(meant(R"("\ud83d\ude00")") == "\U0001F600");
  CHECK(meant(R"("x\uD800\uDC00y\uDBFF\uDFFFz")") == "x\U00010000y\U0010FFFFz");
  CHECK(meant("\"\u00e9\"") == "\u00e9");
  for (const char* token :
       {R"("\ud83d")", R"("\ud83dx")", R"("\ude00")", R"("\ud83d\ud83d")", R"("\ude00\ud83d")",
        R"("\ud83d\n")", R"("\ud83d\u0041")", R"("\u12")", R"("\x")", R"("\)", "1", "\"", "", "\"a",
        "a\"", "\"a\"b", " \"a\"", "\"\xff\"", "\"\n\""}) {
    INFO(token);
    CHECK(meant(token) == "refused");
  }
}

TEST_CASE("a key has one form, however it is written", "[json]") {
  CHECK(CanonicalJsonKey("plain") == "plain");
  CHECK(CanonicalJsonKey("\\u0061\\/\u00e9\\u00E9") == "a/\u00e9\u00e9");
  CHECK(CanonicalJsonKey("\\\"\\\\") == "\\\"\\\\");
  CHECK(CanonicalJsonKey("\\n\\u000A") == "\\u000a\\u000a");
  CHECK(CanonicalJsonKey("\\uD83D\\uDE00") == "\U0001F600");
  CHECK(CanonicalJsonKey("\\uD83Dx\\uDE00") == "\\ud83dx\\ude00");
  CHECK(CanonicalJsonKey("\\\\uD83D") == "\\\\uD83D");
}

TEST_CASE("space between tokens is dropped, and space within strings kept", "[json]") {
  for (const std::string_view text :
       {" { \"a b\" : [ 1 , \" \\\" \\\\\" , { } ] ,\n\t\"c\":\r null } ",
        "{\"a b\":[1,\" \\\" \\\\\",{}],\"c\":null}"}) {
    std::string compact;
    AppendJsonCompact(TrimJson(text), compact);
    CHECK(compact == "{\"a b\":[1,\" \\\" \\\\\",{}],\"c\":null}");
  }
}

TEST_CASE("an object without fields is known for it", "[json]") {
  CHECK(IsEmptyJsonObject("{}"));
  CHECK(IsEmptyJsonObject(" { \n } "));
  CHECK_FALSE(IsEmptyJsonObject(R"({"a":1})"));
  CHECK(IsJsonObject(" {} "));
  CHECK_FALSE(IsJsonObject("[]"));
  CHECK_FALSE(IsJsonObject(""));
}

}  // namespace
}  // namespace daybook
