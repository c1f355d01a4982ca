#include "cli/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/strings.h"

namespace daybook::cli {
namespace {

constexpr std::chrono::seconds kQuiet{2};
constexpr std::chrono::milliseconds kBetween{200};
constexpr std::size_t kBarCells = 24;

}  // namespace

std::string RenderProgress(std::string_view what, std::uint64_t done,
                           std::optional<std::uint64_t> total, std::uint64_t count,
                           std::string_view unit, std::chrono::duration<double> elapsed) {
  const double seconds = std::max(elapsed.count(), 1e-3);
  std::string line(what);
  if (total.has_value() && *total > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(*total));
    const auto cells = static_cast<std::size_t>(share * static_cast<double>(kBarCells));
    absl::StrAppend(&line, " [", std::string(cells, '#'), std::string(kBarCells - cells, '.'), "] ",
                    absl::StrFormat("%3.0f%%", share * 100));
    if (share > 0) {
      const auto left = static_cast<std::uint64_t>(seconds / share - seconds);
      absl::StrAppend(&line, absl::StrFormat(", %d:%02d left", left / 60, left % 60));
    }
  }
  if (count > 0) {
    absl::StrAppend(&line, ", ", count, " ", ToAbsl(unit),
                    absl::StrFormat(", %.0f/s", static_cast<double>(count) / seconds));
  }
  return line;
}

Progress::Progress(Console& console, std::string_view what, std::string_view unit)
    : console_(console),
      what_(what),
      unit_(unit),
      start_(std::chrono::steady_clock::now()),
      next_(start_ + kQuiet) {}

Progress::~Progress() { console_.ShowProgress(""); }

void Progress::Update(std::uint64_t done, std::optional<std::uint64_t> total, std::uint64_t count) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kBetween;
  console_.ShowProgress(RenderProgress(what_, done, total, count, unit_, now - start_));
}

}  // namespace daybook::cli
