// The hand-written codec of an event's body against Cap'n Proto's own reader.

#include <vector>

#include "log/event_codec.h"
#include "tests/fuzz/body_check.h"
#include "tests/fuzz/fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace daybook;
  using namespace daybook::fuzzing;
  Tally::Get().Input();
  std::vector<std::uint64_t> words(size / 8);
  if (!words.empty()) std::memcpy(words.data(), data, words.size() * 8);
  const auto body = std::as_bytes(std::span(words));
  EventView event;
  if (DecodeBody(body, &event) != nullptr) return 0;
  Tally::Get().Accepted();
  CheckDecoded(body, event);
  return 0;
}
