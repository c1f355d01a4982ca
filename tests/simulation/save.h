// Numbers and texts one behind the other, for what a test leaves to replay.

#ifndef DAYBOOK_TESTS_SIMULATION_SAVE_H_
#define DAYBOOK_TESTS_SIMULATION_SAVE_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace daybook::simulation {

inline void PutNumber(std::uint64_t number, std::string* out) {
  out->append(reinterpret_cast<const char*>(&number), sizeof number);
}
inline void PutText(std::string_view text, std::string* out) {
  PutNumber(text.size(), out);
  out->append(text);
}

// What is cut off reads as zeros and empty texts.
inline std::uint64_t TakeNumber(std::string_view* in) {
  std::uint64_t number = 0;
  if (in->size() < sizeof number) return 0;
  std::memcpy(&number, in->data(), sizeof number);
  in->remove_prefix(sizeof number);
  return number;
}
inline std::string_view TakeText(std::string_view* in) {
  const std::uint64_t bytes = TakeNumber(in);
  const std::string_view text = in->substr(0, bytes);
  in->remove_prefix(text.size());
  return text;
}

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_SAVE_H_
