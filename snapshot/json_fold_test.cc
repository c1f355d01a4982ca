#include "daybook/json_fold.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daybook/json_text.h"
#include "tests/catch.h"

namespace daybook {
namespace {

absl::Status ApplyTo(const JsonFold& fold, JsonState& state, std::string_view data) {
  EventView event;
  event.data = AsBytes(data);
  return fold.Apply(state, event);
}

// The state of the fold after events with this data, as JSON; "refused" where one of them was.
std::string Folded(const JsonFold& fold, const std::vector<std::string>& events) {
  JsonState state;
  for (const std::string& data : events) {
    const std::string before = fold.ToJson(state);
    const absl::Status applied = ApplyTo(fold, state, data);
    if (applied.ok()) continue;
    CHECK(absl::IsInvalidArgument(applied));
    CHECK(fold.ToJson(state) == before);
    return "refused";
  }
  return fold.ToJson(state);
}

std::string Merged(const std::vector<std::string>& events) {
  return Folded(JsonFold::Merge(), events);
}

std::string Summed(std::string_view field, const std::vector<std::string>& events) {
  const auto fold = JsonFold::Sum(field);
  REQUIRE_OK(fold);
  return Folded(*fold, events);
}

TEST_CASE("the merge fold does as the examples of RFC 7396 say", "[json_fold]") {
  struct Example {
    std::string original, patch, result;
  };
  // Appendix A. A state of ours never holds the null of the example {"e":null}.
  const std::vector<Example> examples = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", "null", ""},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const auto& [original, patch, result] : examples) {
    INFO(original << " with " << patch);
    // Within a field every value can stand, at the top objects only.
    const std::string within = result.empty() ? "{}" : "{\"x\":" + result + "}";
    CHECK(Merged({"{\"x\":" + original + "}", "{\"x\":" + patch + "}"}) == within);
    if (original.front() != '{') continue;
    CHECK(Merged({original, patch}) == (patch.front() == '{' ? result : "refused"));
  }
}

TEST_CASE("what is merged stays the text that it was", "[json_fold]") {
  CHECK(Merged({}) == "{}");
  CHECK(Merged({R"({"a":1.10,"b":9223372036854775808,"c":1e400,"d":-0.0,"e":1E+2})"}) ==
        R"({"a":1.10,"b":9223372036854775808,"c":1e400,"d":-0.0,"e":1E+2})");
  CHECK(Merged({R"({"s":"a\u0041\/ \"x\\ b"})"}) == R"({"s":"a\u0041\/ \"x\\ b"})");
  CHECK(Merged({" {\n \"a\" : [ 1 , { \"b\" : null } ,\t\" ]\" ] , \"c\" : { } }\r\n"}) ==
        R"({"a":[1,{"b":null}," ]"],"c":{}})");
}

TEST_CASE("fields stand in the order in which they came", "[json_fold]") {
  CHECK(Merged({R"({"z":1,"a":2})", R"({"m":3,"z":4})"}) == R"({"z":4,"a":2,"m":3})");
  CHECK(Merged({R"({"z":1,"a":2})", R"({"z":null})", R"({"z":5})"}) == R"({"a":2,"z":5})");
  CHECK(Merged({R"({"o":{"y":1,"x":2},"p":0})", R"({"o":{"w":3,"x":4}})"}) ==
        R"({"o":{"y":1,"x":4,"w":3},"p":0})");
}

TEST_CASE("a key is one however it is escaped, and the last of repeated ones counts",
          "[json_fold]") {
  CHECK(Merged({R"({"\u0061":1})", R"({"a":2})"}) == R"({"a":2})");
  CHECK(Merged({R"({"a":1})", R"({"\u0061":null})"}) == "{}");
  CHECK(Merged({R"({"\n":1,"\u000A":2})"}) == R"({"\u000a":2})");
  CHECK(Merged({R"({"a":1,"b":2,"a":3})"}) == R"({"a":3,"b":2})");
  CHECK(Merged({R"({"a":{"b":1},"a":{"c":2}})"}) == R"({"a":{"c":2}})");
  CHECK(Merged({R"({"a":1,"a":null})"}) == "{}");
  CHECK(Merged({R"({"a":null,"a":{"b":1},"c":2})"}) == R"({"a":{"b":1},"c":2})");
  std::string many = "{";
  for (int i = 0; i < 100; ++i)
    many += "\"k" + std::to_string(i % 50) + "\":" + std::to_string(i) + ",";
  const std::string merged = Merged({many + "\"k7\":null}"});
  CHECK(merged.substr(0, 24) == R"({"k0":50,"k1":51,"k2":52)");
  CHECK(merged.find("\"k7\"") == std::string::npos);
  CHECK_THAT(merged, testing::HasText(R"(,"k48":98,"k49":99})"));
}

TEST_CASE("data that a fold does not take is refused, and the state stays", "[json_fold]") {
  for (const char* data : {"", " ", "[1]", "1", "null", "\"a\"", "{", "{\"a\":1", "{\"a\":1}}",
                           "{\"a\":01}", "{\"a\":1,}", "{\"a\":\"\xff\"}", "{\"\xff\":1}"}) {
    INFO(data);
    CHECK(Merged({R"({"b":1})", data}) == "refused");
    CHECK(Summed("a", {R"({"a":1})", data}) == "refused");
    CHECK(Folded(JsonFold::Count(), {data, data}) == "2");
  }
  for (const char* data : {"", "{", "[1", "01", "nul", "\"\xff\"", "1 2"}) {
    INFO(data);
    CHECK(Folded(JsonFold::Last(), {"1", data}) == "refused");
  }
}

TEST_CASE("count counts, and last is the last", "[json_fold]") {
  CHECK(Folded(JsonFold::Count(), {}) == "0");
  CHECK(Folded(JsonFold::Count(), {"\xff", "", "{}"}) == "3");
  CHECK(Folded(JsonFold::Last(), {}) == "null");
  CHECK(Folded(JsonFold::Last(), {R"({"a":1})", R"( [ 1.10, {"b" : null } ] )"}) ==
        R"([1.10,{"b":null}])");
  CHECK(Folded(JsonFold::Last(), {R"({"a":1})", "null"}) == "null");
}

TEST_CASE("a sum takes one field and is exact", "[json_fold]") {
  CHECK(Summed("a", {}) == "0");
  CHECK(Summed("a", {R"({"a":1.10})", R"({"a":2.2})"}) == "3.30");
  CHECK(Summed("a", {R"({"b":1})", R"({"a":null})", "{}"}) == "0");
  CHECK(Summed("a", {R"({"a":0.1})", R"({"a":0.2})"}) == "0.3");
  CHECK(Summed("a", {R"({"a":9007199254740993})", R"({"a":1})"}) == "9007199254740994");
  CHECK(Summed("a", {R"({"a":9223372036854775807})"}) == "9223372036854775807");
  CHECK(Summed("a", {R"({"a":9223372036854775807})", R"({"a":1})"}) == "refused");
  CHECK(Summed("a", {R"({"a":-9223372036854775808})", R"({"a":-1})"}) == "refused");
  CHECK(Summed("a", {R"({"a":9223372036854775808})"}) == "refused");
  CHECK(Summed("a", {R"({"a":1e400})"}) == "refused");
  CHECK(Summed("/a/0/b", {R"({"a":[{"b":2}]})", R"({"a":[{"b":3},{"b":9}]})", R"({"a":7})"}) ==
        "5");
  CHECK(Summed("/~1a", {R"({"/a":5})"}) == "5");
  CHECK(Summed("\u00e9", {R"({"\u00e9":5})"}) == "5");
  for (const char* data : {R"({"a":"1"})", R"({"a":true})", R"({"a":[1]})", R"({"a":{}})"}) {
    INFO(data);
    CHECK(Summed("a", {data}) == "refused");
  }
}

TEST_CASE("sums over mixed decimals agree with a model", "[json_fold]") {
  __extension__ using Exact = __int128;
  std::mt19937_64 random(3);
  const auto fold = JsonFold::Sum("v");
  REQUIRE_OK(fold);
  for (int round = 0; round < 200; ++round) {
    JsonState state;
    Exact model = 0;  // in hundredths
    bool decimals = false;
    for (int i = 0; i < 50; ++i) {
      const auto cents = static_cast<std::int64_t>(random()) >> (8 + random() % 50);
      std::string number = std::to_string(cents / 100);
      if (cents < 0 && cents > -100) number = "-0";
      const auto rest = static_cast<int>(cents % 100 < 0 ? -(cents % 100) : cents % 100);
      const bool whole = random() % 2 == 0;
      if (!whole) {
        number += rest < 10 ? ".0" : ".";
        number += std::to_string(rest);
        decimals = true;
      }
      REQUIRE_OK(ApplyTo(*fold, state, "{\"v\":" + number + "}"));
      model += whole ? Exact{cents / 100} * 100 : Exact{cents};
    }
    const bool negative = model < 0;
    const Exact positive = negative ? -model : model;
    std::string expected = std::to_string(static_cast<std::uint64_t>(positive / 100));
    if (decimals) {
      const auto rest = static_cast<int>(positive % 100);
      expected += (rest < 10 ? ".0" : ".") + std::to_string(rest);
    }
    CHECK(fold->ToJson(state) == (negative ? "-" : "") + expected);
  }
}

TEST_CASE("folds are named, parsed and found again", "[json_fold]") {
  for (const char* text : {"merge", "sum:amount", "sum:/a/b~1c", "sum:sum:x", "count", "last"}) {
    INFO(text);
    const auto fold = JsonFold::Parse(text);
    REQUIRE_OK(fold);
    CHECK(fold->id() == "json." + std::string(text));
    const auto found = JsonFold::Find(fold->id(), JsonFold::revision());
    REQUIRE(found != nullptr);
    CHECK(found->id() == fold->id());
    CHECK(found->has_snapshots());
    CHECK(JsonFold::Find(fold->id(), JsonFold::revision() + 1) == nullptr);
    CHECK(JsonFold::Find(text, JsonFold::revision()) == nullptr);
  }
  CHECK(JsonFold::Merge().id() == "json.merge");
  CHECK(JsonFold::Count().id() == "json.count");
  CHECK(JsonFold::Last().id() == "json.last");
  for (const std::string& text :
       {std::string(""), std::string("sum"), std::string("sum:"), std::string("Merge"),
        std::string("max:a"), std::string("count:a"), std::string("sum:/a~"),
        std::string("sum:a\nb"), std::string("sum:\xff"), "sum:" + std::string(192, 'x')}) {
    INFO(text);
    CHECK(absl::IsInvalidArgument(JsonFold::Parse(text).status()));
    CHECK(JsonFold::Find("json." + text, 1) == nullptr);
  }
  CHECK_OK(JsonFold::Parse("sum:" + std::string(191, 'x')));
}

TEST_CASE("a state of one fold is not taken for that of another", "[json_fold]") {
  JsonState state;
  REQUIRE_OK(ApplyTo(JsonFold::Merge(), state, "{}"));
  CHECK(absl::IsInvalidArgument(ApplyTo(JsonFold::Count(), state, "{}")));
  std::string saved;
  JsonFold::Merge().Save(state, saved);
  CHECK(absl::IsDataLoss(JsonFold::Last().Restore(saved).status()));
}

std::string Nested(std::size_t objects, const std::string& inner) {
  std::string json;
  for (std::size_t i = 0; i < objects; ++i) json += "{\"a\":";
  return json + inner + std::string(objects, '}');
}

TEST_CASE("patches are taken as deep as JSON may be nested, and no deeper", "[json_fold]") {
  const JsonFold fold;
  JsonState state;
  REQUIRE_OK(ApplyTo(fold, state, Nested(kJsonDepthMax, "1")));
  CHECK(fold.ToJson(state) == Nested(kJsonDepthMax, "1"));
  JsonState copy = state;
  REQUIRE_OK(ApplyTo(fold, state, Nested(kJsonDepthMax - 1, "[]")));
  CHECK(fold.ToJson(state) == Nested(kJsonDepthMax - 1, "[]"));
  CHECK(fold.ToJson(copy) == Nested(kJsonDepthMax, "1"));
  std::string saved;
  fold.Save(copy, saved);
  const auto restored = fold.Restore(saved);
  REQUIRE_OK(restored);
  CHECK(fold.ToJson(*restored) == Nested(kJsonDepthMax, "1"));
  for (const std::string& deep :
       {Nested(kJsonDepthMax + 1, "1"), Nested(kJsonDepthMax, "[]"), Nested(100'000, "1"),
        "{\"a\":" + std::string(1'000'000, '['), Nested(1'000'000, "")}) {
    CHECK(absl::IsInvalidArgument(ApplyTo(fold, state, deep)));
    CHECK(absl::IsDataLoss(fold.Restore(saved.substr(0, 2) + deep).status()));
  }
  CHECK(fold.ToJson(state) == Nested(kJsonDepthMax - 1, "[]"));
}

// Random JSON text, with space, repeated keys and keys that are escaped in various ways.
class RandomJson {
 public:
  explicit RandomJson(std::uint32_t seed) : random_(seed) {}
  std::uint32_t Random(std::uint32_t end) { return static_cast<std::uint32_t>(random_()) % end; }
  std::string Object(int depth, std::uint32_t fields_max) {
    std::string json = "{" + Space();
    const std::uint32_t fields = Random(fields_max + 1);
    for (std::uint32_t i = 0; i < fields; ++i) {
      if (i > 0) json += "," + Space();
      json += Key() + Space() + ":" + Space() + Value(depth - 1) + Space();
    }
    return json + "}";
  }

 private:
  std::string Space() { return std::string(Random(8) == 0 ? Random(3) : 0, " \n\t"[Random(3)]); }
  std::string Key() {
    constexpr std::array kKeys = {R"("a")",  R"("\u0061")", R"("b")",  R"("")",      R"("/")",
                                  R"("\/")", R"("\"")",     R"("\\")", "\"\u00e9\"", R"("\u00e9")"};
    if (Random(3) == 0) return kKeys[Random(kKeys.size())];
    return "\"k" + std::to_string(Random(15)) + "\"";
  }
  std::string Value(int depth) {
    switch (Random(depth > 0 ? 9 : 6)) {
      case 0:
      case 1:
        return "null";
      case 2:
        return "\"text " + std::to_string(Random(3)) + "\"";
      case 3:
        return Random(2) == 0 ? "true" : "1.5";
      case 4:
      case 5:
        return std::to_string(Random(4));
      case 6:
        return "[" + Space() + Value(depth - 1) + Space() + "," + Object(depth - 1, 1) + "]";
      default:
        return Object(depth, 4);
    }
  }
  std::mt19937 random_;
};

// The keys of objects in arrays stay as they were written; the model rewrites them.
std::string Rewritten(const std::string& json) {
  return nlohmann::ordered_json::parse(json).dump();
}

TEST_CASE("random patches give what another implementation says", "[json_fold]") {
  const JsonFold fold;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    RandomJson random(seed);
    JsonState state;
    auto model = nlohmann::ordered_json::object();
    for (int i = 0; i < 60; ++i) {
      const std::string patch = random.Object(4, i % 10 == 0 ? 40 : 5);
      CAPTURE(seed, i, patch);
      const JsonState before = state;
      const std::string json_before = fold.ToJson(state);
      REQUIRE_OK(ApplyTo(fold, state, patch));
      model.merge_patch(nlohmann::ordered_json::parse(patch));
      const std::string json = fold.ToJson(state);
      REQUIRE(IsJsonObject(json));
      REQUIRE(Rewritten(json) == model.dump());
      REQUIRE(fold.ToJson(before) == json_before);
      std::string saved;
      fold.Save(state, saved);
      auto restored = fold.Restore(saved);
      REQUIRE_OK(restored);
      REQUIRE(fold.ToJson(*restored) == json);
      if (random.Random(4) == 0) state = *std::move(restored);  // and goes on from there
    }
  }
}

TEST_CASE("a state of very many fields is merged into field by field", "[json_fold]") {
  // Looking through the fields for each patch would take minutes.
  constexpr int kFields = 200'000;
  const JsonFold fold;
  JsonState state;
  for (const char* value : {"1", "2", "null"}) {
    for (int i = 0; i < kFields; ++i) {
      const int field = value[0] == '2' ? (i * 7919) % kFields : i;
      REQUIRE_OK(ApplyTo(fold, state, "{\"f" + std::to_string(field) + "\":" + value + "}"));
    }
    const std::string json = fold.ToJson(state);
    if (value[0] == 'n') {
      CHECK(json == "{}");
    } else {
      CHECK(json.substr(0, 15) == "{\"f0\":" + std::string(value) + ",\"f1\":" + value + ",");
      CHECK(std::count(json.begin(), json.end(), ':') == kFields);
    }
  }
}

TEST_CASE("damaged bytes of a state give an error or a state, and nothing worse", "[json_fold]") {
  const auto sum = JsonFold::Sum("a");
  REQUIRE_OK(sum);
  const std::string patch =
      R"({"a":12.50,"b":{"c":[1,{"d":null}],"\u00e9":"x\ud83d\ude00"},"e":{"f":{"g":true}}})";
  for (const JsonFold& fold : {JsonFold::Merge(), *sum, JsonFold::Count(), JsonFold::Last()}) {
    CAPTURE(fold.id());
    JsonState state;
    REQUIRE_OK(ApplyTo(fold, state, patch));
    std::string saved;
    fold.Save(state, saved);
    const auto whole = fold.Restore(saved);
    REQUIRE_OK(whole);
    CHECK(fold.ToJson(*whole) == fold.ToJson(state));
    int refused = 0;
    const auto try_bytes = [&](const std::string& bytes) {
      const auto restored = fold.Restore(bytes);
      if (!restored.ok()) {
        ++refused;
        CHECK(absl::IsDataLoss(restored.status()));
        return;
      }
      const std::string json = fold.ToJson(*restored);
      CHECK(IsJsonValue(json));
      std::string again;
      fold.Save(*restored, again);
      const auto same = fold.Restore(again);
      REQUIRE_OK(same);
      CHECK(fold.ToJson(*same) == json);
    };
    for (std::size_t size = 0; size < saved.size(); ++size) try_bytes(saved.substr(0, size));
    CHECK(refused >= 3);
    for (std::size_t bit = 0; bit < saved.size() * 8; ++bit) {
      std::string flipped = saved;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      try_bytes(flipped);
    }
    CHECK(refused >= 20);
  }
}

TEST_CASE("the state of the empty stream is saved too", "[json_fold]") {
  for (const JsonFold& fold : {JsonFold::Merge(), JsonFold::Count(), JsonFold::Last()}) {
    std::string saved;
    fold.Save({}, saved);
    const auto restored = fold.Restore(saved);
    REQUIRE_OK(restored);
    CHECK(fold.ToJson(*restored) == fold.ToJson({}));
  }
}

}  // namespace
}  // namespace daybook
