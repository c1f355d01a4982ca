// What stands in the tables of index/: all of it derived, all of it checked by a hash of its own,
// since the pages of LMDB have none. A value is copied out before it is read, for LMDB does not
// align it.
//
//   table "meta":       "store" → StoredMeta
//   table "heads":      the stream's name → StoredHead
//   table "catalogue":  first position, big-endian → StoredSegment

#ifndef DAYBOOK_INDEX_HEAD_STORE_FORMAT_H_
#define DAYBOOK_INDEX_HEAD_STORE_FORMAT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/checksum.h"
#include "daybook/event.h"
#include "index/head_store.h"

namespace daybook {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint64_t kHeadStoreFormat = 1;

struct StoredMeta {
  std::uint64_t format;
  std::array<std::uint8_t, 16> store_id;
  std::array<std::uint8_t, 16> incarnation;
  std::uint64_t applied_position;
  std::uint64_t hash;
};
static_assert(sizeof(StoredMeta) == 56 && std::has_unique_object_representations_v<StoredMeta>);

struct StoredHead {
  std::uint64_t version;
  std::array<std::uint64_t, kHeadPositionsMax> last;  // newest first; zeros where fewer are known
  std::int64_t effective_min;
  std::int64_t effective_max;
  std::uint64_t hash;
};
static_assert(sizeof(StoredHead) == 64 && std::has_unique_object_representations_v<StoredHead>);

struct StoredSegment {
  std::array<std::uint8_t, 16> store_id;
  std::array<std::uint8_t, 16> incarnation;
  std::uint64_t first_position;
  std::uint64_t events;
  std::uint64_t last_frame_hash;
  std::uint64_t hash;
};
static_assert(sizeof(StoredSegment) == 64 &&
              std::has_unique_object_representations_v<StoredSegment>);

// The hash of a value under its key, so that a value is good only where it stands.
template <class T>
std::uint64_t HashOfStored(const T& value, std::string_view key) {
  return Hash64(std::as_bytes(std::span(&value, 1)).first(offsetof(T, hash)), Hash64(AsBytes(key)));
}

template <class T>
std::string_view BytesOfStored(const T& value) {
  return AsText(std::as_bytes(std::span(&value, 1)));
}

// Copies a value out; false where it is damaged.
template <class T>
bool LoadStored(std::string_view bytes, std::string_view key, T* value) {
  if (bytes.size() != sizeof(T)) return false;
  std::memcpy(value, bytes.data(), sizeof(T));
  return value->hash == HashOfStored(*value, key);
}

}  // namespace daybook

#endif  // DAYBOOK_INDEX_HEAD_STORE_FORMAT_H_
