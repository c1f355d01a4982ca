// Where the events of a read may stand: sources of positions in the order of the read, a batch at
// a time, so that the loop over events has no virtual call in it and can ask for memory ahead.

#ifndef DAYBOOK_READ_CANDIDATES_H_
#define DAYBOOK_READ_CANDIDATES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "daybook/read.h"
#include "read/link_walker.h"
#include "read/segments.h"
#include "read/selector.h"

namespace daybook {

// An event that may be of the read.
struct Candidate {
  std::uint64_t position;
  std::uint32_t offset8;  // 0: the event is lost, or its segment is missing
  std::uint32_t segment;  // its number; kNoSegment where none begins before the event
};

struct Batch {
  std::vector<Candidate> items;
  // Of a walk along a stream: the version of the first; the others' follow in order. 0 otherwise.
  std::uint64_t first_version = 0;
};

// Both ends are in it.
struct PositionRange {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};

// What a read says that was told not to go on.
absl::Status CancelledRead();

class CandidateSource {
 public:
  virtual ~CandidateSource() = default;
  // Replaces `batch` by what comes next; by nothing at the end. `want` says how many the reader
  // has use for.
  virtual absl::Status Fill(std::size_t want, Batch* batch) = 0;
};

// A range of positions, segment by segment, as far as the terms select them; and in it every
// position that is lost, since nobody knows what it held.
class RangeScan : public CandidateSource {
 public:
  RangeScan(std::shared_ptr<const SegmentList> segments, PositionRange range, Direction direction,
            const Terms& terms, std::function<bool()> keep_going = {});
  // kCancelled where keep_going() said no; it is asked for each window in which nothing is found.
  absl::Status Fill(std::size_t want, Batch* batch) override;

 private:
  absl::Status EnterPiece();
  // The part of the piece to look at next, taken off it.
  PositionRange TakeWindow(std::uint64_t size);
  void AddAll(PositionRange window, Batch* batch) const;
  void AddSelected(PositionRange window, Batch* batch);

  const std::shared_ptr<const SegmentList> segments_;
  const bool backwards_;
  TermSelector selector_;
  const std::function<bool()> keep_going_;
  PositionRange left_;         // of the whole read, behind the piece
  std::uint64_t window_ = 64;  // grows, so that a read of a few events looks at few

  // A range within one segment, or of positions that no segment holds.
  PositionRange piece_;
  std::uint32_t segment_ = kNoSegment;
  std::uint64_t first_position_ = 0;           // of the segment
  std::shared_ptr<const SegmentIndex> index_;  // nullptr: missing
  TermSelector::Share share_ = TermSelector::Share::kNone;
  std::vector<std::uint32_t> lost_;
  std::vector<std::uint32_t> locals_;
};

// The versions first..last of a stream, along its links. A link tells of two older events: both
// are asked for at once, so that a stretch of n versions waits for memory O(log n) times rather
// than n times.
class StreamWalk : public CandidateSource {
 public:
  // `head` is an event of the stream, at or behind `last_version`.
  StreamWalk(std::shared_ptr<const SegmentList> segments, StreamPoint head,
             std::uint64_t first_version, std::uint64_t last_version, Direction direction);
  // Forwards: the end of the next stretch is found by skips, and walked back from.
  absl::Status Fill(std::size_t want, Batch* batch) override;

 private:
  // Finds the versions [bottom, top], of which the last stands at `top_position`.
  absl::Status WalkStretch(std::uint64_t top, std::uint64_t top_position, std::uint64_t bottom,
                           std::vector<Candidate>* items);
  // Notes where a version of the stretch stands, and asks for its link.
  absl::Status Discover(StreamPoint point);
  // Looks at the link of a version that was discovered.
  absl::Status Visit(std::uint64_t version);
  [[nodiscard]] Candidate& ItemOf(std::uint64_t version) const {
    return (*items_)[backwards_ ? top_ - version : version - bottom_];
  }

  const std::shared_ptr<const SegmentList> segments_;
  const bool backwards_;
  LinkWalker walker_;
  const StreamPoint head_;
  std::uint64_t first_;  // versions left
  std::uint64_t last_;
  std::uint64_t last_position_ = 0;  // of version last_, where it is known

  // The stretch on its way.
  std::vector<Candidate>* items_ = nullptr;
  std::uint64_t top_ = 0;
  std::uint64_t bottom_ = 0;
  std::vector<std::uint64_t> discovered_;  // versions, in the order in which they are visited
  absl::Status lost_;                      // what the last lost event said
};

}  // namespace daybook

#endif  // DAYBOOK_READ_CANDIDATES_H_
