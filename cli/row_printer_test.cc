#include "cli/row_printer.h"

#include <limits>

#include "daybook/event.h"
#include "tests/catch.h"

namespace daybook::cli {
namespace {

using Row = std::vector<SqlValue>;
using namespace std::literals;

std::string Print(RowFormat format, std::vector<std::string> names, const std::vector<Row>& rows,
                  std::optional<std::size_t> columns = std::nullopt) {
  const auto printer = RowPrinter::Make(format, std::move(names), columns);
  std::string out;
  for (const Row& row : rows) printer->Append(row, out);
  printer->Finish(out);
  return out;
}

const SqlValue kNull{};
const SqlValue kMax = std::numeric_limits<std::int64_t>::max();
const SqlValue kMin = std::numeric_limits<std::int64_t>::min();

TEST_CASE("a row in JSON keeps every digit of an integer", "[cli][sql]") {
  CHECK(Print(RowFormat::kJsonLines, {"a", "b", "c"}, {{kMax, kMin, kNull}}) ==
        "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":null}\n");
}

TEST_CASE("a real in JSON reads as the same real", "[cli][sql]") {
  CHECK(Print(RowFormat::kJsonLines, {"a", "b", "c", "d"}, {{5.0, 0.1, 1e300, -1e-7}}) ==
        "{\"a\":5.0,\"b\":0.1,\"c\":1e+300,\"d\":-1e-07}\n");
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(Print(RowFormat::kJsonLines, {"a", "b"}, {{infinite, -infinite}}) ==
        "{\"a\":1e999,\"b\":-1e999}\n");
}

TEST_CASE("text in JSON is escaped, and always UTF-8", "[cli][sql]") {
  CHECK(Print(RowFormat::kJsonLines, {"a\"b"}, {{"q\"\n"sv}}) == "{\"a\\\"b\":\"q\\\"\\u000a\"}\n");
  CHECK(Print(RowFormat::kJsonLines, {"a"}, {{"é\xff\xe2\x82|"sv}}) ==
        "{\"a\":\"é\uFFFD\uFFFD\uFFFD|\"}\n");
  CHECK(Print(RowFormat::kJsonLines, {"a"}, {{AsBytes("\x01\x02\xff"sv)}}) == "{\"a\":\"AQL/\"}\n");
}

TEST_CASE("columns of one name stay apart in JSON", "[cli][sql]") {
  const std::int64_t one = 1;
  CHECK(Print(RowFormat::kJsonLines, {"a", "a", "a"}, {{one, one, one}}) ==
        "{\"a\":1,\"a:1\":1,\"a:2\":1}\n");
}

TEST_CASE("JSON is one array, of no row too", "[cli][sql]") {
  CHECK(Print(RowFormat::kJson, {"a"}, {}) == "[]\n");
  CHECK(Print(RowFormat::kJson, {"a"}, {{kMax}, {kNull}}) ==
        "[\n{\"a\":9223372036854775807},\n{\"a\":null}\n]\n");
}

TEST_CASE("CSV is quoted where it must be, and tells NULL from nothing", "[cli][sql]") {
  CHECK(Print(RowFormat::kCsv, {"a", "b,c"}, {}) == "a,\"b,c\"\r\n");
  CHECK(Print(RowFormat::kCsv, {"a", "b"}, {{"x,y"sv, "q\"q"sv}, {"l\r\nm"sv, kMax}}) ==
        "a,b\r\n\"x,y\",\"q\"\"q\"\r\n\"l\r\nm\",9223372036854775807\r\n");
  CHECK(Print(RowFormat::kCsv, {"a", "b"}, {{kNull, ""sv}}) == "a,b\r\n,\"\"\r\n");
  CHECK(Print(RowFormat::kCsv, {"a", "b"}, {{1.5, AsBytes("\xff"sv)}}) == "a,b\r\n1.5,/w==\r\n");
}

TEST_CASE("a table puts numbers to the right and text to the left", "[cli][sql]") {
  const std::int64_t one = 1;
  const std::int64_t thousand = 1000;
  CHECK(Print(RowFormat::kTable, {"stream", "n", "x"},
              {{"a-1"sv, one, kNull}, {"account-22"sv, thousand, "t"sv}}) ==
        "stream     |    n | x\n"
        "-----------+------+-----\n"
        "a-1        |    1 | NULL\n"
        "account-22 | 1000 | t\n"
        "(2 rows)\n");
}

TEST_CASE("a table of nothing has its names", "[cli][sql]") {
  CHECK(Print(RowFormat::kTable, {"a"}, {}) == "a\n-\n(0 rows)\n");
}

TEST_CASE("what is in a table gives the terminal no orders", "[cli][sql]") {
  CHECK(Print(RowFormat::kTable, {"a\x1b"}, {{"\x1b[2J\n"sv}, {AsBytes("\x01\xff"sv)}}) ==
        "a\\x1b\n---------\n\\x1b[2J\\n\nx'01ff'\n(2 rows)\n");
}

TEST_CASE("a table is cut to the terminal, its numbers never", "[cli][sql]") {
  const std::string wide(100, 'w');
  const std::string_view text = wide;
  const std::string out =
      Print(RowFormat::kTable, {"a", "b", "n"}, {{text, "short"sv, kMax}}, std::size_t{50});
  CHECK(out.substr(0, out.find('\n')).size() <= 50);
  CHECK_THAT(out, testing::HasText("www… | short | 9223372036854775807\n"));
  CHECK_THAT(Print(RowFormat::kTable, {"a"}, {{text}}), testing::HasText(wide + "\n"));
}

TEST_CASE("rows after those that settle the widths are written at once, and whole", "[cli][sql]") {
  const auto printer = RowPrinter::Make(RowFormat::kTable, {"n"}, std::nullopt);
  std::string out;
  for (std::int64_t i = 0; i < 999; ++i) printer->Append({SqlValue(i % 10)}, out);
  CHECK(out.empty());
  printer->Append({SqlValue(std::int64_t{7})}, out);
  CHECK_FALSE(out.empty());
  out.clear();
  printer->Append({kMax}, out);
  CHECK(out == "9223372036854775807\n");
  out.clear();
  printer->Finish(out);
  CHECK(out == "(1001 rows)\n");
}

}  // namespace
}  // namespace daybook::cli
