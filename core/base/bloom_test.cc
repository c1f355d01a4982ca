#include "base/bloom.h"

#include <algorithm>
#include <random>

#include "base/radix_sort.h"
#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("a filter lets every key through, and of the others one in a hundred at most") {
  const std::uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const std::size_t keys : {1U, 2U, 100U, 100'000U}) {
    std::vector<std::uint64_t> inserted(keys);
    BloomBuilder builder(keys);
    for (std::uint64_t& key : inserted) builder.Insert(key = random());
    const BloomView filter(builder.blocks());
    CHECK(std::all_of(inserted.begin(), inserted.end(),
                      [&](std::uint64_t key) { return filter.MayContain(key); }));
    int strays = 0;
    for (int i = 0; i < 100'000; ++i) strays += filter.MayContain(random()) ? 1 : 0;
    CHECK(strays < 1000);
  }
}

TEST_CASE("a filter of nothing contains nothing") {
  CHECK(BloomBuilder(0).blocks().empty());
  CHECK_FALSE(BloomView().MayContain(0));
}

TEST_CASE(
    "the radix sort puts words in order of their upper halves and keeps the rest as it came") {
  const std::uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const std::size_t count : {0U, 1U, 2U, 1000U, 50'000U}) {
    std::vector<std::uint64_t> words(count);
    for (std::size_t i = 0; i < count; ++i)
      words[i] = ((random() % (count + 1)) * 0x9E3779B97F4A7C15U & ~std::uint64_t{0xFFFFFFFF}) | i;
    std::vector<std::uint64_t> sorted = words;
    std::sort(sorted.begin(), sorted.end());
    RadixSortByUpperHalf(&words);
    CHECK(words == sorted);
  }
}

}  // namespace
}  // namespace daybook
