// What holds of a body of an event that was decoded.

#ifndef DAYBOOK_TESTS_FUZZ_BODY_CHECK_H_
#define DAYBOOK_TESTS_FUZZ_BODY_CHECK_H_

#include <cstddef>
#include <span>

#include "daybook/event.h"

namespace daybook::fuzzing {

// Cap'n Proto's own reader says the same, and what is encoded anew decodes to the same.
void CheckDecoded(std::span<const std::byte> body, const EventView& event);

// Whether the fields that come from the body are equal.
bool SameBody(const EventView& a, const EventView& b);

}  // namespace daybook::fuzzing

#endif  // DAYBOOK_TESTS_FUZZ_BODY_CHECK_H_
