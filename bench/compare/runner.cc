#include "compare/runner.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "compare/rival.h"

namespace daybook::bench {
namespace {

const WorkloadResult::Rates& RatesOf(const WorkloadResult& result, const std::string& name) {
  for (const WorkloadResult::Rates& rates : result.contestants) {
    if (rates.name == name) return rates;
  }
  Die("no contestant " + name);
}

Verdict Compare(const WorkloadResult& result, const Comparison& comparison) {
  Verdict verdict{.comparison = comparison, .ratios = RatesOf(result, comparison.subject).rates};
  if (!comparison.rival.empty()) {
    const std::vector<double>& others = RatesOf(result, comparison.rival).rates;
    for (std::size_t i = 0; i < others.size(); ++i) verdict.ratios[i] /= others[i];
  }
  verdict.ratio = SpreadOf(verdict.ratios);
  return verdict;
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) Die("no round was run");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {.median = median, .min = values.front(), .max = values.back()};
}

void RunRounds(const RunOptions& options, WarmUp warm_up,
               const std::vector<Contestant>& contestants,
               const std::vector<Comparison>& comparisons, WorkloadResult* result) {
  for (const Contestant& contestant : contestants)
    result->contestants.push_back({contestant.name, {}});
  for (int round = warm_up == WarmUp::kYes ? -1 : 0; round < options.pairs; ++round) {
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      SettleDisk(options.directory);
      const double rate = contestants[i].run();
      if (!(rate > 0)) Die(contestants[i].name + ": no rate");
      std::fprintf(stderr, "%s %s %s: %.0f %s\n", result->id.c_str(),
                   round < 0 ? "warm-up" : ("round " + std::to_string(round + 1)).c_str(),
                   contestants[i].name.c_str(), rate, result->unit.c_str());
      if (round >= 0) result->contestants[i].rates.push_back(rate);
    }
  }
  for (const Comparison& comparison : comparisons) {
    result->verdicts.push_back(Compare(*result, comparison));
  }
}

std::filesystem::path FreshDirectory(const RunOptions& options, std::string_view name) {
  const std::filesystem::path path = options.directory / name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  SettleDisk(options.directory);
  return path;
}

void SettleDisk(const std::filesystem::path& directory) {
  const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || ::syncfs(folder) != 0)
    Die("cannot sync the file system of " + directory.string());
  ::close(folder);
}

void CheckSeen(std::string_view who, const Seen& seen, const Seen& expected) {
  if (seen == expected) return;
  Die(std::string(who) + " gave back " + std::to_string(seen.events) + " events of " +
      std::to_string(seen.payload_bytes) + " bytes with the sum " + std::to_string(seen.sum) +
      "; expected " + std::to_string(expected.events) + " of " +
      std::to_string(expected.payload_bytes) + " with " + std::to_string(expected.sum));
}

}  // namespace daybook::bench
