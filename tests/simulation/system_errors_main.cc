// The system fails at the n-th call: daybook_system_errors [--stride N] [--workers W]
// [--failures-max N] | --repeat "CALL N TIMES ERROR sync|buffered SEED"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "simulation/system_errors.h"

namespace daybook::simulation {
namespace {

int Main(int argc, char** argv) {
  ErrorExploration exploration;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const char* const value = argv[i + 1];
    if (option == "--repeat") {
      ErrorRun run;
      if (!ParseErrorRun(value, &run)) return 2;
      ErrorCounts counts;
      const Bench bench;
      const std::string what = RunWithFault(bench, run, &Store::Open, &counts);
      std::printf("%s\n", what.empty() ? "nothing is wrong" : what.c_str());
      return what.empty() ? 0 : 1;
    }
    if (option == "--stride") exploration.stride = std::strtoull(value, nullptr, 10);
    if (option == "--failures-max") {
      exploration.failures_max = std::strtoull(value, nullptr, 10);
    }
    if (option == "--workers") exploration.workers = std::strtoull(value, nullptr, 10);
  }
  const ErrorCounts counts = ExploreSystemErrors(exploration, &Store::Open);
  return counts.failures == 0 && counts.runs > 0 ? 0 : 1;
}

}  // namespace
}  // namespace daybook::simulation

int main(int argc, char** argv) { return daybook::simulation::Main(argc, argv); }
