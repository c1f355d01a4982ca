#include "daybook/cloud_event.h"

#include <map>
#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

constexpr std::string_view kIncarnation = "11111111-2222-4333-8444-555555555555";

EventView Event() {
  EventView event;
  event.position = Position(7);
  event.version = Version(3);
  event.stream = "account-42";
  event.type = "Send Fine";
  event.recorded_at = Timestamp(1'000'000'000);
  event.content_type = ContentType::kJson;
  event.data = AsBytes("{\"cents\":\n 1.10}");
  event.metadata = R"({"correlation":"c\u00e9","causation":7,"traceparent":"00-1-2-01"})";
  return event;
}

std::map<std::string, std::string> AttributesOf(const CloudEvent& envelope) {
  std::map<std::string, std::string> found;
  for (const auto& [name, value] : envelope) {
    CAPTURE(std::string(name));
    CHECK(found.emplace(name, value).second);
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos);
    CHECK(name.size() <= 20);
  }
  return found;
}

TEST_CASE("the envelope carries position, version, times, correlation and trace") {
  const EventView event = Event();
  CloudEvent envelope(kIncarnation);
  envelope.Reset({&event, 0, "k", Position(7), ""});
  const auto found = AttributesOf(envelope);
  CHECK(found.at("specversion") == "1.0");
  CHECK(found.at("source") == "urn:daybook:11111111-2222-4333-8444-555555555555");
  CHECK(found.at("id") == event.id.ToString());
  CHECK(found.at("subject") == "account-42");
  CHECK(found.at("type") == "Send Fine");
  CHECK(found.at("time") == "1970-01-01T00:00:01.000000000Z");
  CHECK(found.at("recordedtime") == "1970-01-01T00:00:01.000000000Z");
  CHECK(found.at("sequence") == "00000000000000000007");
  CHECK(found.at("streamversion") == "3");
  CHECK(found.at("partitionkey") == "account-42");
  CHECK(found.at("datacontenttype") == "application/json");
  CHECK(found.at("correlation") == "cé");
  CHECK(found.count("causation") == 0);  // it is no text: it stands in the metadata
  CHECK(found.at("traceparent") == "00-1-2-01");
  CHECK(found.at("metadata") == std::string(event.metadata));
  CHECK(found.count("line") == 0);
  CHECK(found.count("replay") == 0);
  CHECK(found.count("tags") == 0);
}

TEST_CASE("the structured form is one line of JSON with the data byte for byte") {
  EventView event = Event();
  event.metadata = "";
  event.effective_at_given = Timestamp(0);
  CloudEvent envelope(kIncarnation);
  envelope.Reset({&event, 0, "k", Position(7), ""});
  std::string json;
  envelope.AppendStructured(&json);
  CHECK(json ==
        "{\"specversion\":\"1.0\",\"id\":\"00000000-0000-0000-0000-000000000000\","
        "\"source\":\"urn:daybook:11111111-2222-4333-8444-555555555555\",\"type\":\"Send Fine\","
        "\"subject\":\"account-42\",\"time\":\"1970-01-01T00:00:00.000000000Z\","
        "\"datacontenttype\":\"application/json\",\"sequence\":\"00000000000000000007\","
        "\"partitionkey\":\"account-42\",\"streamversion\":\"3\","
        "\"recordedtime\":\"1970-01-01T00:00:01.000000000Z\",\"data\":{\"cents\": 1.10}}");
}

TEST_CASE("data that is no JSON goes out in base64, and no data as none") {
  EventView event = Event();
  event.content_type = ContentType::kOctetStream;
  event.data = AsBytes(std::string_view("\0\xff", 2));
  CloudEvent envelope(kIncarnation);
  std::string json;
  envelope.Reset({&event, 0, "k", Position(7), ""});
  envelope.AppendStructured(&json);
  CHECK(json.ends_with(",\"data_base64\":\"AP8=\"}"));
  CHECK(envelope.content_type() == "application/octet-stream");
  event.data = {};
  json.clear();
  envelope.Reset({&event, 0, "k", Position(7), ""});
  envelope.AppendStructured(&json);
  CHECK(json.find("data_base64") == std::string::npos);
  CHECK(envelope.content_type().empty());
}

TEST_CASE("a mark is read back from an envelope: of the line, of a letter, of a replay") {
  const EventView event = Event();
  CloudEvent envelope(kIncarnation);
  const auto mark = [&](Position line, std::string_view replay) {
    envelope.Reset({&event, 0, "k", line, replay});
    const auto found = AttributesOf(envelope);
    return MarkOfEnvelope([&](const char* name) {
      const auto at = found.find(name);
      return at == found.end() ? std::string_view() : std::string_view(at->second);
    });
  };
  const std::string incarnation(kIncarnation);
  CHECK(mark(Position(7), "") == BrokerMark{incarnation, Position(7), std::nullopt, ""});
  CHECK(mark(Position(9), "") == BrokerMark{incarnation, Position(9), Position(7), ""});
  CHECK(mark(Position(7), "r1") == BrokerMark{incarnation, Position(7), Position(7), "r1"});
  CHECK(MarkOf("urn:other:x", "7", "", "") == std::nullopt);
  CHECK(MarkOf("urn:daybook:x", "7x", "", "") == std::nullopt);
  CHECK(MarkOf("urn:daybook:x", "7", "-1", "") == std::nullopt);
  CHECK(MarkOf("", "", "", "") == std::nullopt);
}

TEST_CASE("header values are percent-encoded so that they come back as they were") {
  std::string out;
  AppendPercentEncoded("a b\"%é\n~", &out);
  CHECK(out == "a%20b%22%25%C3%A9%0A~");
}

}  // namespace
}  // namespace daybook
