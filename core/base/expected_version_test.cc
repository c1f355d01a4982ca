#include "daybook/append.h"
#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("what is expected of a stream reads as a word or a number") {
  CHECK(ExpectedVersion().ToString() == "any");
  CHECK(ExpectedVersion::Any().ToString() == "any");
  CHECK(ExpectedVersion::NoStream().ToString() == "none");
  CHECK(ExpectedVersion::StreamExists().ToString() == "exists");
  CHECK(ExpectedVersion::Exactly(Version(3)).ToString() == "3");
  CHECK(ExpectedVersion::Exactly(Version(kCountMax)).ToString() == "9223372036854775807");
  CHECK(ExpectedVersion::Exactly(Version(0)).ToString() == "none");
}

}  // namespace
}  // namespace daybook
