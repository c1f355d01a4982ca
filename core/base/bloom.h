// A split-block Bloom filter over 64-bit hashes: a key sets one bit in each of the eight words of
// one block, so that a lookup touches one half of a cache line. The layout and the eight odd
// constants are those of Apache Parquet's "split block Bloom filter" (after F. Putze, P. Sanders,
// J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). At 12 bits a key about 1 in
// 150 absent keys is let through; a present one always is.

#ifndef DAYBOOK_BASE_BLOOM_H_
#define DAYBOOK_BASE_BLOOM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace daybook {

struct BloomBlock {
  std::array<std::uint32_t, 8> words;
};
static_assert(sizeof(BloomBlock) == 32);

inline constexpr std::uint64_t kBloomBitsPerKey = 12;

// How many blocks a filter of this many keys has. None has none, and then contains nothing.
constexpr std::uint64_t BloomBlocksFor(std::uint64_t keys) {
  return (keys * kBloomBitsPerKey + 255) / 256;
}

namespace bloom_internal {

inline constexpr std::array<std::uint32_t, 8> kSalts = {
    0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

// The upper half of the hash picks the block, the lower half the bits. Fewer than 2^32 blocks.
constexpr std::uint64_t BlockOf(std::uint64_t hash, std::uint64_t blocks) {
  return ((hash >> 32) * blocks) >> 32;
}
constexpr std::uint32_t BitOf(std::uint64_t hash, std::size_t word) {
  return std::uint32_t{1} << ((static_cast<std::uint32_t>(hash) * kSalts[word]) >> 27);
}

}  // namespace bloom_internal

// A filter that stands somewhere else, in a mapped file or in a vector.
class BloomView {
 public:
  BloomView() = default;
  explicit BloomView(std::span<const BloomBlock> blocks) : blocks_(blocks) {}

  // False only if the key was never inserted.
  [[nodiscard]] bool MayContain(std::uint64_t hash) const {
    if (blocks_.empty()) return false;
    const BloomBlock& block = blocks_[bloom_internal::BlockOf(hash, blocks_.size())];
    std::uint32_t missing = 0;
    for (std::size_t i = 0; i < block.words.size(); ++i) {
      missing |= ~block.words[i] & bloom_internal::BitOf(hash, i);
    }
    return missing == 0;
  }

 private:
  std::span<const BloomBlock> blocks_;
};

// Builds a filter for a number of keys that is known ahead.
class BloomBuilder {
 public:
  explicit BloomBuilder(std::uint64_t keys) : blocks_(BloomBlocksFor(keys)) {}

  void Insert(std::uint64_t hash) {
    BloomBlock& block = blocks_[bloom_internal::BlockOf(hash, blocks_.size())];
    for (std::size_t i = 0; i < block.words.size(); ++i) {
      block.words[i] |= bloom_internal::BitOf(hash, i);
    }
  }
  [[nodiscard]] std::span<const BloomBlock> blocks() const { return blocks_; }

 private:
  std::vector<BloomBlock> blocks_;  // zeroed
};

}  // namespace daybook

#endif  // DAYBOOK_BASE_BLOOM_H_
