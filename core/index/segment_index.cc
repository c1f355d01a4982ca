#include "index/segment_index.h"

#include <cstddef>
#include <span>

#include "base/checksum.h"

namespace daybook {
namespace {

// Streams and tags are hashed apart, so that a tag named like a stream tells nothing about it. Part
// of the sidecar's format.
constexpr std::uint64_t kStreamSeed = 0x6D61657274736264;  // "dbstream"
constexpr std::uint64_t kTagSeed = 0x7367617473656264;     // "dbestags"

}  // namespace

std::uint64_t StreamHash(std::string_view stream) { return Hash64(AsBytes(stream), kStreamSeed); }

std::uint64_t TagHash(std::string_view tag) { return Hash64(AsBytes(tag), kTagSeed); }

std::uint64_t IdHash(std::uint64_t stream_hash, const EventId& id) {
  return Hash64(std::as_bytes(std::span<const std::uint8_t>(id.bytes())), stream_hash);
}

}  // namespace daybook
