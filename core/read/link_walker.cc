#include "read/link_walker.h"

#include <algorithm>

#include "base/status.h"
#include "index/links.h"

namespace daybook {
namespace {

constexpr std::size_t kCacheLine = 64;

}  // namespace

absl::StatusOr<const LinkWalker::Piece*> LinkWalker::Find(std::uint64_t position) {
  const Piece& last = pieces_[last_];
  if (position >= last.first && position < last.end) return &last;
  const std::uint32_t segment = FindSegment(*segments_, position);
  if (segment == kNoSegment) return nullptr;
  last_ = segment % kPieces;
  Piece& piece = pieces_[last_];
  if (piece.segment == segment && position < piece.end) return &piece;
  DAYBOOK_ASSIGN_OR_RETURN(piece.index, (*segments_)[segment]->index());
  piece.segment = segment;
  piece.first = (*segments_)[segment]->first_position();
  piece.end = piece.first + piece.index->count();
  if (segment + 1 < segments_->size()) {
    piece.end = std::min(piece.end, (*segments_)[segment + 1]->first_position());
  }
  piece.links = piece.index->links();
  return position < piece.end ? &piece : nullptr;
}

absl::Status LinkWalker::Malformed(std::uint64_t position, const char* what) const {
  return LostAt(*segments_, FindSegment(*segments_, position), position, what);
}

absl::Status LinkWalker::Load(std::uint64_t position, Node* node) {
  ++loads_;
  DAYBOOK_ASSIGN_OR_RETURN(const Piece* const piece, Find(position));
  if (piece == nullptr) return Malformed(position, "the segment that holds the event is missing");
  const Link link = piece->links[position - piece->first];
  if (link.offset8 == 0) return Malformed(position, "the event is lost");
  std::uint64_t version = link.version;
  if (link.version == kLinkVersionEscape) {
    const RecordHeader* header = nullptr;
    ReadBuffer buffer(ReadBuffer::Keep::kLast);
    DAYBOOK_RETURN_IF_ERROR((*segments_)[piece->segment]->log()->ReadHeader(
        link.offset(), Position(position), &header, &buffer));
    version = header->version;
  }
  if (version == 0 || link.prev >= position || link.skip > link.prev ||
      (version == 1) != (link.prev == 0)) {
    return Malformed(position, "the event's link in the index cannot be; rebuild the index");
  }
  *node = {position, version, link.prev, link.skip, link.offset8, piece->segment};
  return absl::OkStatus();
}

absl::Status LinkWalker::Hop(std::uint64_t position, std::uint64_t version, Node* node) {
  Node next;
  DAYBOOK_RETURN_IF_ERROR(Load(position, &next));
  if (next.version != version) {
    return Malformed(position, "the index names another version here; rebuild the index");
  }
  *node = next;
  return absl::OkStatus();
}

absl::StatusOr<StreamPoint> LinkWalker::AtOrBefore(std::uint64_t from, std::uint64_t bound) {
  Node node;
  DAYBOOK_RETURN_IF_ERROR(Load(from, &node));
  if (node.position <= bound) return StreamPoint{node.position, node.version};
  while (node.prev > bound) {
    // Past a lost event there may be a way by `prev`.
    if (node.skip > bound && node.skip != node.prev &&
        Hop(node.skip, SkipVersion(node.version), &node).ok()) {
      continue;
    }
    DAYBOOK_RETURN_IF_ERROR(Hop(node.prev, node.version - 1, &node));
  }
  return StreamPoint{node.prev, node.version - 1};
}

absl::StatusOr<std::uint64_t> LinkWalker::PositionOf(std::uint64_t from, std::uint64_t version) {
  if (version == 0) return 0;
  Node node;
  DAYBOOK_RETURN_IF_ERROR(Load(from, &node));
  if (version > node.version) return Malformed(from, "the stream has fewer events than it should");
  while (node.version > version) {
    if (node.version - 1 == version) return node.prev;
    const std::uint64_t skipped = SkipVersion(node.version);
    if (skipped == version && node.skip != 0) return node.skip;
    if (skipped > version && Hop(node.skip, skipped, &node).ok()) continue;
    DAYBOOK_RETURN_IF_ERROR(Hop(node.prev, node.version - 1, &node));
  }
  return node.position;
}

void LinkWalker::PrefetchLink(std::uint64_t position) const {
  const Piece* piece = &pieces_[last_];
  if (position < piece->first || position >= piece->end) {
    piece = &pieces_[FindSegment(*segments_, position) % kPieces];
    if (position < piece->first || position >= piece->end) return;
  }
  __builtin_prefetch(&piece->links[position - piece->first]);
}

void LinkWalker::PrefetchRecord(const Node& node) const {
  const std::byte* const record =
      (*segments_)[node.segment]->log()->bytes().data() + std::uint64_t{node.offset8} * 8;
  for (std::size_t line = 0; line < 4; ++line) __builtin_prefetch(record + line * kCacheLine);
}

}  // namespace daybook
