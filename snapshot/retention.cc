#include "snapshot/retention.h"

#include <algorithm>
#include <iterator>

namespace daybook {
namespace {

using Versions = std::vector<std::uint64_t>;

constexpr std::uint64_t kDueMax = std::uint64_t{1} << 15;

Versions KeptByLadder(std::span<const std::uint64_t> versions) {
  Versions kept;  // newest first
  for (std::size_t i = versions.size(); i-- > 0;) {
    if (kept.size() >= 2) {
      const std::uint64_t later = kept.back();
      const std::uint64_t before = i > 0 ? versions[i - 1] : 0;  // the empty state is a rung, too
      if (later - before <= versions.back() - later) continue;
    }
    kept.push_back(versions[i]);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

Versions KeptByGrid(std::span<const std::uint64_t> versions, std::uint64_t rungs) {
  std::uint64_t cell = 1;
  while (versions.back() / cell > rungs) cell *= 2;
  Versions kept;
  std::uint64_t last = 0;  // the empty state stands in the first cell
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const bool is_first = versions[i] / cell != last;
    last = versions[i] / cell;
    if (is_first || i + 2 >= versions.size()) kept.push_back(versions[i]);
  }
  return kept;
}

Versions Merged(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  Versions merged;
  merged.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(merged));
  return merged;
}

// The multiples of `every` in (after, upto]; of a very long stretch all of the end, and of what
// comes before so many that no rung of a ladder or a grid is missed.
Versions Due(std::uint64_t every, std::uint64_t after, std::uint64_t upto) {
  const std::uint64_t last = upto / every;
  const std::uint64_t fine_from = last > kDueMax ? last - kDueMax : 0;
  std::uint64_t stride = 1;
  while (fine_from / stride > kDueMax) stride *= 2;
  Versions due;
  for (std::uint64_t i = after / every + 1; i <= last;) {
    if (i >= fine_from || i % stride == 0) due.push_back(i * every);
    i = i >= fine_from ? i + 1 : std::min(i / stride * stride + stride, fine_from);
  }
  return due;
}

}  // namespace

std::vector<std::uint64_t> Kept(const SnapshotRetention& retention,
                                std::span<const std::uint64_t> versions) {
  if (versions.size() <= 2) return {versions.begin(), versions.end()};
  switch (retention.kind()) {
    case SnapshotRetention::Kind::kLadder:
      return KeptByLadder(versions);
    case SnapshotRetention::Kind::kEvenGrid:
      return KeptByGrid(versions, std::max<std::uint64_t>(retention.rungs(), 1));
    case SnapshotRetention::Kind::kAll:
      break;
  }
  return {versions.begin(), versions.end()};
}

std::vector<std::uint64_t> Planned(const SnapshotPolicy& policy,
                                   std::span<const std::uint64_t> existing, std::uint64_t after,
                                   std::uint64_t upto) {
  if (policy.every_events == 0) return {};
  const Versions due = Due(policy.every_events, after, upto);
  Versions missing, planned;
  std::set_difference(due.begin(), due.end(), existing.begin(), existing.end(),
                      std::back_inserter(missing));
  if (missing.empty()) return {};
  const Versions kept = Kept(policy.retention, Merged(existing, missing));
  std::set_intersection(missing.begin(), missing.end(), kept.begin(), kept.end(),
                        std::back_inserter(planned));
  return planned;
}

bool WouldKeep(const SnapshotRetention& retention, std::span<const std::uint64_t> existing,
               std::uint64_t version) {
  const Versions one = {version};
  const Versions kept = Kept(retention, Merged(existing, one));
  return std::binary_search(kept.begin(), kept.end(), version);
}

}  // namespace daybook
