// DAYBOOK_CHECK: what must hold before a write, in every build.
//
// For our own invariants alone. Bytes that were read are never checked but reported as kDataLoss,
// and a caller's argument is kInvalidArgument.

#ifndef DAYBOOK_BASE_CHECK_H_
#define DAYBOOK_BASE_CHECK_H_

namespace daybook {

// Writes one line to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace daybook

#define DAYBOOK_CHECK(condition)                              \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::daybook::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)

#endif  // DAYBOOK_BASE_CHECK_H_
