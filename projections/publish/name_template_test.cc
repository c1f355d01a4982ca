#include "daybook/name_template.h"

#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

EventView Event(std::string_view stream, std::string_view type) {
  EventView event;
  event.stream = stream;
  event.type = type;
  return event;
}

std::string Made(std::string_view text, const EventView& event, NameEscape escape) {
  const absl::StatusOr<NameTemplate> parsed = NameTemplate::Parse(text);
  REQUIRE_OK(parsed);
  std::string name;
  parsed->AppendTo(event, escape, &name);
  return name;
}

TEST_CASE("a template puts what it names of an event in its place") {
  const EventView event = Event("account-42", "Deposited");
  CHECK(Made("ledger.{category}.{type}", event, NameEscape::kToken) == "ledger.account.Deposited");
  CHECK(Made("{stream}", event, NameEscape::kNone) == "account-42");
  CHECK(Made("{{{type}}}", event, NameEscape::kNone) == "{Deposited}");
  CHECK(Made("{id}", event, NameEscape::kNone) == "00000000-0000-0000-0000-000000000000");
  CHECK(Made("plain", event, NameEscape::kToken) == "plain");
}

TEST_CASE("in a token every byte that could mean something becomes an underscore") {
  const EventView event = Event("Zahlungen é.>*-1", "Send Fine.x");
  CHECK(Made("l.{category}.{type}", event, NameEscape::kToken) == "l.Zahlungen______.Send_Fine_x");
  CHECK(Made("l.{type}", event, NameEscape::kNone) == "l.Send Fine.x");
  CHECK(Made("{tag:region}", event, NameEscape::kToken) == "_");
  CHECK(Made("{tag:region}", event, NameEscape::kNone).empty());
}

TEST_CASE("a template that cannot be read is refused and says what there is") {
  for (const char* text : {"{strean}", "a{", "a}b", "{}", "{tag:}", "{type"}) {
    CAPTURE(text);
    const auto parsed = NameTemplate::Parse(text);
    REQUIRE(parsed.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(parsed.status().message().find("{stream}") != absl::string_view::npos);
  }
}

TEST_CASE("a template knows whether it splits a stream") {
  CHECK(NameTemplate::Parse("l.{category}.{type}")->SplitsStreams());
  CHECK(NameTemplate::Parse("{tag:region}")->SplitsStreams());
  CHECK_FALSE(NameTemplate::Parse("l.{category}-{stream}")->SplitsStreams());
  CHECK(NameTemplate::Parse("l.{{type}}")->is_constant());
}

}  // namespace
}  // namespace daybook
