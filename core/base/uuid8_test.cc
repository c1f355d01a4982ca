#include "base/uuid8.h"

#include <array>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("a UUIDv8 is the first 16 bytes of the hash, but for version and variant") {
  std::array<std::byte, 32> ones;
  ones.fill(std::byte{0xFF});
  CHECK(Uuid8FromHash(ones).ToString() == "ffffffff-ffff-8fff-bfff-ffffffffffff");
  const std::array<std::byte, 16> zeros{};
  CHECK(Uuid8FromHash(zeros).ToString() == "00000000-0000-8000-8000-000000000000");
  std::array<std::byte, 16> count;
  for (std::size_t i = 0; i < count.size(); ++i) count[i] = static_cast<std::byte>(i + 1);
  CHECK(Uuid8FromHash(count).ToString() == "01020304-0506-8708-890a-0b0c0d0e0f10");
}

}  // namespace
}  // namespace daybook
