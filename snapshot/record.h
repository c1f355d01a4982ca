// What stands in the tables of snapshots/ (docs/format/snapshots.md). All of it is derived, and all
// of it checked by a hash of its own, since the pages of LMDB have none.
//
//   table "store":      "store" → StoredOwner
//   table "snapshots":  stream, 0, fold, 0, u32 revision, u64 version (both big-endian)
//                       → StoredSnapshot and the bytes of the state

#ifndef DAYBOOK_SNAPSHOT_RECORD_H_
#define DAYBOOK_SNAPSHOT_RECORD_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "daybook/snapshots.h"
#include "daybook/values.h"

namespace daybook {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint32_t kSnapshotFormat = 1;
inline constexpr std::string_view kOwnerTable = "store", kOwnerKey = "store";
inline constexpr std::string_view kSnapshotTable = "snapshots";
inline constexpr std::string_view kSnapshotFolder = "snapshots";  // in the store

// Whose snapshots these are.
struct StoredOwner {
  std::uint32_t format;
  std::uint32_t reserved;
  std::array<std::uint8_t, 16> incarnation;
  std::uint64_t hash;
};
static_assert(sizeof(StoredOwner) == 32 && offsetof(StoredOwner, hash) == 24 &&
              std::has_unique_object_representations_v<StoredOwner>);

// The state follows. The hash is of the bytes before it and the state, seeded with the hash of the
// key: a value is good only where it stands.
struct StoredSnapshot {
  std::uint32_t format;
  std::uint32_t reserved;
  std::array<std::uint8_t, 16> incarnation;
  std::uint64_t position;
  std::uint64_t version;
  std::uint64_t frame_hash;  // of the frame that holds the event at `position`
  std::uint64_t state_bytes;
  std::uint64_t hash;
};
static_assert(sizeof(StoredSnapshot) == 64 && offsetof(StoredSnapshot, hash) == 56 &&
              std::has_unique_object_representations_v<StoredSnapshot>);

std::string OwnerValue(const EventId::Bytes& incarnation);
// Nothing where it is damaged or of another format.
std::optional<EventId::Bytes> OwnerOf(std::string_view value);

// The snapshots of one stream by one revision of a fold.
struct SeriesName {
  std::string_view stream;
  std::string_view fold;
  std::uint32_t revision = 0;
};
// What the keys of a series begin with; those of all its revisions are what comes before the last
// four bytes.
inline constexpr std::size_t kRevisionBytes = 4, kVersionBytes = 8;
std::string SeriesPrefix(const SeriesName& name);
// What the keys of a stream begin with, and (empty) those of every one.
std::string StreamPrefix(std::string_view stream);
std::string SnapshotKey(std::string_view series_prefix, std::uint64_t version);

struct KeyParts {
  SeriesName name;
  std::uint64_t version = 0;
};
// Nothing where it is no key of a snapshot. The names point into `key`.
std::optional<KeyParts> PartsOf(std::string_view key);

// What a snapshot says of its place in history.
struct SnapshotPlace {
  EventId::Bytes incarnation{};
  std::uint64_t position = 0;
  std::uint64_t frame_hash = 0;
};
std::string SnapshotValue(std::string_view key, const SnapshotPlace& place, std::string_view state);

struct SnapshotParts {
  SnapshotPlace place;
  std::string_view state;
};
// Nothing where the value is damaged, of another format or of another key.
std::optional<SnapshotParts> SnapshotOf(std::string_view key, std::string_view value);

// As it is listed: of a damaged value no more than the key says.
SnapshotInfo InfoOf(std::string_view key, std::string_view value);

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_RECORD_H_
