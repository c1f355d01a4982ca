#include "cli/csv.h"

#include "tests/catch.h"

namespace daybook::cli {
namespace {

using Fields = std::vector<std::string>;

Fields Split(std::string_view record) {
  Fields fields;
  REQUIRE_OK(SplitCsvRecord(record, fields));
  return fields;
}

TEST_CASE("a record is split at its commas", "[cli][csv]") {
  CHECK(Split("a,b,c") == Fields{"a", "b", "c"});
  CHECK(Split("") == Fields{""});
  CHECK(Split(",") == Fields{"", ""});
  CHECK(Split("a,") == Fields{"a", ""});
  CHECK(Split(" a , b ") == Fields{" a ", " b "});
}

TEST_CASE("a field in quotes may hold commas, quotes and line breaks", "[cli][csv]") {
  CHECK(Split(R"("a,b",c)") == Fields{"a,b", "c"});
  CHECK(Split(R"("{""x"":1}","")") == Fields{R"({"x":1})", ""});
  CHECK(Split("\"two\r\nlines\",x") == Fields{"two\r\nlines", "x"});
  CHECK(Split(R"("""")") == Fields{"\""});
}

TEST_CASE("a quote where none may stand is refused", "[cli][csv]") {
  Fields fields;
  CHECK_THAT(std::string(SplitCsvRecord("a,\"b", fields).message()),
             testing::HasText("at byte 3: a quote that is not closed"));
  CHECK_THAT(std::string(SplitCsvRecord("\"a\"b,c", fields).message()),
             testing::HasText("at byte 4: text after a closing quote"));
  CHECK_THAT(std::string(SplitCsvRecord("a\"b,c", fields).message()),
             testing::HasText("at byte 2: a quote within a field"));
}

}  // namespace
}  // namespace daybook::cli
