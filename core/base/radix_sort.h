// Sorts words by their upper halves: in a sidecar's runs that half is (part of) a hash, so its bits
// are as good as random and a radix sort takes a fraction of what a comparing one does.

#ifndef DAYBOOK_BASE_RADIX_SORT_H_
#define DAYBOOK_BASE_RADIX_SORT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace daybook {

// Stable: words that came in the order of their lower halves are sorted as whole words afterwards.
inline void RadixSortByUpperHalf(std::vector<std::uint64_t>* words) {
  constexpr std::array<int, 3> kShifts = {32, 43, 54};
  constexpr std::size_t kBuckets = std::size_t{1} << 11;  // the last pass has 10 bits and uses half
  std::vector<std::uint64_t> other(words->size());
  for (const int shift : kShifts) {
    std::array<std::size_t, kBuckets> next{};
    for (const std::uint64_t word : *words) ++next[(word >> shift) % kBuckets];
    std::size_t start = 0;
    for (std::size_t& bucket : next) {
      const std::size_t size = bucket;
      bucket = start;
      start += size;
    }
    for (const std::uint64_t word : *words) other[next[(word >> shift) % kBuckets]++] = word;
    words->swap(other);
  }
}

}  // namespace daybook

#endif  // DAYBOOK_BASE_RADIX_SORT_H_
