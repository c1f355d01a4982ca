// The cursor: a source of candidates, and a loop that verifies each event before it tells the
// rest of the filter from it.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "read/bound.h"
#include "read/candidates.h"
#include "read/view.h"

namespace daybook {
namespace {

constexpr std::size_t kBatch = 512;
constexpr std::size_t kPrefetchAhead = 6;    // events
constexpr std::size_t kPrefetchLines = 4;    // of a record: its header, and most of a common body
constexpr std::size_t kPrefetchStride = 64;  // a cache line

// What an event must be, by its own bytes: an index is never trusted with it.
struct Filter {
  std::optional<std::string> stream;  // where no walk along the stream has seen to it
  Terms terms;
  std::optional<EventId> id;
  std::uint64_t version_min = 0;
  std::uint64_t version_max = kCountMax;
  bool by_effective = false;

  [[nodiscard]] bool trivial() const {
    return !stream && terms.types.empty() && terms.tags.empty() && !terms.category && !id &&
           !by_effective;
  }
  [[nodiscard]] bool Matches(const EventView& event) const;
};

bool Filter::Matches(const EventView& event) const {
  if (stream && (event.stream != *stream || event.version.value() < version_min ||
                 event.version.value() > version_max)) {
    return false;
  }
  if (!terms.types.empty() && std::none_of(terms.types.begin(), terms.types.end(),
                                           [&](const auto& t) { return event.type == t; })) {
    return false;
  }
  if (id && event.id != *id) return false;
  if (terms.category && CategoryOf(event.stream) != *terms.category) return false;
  if (by_effective) {
    const std::int64_t effective_at = event.effective_at().unix_nanoseconds();
    if (effective_at < terms.effective_min || effective_at > terms.effective_max) return false;
  }
  return std::all_of(terms.tags.begin(), terms.tags.end(),
                     [&](const auto& tag) { return event.tags.Contains(tag); });
}

Filter FilterOf(const ReadOptions& options) {
  Filter filter;
  filter.terms.types = options.types;
  filter.terms.tags = options.tags;
  filter.terms.category = options.category;
  if (options.effective_from) {
    filter.terms.effective_min = options.effective_from->unix_nanoseconds();
  }
  if (options.as_of.effective_at) {
    filter.terms.effective_max = options.as_of.effective_at->unix_nanoseconds();
  }
  filter.by_effective = options.effective_from || options.as_of.effective_at;
  filter.id = options.id;
  return filter;
}

}  // namespace

class Cursor::Impl {
 public:
  Impl(std::shared_ptr<const SegmentList> segments, const ReadOptions& options)
      : segments_(std::move(segments)),
        filter_(FilterOf(options)),
        direction_(options.direction),
        on_damage_(options.on_damage),
        keep_going_(options.keep_going),
        left_(options.limit),
        buffer_(options.views == Views::kUntilNext ? ReadBuffer::Keep::kLast
                                                   : ReadBuffer::Keep::kAll) {}

  absl::StatusOr<const EventView*> Next();
  [[nodiscard]] const Basis& basis() const;
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

 private:
  friend class CursorMaker;

  absl::Status Refill();
  // Where a stream's links lead nowhere: looks for its events one by one, if damage is to be
  // skipped.
  absl::Status ScanForStream(absl::Status status);
  // OK with `*taken` false where the event is left out.
  absl::Status Take(const Candidate& candidate, bool* taken);
  absl::Status ReadCandidate(const Candidate& candidate);
  void Prefetch(const Candidate& candidate) const;
  [[nodiscard]] std::size_t Wanted();

  const std::shared_ptr<const SegmentList> segments_;
  Filter filter_;
  const Direction direction_;
  const OnDamage on_damage_;
  const std::function<bool()> keep_going_;
  std::optional<std::string> walked_;  // the stream whose links are walked
  PositionRange range_;
  bool filtered_ = false;
  std::unique_ptr<CandidateSource> source_;  // nullptr: nothing
  std::size_t want_ = 32;

  Batch batch_;
  std::size_t next_ = 0;
  std::uint32_t segment_ = kNoSegment;
  const LogSegment* log_ = nullptr;  // of segment_

  EventView event_;
  mutable Basis basis_;
  mutable bool basis_timed_ = false;  // recorded_at is read when it is asked for
  std::uint64_t left_;
  ReadBuffer buffer_;  // where the files are not mapped
  std::uint64_t damaged_ = 0;
  absl::Status failed_;
  absl::Status at_end_;  // why what follows the last event cannot be seen
};

const Basis& Cursor::Impl::basis() const {
  if (!std::exchange(basis_timed_, true) && basis_.position != Position(0)) {
    // Where it cannot be read the read itself tells, and may not even come to it.
    const RecordHeader* header = nullptr;
    ReadBuffer buffer(ReadBuffer::Keep::kLast);
    if (ReadHeaderAt(*segments_, basis_.position.value(), &header, &buffer).ok()) {
      basis_.recorded_at = Timestamp(header->recorded_at);
    }
  }
  return basis_;
}

std::size_t Cursor::Impl::Wanted() {
  // What passes a filter is not known before: begin with few events, then as many as a batch has.
  if (!filtered_) return static_cast<std::size_t>(std::min<std::uint64_t>(left_, kBatch));
  const std::size_t want = left_ < kBatch ? want_ : kBatch;
  want_ = std::min(want_ * 2, kBatch);
  return want;
}

absl::Status Cursor::Impl::Refill() {
  next_ = 0;
  if (keep_going_ && !keep_going_()) return CancelledRead();
  absl::Status status = source_->Fill(Wanted(), &batch_);
  if (!status.ok()) {
    batch_.items.clear();
    if (!walked_) return status;
    DAYBOOK_RETURN_IF_ERROR(ScanForStream(std::move(status)));
    return Refill();
  }
  const std::size_t ahead = std::min(kPrefetchAhead, batch_.items.size());
  for (std::size_t i = 0; i < ahead; ++i) Prefetch(batch_.items[i]);
  return absl::OkStatus();
}

absl::Status Cursor::Impl::ScanForStream(absl::Status status) {
  if (on_damage_ != OnDamage::kSkip || !absl::IsDataLoss(status)) return status;
  filter_.stream = std::exchange(walked_, std::nullopt);
  filtered_ = true;
  Terms terms = filter_.terms;
  terms.category = std::string(CategoryOf(*filter_.stream));
  source_ = std::make_unique<RangeScan>(segments_, range_, direction_, terms, keep_going_);
  return absl::OkStatus();
}

void Cursor::Impl::Prefetch(const Candidate& candidate) const {
  if (candidate.offset8 == 0) return;
  const LogSegment* const log =
      candidate.segment == segment_ ? log_ : (*segments_)[candidate.segment]->log().get();
  if (!log->is_mapped()) [[unlikely]]
    return;
  const std::byte* const record = log->bytes().data() + std::uint64_t{candidate.offset8} * 8;
  for (std::size_t line = 0; line < kPrefetchLines; ++line) {
    __builtin_prefetch(record + line * kPrefetchStride);
  }
}

absl::Status Cursor::Impl::ReadCandidate(const Candidate& candidate) {
  if (candidate.offset8 == 0) [[unlikely]] {
    return LostAt(*segments_, candidate.segment, candidate.position, "the event is lost");
  }
  if (candidate.segment != segment_) {
    segment_ = candidate.segment;
    log_ = (*segments_)[segment_]->log().get();
  }
  DAYBOOK_RETURN_IF_ERROR(log_->ReadEvent(std::uint64_t{candidate.offset8} * 8,
                                          Position(candidate.position), &event_, &buffer_));
  if (batch_.first_version != 0) {
    const std::uint64_t step = next_ - 1;
    const std::uint64_t version = direction_ == Direction::kForwards ? batch_.first_version + step
                                                                     : batch_.first_version - step;
    if (event_.version.value() != version || event_.stream != *walked_) [[unlikely]] {
      return LostAt(*segments_, segment_, candidate.position,
                    "the index leads to an event of another stream; rebuild the index");
    }
  }
  return absl::OkStatus();
}

absl::Status Cursor::Impl::Take(const Candidate& candidate, bool* taken) {
  *taken = false;
  absl::Status status = ReadCandidate(candidate);
  // A scan that takes over goes on behind what was given out.
  if (walked_) {
    if (direction_ == Direction::kForwards) {
      range_.first = candidate.position + 1;
    } else {
      range_.last = candidate.position - 1;
    }
  }
  if (!status.ok()) [[unlikely]] {
    if (on_damage_ != OnDamage::kSkip || !absl::IsDataLoss(status)) return status;
    ++damaged_;
    return absl::OkStatus();
  }
  *taken = !filtered_ || filter_.Matches(event_);
  return absl::OkStatus();
}

absl::StatusOr<const EventView*> Cursor::Impl::Next() {
  if (!failed_.ok()) [[unlikely]]
    return failed_;
  while (left_ > 0 && source_ != nullptr) {
    if (next_ == batch_.items.size()) {
      failed_ = Refill();
      if (!failed_.ok()) return failed_;
      if (batch_.items.empty()) {
        source_ = nullptr;
        break;
      }
    }
    const Candidate candidate = batch_.items[next_++];
    const std::size_t ahead = next_ - 1 + kPrefetchAhead;
    if (ahead < batch_.items.size()) Prefetch(batch_.items[ahead]);
    bool taken;
    absl::Status status = Take(candidate, &taken);
    if (!status.ok()) [[unlikely]] {
      failed_ = std::move(status);
      return failed_;
    }
    if (taken) {
      --left_;
      return &event_;
    }
  }
  if (left_ > 0 && !at_end_.ok()) [[unlikely]] {
    failed_ = at_end_;
    return failed_;
  }
  return nullptr;
}

// Works out from the options what a cursor walks.
class CursorMaker {
 public:
  CursorMaker(const ReadView& view, const ReadOptions& options) : view_(view), options_(options) {}
  absl::StatusOr<Cursor> Make();

 private:
  absl::Status CheckRange();
  absl::Status CheckFrom(std::string_view what, std::uint64_t value, std::string_view of,
                         std::uint64_t head) const;
  absl::Status FindRange();
  absl::Status MakeScan();
  absl::Status MakeWalk();
  absl::Status CheckNothingLost(std::uint64_t last_known) const;
  // Narrows the versions of a walk to the range of positions.
  absl::Status NarrowVersions(StreamPoint point, std::uint64_t* first, std::uint64_t* last) const;
  absl::StatusOr<bool> MakeLookup();
  void SetBasis(std::uint64_t position, std::uint64_t version);
  void SetEnd();

  const ReadView& view_;
  const ReadOptions& options_;
  Bound bound_;
  std::unique_ptr<Cursor::Impl> cursor_;
};

absl::Status CursorMaker::CheckFrom(std::string_view what, std::uint64_t value, std::string_view of,
                                    std::uint64_t head) const {
  // Just behind the head is where a reader goes on that has seen all.
  return value == head + 1 ? absl::OkStatus() : CheckNotBeyond(view_, what, value, of, head);
}

absl::Status CursorMaker::CheckRange() {
  if (options_.from_position) {
    DAYBOOK_RETURN_IF_ERROR(
        CheckFrom("from position", options_.from_position->value(), kTheStore, view_.visible()));
  }
  if (options_.to_position) {
    DAYBOOK_RETURN_IF_ERROR(CheckNotBeyond(view_, "to position", options_.to_position->value(),
                                           kTheStore, view_.visible()));
  }
  if (!options_.from_version && !options_.to_version) return absl::OkStatus();
  if (!options_.stream) {
    return absl::InvalidArgumentError(
        "a range of versions without a stream; name the stream, or give positions");
  }
  DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint head,
                           view_.PointAt(*options_.stream, view_.visible()));
  const std::string of = TheStream(*options_.stream);
  if (options_.from_version) {
    DAYBOOK_RETURN_IF_ERROR(
        CheckFrom("from version", options_.from_version->value(), of, head.version));
  }
  if (!options_.to_version) return absl::OkStatus();
  return CheckNotBeyond(view_, "to version", options_.to_version->value(), of, head.version);
}

absl::Status CursorMaker::FindRange() {
  PositionRange& range = cursor_->range_;
  range = {1, bound_.position};
  if (options_.from_position) {
    range.first = std::max<std::uint64_t>(1, options_.from_position->value());
  }
  if (options_.to_position) range.last = std::min(range.last, options_.to_position->value());
  if (options_.recorded_from && *options_.recorded_from > Timestamp::Min()) {
    const Timestamp before(options_.recorded_from->unix_nanoseconds() - 1);
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t first, view_.PositionAfter(before));
    range.first = std::max(range.first, first);
  }
  return absl::OkStatus();
}

void CursorMaker::SetBasis(std::uint64_t position, std::uint64_t version) {
  Basis& basis = cursor_->basis_;
  basis.position = Position(position);
  basis.version = Version(version);
  basis.effective_at = options_.as_of.effective_at;
  basis.final = bound_.final;
}

absl::Status CursorMaker::MakeScan() {
  SetBasis(bound_.position, 0);
  cursor_->source_ =
      std::make_unique<RangeScan>(view_.segment_list(), cursor_->range_, options_.direction,
                                  cursor_->filter_.terms, options_.keep_going);
  return absl::OkStatus();
}

absl::Status CursorMaker::NarrowVersions(StreamPoint point, std::uint64_t* first,
                                         std::uint64_t* last) const {
  const PositionRange range = cursor_->range_;
  LinkWalker walker(view_.segments());
  if (range.last < point.position) {
    DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint top, walker.AtOrBefore(point.position, range.last));
    *last = std::min(*last, top.version);
  }
  if (range.first > 1) {
    DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint below,
                             walker.AtOrBefore(point.position, range.first - 1));
    *first = std::max(*first, below.version + 1);
  }
  return absl::OkStatus();
}

// An id within a stream is looked up. False where that does not tell, and the stream has to be
// walked.
absl::StatusOr<bool> CursorMaker::MakeLookup() {
  const PositionRange range = cursor_->range_;
  for (const auto& segment : view_.segments()) {
    if (segment->first_position() > range.last) break;
    DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index, segment->index());
    const std::uint64_t end = std::min(index->count(), range.last - segment->first_position() + 1);
    if (!segment->Lost(index, 0, end).empty()) return false;
  }
  const absl::StatusOr<std::uint64_t> found = FindId(view_, *options_.stream, *options_.id);
  if (absl::IsDataLoss(found.status())) return false;
  DAYBOOK_RETURN_IF_ERROR(found.status());
  if (*found < range.first || *found > range.last) return true;
  cursor_->range_ = {*found, *found};
  cursor_->source_ = std::make_unique<RangeScan>(view_.segment_list(), cursor_->range_,
                                                 options_.direction, Terms{});
  cursor_->filter_.stream = options_.stream;
  return true;
}

// An event that is lost behind the last one that the stream is known to have may have been the
// stream's.
absl::Status CursorMaker::CheckNothingLost(std::uint64_t last_known) const {
  const SegmentList& segments = view_.segments();
  const std::uint64_t first = std::max(last_known, cursor_->range_.first);
  for (std::size_t i = segments.size(); i-- > 0;) {
    const std::uint64_t begin = segments[i]->first_position();
    if (begin > bound_.position) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index, segments[i]->index());
    const std::vector<std::uint32_t> lost =
        segments[i]->Lost(index, std::max(first, begin) - begin,
                          std::min(index->count(), bound_.position - begin + 1));
    if (!lost.empty()) {
      return LostAt(segments, static_cast<std::uint32_t>(i), begin + lost.back(),
                    "the event is lost, and may be of this stream");
    }
    if (begin <= first) break;
  }
  return absl::OkStatus();
}

absl::Status CursorMaker::MakeWalk() {
  Filter& filter = cursor_->filter_;
  if (options_.from_version) filter.version_min = options_.from_version->value();
  if (options_.to_version) filter.version_max = options_.to_version->value();
  DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint point,
                           view_.PointAt(*options_.stream, bound_.position));
  SetBasis(point.position, point.version);
  DAYBOOK_RETURN_IF_ERROR(CheckNothingLost(point.position));
  if (cursor_->range_.first > cursor_->range_.last || point.position == 0) return absl::OkStatus();
  if (options_.id) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool told, MakeLookup());
    if (told) return absl::OkStatus();
  }
  std::uint64_t first = std::max<std::uint64_t>(filter.version_min, 1);
  std::uint64_t last = std::min(filter.version_max, point.version);
  DAYBOOK_RETURN_IF_ERROR(NarrowVersions(point, &first, &last));
  cursor_->walked_ = options_.stream;
  cursor_->source_ =
      std::make_unique<StreamWalk>(view_.segment_list(), point, first, last, options_.direction);
  return absl::OkStatus();
}

// Where what follows the visible events cannot be read, a read that would go on there does not end
// as if all were said.
void CursorMaker::SetEnd() {
  if (view_.incomplete().ok() || bound_.final || options_.to_position || options_.to_version ||
      options_.on_damage == OnDamage::kSkip) {
    return;
  }
  (options_.direction == Direction::kForwards ? cursor_->at_end_ : cursor_->failed_) =
      view_.incomplete();
}

absl::StatusOr<Cursor> CursorMaker::Make() {
  DAYBOOK_ASSIGN_OR_RETURN(bound_, ResolveBound(view_, options_.as_of, options_.stream));
  DAYBOOK_RETURN_IF_ERROR(CheckRange());
  cursor_ = std::make_unique<Cursor::Impl>(view_.segment_list(), options_);
  SetEnd();
  DAYBOOK_RETURN_IF_ERROR(FindRange());
  if (!options_.stream) {
    DAYBOOK_RETURN_IF_ERROR(MakeScan());
  } else if (absl::Status status = MakeWalk(); !status.ok()) {
    // The stream's links do not lead to its head: its events are there, but not which is the last.
    SetBasis(bound_.position, 0);
    cursor_->walked_ = options_.stream;
    DAYBOOK_RETURN_IF_ERROR(cursor_->ScanForStream(std::move(status)));
  }
  cursor_->filtered_ = !cursor_->filter_.trivial();
  return Cursor(std::move(cursor_));
}

absl::StatusOr<Cursor> MakeCursor(const ReadView& view, const ReadOptions& options) {
  return CursorMaker(view, options).Make();
}

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

absl::StatusOr<const EventView*> Cursor::Next() { return impl_->Next(); }

absl::Status Cursor::ForEach(const std::function<absl::Status(const EventView&)>& visit) {
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, impl_->Next());
    if (event == nullptr) return absl::OkStatus();
    DAYBOOK_RETURN_IF_ERROR(visit(*event));
  }
}

const Basis& Cursor::basis() const { return impl_->basis(); }
std::uint64_t Cursor::damaged() const { return impl_->damaged(); }

}  // namespace daybook
