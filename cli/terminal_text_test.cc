#include "cli/terminal_text.h"

#include "tests/catch.h"

namespace daybook::cli {
namespace {

TEST_CASE("text from a store gives a terminal no orders", "[cli][terminal]") {
  CHECK(Printable("") == "");
  CHECK(Printable("plain, Grüße, 日本") == "plain, Grüße, 日本");
  CHECK(Printable("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(Printable("\x1b[2J") == "\\x1b[2J");
  CHECK(Printable(std::string_view("\0\x7f", 2)) == "\\x00\\x7f");
  CHECK(Printable("\u009b") == "\\u009b");
  CHECK(Printable("\u202e") == "\\u202e");
}

TEST_CASE("bytes that are no UTF-8 are shown as bytes", "[cli][terminal]") {
  CHECK(Printable("a\xffz") == "a\\xffz");
  CHECK(Printable("\xc3") == "\\xc3");
  CHECK(Printable("\xc0\x80") == "\\xc0\\x80");           // overlong
  CHECK(Printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // half a surrogate pair
  CHECK(Printable("\xe2\x82\xacx") == "€x");
}

TEST_CASE("the width of text is in columns, not in bytes", "[cli][terminal]") {
  CHECK(DisplayWidth("") == 0);
  CHECK(DisplayWidth("abc") == 3);
  CHECK(DisplayWidth("Grüße") == 5);
  CHECK(DisplayWidth("日本") == 4);
  CHECK(DisplayWidth("e\u0301") == 1);
}

TEST_CASE("text that is too wide is cut to the width, and says so", "[cli][terminal]") {
  CHECK(Cut("abcdef", 6) == "abcdef");
  CHECK(Cut("abcdef", 5) == "abcd…");
  CHECK(Cut("Grüße", 4) == "Grü…");
  CHECK(Cut("日本語", 5) == "日本…");
  CHECK(Cut("日本語", 4) == "日…");
  CHECK(Cut("abc", 1) == "…");
  for (std::size_t columns = 1; columns < 8; ++columns) {
    CHECK(DisplayWidth(Cut("a日b本c", columns)) <= columns);
  }
}

TEST_CASE("indented JSON has the tokens that it had", "[cli][terminal]") {
  CHECK(IndentedJson("1.10") == "1.10");
  CHECK(IndentedJson("{}") == "{}");
  CHECK(IndentedJson("{ }") == "{}");
  CHECK(IndentedJson(R"({"a":1.10,"b":[1,{"c":[]}],"d":"x,{\"}"})") ==
        "{\n  \"a\": 1.10,\n  \"b\": [\n    1,\n    {\n      \"c\": []\n    }\n  ],\n"
        "  \"d\": \"x,{\\\"}\"\n}");
  CHECK(IndentedJson("\"a\u009b\"") == "\"a\\u009b\"");
}

}  // namespace
}  // namespace daybook::cli
