// Holds a bug that a fuzzer finds within a moment. It must fail.

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.size() >= 3 && text[0] == 'd' && text[1] == 'a' && text[2] == 'y') std::abort();
  return 0;
}
