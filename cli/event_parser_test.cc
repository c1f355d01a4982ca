#include "cli/event_parser.h"

#include "tests/catch.h"

namespace daybook::cli {
namespace {

ParsedEvent ParseWith(EventParser& parser, std::string_view record) {
  ParsedEvent event;
  INFO(record);
  REQUIRE_OK(parser.Parse(record, event));
  return event;
}

std::string ErrorOf(EventParser& parser, std::string_view record) {
  ParsedEvent event;
  const absl::Status status = parser.Parse(record, event);
  INFO(record);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

std::string ErrorOf(std::string_view record) {
  EventParser parser(InputFormat::kNdjson, {});
  return ErrorOf(parser, record);
}

EventParser CsvParser(std::string_view columns, FieldNames names = {}) {
  EventParser parser(InputFormat::kCsv, std::move(names));
  REQUIRE(parser.needs_columns());
  REQUIRE_OK(parser.SetColumns(columns));
  CHECK_FALSE(parser.needs_columns());
  return parser;
}

using Tags = std::vector<std::string_view>;

TEST_CASE("a line of NDJSON is an event, its data byte for byte", "[cli][import]") {
  EventParser parser(InputFormat::kNdjson, {});
  const ParsedEvent parsed = ParseWith(
      parser,
      R"({"stream":"a-\u00e91","type":"Create Fine","time":"2026-01-31T10:00:00.5+01:00",)"
      R"("data":{ "z" : 1.10, "a":18446744073709551616,"u":"\u00e9" },"tags":["b:\"1\"", "a"],)"
      R"("metadata":{"by" :"me"},"id":"018F3C5E-0000-7000-8000-000000000001","other":[1]})");
  CHECK(parsed.stream == "a-\u00e91");
  CHECK(parsed.event.type == "Create Fine");
  CHECK(parsed.event.effective_at->ToString() == "2026-01-31T09:00:00.500000000Z");
  CHECK(AsText(parsed.event.data) == R"({ "z" : 1.10, "a":18446744073709551616,"u":"\u00e9" })");
  CHECK(parsed.event.content_type == ContentType::kJson);
  CHECK(parsed.event.tags == Tags{"b:\"1\"", "a"});
  CHECK(parsed.event.metadata == R"({"by" :"me"})");
  CHECK(parsed.event.id->ToString() == "018f3c5e-0000-7000-8000-000000000001");
}

TEST_CASE("what a line does not say is left open, also after one that did", "[cli][import]") {
  EventParser parser(InputFormat::kNdjson, {});
  ParseWith(parser,
            R"({"stream":"a","type":"T","tags":["x"],"metadata":{"a":1},"data":1,)"
            R"("time":"2026-01-31T10:00:00Z","id":"018f3c5e-0000-7000-8000-000000000001"})");
  const ParsedEvent parsed = ParseWith(parser, R"({"stream":"a","type":"T"})");
  CHECK(parsed.event.data.empty());
  CHECK(parsed.event.content_type == ContentType::kOctetStream);
  CHECK(parsed.event.tags.empty());
  CHECK(parsed.event.metadata.empty());
  CHECK_FALSE(parsed.event.effective_at.has_value());
  CHECK_FALSE(parsed.event.id.has_value());
}

TEST_CASE("a line that `read` printed is the event again", "[cli][import]") {
  EventParser parser(InputFormat::kNdjson, {});
  const ParsedEvent parsed = ParseWith(
      parser,
      R"({"position":9,"stream":"a","version":"x","type":"T",)"
      R"("id":"018f3c5e-0000-7000-8000-000000000001",)"
      R"("recorded_at":"2020-01-01T00:00:00.000000000Z",)"
      R"("effective_at":"2019-01-01T00:00:00.000000000Z",)"
      R"("tags":[],"data_base64":"AAH/","content_type":"application/protobuf","metadata":{}})");
  CHECK(parsed.event.effective_at->ToString() == "2019-01-01T00:00:00.000000000Z");
  CHECK(AsText(parsed.event.data) == std::string_view("\0\1\xff", 3));
  CHECK(parsed.event.content_type == ContentType::kProtobuf);
  CHECK(parsed.event.metadata.empty());
}

TEST_CASE("content types are numbers where they can be", "[cli][import]") {
  EventParser parser(InputFormat::kNdjson, {});
  ParsedEvent parsed = ParseWith(
      parser, R"({"stream":"a","type":"T","data_base64":"eA==","content_type":"text/plain"})");
  CHECK(parsed.event.content_type == ContentType::kText);
  CHECK(parsed.event.content_type_text == "text/plain");
  CHECK(AsText(parsed.event.data) == "x");
  parsed = ParseWith(
      parser,
      R"({"stream":"a","type":"T","data_base64":"e30=","content_type":"application/json"})");
  CHECK(parsed.event.content_type == ContentType::kJson);
  CHECK(AsText(parsed.event.data) == "{}");
  parsed = ParseWith(
      parser, R"({"stream":"a","type":"T","data":[1 ],"content_type":"application/x+json"})");
  CHECK(parsed.event.content_type_text == "application/x+json");
  CHECK(AsText(parsed.event.data) == "[1 ]");
}

TEST_CASE("other names of fields are taken, and the usual ones are then other fields",
          "[cli][import]") {
  EventParser parser(InputFormat::kNdjson, {.stream = "account", .time = "at", .data = "body"});
  const ParsedEvent parsed =
      ParseWith(parser, R"({"account":"a","type":"T","at":"2026-01-31T10:00:00Z","time":5,)"
                        R"("effective_at":6,"data":7,"body":8})");
  CHECK(parsed.stream == "a");
  CHECK(parsed.event.effective_at->ToString() == "2026-01-31T10:00:00.000000000Z");
  CHECK(AsText(parsed.event.data) == "8");
}

TEST_CASE("a bad line says which field is wrong", "[cli][import]") {
  using testing::HasText;
  CHECK_THAT(ErrorOf("5"), HasText("is not a JSON object"));
  CHECK_THAT(ErrorOf("{\"stream\":\"\xff\"}"), HasText("is not UTF-8"));
  CHECK_THAT(ErrorOf(std::string_view("{}\0", 3)), HasText("NUL"));
  CHECK_THAT(ErrorOf(R"({"type":"T"})"), HasText("`stream` is missing"));
  CHECK_THAT(ErrorOf(R"({"stream":"a"})"), HasText("`type` is missing"));
  CHECK_THAT(ErrorOf(R"({"stream":1,"type":"T"})"), HasText("`stream` is not a string"));
  CHECK_THAT(ErrorOf(R"({"stream":null,"type":"T"})"), HasText("`stream` is not a string"));
  CHECK_THAT(ErrorOf(R"({"stream":"\ud800","type":"T"})"),
             HasText("`stream` is not a JSON string"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","stream":"b","type":"T"})"),
             HasText("`stream` stands there twice"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","str\u0065am":"b","type":"T"})"),
             HasText("`stream` stands there twice"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","time":"2026-01-31"})"), HasText("`time`"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","time":5})"), HasText("`time` is not a string"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","time":"2026-01-31T10:00:00Z",)"
                     R"("effective_at":"2026-01-31T10:00:00Z"})"),
             HasText("--time-field"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","id":"x"})"), HasText("`id`"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","id":"00000000-0000-0000-0000-000000000000"})"),
             HasText("nil"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","tags":"x"})"), HasText("`tags` is not an array"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","tags":["x",1]})"),
             HasText("`tags` is not an array"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","metadata":[]})"),
             HasText("`metadata` is not a JSON object"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","data":1,"data_base64":""})"),
             HasText("give one of them"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","data_base64":"%%%"})"), HasText("is not base64"));
  CHECK_THAT(ErrorOf(R"({"stream":"a","type":"T","data":"x","content_type":"text/plain"})"),
             HasText("`content_type` is not JSON"));
}

TEST_CASE("a record of CSV is an event", "[cli][import]") {
  EventParser parser = CsvParser("type,stream,time,data,tags,id,metadata,position");
  ParsedEvent parsed = ParseWith(
      parser, R"(T,a,2026-01-31T10:00:00Z,"{""x"": 1.10}","[""x"",""y""]",,"{""by"":1}",77)");
  CHECK(parsed.stream == "a");
  CHECK(AsText(parsed.event.data) == R"({"x": 1.10})");
  CHECK(parsed.event.content_type == ContentType::kJson);
  CHECK(parsed.event.tags == Tags{"x", "y"});
  CHECK(parsed.event.metadata == R"({"by":1})");
  parsed = ParseWith(parser, "T,a,,5,customer:7,018f3c5e-0000-7000-8000-000000000001,{},");
  CHECK_FALSE(parsed.event.effective_at.has_value());
  CHECK(parsed.event.tags == Tags{"customer:7"});
  CHECK(parsed.event.id.has_value());
  CHECK(parsed.event.metadata.empty());
  CHECK_THAT(ErrorOf(parser, "T,a"), testing::HasText("has 2 fields where the first line names 8"));
  CHECK_THAT(ErrorOf(parser, "T,a,,{,,,,"), testing::HasText("`data` is not JSON"));
  CHECK_THAT(ErrorOf(parser, "T,,,1,,,,"), testing::HasText("`stream` is missing"));
}

TEST_CASE("CSV without a data column: the other columns are the data", "[cli][import]") {
  EventParser parser =
      CsvParser("account,type,time,amount,\"say \"\"it\"\"\",version", {.stream = "account"});
  const ParsedEvent parsed = ParseWith(parser, "a,T,2026-01-31T10:00:00Z,1.10,\"x,y\",3");
  CHECK(parsed.stream == "a");
  CHECK(AsText(parsed.event.data) == R"({"amount":"1.10","say \"it\"":"x,y"})");
}

TEST_CASE("a first record of CSV that does not name the columns is refused", "[cli][import]") {
  const auto error = [](std::string_view columns) {
    EventParser parser(InputFormat::kCsv, {});
    return std::string(parser.SetColumns(columns).message());
  };
  CHECK_THAT(error("a,b"), testing::HasText("no column `stream`"));
  CHECK_THAT(error("stream,data"), testing::HasText("no column `type`"));
  CHECK_THAT(error("stream,type,x,x"), testing::HasText("`x` stands there twice"));
  CHECK_THAT(error("stream,type,time,effective_at"), testing::HasText("--time-field"));
}

}  // namespace
}  // namespace daybook::cli
