#include "io/reserved_array.h"

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include "tests/catch.h"

namespace daybook {
namespace {

struct Link {
  std::uint64_t prev;
  std::uint64_t skip;
};

std::uint64_t ResidentPages() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident;
}

TEST_CASE("an array has room for all it asked for, and takes memory for what is written alone") {
  constexpr std::size_t kCapacity = std::size_t{1} << 30;  // 16 GiB of address space
  const std::uint64_t before = ResidentPages();
  auto array = ReservedArray<Link>::Reserve(kCapacity);
  REQUIRE_OK(array);
  CHECK(array->capacity() == kCapacity);
  (*array)[0] = {1, 2};
  (*array)[kCapacity - 1] = {3, 4};
  CHECK((*array)[0].skip == 2);
  CHECK(array->data()[kCapacity - 1].prev == 3);
  CHECK((*array)[kCapacity / 2].prev == 0);  // never written: zero
  CHECK(ResidentPages() - before < 5000);
}

TEST_CASE("moving the array moves no element") {
  auto array = ReservedArray<Link>::Reserve(1000);
  REQUIRE_OK(array);
  Link* first = array->data();
  first->prev = 7;
  ReservedArray<Link> moved = *std::move(array);
  CHECK(moved.data() == first);
  CHECK(moved.capacity() == 1000);
  ReservedArray<Link> assigned;
  CHECK(assigned.data() == nullptr);
  CHECK(assigned.capacity() == 0);
  assigned = std::move(moved);
  CHECK(assigned.data()->prev == 7);
  CHECK(assigned.capacity() == 1000);
}

TEST_CASE("no elements are no memory") {
  const auto array = ReservedArray<Link>::Reserve(0);
  REQUIRE_OK(array);
  CHECK(array->capacity() == 0);
}

TEST_CASE("more than there are addresses for is an error and not a small array") {
  CHECK(ReservedArray<Link>::Reserve(SIZE_MAX / 2).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(ReservedArray<Link>::Reserve(SIZE_MAX / 32).status().code() ==
        absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace daybook
