#include "daybook/json_field.h"

#include <string>
#include <vector>

#include "daybook/json_text.h"
#include "tests/catch.h"

namespace daybook {
namespace {

std::string Found(std::string_view json, std::string_view field) {
  const auto path = JsonFieldPath::Parse(field);
  REQUIRE_OK(path);
  const auto found = FindJsonField(json, *path);
  if (!found.ok()) return "refused";
  return *found ? std::string(**found) : "nothing";
}

TEST_CASE("a field is found by its name, and within others by a pointer", "[json_field]") {
  const std::string json =
      R"( {"a" : 1.10 ,"b":{"c":[10, {"d":"x"} ,[3]],"/":"slash","":"empty","m~n":8,"0":"o"},)"
      R"("/a":"named","":5, "e\u0301":null,"x.y":true} )";
  CHECK(Found(json, "a") == "1.10");
  CHECK(Found(json, "/a") == "1.10");
  CHECK(Found(json, "x.y") == "true");
  CHECK(Found(json, "/~1a") == "\"named\"");
  CHECK(Found(json, "/") == "5");
  CHECK(Found(json, "/b/c/0") == "10");
  CHECK(Found(json, "/b/c/1") == R"({"d":"x"})");
  CHECK(Found(json, "/b/c/1/d") == "\"x\"");
  CHECK(Found(json, "/b/c/2/0") == "3");
  CHECK(Found(json, "/b/~1") == "\"slash\"");
  CHECK(Found(json, "/b/") == "\"empty\"");
  CHECK(Found(json, "/b/m~0n") == "8");
  CHECK(Found(json, "/b/0") == "\"o\"");
  CHECK(Found(json, "e\u0301") == "null");
  CHECK(Found(json, "") == TrimJson(json));
  for (const char* none : {"c", "/b/c/3", "/b/c/00", "/b/c/-", "/b/c/01", "/a/0", "/b/x/y", "A",
                           "/b/c/1/d/e", "//", "b/c", "/b/c/99999999999999999999"}) {
    INFO(none);
    CHECK(Found(json, none) == "nothing");
  }
  CHECK(Found("[1,2]", "/1") == "2");
  CHECK(Found("[1,2]", "1") == "2");
  CHECK(Found("7", "a") == "nothing");
  CHECK(Found("{}", "a") == "nothing");
  CHECK(Found("[]", "/0") == "nothing");
}

TEST_CASE("a key is compared by the text that it means", "[json_field]") {
  CHECK(Found(R"({"\u0061":1})", "a") == "1");
  CHECK(Found(R"({"a\/b":1})", "a/b") == "1");
  CHECK(Found(R"({"\"\\\b\u000A":1})", "\"\\\b\n") == "1");
  CHECK(Found(R"({"\ud83d\ude00":1})", "\U0001F600") == "1");
  CHECK(Found("{\"\u00e9\":1}", "\u00e9") == "1");
  CHECK(Found(R"({"\u00E9":1})", "\u00e9") == "1");
  CHECK(Found(R"({"\\u0061":1})", "a") == "nothing");
  CHECK(Found(R"({"\ud83d":1})", "\U0001F600") == "nothing");
}

TEST_CASE("the last of repeated keys counts", "[json_field]") {
  CHECK(Found(R"({"a":1,"b":2,"a":3})", "a") == "3");
  CHECK(Found(R"({"a":1,"\u0061":3})", "a") == "3");
  CHECK(Found(R"({"a":{"b":1},"a":{"c":2}})", "/a/b") == "nothing");
  CHECK(Found(R"({"a":{"b":1,"b":[4]},"x":0})", "/a/b/0") == "4");
}

TEST_CASE("what is not JSON is refused wherever it is broken", "[json_field]") {
  const std::string json = R"({"a":[1,{"b":2}],"c":{"d":"e"},"f":null})";
  for (const char* field : {"a", "/c/d", "f", "", "none"}) {
    for (std::size_t size = 0; size < json.size(); ++size) {
      INFO(field << " in " << json.substr(0, size));
      CHECK(Found(json.substr(0, size), field) == "refused");
    }
    CHECK(Found(json + "x", field) == "refused");
    CHECK(Found(json + json, field) == "refused");
  }
  for (const char* text : {R"({"a":1,})", R"({,"a":1})", R"({"a" 1})", R"({a:1})", "[1,]", "[1 2]",
                           R"({"a":1]})", "[1}", R"({"a":01})", "{\"a\":\"\t\"}"}) {
    INFO(text);
    CHECK(Found(text, "a") == "refused");
    CHECK(Found(text, "/0") == "refused");
  }
  const auto path = JsonFieldPath::Parse("a");
  CHECK_THAT(std::string(FindJsonField(R"({"a":01})", *path).status().message()),
             testing::HasText("the text is not JSON at byte 7"));
}

TEST_CASE("fields are found as deep as JSON may be nested, and no deeper", "[json_field]") {
  const auto nested = [](std::size_t depth) {
    std::string json;
    for (std::size_t i = 0; i < depth; ++i) json += "{\"a\":";
    return json + "1" + std::string(depth, '}');
  };
  std::string field;
  for (std::size_t i = 0; i < kJsonDepthMax; ++i) field += "/a";
  CHECK(Found(nested(kJsonDepthMax), field) == "1");
  CHECK(Found(nested(kJsonDepthMax), "b") == "nothing");
  CHECK(Found(nested(kJsonDepthMax + 1), "b") == "refused");
  CHECK(Found(std::string(1'000'000, '['), "b") == "refused");
}

TEST_CASE("a pointer that is none is refused", "[json_field]") {
  for (const char* field : {"/a~", "/~2", "/~", "/a/~x/b"}) {
    INFO(field);
    CHECK(absl::IsInvalidArgument(JsonFieldPath::Parse(field).status()));
  }
  CHECK_OK(JsonFieldPath::Parse("a~"));
}

TEST_CASE("the name of a field leads back to it", "[json_field]") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, ""},
      {{"a"}, "a"},
      {{"a b~"}, "a b~"},
      {{""}, "/"},
      {{"/a"}, "/~1a"},
      {{"a", "b"}, "/a/b"},
      {{"a/b", "~", ""}, "/a~1b/~0/"},
      {{"\"", "\n"}, "/\"/\n"},
  };
  for (const auto& [texts, name] : cases) {
    std::vector<std::string> keys;
    for (const std::string& text : texts) AppendJsonEscaped(text, keys.emplace_back());
    CHECK(JsonFieldPath::NameOf({keys.begin(), keys.end()}) == name);
    const auto path = JsonFieldPath::Parse(name);
    REQUIRE_OK(path);
    REQUIRE(path->steps().size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) CHECK(path->steps()[i].key == keys[i]);
  }
}

}  // namespace
}  // namespace daybook
