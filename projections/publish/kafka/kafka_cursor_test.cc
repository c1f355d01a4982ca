#include "projections/publish/kafka/kafka_cursor.h"

#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("a cursor says its mark, and is read back as it was") {
  BrokerMark mark;
  mark.incarnation = "in\"c";
  mark.line = Position(17);
  CHECK(EncodeKafkaCursor(mark, "inc:17") ==
        R"({"format":1,"incarnation":"in\"c","line":17,"dedupe_key":"inc:17"})");
  CHECK(*DecodeKafkaCursor(EncodeKafkaCursor(mark, "inc:17")) == mark);
  mark.aside = Position(3);
  mark.replay = "r1";
  CHECK(*DecodeKafkaCursor(EncodeKafkaCursor(mark, "inc:3:rr1")) == mark);
}

TEST_CASE("what is no cursor, or of a newer format, is refused") {
  for (const char* text : {"", "x", "[]", "{}", R"({"format":2,"incarnation":"i","line":1})",
                           R"({"format":1,"incarnation":"i"})", R"({"format":1,"line":1})",
                           R"({"format":1,"incarnation":"i","line":-1})",
                           R"({"format":1,"incarnation":"i","line":9223372036854775808})",
                           R"({"format":1,"incarnation":"i","line":1,"aside":"x"})"}) {
    CAPTURE(text);
    CHECK(absl::IsFailedPrecondition(DecodeKafkaCursor(text).status()));
  }
}

}  // namespace
}  // namespace daybook
