#include "base/checksum.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "daybook/event.h"
#include "tests/catch.h"

namespace daybook {
namespace {

// The buffer of xxHash's own sanity check (xsum_sanity_check.c), so that its vectors hold here.
std::vector<std::byte> SanityBuffer(std::size_t bytes) {
  std::vector<std::byte> buffer;
  std::uint64_t generator = 2654435761U;
  for (std::size_t i = 0; i < bytes; ++i) {
    buffer.push_back(static_cast<std::byte>(generator >> 56));
    generator *= 11400714785074694797ULL;
  }
  return buffer;
}

TEST_CASE("the hash is XXH3-64: it gives the vectors that xxHash publishes") {
  const std::vector<std::byte> buffer = SanityBuffer(2367);
  const std::span<const std::byte> bytes = buffer;
  constexpr std::uint64_t kSeed = 0x9E3779B185EBCA8D;
  CHECK(Hash64({}) == 0x2D06800538D394C2);
  CHECK(Hash64({}, kSeed) == 0xA8A6B918B2F0364A);
  CHECK(Hash64(bytes.first(1)) == 0xC44BDFF4074EECDB);
  CHECK(Hash64(bytes.first(6)) == 0x27B56A84CD2D7325);
  CHECK(Hash64(bytes.first(403)) == 0xCDEB804D65C6DEA4);
  CHECK(Hash64(bytes.first(512)) == 0x617E49599013CB6B);
  CHECK(Hash64(bytes.first(2367)) == 0xCB37AEB9E5D361ED);
  CHECK(Hash64(bytes.first(2367), kSeed) == 0xD2DB3415B942B42A);
}

TEST_CASE("pieces of any size hash as the whole does, with any seed") {
  const std::vector<std::byte> buffer = SanityBuffer(5000);
  const std::span<const std::byte> bytes = buffer;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    for (const std::size_t step : {1u, 7u, 64u, 255u, 256u, 257u, 1024u, 4999u, 5000u}) {
      Hasher64 hasher(seed);
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        hasher.Update(bytes.subspan(at, std::min(step, bytes.size() - at)));
      }
      INFO("seed " << seed << ", step " << step);
      CHECK(hasher.Digest() == Hash64(bytes, seed));
    }
  }
}

TEST_CASE("a digest is of the bytes so far; a copy goes its own way") {
  const std::span<const std::byte> text = AsBytes("to be continued");
  Hasher64 hasher;
  CHECK(hasher.Digest() == Hash64({}));
  hasher.Update({});
  hasher.Update(text.first(5));
  CHECK(hasher.Digest() == Hash64(text.first(5)));
  Hasher64 copy = hasher;
  copy.Update(text.subspan(5));
  CHECK(copy.Digest() == Hash64(text));
  CHECK(hasher.Digest() == Hash64(text.first(5)));
}

// From xxHash's own sanity test, https://github.com/Cyan4973/xxHash, cli/xsum_sanity_check.c
TEST_CASE("the hash of 128 bits is XXH3's") {
  CHECK(Hash128({}) == Digest128{.low = 0x6001C324468D497F, .high = 0x99AA06D3014798D8});
  const std::vector<std::byte> buffer = SanityBuffer(512);
  const std::span<const std::byte> bytes = buffer;
  CHECK(Hash128(bytes.first(1)) ==
        Digest128{.low = 0xC44BDFF4074EECDB, .high = 0xA6CD5E9392000F6A});
  CHECK(Hash128(bytes.first(512)) ==
        Digest128{.low = 0x617E49599013CB6B, .high = 0x18D2D110DCC9BCA1});
}

}  // namespace
}  // namespace daybook
