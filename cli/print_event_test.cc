#include "cli/print_event.h"

#include <nlohmann/json.hpp>

#include "cli/event_parser.h"
#include "tests/catch.h"

namespace daybook::cli {
namespace {

EventView SomeEvent() {
  EventView event;
  event.position = Position(7);
  event.version = Version(3);
  event.stream = "account-42";
  event.type = "Deposited";
  event.id = EventId::Parse("018f3c5e-0000-7000-8000-000000000001").value();
  event.recorded_at = Timestamp::Parse("2026-01-31T09:00:00.5Z").value();
  event.content_type = ContentType::kJson;
  event.data = AsBytes(R"({"cents": 1.10})");
  return event;
}

std::string Print(const EventView& event, OutputMode mode = OutputMode::kJson) {
  std::string out;
  EventPrinter(mode).Append(event, out);
  return out;
}

TEST_CASE("an event prints with its fields in the contract's order", "[cli][print]") {
  CHECK(Print(SomeEvent()) ==
        R"({"position":7,"stream":"account-42","version":3,"type":"Deposited",)"
        R"("id":"018f3c5e-0000-7000-8000-000000000001",)"
        R"("recorded_at":"2026-01-31T09:00:00.500000000Z",)"
        R"("effective_at":"2026-01-31T09:00:00.500000000Z","tags":[],)"
        R"("data":{"cents": 1.10},"metadata":{}})"
        "\n");
}

TEST_CASE("of JSON only line breaks between tokens go", "[cli][print]") {
  EventView event = SomeEvent();
  event.data = AsBytes("{\r\n  \"a\\n\" : [1,\n2]\n}");
  event.metadata = "{\"by\":\n\t1}";
  const std::string line = Print(event);
  CHECK_THAT(line, testing::HasText("\"data\":{  \"a\\n\" : [1,2]},\"metadata\":{\"by\":\t1}}\n"));
  CHECK(line.find('\n') == line.size() - 1);
}

TEST_CASE("data that is not JSON prints as base64 with its content type", "[cli][print]") {
  EventView event = SomeEvent();
  event.content_type = ContentType::kCapnProto;
  event.data = AsBytes(std::string_view("\0\1\xff", 3));
  CHECK_THAT(
      Print(event),
      testing::HasText(R"(,"data_base64":"AAH/","content_type":"application/capnp","metadata")"));
  event.content_type = ContentType::kText;
  event.content_type_text = "text/x-\"q\"";
  CHECK_THAT(Print(event), testing::HasText(R"("content_type":"text/x-\"q\"",)"));
}

TEST_CASE("a line is JSON whatever a program stored", "[cli][print]") {
  EventView event = SomeEvent();
  for (const std::string_view data : {"", "{", "1 2", "\xff", "{\"a\":\"\n\"}"}) {
    event.data = AsBytes(data);
    event.metadata = data;
    event.stream = "a\"b\\c";
    const auto json = nlohmann::json::parse(Print(event));
    CHECK(json["stream"] == "a\"b\\c");
    CHECK(json["content_type"] == "application/json");
    CHECK(json.contains("data_base64"));
    CHECK(json.contains("metadata_base64") == !data.empty());
  }
}

TEST_CASE("an event that was printed and parsed is the same event", "[cli][print]") {
  EventView event = SomeEvent();
  event.effective_at_given = Timestamp(-1);
  event.metadata = R"({"by": "\u00e9"})";
  EventParser parser(InputFormat::kNdjson, {});
  for (const ContentType type :
       {ContentType::kOctetStream, ContentType::kJson, ContentType::kCapnProto,
        ContentType::kProtobuf, ContentType::kText}) {
    event.content_type = type;
    event.content_type_text = type == ContentType::kText ? "text/plain; charset=utf-8" : "";
    const std::string printed = Print(event);
    const std::string_view line(printed.data(), printed.size() - 1);
    ParsedEvent parsed;  // its views point into the line
    REQUIRE_OK(parser.Parse(line, parsed));
    CHECK(parsed.stream == event.stream);
    CHECK(parsed.event.type == event.type);
    CHECK(parsed.event.id == event.id);
    CHECK(parsed.event.effective_at == event.effective_at());
    CHECK(parsed.event.content_type == type);
    CHECK(parsed.event.content_type_text == event.content_type_text);
    CHECK(AsText(parsed.event.data) == AsText(event.data));
    CHECK(parsed.event.metadata == event.metadata);
  }
}

TEST_CASE("a person reads one line, and sees what is effective at another time", "[cli][print]") {
  EventView event = SomeEvent();
  CHECK(Print(event, OutputMode::kText) ==
        "7  account-42@3  Deposited  2026-01-31T09:00:00.500000000Z  {\"cents\": 1.10}\n");
  event.effective_at_given = Timestamp(0);
  event.content_type = ContentType::kOctetStream;
  CHECK(Print(event, OutputMode::kText) ==
        "7  account-42@3  Deposited  2026-01-31T09:00:00.500000000Z  "
        "(effective 1970-01-01T00:00:00.000000000Z)  <15 bytes of application/octet-stream>\n");
}

}  // namespace
}  // namespace daybook::cli
