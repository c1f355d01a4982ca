// Crash states of the simulated disk: daybook_crash_states [--states N] [--seconds N] [--seed S]
// [--workers W] [--failures FOLDER] [--failures-max N] [--workload NAME] | --replay FILE
// Fewer states than were asked for are a failure, but where the seconds were over.

#include <chrono>
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
  bool is_bounded = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const char* const value = argv[i + 1];
    if (option == "--replay") {
      const std::string what = Replay(value, &Store::Open);
      std::printf("%s\n", what.empty() ? "nothing is wrong" : what.c_str());
      return what.empty() ? 0 : 1;
    }
    if (option == "--states") exploration.states = std::strtoull(value, nullptr, 10);
    if (option == "--seconds") {
      is_bounded = true;
      exploration.time = std::chrono::seconds(std::strtoull(value, nullptr, 10));
    }
    if (option == "--seed") exploration.seed = std::strtoull(value, nullptr, 10);
    if (option == "--workers") exploration.workers = std::strtoull(value, nullptr, 10);
    if (option == "--failures-max") {
      exploration.failures_max = std::strtoull(value, nullptr, 10);
    }
    if (option == "--workload") exploration.workload = value;
    if (option == "--failures") exploration.failures_folder = value;
  }
  const auto begin = std::chrono::steady_clock::now();
  std::printf("crash states: seed %llu\n", static_cast<unsigned long long>(exploration.seed));
  std::fflush(stdout);
  const auto [counts, failures] = ExploreCrashStates(exploration, &Store::Open);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s%s\n", failures.c_str(), counts.Line("crash_states", seconds).c_str());
  const bool is_enough = counts.states >= (is_bounded ? 1 : exploration.states);
  return counts.failures == 0 && is_enough ? 0 : 1;
}

}  // namespace
}  // namespace daybook::simulation

int main(int argc, char** argv) { return daybook::simulation::Main(argc, argv); }
