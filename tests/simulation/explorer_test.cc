#include "simulation/explorer.h"

#include <csignal>
#include <filesystem>

#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::simulation {
namespace {

TEST_CASE("a worker that dies is a failure, and leaves the state that it was looking at") {
  const testing::TempFolder folder;
  Exploration exploration;
  exploration.states = 100;
  exploration.seed = 5;
  exploration.workers = 1;
  exploration.workload = "creation";
  exploration.failures_folder = folder.path();
  const StoreOpener deadly = [calls = 0](const auto& path, const auto& options) mutable {
    if (++calls == 9) raise(SIGKILL);
    return Store::Open(path, options);
  };
  const Explored explored = ExploreCrashStates(exploration, deadly);
  CHECK(explored.counts.failures == 1);
  CHECK_THAT(explored.failures, testing::HasText("workload creation, seed 5"));
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    left.push_back(entry.path());
  }
  REQUIRE(left.size() == 1);
  CHECK_THAT(explored.failures, testing::HasText(left.front()));
  CHECK(Replay(left.front(), &Store::Open).empty());
  const StoreOpener refuses = [](const auto&, const auto&) {
    return absl::StatusOr<std::unique_ptr<Store>>(absl::InternalError("refused"));
  };
  CHECK_THAT(Replay(left.front(), refuses), testing::HasText("refused"));
}

TEST_CASE("an exploration ends when its time is over") {
  const testing::TempFolder folder;
  Exploration exploration;
  exploration.states = 1'000'000'000;
  exploration.time = std::chrono::seconds(1);
  exploration.failures_folder = folder.path();
  const Explored explored = ExploreCrashStates(exploration, &Store::Open);
  CHECK(explored.counts.states > 0);
  CHECK(explored.failures.empty());
}

}  // namespace
}  // namespace daybook::simulation
