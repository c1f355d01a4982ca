#include "index/links.h"

#include <bit>

namespace daybook {

// The jump rule keeps what a greedy skew-binary numeral keeps: v is a sum of terms 2^k - 1, the
// largest first, and the skip of v drops the last (smallest) term. So the rule needs no table and
// no walk.
std::uint64_t SkipVersion(std::uint64_t v) {
  std::uint64_t kept = 0;
  std::uint64_t rest = v;
  while (rest != 0) {
    const auto bits = std::bit_width(rest + 1) - 1;
    const std::uint64_t term = (std::uint64_t{1} << bits) - 1;
    rest -= term;
    if (rest == 0) break;
    kept += term;
  }
  return kept;
}

}  // namespace daybook
