#include "index/links.h"

#include <vector>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("the skips of versions 1 to 16 are those of the format") {
  const std::vector<std::uint64_t> expected = {0, 1, 0, 3, 4, 3, 0, 7, 8, 7, 10, 11, 10, 7, 0, 15};
  for (std::uint64_t v = 1; v <= expected.size(); ++v) CHECK(SkipVersion(v) == expected[v - 1]);
  CHECK(SkipVersion(0) == 0);
}

TEST_CASE("every skip follows the jump rule of Myers") {
  std::vector<std::uint64_t> skip = {0};
  bool good = true;
  for (std::uint64_t v = 1; v <= 1'000'000; ++v) {
    const std::uint64_t p = v - 1;
    const bool spans_equal = p - skip[p] == skip[p] - skip[skip[p]];
    skip.push_back(spans_equal && p != 0 ? skip[skip[p]] : p);
    good = good && SkipVersion(v) == skip[v];
  }
  CHECK(good);
}

TEST_CASE("a search among a million versions takes at most 42 hops") {
  int most = 0;
  for (std::uint64_t target = 0; target <= 1'000'000; target += 7) {
    int hops = 0;
    for (std::uint64_t v = 1'000'000; v != target; ++hops) {
      v = SkipVersion(v) >= target ? SkipVersion(v) : v - 1;
    }
    most = std::max(most, hops);
  }
  CHECK(most <= 42);
}

TEST_CASE("the largest version has a skip") {
  const std::uint64_t largest = (std::uint64_t{1} << 63) - 1;
  CHECK(SkipVersion(largest) == 0);
  CHECK(SkipVersion(largest - 1) == largest / 2);
}

}  // namespace
}  // namespace daybook
