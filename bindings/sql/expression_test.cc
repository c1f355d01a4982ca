#include <string>

#include "daybook/sql_expression.h"
#include "tests/catch.h"

namespace daybook {
namespace {

EventView Event() {
  EventView event;
  event.position = Position(7);
  event.version = Version(3);
  event.stream = "fine-1";
  event.type = "Payment";
  event.recorded_at = *Timestamp::Parse("2010-01-01T00:00:00Z");
  event.content_type = ContentType::kJson;
  event.data = AsBytes(R"({"cents":5})");
  return event;
}

absl::StatusOr<bool> Holds(std::string_view expression, std::string_view state,
                           std::string_view fold = "merge") {
  auto compiled = SqlExpression::Compile(expression, *JsonFold::Parse(fold));
  if (!compiled.ok()) return compiled.status();
  return compiled->Holds(state, Event());
}

TEST_CASE("an expression sees the fields of the state by their names", "[sql]") {
  const std::string state = R"({"amount_cents":3600,"Article":"7","nested":{"a":1},"größe":2})";
  CHECK(*Holds("amount_cents > 3500", state));
  CHECK_FALSE(*Holds("amount_cents > 3600", state));
  CHECK(*Holds("amount_cents = 3600 AND Article = '7' AND größe = 2", state));
  CHECK(*Holds("amount_cents + missing IS NULL", state));
  CHECK_FALSE(*Holds("missing = 5", state));  // NULL is false
  CHECK(*Holds("json_extract(nested, '$.a') = 1 -- so it is", state));
  CHECK(*Holds("json_extract(state, '$.nested.a') = 1", state));
  CHECK_FALSE(*Holds("Article", "{}"));
}

TEST_CASE("an expression sees the event, and times as moments", "[sql]") {
  CHECK(*Holds("position = 7 AND version = 3 AND type = 'Payment' AND category = 'fine'", "{}"));
  CHECK(*Holds("recorded_at = '2010-01-01T01:00:00+01:00'", "{}"));
  CHECK(*Holds("'2010-01-01T01:00:00.1+01:00' > max(recorded_at, effective_at)", "{}"));
  CHECK(*Holds("data ->> '$.cents' = 5 AND json_array_length(tags) = 0", "{}"));
  CHECK(absl::IsInvalidArgument(Holds("recorded_at > 'yesterday'", "{}").status()));
}

TEST_CASE("the state of a sum or a count is a number", "[sql]") {
  CHECK(*Holds("state > 99", "100", "sum:x"));
  CHECK(*Holds("typeof(state) = 'integer'", "100", "count"));
  CHECK(*Holds("typeof(state) = 'text' AND state > 99", "100.50", "sum:x"));
  CHECK_FALSE(*Holds("state > 101", "100.50", "sum:x"));
  CHECK(*Holds("state = '{\"a\":1}'", R"({"a":1})"));
  CHECK(absl::IsInvalidArgument(Holds("amount > 1", "100", "sum:x").status()));
}

TEST_CASE("an expression can be asked again and again", "[sql]") {
  auto compiled = SqlExpression::Compile("n > 1", JsonFold());
  REQUIRE_OK(compiled);
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(*compiled->Holds(R"({"n":1})", Event()));
    CHECK(*compiled->Holds(R"({"n":2})", Event()));
    CHECK(absl::IsInvalidArgument(compiled->Holds("{", Event()).status()));
  }
}

TEST_CASE("what is no expression is refused, and named", "[sql]") {
  for (const char* expression : {"", "1, 2", "1) FROM event; DELETE FROM event; --", "a b",
                                 "x.y > 1", "\"a b\" = 1", "load_extension('x')", "nothing(1)", "?",
                                 ":a > 1", "1; SELECT 1", "/* open", "(", ")", "'open"}) {
    INFO(expression);
    const absl::Status status = Holds(expression, "{}").status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(expression));
  }
  CHECK(Holds("1 +", "{}").status().message() ==
        "the expression `1 +`: SQL: near \")\": syntax error, at byte 4");
}

}  // namespace
}  // namespace daybook
