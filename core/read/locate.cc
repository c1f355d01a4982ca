// Where things stand: a position's segment and link, a stream's head at a bound, a moment's
// position.

#include <algorithm>

#include "base/status.h"
#include "read/view.h"

namespace daybook {
namespace {

// Finds positions by recorded time. An event that cannot be read has the time of the next that
// can, so that times never descend along positions.
class TimeSearch {
 public:
  TimeSearch(const SegmentList& segments, std::uint64_t visible)
      : segments_(segments), visible_(visible), walker_(segments) {}

  // The first event that is, or may be, later than `time`; visible + 1 where there is none.
  absl::StatusOr<std::uint64_t> FirstAfter(std::int64_t time);
  // The last that is, or may be, no later.
  absl::StatusOr<std::uint64_t> LastAtOrBefore(std::int64_t time);

 private:
  // The first event ≥ `position` (and ≤ visible) that can be read; position 0 where there is none.
  // Good until the next is asked for.
  struct Readable {
    std::uint64_t position = 0;
    const RecordHeader* header = nullptr;
  };
  absl::StatusOr<Readable> FirstReadable(std::uint64_t position);
  // Whether the event at `position` is later than `time`.
  absl::StatusOr<bool> IsLater(std::uint64_t position, std::int64_t time);
  // The first of `first`, first + step, ... < end that is later than `time`; `end` where none is.
  absl::StatusOr<std::uint64_t> FirstLater(std::uint64_t first, std::uint64_t end,
                                           std::uint64_t step, std::int64_t time);

  const SegmentList& segments_;
  const std::uint64_t visible_;
  LinkWalker walker_;
  ReadBuffer buffer_{ReadBuffer::Keep::kLast};
};

absl::StatusOr<TimeSearch::Readable> TimeSearch::FirstReadable(std::uint64_t position) {
  for (; position <= visible_; ++position) {
    DAYBOOK_ASSIGN_OR_RETURN(const LinkWalker::Piece* const piece, walker_.Find(position));
    if (piece == nullptr) continue;
    const Link& link = piece->links[position - piece->first];
    const RecordHeader* header = nullptr;
    if (link.offset8 != 0 && segments_[piece->segment]
                                 ->log()
                                 ->ReadHeader(link.offset(), Position(position), &header, &buffer_)
                                 .ok()) {
      return Readable{position, header};
    }
  }
  return Readable{};
}

absl::StatusOr<bool> TimeSearch::IsLater(std::uint64_t position, std::int64_t time) {
  DAYBOOK_ASSIGN_OR_RETURN(const LinkWalker::Piece* const piece, walker_.Find(position));
  if (piece != nullptr) {
    const std::uint64_t local = position - piece->first;
    if (local % kTimeSampleEvery == 0 && piece->links[local].offset8 != 0) {
      return piece->index->time_samples()[local / kTimeSampleEvery] > time;
    }
  }
  DAYBOOK_ASSIGN_OR_RETURN(const Readable readable, FirstReadable(position));
  return readable.header == nullptr || readable.header->recorded_at > time;
}

absl::StatusOr<std::uint64_t> TimeSearch::FirstLater(std::uint64_t first, std::uint64_t end,
                                                     std::uint64_t step, std::int64_t time) {
  std::uint64_t low = 0;
  std::uint64_t high = (end - first + step - 1) / step;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    DAYBOOK_ASSIGN_OR_RETURN(const bool later, IsLater(first + middle * step, time));
    if (later) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return std::min(first + low * step, end);
}

absl::StatusOr<std::uint64_t> TimeSearch::FirstAfter(std::int64_t time) {
  // By segments, then by samples, then by record headers.
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  const std::uint32_t last = FindSegment(segments_, visible_);
  if (last != kNoSegment) high = last + 1;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    DAYBOOK_ASSIGN_OR_RETURN(const bool later, IsLater(segments_[middle]->first_position(), time));
    if (later) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  std::uint64_t first = 1;
  std::uint64_t end = visible_ + 1;
  if (low < segments_.size()) end = std::min(end, segments_[low]->first_position());
  if (low > 0) {
    first = segments_[low - 1]->first_position();
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t sample,
                             FirstLater(first, end, kTimeSampleEvery, time));
    end = sample;
    if (sample > first) first += (sample - first - 1) / kTimeSampleEvery * kTimeSampleEvery;
  }
  return FirstLater(first, end, 1, time);
}

absl::StatusOr<std::uint64_t> TimeSearch::LastAtOrBefore(std::int64_t time) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t later, FirstAfter(time));
  // What cannot be read here may be in time or not, unless it is of one commit with what is later.
  DAYBOOK_ASSIGN_OR_RETURN(const Readable next, FirstReadable(later));
  if (next.header == nullptr) return visible_;
  return std::max(later - 1, std::min(next.position, next.header->commit_first_position) - 1);
}

}  // namespace

const Segment* ReadView::SegmentOf(std::uint64_t position) const {
  const std::uint32_t segment = FindSegment(*segments_, position);
  return segment == kNoSegment ? nullptr : (*segments_)[segment].get();
}

absl::StatusOr<std::uint64_t> ReadView::PositionAt(Timestamp time) const {
  return TimeSearch(*segments_, visible_).LastAtOrBefore(time.unix_nanoseconds());
}

absl::StatusOr<std::uint64_t> ReadView::PositionAfter(Timestamp time) const {
  return TimeSearch(*segments_, visible_).FirstAfter(time.unix_nanoseconds());
}

absl::StatusOr<StreamPoint> ReadView::PointAt(std::string_view stream, std::uint64_t bound) const {
  if (stream.empty() || stream.size() > kNameBytesMax) return StreamPoint{};
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t head, heads_->LastPosition(stream));
  if (head == 0) return StreamPoint{};
  if (head > visible_) segments_ = set_->snapshot();
  return LinkWalker(*segments_).AtOrBefore(head, bound);
}

absl::StatusOr<std::uint64_t> ReadView::HeadAt(std::string_view stream, std::uint64_t bound) const {
  DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint point, PointAt(stream, bound));
  return point.position;
}

absl::StatusOr<std::uint64_t> ReadView::PositionOfVersion(std::uint64_t from,
                                                          std::uint64_t version) const {
  return LinkWalker(*segments_).PositionOf(from, version);
}

absl::Status ReadView::LinkAt(std::uint64_t position, Link* link) const {
  std::uint32_t segment = kNoSegment;
  return daybook::LinkAt(*segments_, position, link, &segment);
}

absl::StatusOr<std::uint64_t> ReadView::FrameHashAt(std::uint64_t position) const {
  Link link;
  std::uint32_t segment = kNoSegment;
  DAYBOOK_RETURN_IF_ERROR(daybook::LinkAt(*segments_, position, &link, &segment));
  if (link.offset8 == 0) return LostAt(*segments_, segment, position, "the event is lost");
  DAYBOOK_ASSIGN_OR_RETURN(const FrameHeader frame, (*segments_)[segment]->log()->FrameOf(
                                                        link.offset(), Position(position)));
  return frame.header_hash;
}

absl::Status ReadView::ReadHeader(std::uint64_t position, const RecordHeader** header,
                                  ReadBuffer* buffer) const {
  return ReadHeaderAt(*segments_, position, header, buffer);
}

absl::Status ReadView::ReadEvent(std::uint64_t position, EventView* event,
                                 ReadBuffer* buffer) const {
  return ReadEventAt(*segments_, position, event, buffer);
}

}  // namespace daybook
