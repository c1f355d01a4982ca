// XXH3, the checksum of everything that Daybook stores (https://xxhash.com, format of version
// 0.8).

#ifndef DAYBOOK_BASE_CHECKSUM_H_
#define DAYBOOK_BASE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace daybook {

[[nodiscard]] std::uint64_t Hash64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

// XXH3-128, seed 0.
struct Digest128 {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const Digest128&, const Digest128&) = default;
};
[[nodiscard]] Digest128 Hash128(std::span<const std::byte> bytes);

// Hash64 of bytes that come piece by piece. A plain value: copying it copies the state so
// far.
class Hasher64 {
 public:
  explicit Hasher64(std::uint64_t seed = 0);
  void Update(std::span<const std::byte> bytes);
  // The hash of all bytes so far; more may follow.
  [[nodiscard]] std::uint64_t Digest() const;

 private:
  static constexpr std::size_t kStateBytes = 576;  // checked against the library's type in the .cc
  alignas(64) std::byte state_[kStateBytes];
};

}  // namespace daybook

#endif  // DAYBOOK_BASE_CHECKSUM_H_
