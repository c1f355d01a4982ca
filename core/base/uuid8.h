// UUIDs that are made of a hash.

#ifndef DAYBOOK_BASE_UUID8_H_
#define DAYBOOK_BASE_UUID8_H_

#include <cstddef>
#include <span>

#include "daybook/values.h"

namespace daybook {

// A UUIDv8 (RFC 9562, 5.8) of the first 16 bytes of `hash`, six bits of which give way to version
// and variant. `hash` has at least 16 bytes, and is as good a hash as the ids are to be unique:
// SHA-256, or XXH3 of trusted input.
[[nodiscard]] EventId Uuid8FromHash(std::span<const std::byte> hash);

}  // namespace daybook

#endif  // DAYBOOK_BASE_UUID8_H_
