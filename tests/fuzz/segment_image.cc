#include "tests/fuzz/segment_image.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"

namespace daybook::fuzzing {
namespace {

constexpr std::uint64_t kLeaveWrong = 40;  // one in so many things is not mended

// A value at which code goes wrong, if it does.
std::uint64_t EdgeValue(Choices& choices) {
  static constexpr std::uint64_t kEdges[] = {
      0,    1,     2,          63,         64,         127,        128,         4095,
      4096, 16384, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ULL << 63, ~0ULL - 127, ~0ULL};
  return kEdges[choices.Below(std::size(kEdges))];
}

}  // namespace

SegmentImage::SegmentImage(const std::uint8_t* data, std::size_t size) : words_(kImageBytes / 8) {
  auto* out = reinterpret_cast<std::uint8_t*>(words_.data());
  const std::size_t head = std::min(size, sizeof(SegmentHeader));
  if (head > 0) std::memcpy(out, data, head);
  const std::size_t rest = std::min(size - head, kImageBytes - kSegmentHeaderBytes);
  if (rest > 0) std::memcpy(out + kSegmentHeaderBytes, data + head, rest);
}

void SegmentImage::CopyTo(std::uint8_t* data, std::size_t size) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(words_.data());
  const std::size_t head = std::min(size, sizeof(SegmentHeader));
  if (head > 0) std::memcpy(data, from, head);
  const std::size_t rest = std::min(size - head, kImageBytes - kSegmentHeaderBytes);
  if (rest > 0) std::memcpy(data + head, from + kSegmentHeaderBytes, rest);
}

void SegmentImage::Mend(Choices& choices) {
  SegmentHeader& segment = header();
  segment.magic = kSegmentMagic;
  segment.format_major = kFormatMajor;
  segment.header_bytes = sizeof segment;
  segment.incompatible_flags = 0;
  segment.read_only_compatible_flags = 0;
  segment.segment_bytes = kImageBytes;
  if (segment.first_position == 0 || segment.first_position > (1ULL << 40)) {
    segment.first_position = 1;
  }
  if (!choices.OneIn(kLeaveWrong)) segment.header_hash = HashOf(segment);
  last_hash_ = segment.header_hash;
  position_ = segment.first_position;
  recorded_at_ = 0;
  for (std::uint64_t offset = kSegmentHeaderBytes; offset != 0;) {
    offset = MendFrame(offset, choices);
  }
}

std::uint64_t SegmentImage::MendFrame(std::uint64_t offset, Choices& choices) {
  const auto all = bytes();
  if (all.size() - offset < sizeof(FrameHeader)) return 0;
  auto& frame = *reinterpret_cast<FrameHeader*>(all.data() + offset);
  static constexpr FrameHeader kNothing{};
  if (std::memcmp(&frame, &kNothing, sizeof frame) == 0) return 0;
  const auto wrong = [&] { return choices.OneIn(kLeaveWrong); };
  if (!wrong()) frame.magic = kFrameMagic;
  if (!wrong()) frame.offset = offset;
  if (!wrong()) frame.header_bytes = sizeof frame;
  if (!wrong()) frame.body_codec = 0;
  if (!wrong() && frame.kind > 3) frame.kind = static_cast<std::uint8_t>(frame.kind % 3 + 1);
  if (!wrong()) frame.previous_hash = last_hash_;
  if (!wrong()) frame.first_position = position_;
  if (frame.durable_upto > offset && !wrong()) frame.durable_upto %= offset + 1;
  const std::uint64_t room = all.size() - offset;
  if ((frame.length < sizeof frame || frame.length > room) && !wrong()) {
    frame.length = sizeof frame + frame.length % 1024;
  }
  if (!wrong()) frame.length = RoundUp(frame.length, kFrameAlignment);
  const bool fits = frame.length >= sizeof frame && frame.length <= room;
  if (fits) {
    MendCommits(offset, choices);
    const auto body = all.subspan(offset + sizeof frame, frame.length - sizeof frame);
    if (!wrong()) frame.body_hash = Hash64(body);
  }
  if (!wrong()) frame.header_hash = HashOf(frame, header().salt);
  last_hash_ = frame.header_hash;
  return fits && frame.length % kFrameAlignment == 0 ? offset + frame.length : 0;
}

void SegmentImage::MendCommits(std::uint64_t offset, Choices& choices) {
  const auto wrong = [&] { return choices.OneIn(kLeaveWrong); };
  std::byte* const base = bytes().data() + offset;
  auto& frame = *reinterpret_cast<FrameHeader*>(base);
  std::uint64_t at = sizeof(FrameHeader);
  std::uint32_t commits = 0;
  std::uint32_t events = 0;
  const std::uint32_t wanted = frame.commits;
  while (commits < wanted && frame.length - at >= sizeof(CommitHeader)) {
    auto& commit = *reinterpret_cast<CommitHeader*>(base + at);
    const std::uint64_t first = position_ + events;
    std::uint64_t end = at + sizeof commit;
    std::uint32_t in_commit = 0;
    if (!wrong() && commit.recorded_at <= recorded_at_) commit.recorded_at = recorded_at_ + 1;
    recorded_at_ = std::max(recorded_at_, commit.recorded_at);
    while (in_commit < commit.events && frame.length - end >= sizeof(RecordHeader)) {
      auto& record = *reinterpret_cast<RecordHeader*>(base + end);
      if (!wrong()) record.header_length = sizeof record;
      const std::uint64_t room = frame.length - end - sizeof record;
      if (!wrong())
        record.body_length =
            std::min(record.body_length / 8 * 8, static_cast<std::uint32_t>(room / 8 * 8));
      if (record.body_length > room) break;
      const std::uint64_t position = first + in_commit;
      if (!wrong()) record.position = position;
      if (!wrong()) record.recorded_at = commit.recorded_at;
      if (!wrong()) record.commit_first_position = first;
      if (record.prev >= position && !wrong()) record.prev = 0;
      if (record.skip > record.prev && !wrong()) record.skip = record.prev;
      if ((record.version == 0 || (record.version == 1) != (record.prev == 0)) && !wrong()) {
        record.version = record.prev == 0 ? 1 : 2;
      }
      if (!wrong()) {
        record.body_hash = Hash64({base + end + sizeof record, record.body_length});
      }
      if (!wrong()) record.header_hash = HashOf(record, header().salt);
      end += sizeof record + record.body_length / 8 * 8;
      ++in_commit;
    }
    if (in_commit == 0) break;
    if (!wrong()) commit.events = in_commit;
    if (!wrong()) commit.first_position = first;
    if (!wrong()) commit.length = static_cast<std::uint32_t>(end - at);
    if (!wrong()) commit.header_hash = HashOf(commit, header().salt);
    at = end;
    ++commits;
    events += in_commit;
  }
  if (!wrong()) frame.commits = commits;
  if (!wrong()) frame.events = events;
  position_ += frame.events;
}

std::size_t MutateSegment(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned seed) {
  Choices choices(seed);
  max_size = std::min(max_size, kInputBytesMax);
  size = std::min(size, max_size);
  if (choices.OneIn(2) && size > sizeof(SegmentHeader)) {
    // A word becomes an edge: mostly of a header, since most words of these are in one.
    const std::size_t word = choices.Below(size / 8) * 8;
    const std::uint64_t value = EdgeValue(choices);
    std::memcpy(data + word, &value, choices.OneIn(2) ? 4 : 8);
  } else {
    size = LLVMFuzzerMutate(data, size, max_size);
  }
  if (choices.OneIn(16)) return size;
  SegmentImage image(data, size);
  image.Mend(choices);
  image.CopyTo(data, size);
  return size;
}

}  // namespace daybook::fuzzing
