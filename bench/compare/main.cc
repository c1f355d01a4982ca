// daybook_compare [--workloads W1,W3] [--pairs 5] [--scale 1] [--dir DIR] [--json OUT] [--smoke]

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/results.h"
#include "compare/rival.h"
#include "compare/runner.h"

namespace daybook::bench {
namespace {

constexpr char kUsage[] =
    "Usage: daybook_compare [options]\n"
    "Runs the workloads on Daybook, its rivals and the limit, one after another.\n"
    "  --workloads W1,W3  these only (default: all)\n"
    "  --pairs N          rounds (default 5)\n"
    "  --scale X          so many times the full number of commits, events and streams (default "
    "1)\n"
    "  --dir DIR          where to make the folder for the stores, on the device to be measured "
    "(default: here)\n"
    "  --json FILE        results for bench/report\n"
    "  --smoke            a few events of each workload: whether all contestants agree, no "
    "figures\n";

struct Workload {
  std::string_view id;
  WorkloadResult (*run)(const RunOptions&);
};
constexpr Workload kWorkloads[] = {
    {"W1", RunW1},
    {"W2", RunW2},
    {"W3", RunW3},
    {"W4", RunW4},
    {"W5", RunW5},
    {"W6", RunW6},
    {"W7", RunW7},
    {"W8", RunW8},
    {"W8M", RunW8Memory},
    {"W10", RunW10},
#ifdef DAYBOOK_BENCH_NATS
    {"W11-nats", RunW11Nats},
    {"W11M-nats", RunW11NatsMemory},
#endif
    {"W12", RunW12},
    {"live", RunLive},
    {"live-max", RunLiveMax},
    {"filter", RunFilter},
#ifdef DAYBOOK_BENCH_SQL
    {"sql", RunSql},
#endif
};

struct CommandLine {
  RunOptions run{.directory = "."};
  std::string json;
  std::string workloads;  // empty: all

  [[nodiscard]] bool Wants(std::string_view id) const {
    if (workloads.empty()) return true;
    std::istringstream words(workloads);
    for (std::string word; std::getline(words, word, ',');) {
      if (word == id) return true;
    }
    return false;
  }
};

CommandLine Parse(int argc, char** argv) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) Die(std::string(option) + " needs a value");
      return argv[++i];
    };
    if (option == "--workloads") {
      line.workloads = value();
    } else if (option == "--pairs") {
      line.run.pairs = std::atoi(value().c_str());
    } else if (option == "--scale") {
      line.run.scale = std::atof(value().c_str());
    } else if (option == "--dir") {
      line.run.directory = value();
    } else if (option == "--json") {
      line.json = value();
    } else if (option == "--smoke") {
      line.run.smoke = true;
      line.run.pairs = 1;
      line.run.scale = 0;
    } else {
      std::fputs(kUsage, option == "--help" ? stdout : stderr);
      std::exit(option == "--help" ? 0 : 2);
    }
  }
  line.run.directory /=
      "daybook_compare_stores";  // emptied and removed: never the folder that was given itself
  if (line.run.pairs < 1 || line.run.scale < 0) Die("--pairs and --scale must be positive");
  return line;
}

int Main(int argc, char** argv) {
  const CommandLine line = Parse(argc, argv);
  std::filesystem::create_directories(line.run.directory);
  const MachineFacts machine = DescribeMachine(line.run.directory);
  std::vector<WorkloadResult> results;
  for (const Workload& workload : kWorkloads) {
    if (!line.Wants(workload.id)) continue;
    results.push_back(workload.run(line.run));
    std::filesystem::remove_all(line.run.directory);
    std::filesystem::create_directories(line.run.directory);
  }
  std::filesystem::remove_all(line.run.directory);
  if (results.empty()) Die("no such workload: " + line.workloads);
  if (!line.json.empty()) {
    std::ofstream out(line.json);
    if (!(out << ToJson(line.run, machine, results)).flush()) Die("cannot write " + line.json);
  }
  if (line.run.smoke) {
    std::puts("smoke: every contestant gave back what it was given");
  } else {
    std::fputs(ToText(results).c_str(), stdout);
  }
  return 0;
}

}  // namespace
}  // namespace daybook::bench

int main(int argc, char** argv) { return daybook::bench::Main(argc, argv); }
