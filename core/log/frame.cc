#include "log/frame.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/seeded_bug.h"
#include "log/event_codec.h"

namespace daybook {
namespace {

bool IsZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Whether a frame of this kind may stand here without being understood.
bool IsIgnorable(const FrameHeader& header) { return (header.kind & kIgnorableFrameBit) != 0; }

bool IsKnown(const FrameHeader& header) {
  return header.kind >= static_cast<std::uint8_t>(FrameKind::kData) &&
         header.kind <= static_cast<std::uint8_t>(FrameKind::kSeal);
}

}  // namespace

const char* CheckFrameHeader(std::span<const std::byte> segment, std::uint64_t offset,
                             std::uint64_t salt, const FrameHeader** header, bool* newer) {
  *newer = false;
  if (offset % kFrameAlignment != 0 || offset > segment.size() ||
      segment.size() - offset < sizeof(FrameHeader)) {
    return "there is no room for a frame header";
  }
  const auto* found = reinterpret_cast<const FrameHeader*>(segment.data() + offset);
  if (found->magic != kFrameMagic) return "no frame begins here";
  if (found->offset != offset) return "the frame header belongs to another place";
  if (found->header_hash != HashOf(*found, salt) && !IsSeeded(SeededBug::kFrameHashSkipped)) {
    return "the hash of the frame's header is wrong";
  }
  if (found->length < sizeof(FrameHeader) || found->length % kFrameAlignment != 0 ||
      found->length > segment.size() - offset || found->durable_upto > offset) {
    return "the frame's lengths are wrong";
  }
  *header = found;
  *newer = !IsIgnorable(*found) && (!IsKnown(*found) || found->body_codec != 0 ||
                                    found->header_bytes != sizeof(FrameHeader));
  return nullptr;
}

FrameScanner::FrameScanner(std::span<const std::byte> segment, const SegmentHeader& header)
    : segment_(segment),
      salt_(header.salt),
      next_position_(header.first_position),
      last_hash_(header.header_hash) {}

FrameScanner::Result FrameScanner::Next() {
  if (sealed_) return Result::kSealed;
  if (segment_.size() < offset_ + sizeof(FrameHeader) ||
      IsZero(segment_.subspan(offset_, sizeof(FrameHeader)))) {
    return Result::kBlank;
  }
  const FrameHeader* header = nullptr;
  bool newer = false;
  problem_ = CheckFrameHeader(segment_, offset_, salt_, &header, &newer);
  if (problem_ != nullptr) return Result::kBad;
  if (!chain_broken_ && header->previous_hash != last_hash_ &&
      !IsSeeded(SeededBug::kChainSkipped)) {
    problem_ = "the frame does not follow the one before it";
    return Result::kBad;
  }
  if (newer) return Result::kNewer;
  if (header->first_position != next_position_ && !chain_broken_) {
    problem_ = "the frame's first position does not follow the one before it";
    return Result::kBad;
  }
  const auto body =
      segment_.subspan(offset_ + sizeof(FrameHeader), header->length - sizeof(FrameHeader));
  if (Hash64(body) != header->body_hash && !IsSeeded(SeededBug::kChecksumSkipped)) {
    problem_ = "the hash of the frame's body is wrong";
    return Result::kBad;
  }
  Accept(header);
  return Result::kFrame;
}

void FrameScanner::Accept(const FrameHeader* header) {
  frame_ = header;
  offset_ += header->length;
  last_hash_ = header->header_hash;
  next_position_ = header->first_position + header->events;
  promised_upto_ = std::max(promised_upto_, header->durable_upto);
  sealed_ = header->kind == static_cast<std::uint8_t>(FrameKind::kSeal);
  chain_broken_ = false;
}

bool FrameScanner::Resynchronise() {
  const FrameHeader* header = nullptr;
  bool newer = false;
  // Where the bad frame's own header is whole, its length says where the next one begins; the
  // search would find it too.
  for (std::uint64_t at = RoundUp(offset_ + 1, kFrameAlignment);
       at + sizeof(FrameHeader) <= segment_.size(); at += kFrameAlignment) {
    if (CheckFrameHeader(segment_, at, salt_, &header, &newer) == nullptr &&
        header->first_position >= next_position_) {
      offset_ = at;
      next_position_ = header->first_position;
      chain_broken_ = true;
      return true;
    }
  }
  return false;
}

const char* CheckCommitHeader(const LogSegment& segment, const FrameHeader& frame,
                              std::uint64_t offset, std::uint64_t position,
                              const CommitHeader** commit) {
  const std::uint64_t end = frame.offset + frame.length;
  if (end - offset < sizeof(CommitHeader)) return "a commit leads out of its frame";
  const auto* found = reinterpret_cast<const CommitHeader*>(segment.bytes().data() + offset);
  if (found->header_hash != HashOf(*found, segment.header().salt)) {
    return "the hash of a commit's header is wrong";
  }
  if (found->length < sizeof(CommitHeader) || found->length > end - offset) {
    return "a commit leads out of its frame";
  }
  if (found->first_position != position || found->events == 0 ||
      position + found->events > frame.first_position + frame.events) {
    return "the positions of a commit are wrong";
  }
  *commit = found;
  return nullptr;
}

const char* CheckRecordOfCommit(const LogSegment& segment, const CommitHeader& commit,
                                std::uint64_t offset, std::uint64_t position,
                                const RecordHeader** header, EventView* event) {
  if (const char* what =
          CheckRecordHeader(segment.bytes(), offset, segment.header().salt, header)) {
    return what;
  }
  const RecordHeader& record = **header;
  if (record.position != position || record.recorded_at != commit.recorded_at ||
      record.commit_first_position != commit.first_position || record.version == 0 ||
      record.prev >= position || record.skip > record.prev ||
      (record.version == 1) != (record.prev == 0)) {
    return "an event's header does not fit its commit";
  }
  FillFromHeader(record, event);
  return DecodeBody(segment.bytes().subspan(offset + sizeof(RecordHeader), record.body_length),
                    event);
}

FrameHeader MakeFrameHeader(FrameKind kind, std::uint64_t offset, std::uint64_t length,
                            std::uint64_t first_position, std::uint64_t durable_upto,
                            std::uint64_t previous_hash) {
  FrameHeader header{};
  header.magic = kFrameMagic;
  header.kind = static_cast<std::uint8_t>(kind);
  header.header_bytes = sizeof(FrameHeader);
  header.length = length;
  header.offset = offset;
  header.first_position = first_position;
  header.durable_upto = durable_upto;
  header.previous_hash = previous_hash;
  header.body_hash = Hash64({});
  return header;
}

}  // namespace daybook
