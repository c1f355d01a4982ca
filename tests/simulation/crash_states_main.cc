// Crash states of the simulated disk: daybook_crash_states [--states N] [--seed S] [--workers W]
// [--failures FOLDER] [--failures-max N] [--workload NAME] | --replay FILE

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "simulation/explorer.h"

namespace daybook::simulation {
namespace {

int Main(int argc, char** argv) {
  Exploration exploration;
  exploration.states = 100'000;
  exploration.seed = std::random_device()();
  exploration.failures_folder = ".";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const char* const value = argv[i + 1];
    if (option == "--replay") {
      const std::string what = Replay(value, &Store::Open);
      std::printf("%s\n", what.empty() ? "nothing is wrong" : what.c_str());
      return what.empty() ? 0 : 1;
    }
    if (option == "--states") exploration.states = std::strtoull(value, nullptr, 10);
    if (option == "--seed") exploration.seed = std::strtoull(value, nullptr, 10);
    if (option == "--workers") exploration.workers = std::strtoull(value, nullptr, 10);
    if (option == "--failures-max") {
      exploration.failures_max = std::strtoull(value, nullptr, 10);
    }
    if (option == "--workload") exploration.workload = value;
    if (option == "--failures") exploration.failures_folder = value;
  }
  const Counts counts = ExploreCrashStates(exploration, &Store::Open);
  return counts.failures == 0 && counts.states >= exploration.states ? 0 : 1;
}

}  // namespace
}  // namespace daybook::simulation

int main(int argc, char** argv) { return daybook::simulation::Main(argc, argv); }
