#include "store/repair_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "log/frame.h"

namespace daybook {
namespace {

template <class T>
T Load(std::span<const std::byte> bytes, std::uint64_t offset = 0) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class Header>
bool IsWhole(std::span<const std::byte> bytes, std::uint64_t salt) {
  const auto header = Load<Header>(bytes);
  return header.header_hash == HashOf(header, salt);
}

bool IsWholeFrameHeader(std::span<const std::byte> bytes, std::uint64_t offset,
                        std::uint64_t salt) {
  const auto header = Load<FrameHeader>(bytes);
  return header.magic == kFrameMagic && header.offset == offset &&
         header.length >= sizeof(FrameHeader) && header.length % kFrameAlignment == 0 &&
         header.header_hash == HashOf(header, salt);
}

bool IsBodyRight(std::span<const std::byte> frame) {
  const auto header = Load<FrameHeader>(frame);
  return header.length <= frame.size() &&
         Hash64(frame.subspan(sizeof header, header.length - sizeof header)) == header.body_hash;
}

// Makes a header with its own hash whole by one bit, unless it is.
template <class Header>
bool FixHeader(std::span<std::byte> bytes, std::uint64_t salt) {
  const auto piece = bytes.first(sizeof(Header));
  return IsWhole<Header>(piece, salt) ||
         FlipOneBit(piece, [&] { return IsWhole<Header>(piece, salt); });
}

// What was found when the body of a frame was walked by the hashes of its parts.
struct BodyShape {
  std::uint32_t commits = 0;
  std::uint32_t events = 0;
};

// Mends the record that begins `bytes`; its size, or 0.
std::uint64_t FixRecord(std::span<std::byte> bytes, std::uint64_t salt) {
  if (bytes.size() < sizeof(RecordHeader) || !FixHeader<RecordHeader>(bytes, salt)) return 0;
  const auto header = Load<RecordHeader>(bytes);
  if (header.body_length > bytes.size() - sizeof header) return 0;
  const auto body = bytes.subspan(sizeof header, header.body_length);
  const auto is_right = [&] { return Hash64(body) == header.body_hash; };
  if (!is_right() && (body.size() > kFlipBytesMax || !FlipOneBit(body, is_right))) return 0;
  return sizeof header + header.body_length;
}

// Mends the parts of the body, each by itself, and zeroes the padding. Nullopt where a part cannot
// be mended. Whether all of it is right is said by the hash of the whole body.
std::optional<BodyShape> FixBody(std::span<std::byte> body, std::uint64_t salt) {
  BodyShape shape;
  std::uint64_t at = 0;
  while (body.size() - at >= kFrameAlignment || !IsAllZero(body.subspan(at))) {
    const bool is_padding = body.size() - at < sizeof(CommitHeader) + kRecordBytesMin;
    if (is_padding) break;
    if (!FixHeader<CommitHeader>(body.subspan(at), salt)) return std::nullopt;
    const auto commit = Load<CommitHeader>(body, at);
    at += sizeof commit;
    for (std::uint32_t i = 0; i < commit.events; ++i) {
      const std::uint64_t bytes = FixRecord(body.subspan(at), salt);
      if (bytes == 0) return std::nullopt;
      at += bytes;
    }
    ++shape.commits;
    shape.events += commit.events;
  }
  std::fill(body.begin() + static_cast<std::ptrdiff_t>(at), body.end(), std::byte{0});
  return shape;
}

// Where frames before `offset` end: what a later one may have promised.
std::vector<std::uint64_t> FrameEnds(std::span<const std::byte> segment, std::uint64_t offset,
                                     std::uint64_t salt) {
  std::vector<std::uint64_t> ends{offset, kSegmentHeaderBytes};
  std::uint64_t at = kSegmentHeaderBytes;
  while (at + sizeof(FrameHeader) <= offset) {
    const FrameHeader* header = nullptr;
    bool newer = false;
    const bool is_whole = CheckFrameHeader(segment, at, salt, &header, &newer) == nullptr;
    at += is_whole ? header->length : kFrameAlignment;
    if (is_whole) ends.push_back(at);
  }
  return ends;
}

// Makes a frame header again from what stands around it. What it has of its own is durable_upto,
// which is one of the places where a frame ended.
bool RebuildFrameHeader(const DamagedRange& range, std::span<const std::byte> segment,
                        std::uint64_t salt, std::span<std::byte> frame) {
  const auto as_it_stands = Load<FrameHeader>(frame);
  const auto body = frame.subspan(sizeof(FrameHeader));
  const std::optional<BodyShape> shape = FixBody(body, salt);
  if (!shape || range.hash_before == 0) return false;
  std::vector<std::uint64_t> promises = FrameEnds(segment, range.offset, salt);
  promises.push_back(as_it_stands.durable_upto);
  for (const FrameKind kind : {FrameKind::kData, FrameKind::kWatermark, FrameKind::kSeal}) {
    if ((kind == FrameKind::kData) != (shape->events > 0)) continue;
    FrameHeader header = MakeFrameHeader(kind, range.offset, frame.size(), range.next_position, 0,
                                         range.hash_before);
    header.commits = shape->commits;
    header.events = shape->events;
    header.body_hash = Hash64(body);
    for (const std::uint64_t promise : promises) {
      header.durable_upto = promise;
      header.header_hash = HashOf(header, salt);
      if (header.header_hash != as_it_stands.header_hash &&
          (range.hash_behind == 0 || header.header_hash != range.hash_behind)) {
        continue;
      }
      std::memcpy(frame.data(), &header, sizeof header);
      return true;
    }
  }
  return false;
}

}  // namespace

bool FlipOneBit(std::span<std::byte> bytes, const std::function<bool()>& is_right) {
  std::size_t found = 0;
  std::size_t where = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8 && found < 2; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    bytes[bit / 8] ^= mask;
    if (is_right()) {
      ++found;
      where = bit;
    }
    bytes[bit / 8] ^= mask;
  }
  if (found != 1) return false;
  bytes[where / 8] ^= std::byte{static_cast<unsigned char>(1U << (where % 8))};
  return true;
}

std::optional<SegmentHeader> FixSegmentHeader(std::span<const std::byte> file,
                                              SegmentHeader expected) {
  if (file.size() < kSegmentHeaderBytes) return std::nullopt;
  Bytes bytes(file.begin(), file.begin() + sizeof(SegmentHeader));
  const auto as_it_stands = Load<SegmentHeader>(bytes);
  const bool fixed = FlipOneBit(bytes, [&] {
    const auto header = Load<SegmentHeader>(bytes);
    return header.header_hash == HashOf(header);
  });
  if (fixed) return Load<SegmentHeader>(bytes);

  expected.salt = as_it_stands.salt;
  expected.created_at = as_it_stands.created_at;
  const FrameHeader* first = nullptr;
  bool newer = false;
  const bool has_frame =
      CheckFrameHeader(file, kSegmentHeaderBytes, expected.salt, &first, &newer) == nullptr;
  for (const std::uint64_t segment_bytes : {expected.segment_bytes, as_it_stands.segment_bytes}) {
    expected.segment_bytes = segment_bytes;
    expected.header_hash = HashOf(expected);
    if (expected.header_hash == as_it_stands.header_hash ||
        (has_frame && expected.header_hash == first->previous_hash)) {
      return expected;
    }
  }
  return std::nullopt;
}

std::uint64_t ProvenBytes(const DamagedRange& range, std::uint64_t salt,
                          std::span<const std::byte> bytes) {
  std::uint64_t at = 0;
  std::uint64_t hash = range.hash_before;
  std::uint64_t position = range.next_position;
  while (bytes.size() - at >= sizeof(FrameHeader)) {
    const auto frame = bytes.subspan(at);
    const auto header = Load<FrameHeader>(frame);
    // Without the hash before, only what leads to the hash behind is proved.
    if (!IsWholeFrameHeader(frame, range.offset + at, salt) || header.length > frame.size() ||
        (hash != 0 && header.previous_hash != hash) || header.first_position != position ||
        !IsBodyRight(frame)) {
      break;
    }
    at += header.length;
    hash = header.header_hash;
    position += header.events;
    if (at == range.length && range.hash_behind != 0) break;
  }
  if (at > range.length && range.what != DamagedRange::What::kTail) return 0;
  const bool fills = at == range.length && range.hash_behind != 0;
  if (fills && hash != range.hash_behind) return 0;
  return fills || range.hash_before != 0 ? at : 0;
}

std::optional<Bytes> FixFrame(const DamagedRange& range, std::span<const std::byte> segment,
                              std::uint64_t salt) {
  if (range.offset + sizeof(FrameHeader) > segment.size() || range.length < sizeof(FrameHeader)) {
    return std::nullopt;
  }
  const auto there = segment.subspan(range.offset);
  // Where a torn end stops is not known: its zeros may be the frame's own.
  const bool is_tail = range.what == DamagedRange::What::kTail;
  const std::uint64_t room =
      is_tail ? there.size() : std::min<std::uint64_t>(there.size(), range.length);
  Bytes frame(there.begin(), there.begin() + static_cast<std::ptrdiff_t>(room));
  const auto head = std::span(frame).first(sizeof(FrameHeader));
  const auto is_whole = [&] { return IsWholeFrameHeader(head, range.offset, salt); };
  if (!is_whole() && !FlipOneBit(head, is_whole) &&
      !RebuildFrameHeader(range, segment, salt, frame)) {
    return std::nullopt;
  }
  const auto header = Load<FrameHeader>(frame);
  if (header.length > frame.size()) return std::nullopt;
  frame.resize(header.length);
  if (!IsBodyRight(frame) &&
      (!FixBody(std::span(frame).subspan(sizeof header), salt) || !IsBodyRight(frame))) {
    return std::nullopt;
  }
  if (ProvenBytes(range, salt, frame) != frame.size()) return std::nullopt;
  return frame;
}

}  // namespace daybook
