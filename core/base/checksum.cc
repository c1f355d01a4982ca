#include "base/checksum.h"

// Inline, because only then is the state a complete type whose size is that of the code that uses
// it: the shared library promises neither.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <type_traits>

namespace daybook {
namespace {

static_assert(XXH_VERSION_NUMBER >= 800, "XXH3 has its final form since 0.8.0");

XXH3_state_t* StateIn(std::byte* bytes) { return reinterpret_cast<XXH3_state_t*>(bytes); }
const XXH3_state_t* StateIn(const std::byte* bytes) {
  return reinterpret_cast<const XXH3_state_t*>(bytes);
}

}  // namespace

std::uint64_t Hash64(std::span<const std::byte> bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Digest128 Hash128(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {.low = hash.low64, .high = hash.high64};
}

Hasher64::Hasher64(std::uint64_t seed) {
  static_assert(sizeof(XXH3_state_t) == kStateBytes && alignof(XXH3_state_t) <= 64);
  static_assert(std::is_trivially_copyable_v<XXH3_state_t>);
  XXH3_INITSTATE(StateIn(state_));
  XXH3_64bits_reset_withSeed(StateIn(state_), seed);
}

void Hasher64::Update(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_64bits_update(StateIn(state_), bytes.data(), bytes.size());
}

std::uint64_t Hasher64::Digest() const { return XXH3_64bits_digest(StateIn(state_)); }

}  // namespace daybook
