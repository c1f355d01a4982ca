// What a run leaves: JSON for bench/report, and a few lines for who waits.

#ifndef DAYBOOK_BENCH_COMPARE_RESULTS_H_
#define DAYBOOK_BENCH_COMPARE_RESULTS_H_

#include <string>
#include <utility>
#include <vector>

#include "compare/runner.h"

namespace daybook::bench {

// What the figures depend on beside the code: processor, memory, kernel, file system, versions of
// the rivals.
using MachineFacts = std::vector<std::pair<std::string, std::string>>;
MachineFacts DescribeMachine(const std::filesystem::path& directory);

std::string ToJson(const RunOptions& options, const MachineFacts& machine,
                   const std::vector<WorkloadResult>& results);
std::string ToText(const std::vector<WorkloadResult>& results);

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_RESULTS_H_
