#include "cli/state.h"

#include "tests/catch.h"

namespace daybook::cli {
namespace {

std::string Print(const StateInfo& info, std::string_view state, OutputMode mode) {
  std::string out;
  AppendState("a-\"1", info, state, mode, out);
  return out;
}

TEST_CASE("a state prints with its basis, and its JSON as it is", "[cli][state]") {
  StateInfo info;
  info.basis = {Position(9), Version(4), Timestamp(1), Timestamp(2), true};
  info.events = 3;
  info.order = FoldOrder::kEffective;
  CHECK(Print(info, R"({"rate":1.10})", OutputMode::kJson) ==
        "{\"stream\":\"a-\\\"1\",\"basis\":{\"position\":9,\"version\":4,"
        "\"recorded_at\":\"1970-01-01T00:00:00.000000001Z\","
        "\"effective_at\":\"1970-01-01T00:00:00.000000002Z\",\"final\":true},"
        "\"events\":3,\"order\":\"effective\",\"state\":{\"rate\":1.10}}\n");
}

TEST_CASE("the state of nothing rests on no time", "[cli][state]") {
  CHECK(Print({}, "{}", OutputMode::kJson) ==
        "{\"stream\":\"a-\\\"1\",\"basis\":{\"position\":0,\"version\":0,\"recorded_at\":null,"
        "\"effective_at\":null,\"final\":false},\"events\":0,\"order\":\"position\","
        "\"state\":{}}\n");
}

TEST_CASE("a state for people stands over several lines", "[cli][state]") {
  StateInfo info;
  info.basis = {Position(9), Version(4), Timestamp(0), std::nullopt, true};
  info.events = 1;
  CHECK(Print(info, R"({"a":1,"b":2})", OutputMode::kText) ==
        "a-\"1  version 4  position 9  recorded 1970-01-01T00:00:00.000000000Z  1 event  "
        "final\n{\n  \"a\": 1,\n  \"b\": 2\n}\n");
}

}  // namespace
}  // namespace daybook::cli
