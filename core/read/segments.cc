#include "read/segments.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/status.h"
#include "daybook/error.h"

namespace daybook {

Segment::Segment(std::shared_ptr<const LogSegment> log, std::shared_ptr<const SegmentIndex> index)
    : log_(std::move(log)), first_position_(log_->first_position()), index_(std::move(index)) {}

Segment::Segment(std::shared_ptr<const LogSegment> log, std::shared_ptr<const Sidecar> sidecar,
                 Rebuild rebuild)
    : log_(std::move(log)),
      first_position_(log_->first_position()),
      rebuild_(std::move(rebuild)),
      unverified_(std::move(sidecar)) {}

absl::StatusOr<std::shared_ptr<const SegmentIndex>> Segment::index() const {
  MutexLock lock(mutex_);
  if (index_ != nullptr) return index_;
  if (unverified_ != nullptr && unverified_->VerifyAll().ok()) index_ = unverified_;
  unverified_ = nullptr;
  if (index_ != nullptr) return index_;
  if (!rebuild_) {
    return DataLossAt({log_->name(), 0, Position(first_position_), Position(0)},
                      "the index of the segment is damaged and cannot be rebuilt here");
  }
  DAYBOOK_ASSIGN_OR_RETURN(index_, rebuild_(*log_));
  return index_;
}

void Segment::ReplaceIndex(std::shared_ptr<const SegmentIndex> index) {
  MutexLock lock(mutex_);
  index_.swap(index);
  unverified_ = nullptr;
}

std::vector<std::uint32_t> Segment::Lost(const std::shared_ptr<const SegmentIndex>& index,
                                         std::uint64_t begin, std::uint64_t end) const {
  MutexLock lock(lost_mutex_);
  if (lost_of_.owner_before(index) || index.owner_before(lost_of_)) {
    lost_of_ = index;
    lost_upto_ = 0;
    lost_.clear();
  }
  const Link* const links = index->links();
  for (; lost_upto_ < end; ++lost_upto_) {
    if (links[lost_upto_].offset8 == 0) lost_.push_back(static_cast<std::uint32_t>(lost_upto_));
  }
  if (lost_.empty()) return {};
  return {std::lower_bound(lost_.begin(), lost_.end(), begin),
          std::lower_bound(lost_.begin(), lost_.end(), end)};
}

std::uint32_t FindSegment(const SegmentList& segments, std::uint64_t position) {
  const auto after = std::upper_bound(
      segments.begin(), segments.end(), position,
      [](std::uint64_t p, const auto& segment) { return p < segment->first_position(); });
  return after == segments.begin() ? kNoSegment
                                   : static_cast<std::uint32_t>(after - segments.begin() - 1);
}

absl::Status LostAt(const SegmentList& segments, std::uint32_t segment, std::uint64_t position,
                    std::string_view what) {
  Damage damage;
  damage.file = segment < segments.size() ? segments[segment]->log()->name() : "log";
  damage.first_position = Position(position);
  damage.last_position = Position(position);
  return DataLossAt(damage, what);
}

absl::Status LinkAt(const SegmentList& segments, std::uint64_t position, Link* link,
                    std::uint32_t* segment) {
  *segment = FindSegment(segments, position);
  if (*segment != kNoSegment) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index,
                             segments[*segment]->index());
    const std::uint64_t local = position - segments[*segment]->first_position();
    if (local < index->count()) {
      *link = index->links()[local];
      return absl::OkStatus();
    }
  }
  return LostAt(segments, *segment, position, "the segment that holds the event is missing");
}

absl::Status ReadHeaderAt(const SegmentList& segments, std::uint64_t position,
                          const RecordHeader** header, ReadBuffer* buffer) {
  Link link;
  std::uint32_t segment = kNoSegment;
  DAYBOOK_RETURN_IF_ERROR(LinkAt(segments, position, &link, &segment));
  if (link.offset8 == 0) return LostAt(segments, segment, position, "the event is lost");
  return segments[segment]->log()->ReadHeader(link.offset(), Position(position), header, buffer);
}

absl::Status ReadEventAt(const SegmentList& segments, std::uint64_t position, EventView* event,
                         ReadBuffer* buffer) {
  Link link;
  std::uint32_t segment = kNoSegment;
  DAYBOOK_RETURN_IF_ERROR(LinkAt(segments, position, &link, &segment));
  if (link.offset8 == 0) return LostAt(segments, segment, position, "the event is lost");
  return segments[segment]->log()->ReadEvent(link.offset(), Position(position), event, buffer);
}

SegmentSet::SegmentSet() : list_(std::make_shared<const SegmentList>()) {}

std::shared_ptr<const SegmentList> SegmentSet::snapshot() const {
  MutexLock lock(mutex_);
  return list_;
}

void SegmentSet::Append(std::shared_ptr<const Segment> segment) {
  MutexLock lock(mutex_);
  auto longer = std::make_shared<SegmentList>();
  longer->reserve(list_->size() + 1);
  *longer = *list_;
  longer->push_back(std::move(segment));
  list_ = std::move(longer);
}

absl::StatusOr<std::uint64_t> SegmentHeads::LastPosition(std::string_view stream) const {
  return LastBetween(stream, 0, kCountMax);
}

absl::StatusOr<std::uint64_t> SegmentHeads::LastBetween(std::string_view stream,
                                                        std::uint64_t after,
                                                        std::uint64_t upto) const {
  const std::shared_ptr<const SegmentList> segments = segments_->snapshot();
  const std::uint64_t hash = StreamHash(stream);
  std::vector<std::uint32_t> locals;
  ReadBuffer buffer(ReadBuffer::Keep::kLast);
  for (auto segment = segments->rbegin(); segment != segments->rend(); ++segment) {
    if ((*segment)->first_position() > upto) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index, (*segment)->index());
    if ((*segment)->first_position() + index->count() <= after + 1) break;
    locals.clear();
    index->FindHead(hash, &locals);
    // Behind a lost event an older one of the stream may look like a head too.
    std::sort(locals.begin(), locals.end(), std::greater<>());
    for (const std::uint32_t local : locals) {
      const std::uint64_t position = (*segment)->first_position() + local;
      if (position <= after) continue;
      EventView event;
      DAYBOOK_RETURN_IF_ERROR((*segment)->log()->ReadEvent(index->links()[local].offset(),
                                                           Position(position), &event, &buffer));
      if (event.stream == stream) return position;
    }
  }
  return 0;
}

}  // namespace daybook
