// The bytes of the log: segments, frames, commits, records. docs/format/log.md is the document; a
// change here is a change of the format and needs an ADR, a golden store and that page in the same
// commit.
//
//   segment := SegmentHeader, zeros to 4096, frame*, zeros            (the file has its final size
//   from the start) frame   := FrameHeader, commit*, zeros to a multiple of 64        (a watermark
//   or seal has no commits) commit  := CommitHeader, record+ record  := RecordHeader, body (a Cap'n
//   Proto message, see event.capnp)
//
// All integers are little-endian. Every hash is XXH3-64.

#ifndef DAYBOOK_LOG_FORMAT_H_
#define DAYBOOK_LOG_FORMAT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace daybook {

static_assert(std::endian::native == std::endian::little, "the format is read in place");

inline constexpr std::uint16_t kFormatMajor = 1;
inline constexpr std::uint16_t kFormatMinor = 0;

// Bits that this version knows. An unknown incompatible bit refuses the store, an unknown
// read-only compatible bit refuses to write to it, an unknown compatible bit is ignored.
inline constexpr std::uint64_t kKnownIncompatibleFlags = 0;
// In STORE: the store was restored from a backup. Segments that begin at or before parent_position
// are its ancestors', byte for byte, and name an ancestor's incarnation.
inline constexpr std::uint64_t kInheritedSegmentsFlag = 1;
inline constexpr std::uint64_t kKnownStoreIncompatibleFlags = kInheritedSegmentsFlag;
inline constexpr std::uint64_t kKnownReadOnlyCompatibleFlags = 0;

using Uuid = std::array<std::uint8_t, 16>;

// The file STORE: who the store is. Changed only by writing aside and renaming.
struct StoreHeader {
  std::array<char, 8> magic;  // "DAYBOOK\0"
  std::uint16_t format_major;
  std::uint16_t format_minor;
  std::uint32_t header_bytes;  // sizeof(StoreHeader)
  std::uint64_t incompatible_flags;
  std::uint64_t read_only_compatible_flags;
  std::uint64_t compatible_flags;
  Uuid store_id;
  Uuid incarnation;
  Uuid parent_incarnation;        // zero where there is none
  std::uint64_t parent_position;  // what this incarnation took over from its parent
  std::uint64_t parent_frame_hash;
  std::int64_t created_at;          // ns, UTC
  std::uint64_t segment_bytes_max;  // the default for writers
  std::array<std::uint8_t, 128> reserved;
  std::uint64_t header_hash;  // of all bytes before it, seed 0
};
static_assert(sizeof(StoreHeader) == 256 && std::has_unique_object_representations_v<StoreHeader>);
static_assert(offsetof(StoreHeader, header_hash) == 248);
inline constexpr std::array<char, 8> kStoreMagic = {'D', 'A', 'Y', 'B', 'O', 'O', 'K', '\0'};

inline constexpr std::uint64_t kSegmentHeaderBytes = 4096;  // where the first frame begins

struct SegmentHeader {
  std::array<char, 8> magic;  // "DAYBLOG\0"
  std::uint16_t format_major;
  std::uint16_t format_minor;
  std::uint32_t header_bytes;  // sizeof(SegmentHeader)
  std::uint64_t incompatible_flags;
  std::uint64_t read_only_compatible_flags;
  std::uint64_t compatible_flags;
  Uuid store_id;
  Uuid incarnation;
  std::uint64_t salt;                     // seeds the hashes of this segment's headers
  std::uint64_t first_position;           // of its first event
  std::uint64_t segment_bytes;            // the size of the file
  std::uint64_t unsynced_max;             // bytes that may be unsynced after the last promise
  std::uint64_t previous_first_position;  // of the segment before; 0 in the first
  std::uint64_t previous_length;          // its bytes, the seal frame included
  std::uint64_t previous_frame_hash;      // header hash of its last frame: the chain goes on
  std::int64_t created_at;                // ns, UTC
  std::array<std::uint8_t, 112> reserved;
  std::uint64_t header_hash;  // of all bytes before it, seed 0
};
static_assert(sizeof(SegmentHeader) == 256 &&
              std::has_unique_object_representations_v<SegmentHeader>);
static_assert(offsetof(SegmentHeader, salt) == 72 && offsetof(SegmentHeader, header_hash) == 248);
inline constexpr std::array<char, 8> kSegmentMagic = {'D', 'A', 'Y', 'B', 'L', 'O', 'G', '\0'};

inline constexpr std::uint64_t kFrameAlignment = 64;
inline constexpr std::uint32_t kFrameMagic = 0x52464244;  // "DBFR"

enum class FrameKind : std::uint8_t { kData = 1, kWatermark = 2, kSeal = 3 };
inline constexpr std::uint8_t kIgnorableFrameBit =
    0x80;  // an unknown kind with it may be passed over

struct FrameHeader {
  std::uint32_t magic;
  std::uint8_t kind;
  std::uint8_t body_codec;       // 0: as it is
  std::uint16_t header_bytes;    // sizeof(FrameHeader)
  std::uint64_t length;          // header, body and padding; a multiple of 64
  std::uint64_t offset;          // of this header in its file
  std::uint64_t first_position;  // of its first event; of the next event where it has none
  std::uint32_t commits;
  std::uint32_t events;
  std::uint64_t
      durable_upto;  // bytes of this file known to be on the device when this frame was written
  std::uint64_t
      previous_hash;        // header hash of the frame before; in the first, of the segment header
  std::uint64_t body_hash;  // of all after this header, padding included; seed 0
  std::array<std::uint8_t, 56> reserved;
  std::uint64_t header_hash;  // of all bytes before it, seeded with the segment's salt
};
static_assert(sizeof(FrameHeader) == 128 && std::has_unique_object_representations_v<FrameHeader>);
static_assert(offsetof(FrameHeader, durable_upto) == 40 && offsetof(FrameHeader, body_hash) == 56 &&
              offsetof(FrameHeader, header_hash) == 120);

struct CommitHeader {
  std::int64_t recorded_at;
  std::uint64_t first_position;
  std::uint32_t events;
  std::uint32_t length;       // of the commit, this header included
  std::uint64_t header_hash;  // of all bytes before it, seeded with the segment's salt
};
static_assert(sizeof(CommitHeader) == 32 && std::has_unique_object_representations_v<CommitHeader>);

struct RecordHeader {
  std::uint32_t body_length;    // a multiple of 8
  std::uint16_t header_length;  // sizeof(RecordHeader)
  std::uint16_t flags;          // 0
  std::uint64_t position;
  std::uint64_t version;
  std::uint64_t prev;  // position of the stream's event before this one; 0 for the first
  std::uint64_t skip;  // position that the jump rule names; see links.h
  std::int64_t recorded_at;
  std::uint64_t commit_first_position;
  std::uint64_t body_hash;    // seed 0
  std::uint64_t header_hash;  // of all bytes before it, seeded with the segment's salt
};
static_assert(sizeof(RecordHeader) == 72 && std::has_unique_object_representations_v<RecordHeader>);
static_assert(offsetof(RecordHeader, body_hash) == 56 && offsetof(RecordHeader, header_hash) == 64);

// The smallest body: root pointer, two data words, two text pointers, two one-byte names.
inline constexpr std::uint64_t kBodyBytesMin = 8 + 16 + 16 + 16;
inline constexpr std::uint64_t kRecordBytesMin = sizeof(RecordHeader) + kBodyBytesMin;

inline constexpr std::uint64_t kSegmentBytesMin = std::uint64_t{16} << 10;
inline constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{4} << 30;
// The largest frame is the largest commit with its headers; no more than this is ever unsynced.
inline constexpr std::uint64_t kUnsyncedMax = std::uint64_t{72} << 20;

// The hash that stands in `header.header_hash`, over all bytes before it.
std::uint64_t HashOf(const StoreHeader& header);
std::uint64_t HashOf(const SegmentHeader& header);
std::uint64_t HashOf(const FrameHeader& header, std::uint64_t salt);
std::uint64_t HashOf(const CommitHeader& header, std::uint64_t salt);
std::uint64_t HashOf(const RecordHeader& header, std::uint64_t salt);

constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// "00000000000000000001.log": a segment by its first position.
std::string SegmentFileName(std::uint64_t first_position);
std::string SidecarFileName(std::uint64_t first_position);
// The first position of a segment file's name; 0 where it is no such name.
std::uint64_t FirstPositionOf(std::string_view segment_file_name);

}  // namespace daybook

#endif  // DAYBOOK_LOG_FORMAT_H_
