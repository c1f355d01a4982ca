// The heads of streams at a moment: of one, and of all.

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "read/bound.h"
#include "read/candidates.h"
#include "read/view.h"

namespace daybook {
namespace {

// Collects the last events ≤ bound of all streams, from the newest segment back.
//
// A stream has a last event in each segment that it is in. To find the last of all by their names
// alone, each would have to be read; but where a newer event names one as its `prev`, that one is
// passed over.
class StreamLister {
 public:
  StreamLister(const ReadView& view, const StreamsOptions& options, std::uint64_t bound)
      : view_(view), options_(options), bound_(bound), followed_(view.segments().size()) {}

  absl::StatusOr<std::vector<StreamInfo>> List();

 private:
  // With so many events to each head it is cheaper to read heads in vain than to look at every
  // link.
  static constexpr std::uint64_t kEventsAHead = 32;
  static constexpr std::size_t kHeadsAQuestion = 4096;

  absl::Status AddSegment(std::uint32_t number);
  // Asks whether to go on, once in so many heads.
  absl::Status CheckGoingOn(std::size_t head) const {
    const bool asked = head % kHeadsAQuestion == 0 && options_.keep_going;
    return asked && !options_.keep_going() ? CancelledRead() : absl::OkStatus();
  }
  // The last events of streams among the first `end` of a segment, newest first.
  static void HeadsBelow(const SegmentIndex& index, std::uint64_t end,
                         std::vector<std::uint32_t>* locals);
  // Notes which events of older segments are followed by one of the first `end` of this.
  void NoteFollowed(const SegmentIndex& index, std::uint64_t end);
  [[nodiscard]] bool Wanted(std::string_view stream) const;

  const ReadView& view_;
  const StreamsOptions& options_;
  const std::uint64_t bound_;
  std::vector<std::vector<bool>> followed_;  // by segment and local; empty: none
  std::vector<EventView> heads_;             // of streams that are wanted
  ReadBuffer buffer_{ReadBuffer::Keep::kLast};
  std::deque<std::string> names_;  // of heads_, where no mapping holds them
};

bool StreamLister::Wanted(std::string_view stream) const {
  return (!options_.prefix || stream.starts_with(*options_.prefix)) &&
         (!options_.category || CategoryOf(stream) == *options_.category);
}

void StreamLister::HeadsBelow(const SegmentIndex& index, std::uint64_t end,
                              std::vector<std::uint32_t>* locals) {
  if (end == index.count()) {
    index.AllHeads(locals);
    std::sort(locals->begin(), locals->end(), std::greater<>());
    return;
  }
  std::vector<bool> followed(end, false);
  for (std::uint64_t local = end; local-- > 0;) {
    const Link& link = index.links()[local];
    if (link.offset8 != 0 && !followed[local]) {
      locals->push_back(static_cast<std::uint32_t>(local));
    }
    if (link.prev >= index.first_position() && link.prev < index.first_position() + local) {
      followed[link.prev - index.first_position()] = true;
    }
  }
}

void StreamLister::NoteFollowed(const SegmentIndex& index, std::uint64_t end) {
  const SegmentList& segments = view_.segments();
  for (std::uint64_t local = 0; local < end; ++local) {
    const std::uint64_t prev = index.links()[local].prev;
    if (prev == 0 || prev >= index.first_position()) continue;
    const std::uint32_t segment = FindSegment(segments, prev);
    if (segment == kNoSegment) continue;
    std::vector<bool>& followed = followed_[segment];
    if (followed.empty()) {
      // Up to the next segment: there is one, since the event that names `prev` is behind it.
      followed.resize(segments[segment + 1]->first_position() -
                      segments[segment]->first_position());
    }
    followed[prev - segments[segment]->first_position()] = true;
  }
}

absl::Status StreamLister::AddSegment(std::uint32_t number) {
  const Segment& segment = *view_.segments()[number];
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index, segment.index());
  const std::uint64_t end = std::min(index->count(), bound_ - segment.first_position() + 1);
  std::optional<Term> category;
  if (options_.category) {
    category = index->FindCategory(*options_.category);
    if (!category) return absl::OkStatus();
  }
  std::vector<std::uint32_t> locals;
  HeadsBelow(*index, end, &locals);
  const std::vector<bool> followed = std::exchange(followed_[number], {});
  std::size_t looked_at = 0;
  for (const std::uint32_t local : locals) {
    DAYBOOK_RETURN_IF_ERROR(CheckGoingOn(looked_at++));
    if (category && index->categories().At(local) != category->number) continue;
    if (local < followed.size() && followed[local]) continue;
    EventView event;
    DAYBOOK_RETURN_IF_ERROR(segment.log()->ReadEvent(index->links()[local].offset(),
                                                     Position(segment.first_position() + local),
                                                     &event, &buffer_));
    if (!Wanted(event.stream)) continue;
    heads_.push_back(event);
    // The buffer goes on; the name is all that is wanted of what the views point to.
    if (!segment.log()->is_mapped()) heads_.back().stream = names_.emplace_back(event.stream);
  }
  if (number > 0 && end / kEventsAHead < locals.size()) NoteFollowed(*index, end);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StreamInfo>> StreamLister::List() {
  const std::uint32_t last = FindSegment(view_.segments(), bound_);
  for (std::uint32_t i = last == kNoSegment ? 0 : last + 1; i > 0; --i) {
    DAYBOOK_RETURN_IF_ERROR(AddSegment(i - 1));
  }
  std::sort(heads_.begin(), heads_.end(), [](const EventView& a, const EventView& b) {
    const auto order = a.stream <=> b.stream;
    return order != 0 ? order < 0 : a.position > b.position;
  });
  heads_.erase(std::unique(heads_.begin(), heads_.end(),
                           [](const auto& a, const auto& b) { return a.stream == b.stream; }),
               heads_.end());
  std::vector<StreamInfo> streams;
  streams.reserve(heads_.size());
  LinkWalker walker(view_.segments());
  for (const EventView& head : heads_) {
    DAYBOOK_RETURN_IF_ERROR(CheckGoingOn(streams.size()));
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t first,
                             walker.PositionOf(head.position.value(), 1));
    streams.push_back(
        {std::string(head.stream), head.version, Position(first), head.position, head.recorded_at});
  }
  return streams;
}

}  // namespace

absl::StatusOr<StreamInfo> HeadOf(const ReadView& view, std::string_view stream,
                                  const AsOf& as_of) {
  StreamInfo info;
  info.stream = std::string(stream);
  DAYBOOK_ASSIGN_OR_RETURN(const Bound bound, ResolveBound(view, as_of, stream));
  if (!bound.final) DAYBOOK_RETURN_IF_ERROR(view.incomplete());
  DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint last, view.PointAt(stream, bound.position));
  if (last.position == 0) return info;
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t first, view.PositionOfVersion(last.position, 1));
  const RecordHeader* header = nullptr;
  ReadBuffer buffer(ReadBuffer::Keep::kLast);
  DAYBOOK_RETURN_IF_ERROR(view.ReadHeader(last.position, &header, &buffer));
  info.version = Version(last.version);
  info.first_position = Position(first);
  info.last_position = Position(last.position);
  info.last_recorded_at = Timestamp(header->recorded_at);
  return info;
}

absl::StatusOr<std::vector<StreamInfo>> ListStreams(const ReadView& view,
                                                    const StreamsOptions& options) {
  if (options.as_of.version || options.as_of.effective_at) {
    return absl::InvalidArgumentError(
        "streams are listed as of a position or a recorded time; give one of these");
  }
  DAYBOOK_ASSIGN_OR_RETURN(const Bound bound, ResolveBound(view, options.as_of, std::nullopt));
  if (!bound.final) DAYBOOK_RETURN_IF_ERROR(view.incomplete());
  return StreamLister(view, options, bound.position).List();
}

}  // namespace daybook
