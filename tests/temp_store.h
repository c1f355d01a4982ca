// A store in a folder for one test.

#ifndef DAYBOOK_TESTS_TEMP_STORE_H_
#define DAYBOOK_TESTS_TEMP_STORE_H_

#include <cstdint>

#include "daybook/store.h"
#include "tests/temp_folder.h"

namespace daybook::testing {

// The smallest segments, so that a small test goes through many.
inline StoreOptions SmallSegments() {
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  return options;
}

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_TEMP_STORE_H_
