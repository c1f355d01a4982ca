// What every read works on: a bound, the segments up to it, and a way to find a stream's head.

#ifndef DAYBOOK_READ_VIEW_H_
#define DAYBOOK_READ_VIEW_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/append.h"
#include "daybook/moment.h"
#include "daybook/read.h"
#include "read/link_walker.h"
#include "read/segments.h"

namespace daybook {

// A store at one moment of its growth. Copyable; keeps the segments alive. Not thread-safe: each
// read has a view of its own.
class ReadView {
 public:
  // `visible`: the last position that may be seen. Taken before the segments, which therefore
  // hold it. `durable` ≤ visible bounds `final`.
  ReadView(std::uint64_t visible, std::uint64_t durable, const HeadSource* heads,
           const SegmentSet* segments)
      : visible_(visible),
        durable_(durable),
        heads_(heads),
        set_(segments),
        segments_(segments->snapshot()) {}

  // Why nothing beyond visible() can be seen although it is there (damage, a newer format); OK
  // where all is seen. A read whose answer could go on there says so at its end.
  void set_incomplete(absl::Status why) { incomplete_ = std::move(why); }
  [[nodiscard]] const absl::Status& incomplete() const { return incomplete_; }

  [[nodiscard]] std::uint64_t visible() const { return visible_; }
  [[nodiscard]] std::uint64_t durable() const { return durable_; }
  [[nodiscard]] const SegmentList& segments() const { return *segments_; }
  [[nodiscard]] const std::shared_ptr<const SegmentList>& segment_list() const { return segments_; }

  // The segment that holds `position` (1 ≤ position ≤ visible()); nullptr where it is missing.
  [[nodiscard]] const Segment* SegmentOf(std::uint64_t position) const;

  // locate.cc ------------------------------------------------------------------------------------
  // The last position ≤ visible() with recorded_at ≤ time; 0 where there is none. Positions that
  // cannot be read have no time; those that stand between the last event in time and the first that
  // is too late are taken in, so that a read up to the answer tells of them.
  [[nodiscard]] absl::StatusOr<std::uint64_t> PositionAt(Timestamp time) const;
  // The first position that is, or may be, of an event with recorded_at > time; visible() + 1
  // where there is none.
  [[nodiscard]] absl::StatusOr<std::uint64_t> PositionAfter(Timestamp time) const;
  // The last event of `stream` that is ≤ `bound`: its position and version, or its position
  // alone; 0 where there is none.
  [[nodiscard]] absl::StatusOr<StreamPoint> PointAt(std::string_view stream,
                                                    std::uint64_t bound) const;
  [[nodiscard]] absl::StatusOr<std::uint64_t> HeadAt(std::string_view stream,
                                                     std::uint64_t bound) const;
  // The position of `version` of the stream whose event stands at `from` (version(from) ≥ version).
  [[nodiscard]] absl::StatusOr<std::uint64_t> PositionOfVersion(std::uint64_t from,
                                                                std::uint64_t version) const;
  // The event at a position, verified. Of files that are not mapped it stands in the buffer, which
  // all but a writer give.
  absl::Status ReadEvent(std::uint64_t position, EventView* event,
                         ReadBuffer* buffer = nullptr) const;
  // The header of its record, verified, without its body.
  absl::Status ReadHeader(std::uint64_t position, const RecordHeader** header,
                          ReadBuffer* buffer = nullptr) const;
  // The hash of the header of the frame that holds a position.
  [[nodiscard]] absl::StatusOr<std::uint64_t> FrameHashAt(std::uint64_t position) const;
  // The link of a position, from the index alone. A lost event has one whose offset is 0.
  absl::Status LinkAt(std::uint64_t position, Link* link) const;

 private:
  std::uint64_t visible_;
  std::uint64_t durable_;
  const HeadSource* heads_;
  const SegmentSet* set_;
  absl::Status incomplete_;
  // Replaced by a longer list where a stream's head turns out to lie beyond it.
  mutable std::shared_ptr<const SegmentList> segments_;
};

// cursor.cc: the cursor of a read on a view. kInvalidArgument as Reader::Read says.
absl::StatusOr<Cursor> MakeCursor(const ReadView& view, const ReadOptions& options);

// streams.cc
absl::StatusOr<StreamInfo> HeadOf(const ReadView& view, std::string_view stream, const AsOf& as_of);
// Every stream that holds something at the moment, by name bytewise.
absl::StatusOr<std::vector<StreamInfo>> ListStreams(const ReadView& view,
                                                    const StreamsOptions& options);

// condition.cc: the position in (after, view.visible()] of an event that one of the items matches
// (no item: every event); 0 where there is none. Never a false 0: an index that cannot be read is
// an error, and so is an event that was lost and that no match makes needless. Any match will do;
// the newest segments come first.
absl::StatusOr<std::uint64_t> FindMatch(const ReadView& view, const AppendCondition& condition);

// The event of `stream` with this id, at or before view.visible(): its position, 0 where there is
// none.
absl::StatusOr<std::uint64_t> FindId(const ReadView& view, std::string_view stream,
                                     const EventId& id);

}  // namespace daybook

#endif  // DAYBOOK_READ_VIEW_H_
