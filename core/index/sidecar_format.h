// The bytes of a sidecar, log/<first position>.idx: everything in native words, read where it is
// mapped.
//
//   sidecar    := SidecarHeader, section*      (in the order of SidecarSection; each 8-byte
//   aligned, right behind the one before) links      := Link[events] column     := u8[events] |
//   u16[events] | u32[events], zeros to 8      (numbers of terms; all ones: a lost event) terms :=
//   u64 count, SidecarTerm[count], bytes, zeros to 8        (sorted bytewise; the number is the
//   place) directory  := SidecarTag[]                 (sorted by hash) postings   := u32[], zeros
//   to 8            (locals; ascending within one tag) run        := u64[] (upper 32 bits of a
//   hash, then the local; sorted) filter     := BloomBlock[]                 (of the whole hashes
//   of the run) samples    := i64[(events + 255) / 256]
//
// All integers are little-endian, every hash is XXH3-64 with seed 0. "local" is position -
// first_position.

#ifndef DAYBOOK_INDEX_SIDECAR_FORMAT_H_
#define DAYBOOK_INDEX_SIDECAR_FORMAT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "base/checksum.h"
#include "index/segment_index.h"

namespace daybook {

static_assert(std::endian::native == std::endian::little, "the format is read in place");

inline constexpr std::array<char, 8> kSidecarMagic = {'D', 'A', 'Y', 'B', 'I', 'D', 'X', '\0'};
inline constexpr std::uint32_t kSidecarFormat = 1;

enum class SidecarSection : std::uint8_t {
  kLinks,
  kTypes,
  kTypeTerms,
  kCategories,
  kCategoryTerms,
  kTagDirectory,
  kTagPostings,
  kHeads,
  kHeadFilter,
  kIds,
  kIdFilter,
  kTimeSamples,
};
inline constexpr std::size_t kSidecarSections = 12;

struct SidecarSectionEntry {
  std::uint64_t offset;
  std::uint64_t bytes;  // a multiple of 8, padding included
  std::uint64_t hash;
};
static_assert(sizeof(SidecarSectionEntry) == 24);

struct SidecarHeader {
  std::array<char, 8> magic;  // "DAYBIDX\0"
  std::uint32_t format;
  std::uint32_t header_bytes;  // sizeof(SidecarHeader)
  std::array<std::uint8_t, 16> store_id;
  std::array<std::uint8_t, 16> incarnation;
  std::uint64_t first_position;
  std::uint64_t events;
  std::uint64_t last_frame_hash;  // of the seal frame
  std::int64_t effective_min;     // over all events; reversed limits where there is none
  std::int64_t effective_max;
  std::uint64_t file_bytes;
  std::array<SidecarSectionEntry, kSidecarSections> sections;
  std::array<std::uint8_t, 120> reserved;
  std::uint64_t header_hash;  // of all bytes before it
};
static_assert(sizeof(SidecarHeader) == 512 &&
              std::has_unique_object_representations_v<SidecarHeader>);
static_assert(offsetof(SidecarHeader, first_position) == 48 &&
              offsetof(SidecarHeader, sections) == 96 &&
              offsetof(SidecarHeader, header_hash) == 504);

struct SidecarTerm {
  std::uint64_t events;
  std::uint32_t offset;  // into the bytes behind the terms
  std::uint32_t bytes;
};
static_assert(sizeof(SidecarTerm) == 16 && std::has_unique_object_representations_v<SidecarTerm>);

struct SidecarTag {
  std::uint64_t hash;
  std::uint32_t start;  // into the postings; each tag begins where the one before ends
  std::uint32_t count;
};
static_assert(sizeof(SidecarTag) == 16 && std::has_unique_object_representations_v<SidecarTag>);

inline constexpr std::uint64_t kRunHashMask = 0xFFFFFFFF00000000;

inline std::uint64_t HashOf(const SidecarHeader& header) {
  return Hash64(std::as_bytes(std::span(&header, 1)).first(offsetof(SidecarHeader, header_hash)));
}

// The width of a column whose numbers go from 0 to terms - 1: all ones is kept for lost events.
constexpr std::uint8_t SidecarColumnWidth(std::uint64_t terms) {
  if (terms <= 0xFF) return 1;
  if (terms <= 0xFFFF) return 2;
  return 4;
}
constexpr std::uint32_t SidecarNoTerm(std::uint8_t width) {
  return width == 4 ? 0xFFFFFFFFU : (1U << (8 * width)) - 1;
}

constexpr std::uint64_t SidecarRoundUp(std::uint64_t bytes) { return (bytes + 7) / 8 * 8; }

constexpr std::uint64_t SidecarTimeSamples(std::uint64_t events) {
  return (events + kTimeSampleEvery - 1) / kTimeSampleEvery;
}

}  // namespace daybook

#endif  // DAYBOOK_INDEX_SIDECAR_FORMAT_H_
