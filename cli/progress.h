// A progress bar on stderr for work that takes longer than two seconds.

#ifndef DAYBOOK_CLI_PROGRESS_H_
#define DAYBOOK_CLI_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace daybook::cli {

// The line: a bar, how much is done, the rate, and the time left.
std::string RenderProgress(std::string_view what, std::uint64_t done,
                           std::optional<std::uint64_t> total, std::uint64_t count,
                           std::string_view unit, std::chrono::duration<double> elapsed);

// Shows it from the third second on, five times a second, and takes it away at the end. Not
// thread-safe.
class Progress {
 public:
  // `what` is done to things called `unit`: "importing" "events".
  Progress(Console& console, std::string_view what, std::string_view unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `total` (bytes, as a rule) and `count` units so far. Cheap: call it often.
  void Update(std::uint64_t done, std::optional<std::uint64_t> total, std::uint64_t count);

 private:
  Console& console_;
  const std::string what_;
  const std::string unit_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PROGRESS_H_
