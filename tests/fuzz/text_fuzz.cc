// The texts that Daybook reads: what parses is printed, parses again and is the same.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daybook/values.h"

namespace {

template <class T>
void RoundTrip(std::string_view text) {
  const absl::StatusOr<T> parsed = T::Parse(text);
  if (!parsed.ok()) return;
  const absl::StatusOr<T> again = T::Parse(parsed->ToString());
  if (!again.ok() || *again != *parsed) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RoundTrip<daybook::Timestamp>(text);
  RoundTrip<daybook::EventId>(text);
  return 0;
}
