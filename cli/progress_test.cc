#include "cli/progress.h"

#include "tests/catch.h"

namespace daybook::cli {
namespace {

using std::chrono::seconds;

TEST_CASE("the bar shows the share, the time left and the rate", "[cli][progress]") {
  CHECK(RenderProgress("importing", 50, 100, 1000, "lines", seconds(10)) ==
        "importing [############............]  50%, 0:10 left, 1000 lines, 100/s");
  CHECK(RenderProgress("verifying", 100, 100, 0, "", seconds(3)) ==
        "verifying [########################] 100%, 0:00 left");
}

TEST_CASE("without a total there is no bar, and nothing divides by zero", "[cli][progress]") {
  CHECK(RenderProgress("importing", 50, std::nullopt, 30, "lines", seconds(3)) ==
        "importing, 30 lines, 10/s");
  CHECK(RenderProgress("importing", 0, 0, 0, "lines", seconds(0)) == "importing");
  CHECK(RenderProgress("importing", 0, 10, 0, "lines", seconds(3)) ==
        "importing [........................]   0%");
}

}  // namespace
}  // namespace daybook::cli
