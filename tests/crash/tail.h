// Following a store whose events are planned ones (history.h), in any process.

#ifndef DAYBOOK_TESTS_CRASH_TAIL_H_
#define DAYBOOK_TESTS_CRASH_TAIL_H_

#include <cstdint>
#include <string>

#include "daybook/store.h"

namespace daybook::testing {

// Reads what is visible behind `*seen` and moves that on. "" or what is wrong: visible() that goes
// back, a gap, half a commit, an event that is not as it was planned. `lines`, if given, gets
// "S position id" for each event.
std::string ReadOn(const Reader& reader, std::uint64_t* seen, std::string* lines);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_TAIL_H_
