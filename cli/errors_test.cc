#include "cli/errors.h"

#include <nlohmann/json.hpp>

#include "daybook/builtin_projection.h"
#include "daybook/projections.h"
#include "daybook/store.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::cli {
namespace {

using absl::StatusCode;

TEST_CASE("each code has the exit code of the contract", "[cli][errors]") {
  const std::pair<StatusCode, int> table[] = {
      {StatusCode::kOk, 0},
      {StatusCode::kInvalidArgument, 1},
      {StatusCode::kAborted, 2},
      {StatusCode::kAlreadyExists, 2},
      {StatusCode::kNotFound, 3},
      {StatusCode::kDataLoss, 4},
      {StatusCode::kUnavailable, 5},
      {StatusCode::kResourceExhausted, 6},
      {StatusCode::kFailedPrecondition, 7},
      {StatusCode::kPermissionDenied, 7},
      {StatusCode::kDeadlineExceeded, 8},
      {StatusCode::kUnknown, 9},
      {StatusCode::kInternal, 70},
      {StatusCode::kUnimplemented, 70},
      {StatusCode::kCancelled, 130},
  };
  for (const auto& [code, exit_code] : table) {
    INFO(CodeName(code));
    CHECK(ExitCodeOf(absl::Status(code, "x")) == exit_code);
  }
}

TEST_CASE("a projection that stopped at an event has a code of its own, and says which event",
          "[cli][errors]") {
  const testing::TempFolder folder;
  const auto store = Store::Open(folder.path(), {});
  REQUIRE_OK(store);
  REQUIRE_OK((*store)->Append("a-1", ExpectedVersion::Any(),
                              {{.type = "Paid", .data = AsBytes(R"({"n":"five"})")}}));
  const auto projections = Projections::Open(**store, {});
  REQUIRE_OK(projections);
  const auto runner =
      (*projections)->Run(BuiltinProjection::Make("sum", "stream", "n")->ToProjection("p"), {});
  REQUIRE_OK(runner);
  const absl::Status stopped = (*runner)->RunUntilCaughtUp();
  CHECK(ExitCodeOf(stopped) == 10);
  const auto detail =
      nlohmann::json::parse(RenderError(stopped, OutputMode::kJson))["error"]["detail"];
  CHECK(detail["position"] == 1);
  CHECK(detail["stream"] == "a-1");
  CHECK(detail["version"] == 1);
  CHECK(detail["type"] == "Paid");
  CHECK(detail["id"] == (*(*store)->EventAt(Position(1)))->id.ToString());
  CHECK(detail["key"] == "a-1");
  CHECK(detail["code"] == "invalid_argument");
  CHECK(detail["attempts"] == 1);
  CHECK(!detail["error"].get<std::string>().empty());
}

TEST_CASE("an error is one line of text", "[cli][errors]") {
  CHECK(RenderError(absl::NotFoundError("no store, x\ny, create it"), OutputMode::kText) ==
        "daybook: no store, x y, create it\n");
}

TEST_CASE("an error is one object of JSON, whatever its text holds", "[cli][errors]") {
  const std::string line = RenderError(absl::AbortedError("a \"b\"\n\xff"), OutputMode::kJson);
  CHECK(line.find('\n') == line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  CHECK(json["error"]["code"] == "aborted");
  CHECK(json["error"]["detail"] == nlohmann::json::object());
  CHECK(json["error"].size() == 3);
}

TEST_CASE("an error about a line names file and line", "[cli][errors]") {
  const absl::Status status =
      AtLine(absl::InvalidArgumentError("the line is not UTF-8"), "in.ndjson", 7, "mend it");
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK(RenderError(status, OutputMode::kText) ==
        "daybook: the line is not UTF-8, in.ndjson:7, mend it\n");
  const auto json = nlohmann::json::parse(RenderError(status, OutputMode::kJson));
  CHECK(json["error"]["detail"] == nlohmann::json{{"file", "in.ndjson"}, {"line", 7}});
}

TEST_CASE("a notice is told from an error", "[cli][errors]") {
  CHECK(RenderNotice("info", "created", OutputMode::kText) == "daybook: created\n");
  CHECK(RenderNotice("info", "created", OutputMode::kJson) ==
        "{\"notice\":{\"severity\":\"info\",\"message\":\"created\"}}\n");
}

}  // namespace
}  // namespace daybook::cli
