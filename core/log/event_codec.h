// Encodes and decodes the body of an event: the Cap'n Proto message that event.capnp describes.
//
// Both are written out for this one struct, on the append and the read path, where building the
// message with the library's builder or its arena reader costs several times the rest of the work
// (docs/adr/). The unit test holds them to the library in both directions: what is encoded here is
// canonical and reads the same with Cap'n Proto's checked reader, and `Verify` reads every body
// with that reader as well.

#ifndef DAYBOOK_LOG_EVENT_CODEC_H_
#define DAYBOOK_LOG_EVENT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "daybook/event.h"

namespace daybook {

inline constexpr std::int64_t kEffectiveAtAbsent = INT64_MIN;

// What a body holds, as views.
struct BodyFields {
  EventId id;
  std::int64_t effective_at = kEffectiveAtAbsent;
  ContentType content_type = ContentType::kOctetStream;
  std::string_view stream;
  std::string_view type;
  std::span<const std::byte> data;
  std::string_view metadata;
  std::span<const std::string_view> tags;  // sorted, unique
  std::string_view content_type_text;
};

// The bytes that a body takes; a multiple of 8.
std::size_t EncodedBodyBytes(const BodyFields& fields);
// Writes exactly EncodedBodyBytes(fields) bytes to `out`, which is 8-byte aligned.
void EncodeBody(const BodyFields& fields, std::byte* out);

// Decodes a body whose hash has been verified, into the fields of `event` that come from the body.
// Trusts nothing: every pointer is checked against the bounds. Returns nullptr, or what is wrong
// with it. The views point into `body`.
const char* DecodeBody(std::span<const std::byte> body, EventView* event);

// Reads the same body with Cap'n Proto's own checked reader and compares it with what DecodeBody
// said: a second opinion for `Verify`. kDataLoss says what differs.
absl::Status CheckBodyWithLibrary(std::span<const std::byte> body, const EventView& decoded);

}  // namespace daybook

#endif  // DAYBOOK_LOG_EVENT_CODEC_H_
