#include "cli/append.h"

#include "tests/catch.h"

namespace daybook::cli {
namespace {

TEST_CASE("data is JSON unless it is called something else", "[cli][append]") {
  AppendFlags flags;
  flags.type = "T";
  flags.data = "given";
  CHECK(EventOf(flags, "{").status().code() == absl::StatusCode::kInvalidArgument);
  absl::StatusOr<NewEvent> event = EventOf(flags, " {\"a\": 1.10}\n");
  REQUIRE_OK(event);
  CHECK(event->content_type == ContentType::kJson);
  CHECK(AsText(event->data) == "{\"a\": 1.10}");
  flags.content_type = "text/plain";
  event = EventOf(flags, " {\n");
  REQUIRE_OK(event);
  CHECK(event->content_type_text == "text/plain");
  CHECK(AsText(event->data) == " {\n");
}

TEST_CASE("no data is no bytes", "[cli][append]") {
  AppendFlags flags;
  flags.type = "T";
  const absl::StatusOr<NewEvent> event = EventOf(flags, "");
  REQUIRE_OK(event);
  CHECK(event->content_type == ContentType::kOctetStream);
  CHECK(event->data.empty());
}

TEST_CASE("metadata is an object, and an empty one is none", "[cli][append]") {
  AppendFlags flags;
  flags.type = "T";
  flags.metadata = "[]";
  CHECK(EventOf(flags, "").status().code() == absl::StatusCode::kInvalidArgument);
  flags.metadata = " { } ";
  CHECK(EventOf(flags, "").value().metadata.empty());
  flags.metadata = " {\"by\":\"me\"} ";
  CHECK(EventOf(flags, "").value().metadata == "{\"by\":\"me\"}");
}

}  // namespace
}  // namespace daybook::cli
