#include "read/candidates.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace daybook {
namespace {

constexpr std::uint64_t kWindowMax = 4096;   // events looked at together
constexpr std::uint64_t kStretchMax = 1024;  // versions walked together

bool Empty(PositionRange range) { return range.first > range.last; }

}  // namespace

absl::Status CancelledRead() {
  return absl::CancelledError("the read was told not to go on (ReadOptions::keep_going)");
}

RangeScan::RangeScan(std::shared_ptr<const SegmentList> segments, PositionRange range,
                     Direction direction, const Terms& terms, std::function<bool()> keep_going)
    : segments_(std::move(segments)),
      backwards_(direction == Direction::kBackwards),
      selector_(terms),
      keep_going_(std::move(keep_going)),
      left_(range) {}

absl::Status RangeScan::Fill(std::size_t want, Batch* batch) {
  batch->items.clear();
  batch->first_version = 0;
  while (batch->items.empty()) {
    if (Empty(piece_)) {
      if (Empty(left_)) return absl::OkStatus();
      DAYBOOK_RETURN_IF_ERROR(EnterPiece());
    }
    if (index_ == nullptr || share_ == TermSelector::Share::kAll) {
      AddAll(TakeWindow(std::min<std::uint64_t>(want, kWindowMax)), batch);
    } else {
      AddSelected(TakeWindow(window_), batch);
      window_ = std::min(window_ * 2, kWindowMax);
      if (batch->items.empty() && keep_going_ && !keep_going_()) return CancelledRead();
    }
  }
  return absl::OkStatus();
}

absl::Status RangeScan::EnterPiece() {
  const std::uint64_t at = backwards_ ? left_.last : left_.first;
  piece_ = left_;
  index_ = nullptr;
  segment_ = FindSegment(*segments_, at);
  const std::uint32_t next = segment_ == kNoSegment ? 0 : segment_ + 1;
  if (next < segments_->size()) {
    piece_.last = std::min(piece_.last, (*segments_)[next]->first_position() - 1);
  }
  if (segment_ != kNoSegment) {
    const Segment& segment = *(*segments_)[segment_];
    first_position_ = segment.first_position();
    piece_.first = std::max(piece_.first, first_position_);
    DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<const SegmentIndex> index, segment.index());
    const std::uint64_t end = first_position_ + index->count();
    if (at < end) {
      piece_.last = std::min(piece_.last, end - 1);
      index_ = std::move(index);
      const std::uint64_t begin_local = piece_.first - first_position_;
      const std::uint64_t end_local = piece_.last - first_position_ + 1;
      share_ = selector_.Enter(*index_, begin_local, end_local);
      lost_.clear();
      if (share_ != TermSelector::Share::kAll) {
        lost_ = segment.Lost(index_, begin_local, end_local);
      }
    } else {
      piece_.first = std::max(piece_.first, end);
    }
  }
  if (backwards_) {
    left_.last = piece_.first - 1;
  } else {
    left_.first = piece_.last + 1;
  }
  return absl::OkStatus();
}

PositionRange RangeScan::TakeWindow(std::uint64_t size) {
  // A segment without the terms has nothing to look at but what is lost.
  if (index_ != nullptr && share_ == TermSelector::Share::kNone) {
    return std::exchange(piece_, PositionRange{});
  }
  size = std::clamp<std::uint64_t>(size, 1, piece_.last - piece_.first + 1);
  PositionRange window = piece_;
  if (backwards_) {
    window.first = piece_.last - size + 1;
    piece_.last = window.first - 1;
  } else {
    window.last = piece_.first + size - 1;
    piece_.first = window.last + 1;
  }
  return window;
}

void RangeScan::AddAll(PositionRange window, Batch* batch) const {
  const std::size_t size = window.last - window.first + 1;
  batch->items.resize(size);
  const Link* const links =
      index_ == nullptr ? nullptr : index_->links() + (window.first - first_position_);
  for (std::size_t i = 0; i < size; ++i) {
    batch->items[backwards_ ? size - 1 - i : i] = {
        window.first + i, links == nullptr ? 0 : links[i].offset8, segment_};
  }
}

void RangeScan::AddSelected(PositionRange window, Batch* batch) {
  const std::uint64_t begin = window.first - first_position_;
  const std::uint64_t end = window.last - first_position_ + 1;
  locals_.clear();
  if (share_ == TermSelector::Share::kSome) selector_.Collect(begin, end, &locals_);
  if (!lost_.empty()) {
    locals_.insert(locals_.end(), std::lower_bound(lost_.begin(), lost_.end(), begin),
                   std::lower_bound(lost_.begin(), lost_.end(), end));
    std::sort(locals_.begin(), locals_.end());
    locals_.erase(std::unique(locals_.begin(), locals_.end()), locals_.end());
  }
  if (backwards_) std::reverse(locals_.begin(), locals_.end());
  const Link* const links = index_->links();
  batch->items.reserve(locals_.size());
  for (const std::uint32_t local : locals_) {
    batch->items.push_back({first_position_ + local, links[local].offset8, segment_});
  }
}

StreamWalk::StreamWalk(std::shared_ptr<const SegmentList> segments, StreamPoint head,
                       std::uint64_t first_version, std::uint64_t last_version, Direction direction)
    : segments_(std::move(segments)),
      backwards_(direction == Direction::kBackwards),
      walker_(*segments_),
      head_(head),
      first_(std::max<std::uint64_t>(first_version, 1)),
      last_(last_version) {}

absl::Status StreamWalk::Fill(std::size_t want, Batch* batch) {
  batch->items.clear();
  if (first_ > last_) return absl::OkStatus();
  const std::uint64_t size =
      std::clamp<std::uint64_t>(want, 1, std::min(kStretchMax, last_ - first_ + 1));
  const std::uint64_t top = backwards_ ? last_ : first_ + size - 1;
  const std::uint64_t bottom = top - size + 1;
  std::uint64_t top_position = backwards_ ? last_position_ : 0;
  if (top_position == 0) {
    DAYBOOK_ASSIGN_OR_RETURN(top_position, walker_.PositionOf(head_.position, top));
  }
  DAYBOOK_RETURN_IF_ERROR(WalkStretch(top, top_position, bottom, &batch->items));
  if (backwards_) {
    batch->first_version = top;
    last_ = bottom - 1;
  } else {
    batch->first_version = bottom;
    first_ = top + 1;
  }
  return absl::OkStatus();
}

absl::Status StreamWalk::Discover(StreamPoint point) {
  if (point.version < bottom_) return absl::OkStatus();
  Candidate& item = ItemOf(point.version);
  if (item.position == 0) {
    item.position = point.position;
    discovered_.push_back(point.version);
    walker_.PrefetchLink(point.position);
  } else if (item.position != point.position) {
    return LostAt(*segments_, FindSegment(*segments_, point.position), point.position,
                  "two links name two events as one version; rebuild the index");
  }
  return absl::OkStatus();
}

absl::Status StreamWalk::Visit(std::uint64_t version) {
  constexpr std::size_t kPrefetched = 64;  // events: as many as surely stay in the cache
  Candidate& item = ItemOf(version);
  if (version == bottom_) last_position_ = 0;
  LinkWalker::Node node;
  absl::Status loaded = walker_.Load(item.position, &node);
  if (absl::IsDataLoss(loaded)) {
    // It is given out as lost.
    item.segment = FindSegment(*segments_, item.position);
    lost_ = std::move(loaded);
    return absl::OkStatus();
  }
  DAYBOOK_RETURN_IF_ERROR(loaded);
  if (node.version != version) {
    return LostAt(*segments_, node.segment, item.position,
                  "the index names another version here; rebuild the index");
  }
  item.offset8 = node.offset8;
  item.segment = node.segment;
  if (items_->size() <= kPrefetched) walker_.PrefetchRecord(node);
  if (version == bottom_) {
    last_position_ = node.prev;
    return absl::OkStatus();
  }
  DAYBOOK_RETURN_IF_ERROR(Discover({node.prev, version - 1}));
  return Discover({node.skip, SkipVersion(version)});
}

absl::Status StreamWalk::WalkStretch(std::uint64_t top, std::uint64_t top_position,
                                     std::uint64_t bottom, std::vector<Candidate>* items) {
  items_ = items;
  top_ = top;
  bottom_ = bottom;
  discovered_.clear();
  const std::size_t size = top - bottom + 1;
  items->assign(size, {0, 0, kNoSegment});
  discovered_.reserve(size);
  DAYBOOK_RETURN_IF_ERROR(Discover({top_position, top}));
  std::uint64_t unknown = top;  // all above it are discovered
  for (std::size_t visited = 0; visited < size; ++visited) {
    if (visited == discovered_.size()) {
      // Only a lost event leads to no other: there may be a way around it.
      while (ItemOf(unknown).position != 0) --unknown;
      const absl::StatusOr<std::uint64_t> around = walker_.PositionOf(head_.position, unknown);
      if (!around.ok()) return lost_;
      DAYBOOK_RETURN_IF_ERROR(Discover({*around, unknown}));
    }
    DAYBOOK_RETURN_IF_ERROR(Visit(discovered_[visited]));
  }
  return absl::OkStatus();
}

}  // namespace daybook
