// The way from an event back to the frame that holds it.

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "log/segment.h"

namespace daybook {
namespace {

constexpr std::uint64_t kWindowBytes = std::uint64_t{64} << 10;

// The last frame header in `window`, which stands at `begin` of its file, at or before `last`.
const FrameHeader* LastHeader(std::span<const std::byte> window, std::uint64_t begin,
                              std::uint64_t last, std::uint64_t salt) {
  for (std::uint64_t at = last; at >= begin; at -= kFrameAlignment) {
    const auto* header = reinterpret_cast<const FrameHeader*>(window.data() + (at - begin));
    if (header->magic == kFrameMagic && header->offset == at &&
        header->header_hash == HashOf(*header, salt)) {
      return header;
    }
    if (at < kFrameAlignment) break;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<FrameHeader> LogSegment::FrameOf(std::uint64_t offset, Position position) const {
  const char* const kNone = "no frame begins before the event that would hold it";
  if (offset < kSegmentHeaderBytes + sizeof(FrameHeader) || offset >= bytes().size()) {
    return Damaged(offset, position, kNone);
  }
  ReadBuffer buffer(ReadBuffer::Keep::kLast);
  std::uint64_t last = (offset - sizeof(FrameHeader)) / kFrameAlignment * kFrameAlignment;
  for (;;) {
    const std::uint64_t begin =
        std::max<std::uint64_t>(kSegmentHeaderBytes, last - std::min(last, kWindowBytes));
    const std::uint64_t length = last - begin + sizeof(FrameHeader);
    const std::byte* window = bytes().data() + begin;
    if (!is_mapped()) {
      DAYBOOK_ASSIGN_OR_RETURN(window, buffer.Read(bytes_, begin, length));
    }
    const FrameHeader* const found =
        LastHeader({window, static_cast<std::size_t>(length)}, begin, last, header_.salt);
    if (found != nullptr) {
      const bool holds = found->length > offset - found->offset &&
                         position.value() >= found->first_position &&
                         position.value() - found->first_position < found->events;
      if (!holds) return Damaged(offset, position, kNone);
      return *found;
    }
    if (begin == kSegmentHeaderBytes) return Damaged(offset, position, kNone);
    last = begin - kFrameAlignment;
  }
}

}  // namespace daybook
