// Hopping along the links of streams, over any number of segments, without touching the log.

#ifndef DAYBOOK_READ_LINK_WALKER_H_
#define DAYBOOK_READ_LINK_WALKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "read/segments.h"

namespace daybook {

// An event of a stream: where it stands, and which it is. 0 and 0 before the first.
struct StreamPoint {
  std::uint64_t position = 0;
  std::uint64_t version = 0;
};

// Trusts no link: positions and versions must descend along a walk, so that a wrong index ends it
// with kDataLoss. That an event is of the stream that the walk is about is for the reader of the
// event to see.
//
// Not thread-safe; `segments` must outlive it.
class LinkWalker {
 public:
  explicit LinkWalker(const SegmentList& segments) : segments_(&segments) {}

  // The link of an event, with what it takes to read the event.
  struct Node {
    std::uint64_t position = 0;
    std::uint64_t version = 0;
    std::uint64_t prev = 0;
    std::uint64_t skip = 0;
    std::uint32_t offset8 = 0;
    std::uint32_t segment = kNoSegment;
  };
  // kDataLoss where the event is lost, or its link cannot be. `node` is changed on success only.
  absl::Status Load(std::uint64_t position, Node* node);

  // The last event ≤ `bound` of the stream that has an event at `from`.
  absl::StatusOr<StreamPoint> AtOrBefore(std::uint64_t from, std::uint64_t bound);
  // The position of `version` ≤ version(from) of the stream that has an event at `from`.
  absl::StatusOr<std::uint64_t> PositionOf(std::uint64_t from, std::uint64_t version);

  // The index of one segment, held as long as it stands here.
  struct Piece {
    std::uint64_t first = 0;  // position of its first event
    std::uint64_t end = 0;    // and behind its last, as of now
    const Link* links = nullptr;
    std::shared_ptr<const SegmentIndex> index;
    std::uint32_t segment = kNoSegment;
  };
  // The piece that holds `position`, valid until the next call; nullptr where it is missing.
  absl::StatusOr<const Piece*> Find(std::uint64_t position);

  // Asks for a link, and for the record of an event, ahead of their use.
  void PrefetchLink(std::uint64_t position) const;
  void PrefetchRecord(const Node& node) const;

  // How many links were looked at.
  [[nodiscard]] std::uint64_t loads() const { return loads_; }

 private:
  // So that what holds a walker is still a small object to malloc.
  static constexpr std::size_t kPieces = 16;

  absl::Status Hop(std::uint64_t position, std::uint64_t version, Node* node);
  absl::Status Malformed(std::uint64_t position, const char* what) const;

  const SegmentList* segments_;
  std::size_t last_ = 0;  // the piece used last
  std::uint64_t loads_ = 0;
  std::array<Piece, kPieces> pieces_;  // by number of the segment, modulo
};

}  // namespace daybook

#endif  // DAYBOOK_READ_LINK_WALKER_H_
