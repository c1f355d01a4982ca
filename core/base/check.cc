#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace daybook {

void CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "daybook: %s:%d: check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace daybook
