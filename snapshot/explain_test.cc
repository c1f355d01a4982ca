#include "daybook/explain.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "daybook/json_field.h"
#include "daybook/store.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using Json = nlohmann::ordered_json;
using testing::TempFolder;

struct Event {
  std::string stream;
  std::string data;
  std::int64_t recorded_at = 0;
  std::int64_t effective_at = 0;
  std::uint64_t position = 0;
  std::uint64_t version = 0;
};

// A store, and what is in it.
class History {
 public:
  explicit History(std::uint32_t seed) : random_(seed) {
    StoreOptions options = testing::SmallSegments();
    options.durability = Durability::kBuffered;
    options.clock = [this] { return Timestamp(clock_); };
    auto store = Store::Open(folder_ / "store", options);
    REQUIRE_OK(store);
    store_ = *std::move(store);
  }

  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  std::uint32_t Random(std::uint32_t end) { return static_cast<std::uint32_t>(random_()) % end; }
  [[nodiscard]] std::int64_t clock() const { return clock_; }

  void Append(const std::string& stream, const std::string& data, std::int64_t effective_at = 0) {
    clock_ += 10;
    NewEvent added{.type = "Happened", .data = AsBytes(data)};
    if (effective_at != 0) added.effective_at = Timestamp(effective_at);
    const auto result = store_->Append(stream, ExpectedVersion::Any(), {added});
    REQUIRE_OK(result);
    const AppendedEvent& appended = result->events.front();
    const std::int64_t recorded_at = appended.recorded_at.unix_nanoseconds();
    events_.push_back({stream, data, recorded_at, effective_at != 0 ? effective_at : recorded_at,
                       appended.position.value(), appended.version.value()});
  }

  // The events of a stream at a moment by version, in the order of a fold.
  [[nodiscard]] std::vector<Event> Selected(const std::string& stream, std::uint64_t version,
                                            std::optional<Timestamp> effective_at) const {
    std::vector<Event> selected;
    for (const Event& event : events_) {
      if (event.stream != stream || event.version > version) continue;
      if (effective_at && event.effective_at > effective_at->unix_nanoseconds()) continue;
      selected.push_back(event);
    }
    if (effective_at) {
      std::sort(selected.begin(), selected.end(), [](const Event& a, const Event& b) {
        return std::tie(a.effective_at, a.position) < std::tie(b.effective_at, b.position);
      });
    }
    return selected;
  }

 private:
  const TempFolder folder_;
  std::mt19937 random_;
  std::int64_t clock_ = 1'000'000;
  std::unique_ptr<Store> store_;
  std::vector<Event> events_;
};

std::string RandomObject(History& history, int depth);

std::string RandomValue(History& history, int depth) {
  switch (history.Random(depth > 0 ? 7 : 4)) {
    case 0:
      return "null";
    case 1:
      return "[" + std::to_string(history.Random(3)) +
             ",{\"b\":" + std::to_string(history.Random(2)) + "}]";
    case 2:
    case 3:
      return std::to_string(history.Random(3));
    default:
      return RandomObject(history, depth);
  }
}

std::string RandomObject(History& history, int depth) {
  static const std::vector<std::string> kKeys = {"\"a\"", "\"b\"",   "\"c\"",
                                                 "\"0\"", "\"/x~\"", "\"\""};
  std::string json = "{";
  const auto first = history.Random(static_cast<std::uint32_t>(kKeys.size()));
  const auto fields = history.Random(4);
  for (std::uint32_t i = 0; i < fields; ++i) {
    if (i > 0) json += ", ";
    json += kKeys[(first + i) % kKeys.size()] + ": " + RandomValue(history, depth - 1);
  }
  // A number at a place of its own, for the sum.
  if (depth == 3 && history.Random(3) != 0) {
    if (json.size() > 1) json += ",";
    json += "\"n\":" + std::to_string(history.Random(3));
  }
  return json + "}";
}

// The states of the model: after no event, after the first, ...
std::vector<Json> States(const std::string& fold, const std::vector<Event>& events) {
  Json state = fold == "merge" ? Json::object() : fold == "last" ? Json() : Json(0);
  std::vector<Json> states = {state};
  for (const Event& event : events) {
    const Json data = Json::parse(event.data);
    if (fold == "merge") {
      state.merge_patch(data);
    } else if (fold == "last") {
      state = data;
    } else {
      state = state.get<int>() + (fold == "count" ? 1 : data.value("n", 0));
    }
    states.push_back(state);
  }
  return states;
}

// What stands at a field, as text.
std::optional<std::string> At(const Json& state, const std::string& field) {
  const auto path = JsonFieldPath::Parse(field);
  REQUIRE_OK(path);
  const Json* at = &state;
  for (const JsonFieldPath::Step& step : path->steps()) {
    const std::string key = Json::parse("\"" + step.key + "\"").get<std::string>();
    if (at->is_object() && at->contains(key)) {
      at = &(*at)[key];
    } else if (at->is_array() && step.index && *step.index < at->size()) {
      at = &(*at)[*step.index];
    } else {
      return std::nullopt;
    }
  }
  return at->dump();
}

struct Change {
  std::string field;
  std::optional<std::string> before, after;
  std::uint64_t position = 0;
  friend bool operator==(const Change&, const Change&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Change& change) {
    return out << change.field << ": " << change.before.value_or("nothing") << " -> "
               << change.after.value_or("nothing") << " @" << change.position;
  }
};

void Compare(const Json& before, const Json& after, std::vector<std::string>& keys,
             std::vector<Change>& there, std::vector<Change>& gone) {
  const auto name = [&keys] { return JsonFieldPath::NameOf({keys.begin(), keys.end()}); };
  if (!before.is_object() || !after.is_object()) {
    if (before != after) there.push_back({name(), before.dump(), after.dump()});
    return;
  }
  for (const auto& [key, value] : after.items()) {
    keys.push_back(key);
    if (before.contains(key)) {
      Compare(before[key], value, keys, there, gone);
    } else {
      there.push_back({name(), std::nullopt, value.dump()});
    }
    keys.pop_back();
  }
  for (const auto& [key, value] : before.items()) {
    keys.push_back(key);
    if (!after.contains(key)) gone.push_back({name(), value.dump(), std::nullopt});
    keys.pop_back();
  }
}

// The position of the last event that changed the field; 0: none.
std::uint64_t LastChange(const std::vector<Json>& states, const std::vector<Event>& events,
                         const std::string& field) {
  for (std::size_t i = events.size(); i > 0; --i) {
    if (At(states[i - 1], field) != At(states[i], field)) return events[i - 1].position;
  }
  return 0;
}

std::vector<Change> ExpectedDiff(const Json& before, const std::vector<Json>& states,
                                 const std::vector<Event>& events) {
  std::vector<std::string> keys;
  std::vector<Change> changes, gone;
  Compare(before, states.back(), keys, changes, gone);
  changes.insert(changes.end(), gone.begin(), gone.end());
  for (Change& change : changes) change.position = LastChange(states, events, change.field);
  return changes;
}

// Every field of a state, and of arrays within.
void AddFields(const Json& value, std::vector<std::string>& keys, std::set<std::string>& fields) {
  fields.insert(JsonFieldPath::NameOf({keys.begin(), keys.end()}));
  if (!value.is_structured()) return;
  for (const auto& [key, within] : value.items()) {
    keys.push_back(key);
    AddFields(within, keys, fields);
    keys.pop_back();
  }
}

constexpr std::uint32_t kStreams = 3;

void FillRandomly(History& history) {
  for (int i = 0; i < 45; ++i) {
    const std::string stream = "s-" + std::to_string(history.Random(kStreams));
    const std::int64_t late = history.Random(2) == 0 ? 0 : history.clock() - history.Random(200);
    history.Append(stream, RandomObject(history, 3), late);
  }
}

TEST_CASE("a diff of any two moments of random histories is what brute force says", "[explain]") {
  std::size_t changes = 0, gone = 0, nested = 0;
  for (std::uint32_t seed = 1; seed <= 25; ++seed) {
    History history(seed);
    FillRandomly(history);
    for (int i = 0; i < 30; ++i) {
      const std::string stream = "s-" + std::to_string(history.Random(kStreams));
      const auto head = static_cast<std::uint32_t>(history.Selected(stream, ~0ULL, {}).size());
      std::uint32_t first = history.Random(head + 1), second = history.Random(head + 1);
      if (first > second) std::swap(first, second);
      AsOf from = AsOf::AtVersion(Version(first)), to = AsOf::AtVersion(Version(second));
      if (history.Random(2) == 0) {
        from.effective_at = Timestamp(history.clock() - history.Random(500));
        to.effective_at = from.effective_at;
      }
      for (const std::string fold : {"merge", "last", "sum:n", "count"}) {
        CAPTURE(seed, stream, fold, first, second);
        const auto earlier = history.Selected(stream, first, from.effective_at);
        const auto later = history.Selected(stream, second, to.effective_at);
        const auto expected =
            ExpectedDiff(States(fold, earlier).back(), States(fold, later), later);
        const auto diff = Diff(history.store(), *JsonFold::Parse(fold), stream, from, to);
        REQUIRE_OK(diff);
        std::vector<Change> found;
        for (const FieldChange& change : *diff) {
          found.push_back({change.field, change.before, change.after, change.position.value()});
          gone += change.after ? 0 : 1;
          nested += change.field.size() > 3 ? 1 : 0;
        }
        REQUIRE(found == expected);
        changes += found.size();
      }
    }
  }
  CHECK(changes > 1000);
  CHECK(gone > 100);
  CHECK(nested > 100);
}

TEST_CASE("blame at any moment of random histories is what brute force says", "[explain]") {
  std::size_t blamed = 0, nothing = 0, removed = 0;
  for (std::uint32_t seed = 1; seed <= 25; ++seed) {
    History history(seed);
    FillRandomly(history);
    for (int i = 0; i < 6; ++i) {
      const std::string stream = "s-" + std::to_string(history.Random(kStreams));
      const auto head = static_cast<std::uint32_t>(history.Selected(stream, ~0ULL, {}).size());
      AsOf as_of = AsOf::AtVersion(Version(history.Random(head + 1)));
      if (history.Random(2) == 0) {
        as_of.effective_at = Timestamp(history.clock() - history.Random(500));
      }
      for (const std::string fold : {"merge", "last", "sum:n", "count"}) {
        const auto events = history.Selected(stream, as_of.version->value(), as_of.effective_at);
        const auto states = States(fold, events);
        std::set<std::string> fields = {"", "n", "none", "/a/0", "/a/1/b", "/a/b/c"};
        std::vector<std::string> keys;
        for (const Json& state : states) AddFields(state, keys, fields);
        for (const std::string& field : fields) {
          CAPTURE(seed, stream, fold, field, as_of.version->value());
          const auto found = Blame(history.store(), *JsonFold::Parse(fold), stream, field, as_of);
          REQUIRE_OK(found);
          const std::uint64_t position = LastChange(states, events, field);
          REQUIRE(found->has_value() == (position != 0));
          nothing += position == 0 ? 1 : 0;
          if (position == 0) continue;
          ++blamed;
          CHECK((*found)->field == field);
          REQUIRE((*found)->event->position.value() == position);
          CHECK(AsText((*found)->event->data) == history.events()[position - 1].data);
          REQUIRE((*found)->value == At(states.back(), field));
          removed += (*found)->value ? 0 : 1;
        }
      }
    }
  }
  CHECK(blamed > 1000);
  CHECK(nothing > 100);
  CHECK(removed > 100);
}

std::vector<std::string> Names(const absl::StatusOr<std::vector<FieldChange>>& changes) {
  REQUIRE_OK(changes);
  std::vector<std::string> names;
  for (const FieldChange& change : *changes) {
    names.push_back(change.field + "@" + std::to_string(change.position.value()));
  }
  return names;
}

TEST_CASE("numbers differ where their text does, and setting the same again changes nothing",
          "[explain]") {
  History history(1);
  history.Append("s", R"({"a":1.0,"b":[1, 2],"c":1e400})");
  history.Append("s", R"({"a":1.00,"b":[1,2],"c":1e400})");
  history.Append("s", R"({"a":1.00,"d":9223372036854775808})");
  const JsonFold fold;
  const auto diff = Diff(history.store(), fold, "s", AsOf::AtVersion(Version(1)), {});
  CHECK(Names(diff) == std::vector<std::string>{"a@2", "d@3"});
  CHECK(diff->at(0).before == "1.0");
  CHECK(diff->at(0).after == "1.00");
  CHECK_FALSE(diff->at(1).before);
  CHECK(diff->at(1).after == "9223372036854775808");
  const auto b = Blame(history.store(), fold, "s", "b", {});
  REQUIRE_OK(b);
  CHECK((*b)->event->version == Version(1));
  CHECK((*b)->value == "[1,2]");
}

TEST_CASE("a field that came and went between two moments is no difference, but has an event",
          "[explain]") {
  History history(1);
  history.Append("s", R"({"a":1})");
  history.Append("s", R"({"b":{"c":2}})");
  history.Append("s", R"({"b":null})");
  const JsonFold fold;
  CHECK(Names(Diff(history.store(), fold, "s", AsOf::AtVersion(Version(1)), {})).empty());
  for (const char* field : {"b", "/b/c"}) {
    const auto blamed = Blame(history.store(), fold, "s", field, {});
    REQUIRE_OK(blamed);
    REQUIRE(blamed->has_value());
    CHECK((*blamed)->event->version == Version(3));
    CHECK_FALSE((*blamed)->value);
  }
}

TEST_CASE("moments in the wrong order or of two kinds of time are refused", "[explain]") {
  History history(1);
  for (int i = 0; i < 4; ++i) history.Append(i % 2 == 0 ? "s" : "other", R"({"a":1})");
  const JsonFold fold;
  const auto code = [&](const AsOf& from, const AsOf& to) {
    return Diff(history.store(), fold, "s", from, to).status().code();
  };
  const Timestamp now(history.clock());
  constexpr auto kRefused = absl::StatusCode::kInvalidArgument;
  CHECK(code({}, {}) == absl::StatusCode::kOk);
  CHECK(code(AsOf::AtVersion(Version(2)), AsOf::AtVersion(Version(1))) == kRefused);
  CHECK(code(AsOf::AtPosition(Position(4)), AsOf::AtPosition(Position(3))) == kRefused);
  CHECK(code(AsOf::RecordedAt(now), AsOf::RecordedAt(Timestamp(5))) == kRefused);
  CHECK(code({}, AsOf::AtPosition(Position(2))) == kRefused);
  CHECK(code(AsOf::AtVersion(Version(2)), AsOf::AtPosition(Position(2))) == kRefused);
  CHECK(code(AsOf::AtVersion(Version(1)), AsOf::AtPosition(Position(2))) == absl::StatusCode::kOk);
  CHECK(code({}, AsOf::EffectiveAt(now)) == kRefused);
  CHECK(code(AsOf::EffectiveAt(now), {}) == kRefused);
  CHECK(code(AsOf::EffectiveAt(Timestamp(5)), AsOf::EffectiveAt(now)) == kRefused);
  CHECK(code(AsOf::EffectiveAt(now), AsOf::EffectiveAt(now)) == absl::StatusCode::kOk);
  CHECK(code({}, AsOf::AtVersion(Version(3))) == kRefused);
  CHECK(Blame(history.store(), fold, "s", "/a~", {}).status().code() == kRefused);
  CHECK(Blame(history.store(), fold, "s", "a", AsOf::AtVersion(Version(3))).status().code() ==
        kRefused);
}

TEST_CASE("an empty past differs by all that came, and data that is not JSON is named",
          "[explain]") {
  History history(1);
  history.Append("s", R"({"a":1,"b":{}})");
  const JsonFold fold;
  CHECK(Names(Diff(history.store(), fold, "s", AsOf::AtVersion(Version(0)), {})) ==
        std::vector<std::string>{"a@1", "b@1"});
  CHECK(Names(Diff(history.store(), fold, "none", AsOf::AtVersion(Version(0)), {})).empty());
  const auto none = Blame(history.store(), fold, "none", "a", {});
  REQUIRE_OK(none);
  CHECK_FALSE(none->has_value());
  history.Append("s", "no JSON");
  const absl::Status refused = Blame(history.store(), fold, "s", "a", {}).status();
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()),
             testing::HasText("fold 'json.merge' at version 2 of stream 's', position 2"));
}

}  // namespace
}  // namespace daybook
