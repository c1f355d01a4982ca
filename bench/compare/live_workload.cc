// The workloads `live` and `live-max`: how far a live projection is behind its writer, and up to
// which rate of appends it stays close. Each is a run of daybook_live_lag, which stands beside this
// program: a process of its own, as a user's would be.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"

namespace daybook::bench {
namespace {

constexpr double kLiveRate = 200'000;  // events a second that are to be kept up with

// What the program prints, a JSON object in each line; all of them go to stderr too.
std::string LiveLagOutput(const RunOptions& options, const std::string& arguments) {
  const std::filesystem::path folder = FreshDirectory(options, "live");
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "daybook_live_lag";
  const std::string command = "'" + program.string() + "' --dir '" + (folder / "store").string() +
                              "' " +
                              (options.smoke ? "--seconds 0.3 --rate 2000 --streams 1000 "
                                               "--commit 100"
                                             : arguments);
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) Die("live: cannot run " + command);
  std::string output;
  std::array<char, 1024> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr) {
    std::fputs(line.data(), stderr);
    output += line.data();
  }
  if (::pclose(pipe) != 0) Die("live: failed: " + command);
  return output;
}

// The number of this name that stands last.
double LastNumber(std::string_view json, std::string_view name) {
  const std::string field = "\"" + std::string(name) + "\":";
  const std::size_t at = json.rfind(field);
  if (at == std::string_view::npos) Die("live: no " + field + " in what daybook_live_lag prints");
  return std::strtod(json.data() + at + field.size(), nullptr);
}

// How often the largest lag goes into a second; less than 1 where the rate was not reached.
double LagsInASecond(const RunOptions& options) {
  const std::string output =
      LiveLagOutput(options, "--seconds 60 --rate " + std::to_string(static_cast<int>(kLiveRate)));
  const double in_a_second = 1 / std::max(LastNumber(output, "lag_max_s"), 0.001);
  const double reached = LastNumber(output, "rate") / LastNumber(output, "wanted");
  return reached > 0.97 ? in_a_second : std::min(in_a_second, reached);
}

double HighestRate(const RunOptions& options) {
  if (options.smoke) return LastNumber(LiveLagOutput(options, ""), "rate");
  return std::max(LastNumber(LiveLagOutput(options, "--search --seconds 10 --rate 200000"),
                             "highest_rate_held"),
                  1.0);
}

constexpr char kLiveDurability[] = "every commit on the device (kSync)";

}  // namespace

WorkloadResult RunLive(const RunOptions& options) {
  RunOptions once = options;
  once.pairs = 1;
  const std::vector<Contestant> contestants = {
      {"Daybook, live count by stream", [&] { return LagsInASecond(options); }}};
  WorkloadResult result{.id = "live",
                        .title = "how often the largest lag of a live projection goes into 1 s",
                        .unit = "times",
                        .durability = kLiveDurability,
                        .data =
                            "60 s of 200,000 events/s in commits of 1000, of 100 bytes, to "
                            "100,000 streams; the lag is the age of the oldest acknowledged "
                            "event that is not in the read model; once, at any scale"};
  RunRounds(once, WarmUp::kNo, contestants, {{contestants[0].name, "", 1}}, &result);
  return result;
}

WorkloadResult RunLiveMax(const RunOptions& options) {
  RunOptions once = options;
  once.pairs = 1;
  const std::vector<Contestant> contestants = {
      {"Daybook, live count by stream", [&] { return HighestRate(options); }}};
  WorkloadResult result{
      .id = "live-max",
      .title = "the highest rate of appends beside which that lag stays under 1 s",
      .unit = "events/s",
      .durability = kLiveDurability,
      .data = "as live, 10 s at each rate that is tried; once, at any scale"};
  RunRounds(once, WarmUp::kNo, contestants, {{contestants[0].name, "", kLiveRate}}, &result);
  return result;
}

}  // namespace daybook::bench
