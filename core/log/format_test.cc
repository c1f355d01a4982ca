// The bytes of the log that other programs rely on: docs/format/log.md, as far as structs and names
// go.

#include "log/format.h"

#include <cstring>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("every header has the size and the offsets that the format document gives") {
  CHECK(sizeof(StoreHeader) == 256);
  CHECK(offsetof(StoreHeader, incompatible_flags) == 16);
  CHECK(offsetof(StoreHeader, store_id) == 40);
  CHECK(offsetof(StoreHeader, incarnation) == 56);
  CHECK(offsetof(StoreHeader, parent_incarnation) == 72);
  CHECK(offsetof(StoreHeader, parent_position) == 88);
  CHECK(offsetof(StoreHeader, created_at) == 104);
  CHECK(offsetof(StoreHeader, segment_bytes_max) == 112);

  CHECK(sizeof(SegmentHeader) == 256);
  CHECK(offsetof(SegmentHeader, store_id) == 40);
  CHECK(offsetof(SegmentHeader, incarnation) == 56);
  CHECK(offsetof(SegmentHeader, salt) == 72);
  CHECK(offsetof(SegmentHeader, first_position) == 80);
  CHECK(offsetof(SegmentHeader, segment_bytes) == 88);
  CHECK(offsetof(SegmentHeader, unsynced_max) == 96);
  CHECK(offsetof(SegmentHeader, previous_first_position) == 104);
  CHECK(offsetof(SegmentHeader, previous_length) == 112);
  CHECK(offsetof(SegmentHeader, previous_frame_hash) == 120);
  CHECK(offsetof(SegmentHeader, created_at) == 128);

  CHECK(sizeof(FrameHeader) == 128);
  CHECK(offsetof(FrameHeader, kind) == 4);
  CHECK(offsetof(FrameHeader, body_codec) == 5);
  CHECK(offsetof(FrameHeader, length) == 8);
  CHECK(offsetof(FrameHeader, offset) == 16);
  CHECK(offsetof(FrameHeader, first_position) == 24);
  CHECK(offsetof(FrameHeader, commits) == 32);
  CHECK(offsetof(FrameHeader, events) == 36);
  CHECK(offsetof(FrameHeader, previous_hash) == 48);

  CHECK(sizeof(CommitHeader) == 32);
  CHECK(offsetof(CommitHeader, first_position) == 8);
  CHECK(offsetof(CommitHeader, events) == 16);
  CHECK(offsetof(CommitHeader, length) == 20);
  CHECK(offsetof(CommitHeader, header_hash) == 24);

  CHECK(sizeof(RecordHeader) == 72);
  CHECK(offsetof(RecordHeader, position) == 8);
  CHECK(offsetof(RecordHeader, version) == 16);
  CHECK(offsetof(RecordHeader, prev) == 24);
  CHECK(offsetof(RecordHeader, skip) == 32);
  CHECK(offsetof(RecordHeader, recorded_at) == 40);
  CHECK(offsetof(RecordHeader, commit_first_position) == 48);
}

TEST_CASE("the numbers of the format") {
  CHECK(kSegmentHeaderBytes == 4096);
  CHECK(kFrameAlignment == 64);
  CHECK(std::memcmp(&kFrameMagic, "DBFR", 4) == 0);
  CHECK(std::memcmp(kStoreMagic.data(), "DAYBOOK", 8) == 0);
  CHECK(std::memcmp(kSegmentMagic.data(), "DAYBLOG", 8) == 0);
  CHECK(static_cast<int>(FrameKind::kData) == 1);
  CHECK(static_cast<int>(FrameKind::kWatermark) == 2);
  CHECK(static_cast<int>(FrameKind::kSeal) == 3);
  CHECK(kSegmentBytesMin == 16'384);
  CHECK(kSegmentBytesMax == 4'294'967'296);
  CHECK(kUnsyncedMax == 72 * 1024 * 1024);
}

TEST_CASE("rounding up goes to the next multiple, and leaves a multiple as it is") {
  CHECK(RoundUp(0, 64) == 0);
  CHECK(RoundUp(1, 64) == 64);
  CHECK(RoundUp(64, 64) == 64);
  CHECK(RoundUp(65, 64) == 128);
  CHECK(RoundUp(10, 3) == 12);
}

TEST_CASE("a segment and its sidecar are named by the first position in 20 digits") {
  CHECK(SegmentFileName(1) == "00000000000000000001.log");
  CHECK(SidecarFileName(1) == "00000000000000000001.idx");
  CHECK(SegmentFileName(UINT64_MAX) == "18446744073709551615.log");
  for (const std::uint64_t position :
       {std::uint64_t{1}, std::uint64_t{42}, (std::uint64_t{1} << 63) - 1, UINT64_MAX}) {
    CHECK(FirstPositionOf(SegmentFileName(position)) == position);
  }
}

TEST_CASE("what is not exactly the name of a segment has no first position") {
  for (const char* name :
       {"", ".log", "1.log", "0000000000000000001.log", "000000000000000000001.log",
        "00000000000000000001.idx", "00000000000000000001.LOG", "00000000000000000001.log ",
        "00000000000000000001", "00000000000000000001_log", "+0000000000000000001.log",
        "-0000000000000000001.log", " 0000000000000000001.log", "0000000000000000001a.log",
        "0x000000000000000001.log", "spare", "STORE"}) {
    CAPTURE(name);
    CHECK(FirstPositionOf(name) == 0);
  }
  CHECK(FirstPositionOf(std::string_view("0000000000000000000\0.log", 24)) == 0);
  // Zero is before everything, and no segment begins there.
  CHECK(FirstPositionOf("00000000000000000000.log") == 0);
  // Does not wrap around.
  CHECK(FirstPositionOf("18446744073709551616.log") == 0);
  CHECK(FirstPositionOf("99999999999999999999.log") == 0);
}

// Every bit of the header but those of the hash itself changes the hash.
template <class Header, class Hash>
bool EveryBitCounts(const Header& header, Hash hash) {
  const std::uint64_t whole = hash(header);
  for (std::size_t bit = 0; bit < offsetof(Header, header_hash) * 8; ++bit) {
    Header flipped = header;
    reinterpret_cast<std::uint8_t*>(&flipped)[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    if (hash(flipped) == whole) return false;
  }
  Header other = header;
  other.header_hash ^= 1;
  return hash(other) == whole;
}

TEST_CASE("a header's hash covers all bytes before it, the reserved ones too, and not itself") {
  const auto plain = [](const auto& header) { return HashOf(header); };
  const auto salted = [](const auto& header) { return HashOf(header, 99); };
  CHECK(EveryBitCounts(StoreHeader{}, plain));
  CHECK(EveryBitCounts(SegmentHeader{}, plain));
  CHECK(EveryBitCounts(FrameHeader{}, salted));
  CHECK(EveryBitCounts(CommitHeader{}, salted));
  CHECK(EveryBitCounts(RecordHeader{}, salted));
}

TEST_CASE("the same header has another hash in a segment of another salt") {
  CHECK(HashOf(FrameHeader{}, 1) != HashOf(FrameHeader{}, 2));
  CHECK(HashOf(CommitHeader{}, 1) != HashOf(CommitHeader{}, 2));
  CHECK(HashOf(RecordHeader{}, 1) != HashOf(RecordHeader{}, 2));
  CHECK(HashOf(RecordHeader{}, 1) == HashOf(RecordHeader{}, 1));
}

}  // namespace
}  // namespace daybook
