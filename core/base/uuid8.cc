#include "base/uuid8.h"

#include <algorithm>
#include <cstdint>

#include "base/check.h"

namespace daybook {

EventId Uuid8FromHash(std::span<const std::byte> hash) {
  EventId::Bytes bytes;
  DAYBOOK_CHECK(hash.size() >= bytes.size());
  std::transform(hash.begin(), hash.begin() + bytes.size(), bytes.begin(),
                 [](std::byte byte) { return static_cast<std::uint8_t>(byte); });
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x80);  // version 8
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);  // variant of RFC 9562
  return EventId(bytes);
}

}  // namespace daybook
