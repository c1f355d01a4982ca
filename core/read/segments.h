// The segments of a store as a reader sees them: for each the log and its index. The list only
// grows; a reader takes a snapshot of it and keeps what it needs alive.

#ifndef DAYBOOK_READ_SEGMENTS_H_
#define DAYBOOK_READ_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "index/segment_index.h"
#include "index/sidecar.h"
#include "log/segment.h"

namespace daybook {

// One segment. The index is the active one while the segment grows, and is replaced by the
// sidecar after it was sealed; a sidecar is verified whole when it is first used, and replaced by
// a scan of the log where it is damaged. Thread-safe.
class Segment {
 public:
  // Rebuilds the index of this segment by a scan of the log.
  using Rebuild =
      std::function<absl::StatusOr<std::shared_ptr<const SegmentIndex>>(const LogSegment&)>;

  // With an index that needs no verification.
  Segment(std::shared_ptr<const LogSegment> log, std::shared_ptr<const SegmentIndex> index);
  // With a sidecar that is verified at its first use.
  Segment(std::shared_ptr<const LogSegment> log, std::shared_ptr<const Sidecar> sidecar,
          Rebuild rebuild);

  [[nodiscard]] std::uint64_t first_position() const { return first_position_; }
  [[nodiscard]] const std::shared_ptr<const LogSegment>& log() const { return log_; }
  // The index. An error only where it had to be rebuilt and that failed.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const SegmentIndex>> index() const;
  // Puts another index of the same events in its place. Who holds the old one keeps it.
  void ReplaceIndex(std::shared_ptr<const SegmentIndex> index);

  // The locals in [begin, end) of events that the index knows only as lost: their types and tags
  // are not known, so that any filter may have matched them. Ascending. The first call looks at
  // every link, later ones at what was added since.
  [[nodiscard]] std::vector<std::uint32_t> Lost(const std::shared_ptr<const SegmentIndex>& index,
                                                std::uint64_t begin, std::uint64_t end) const;

 private:
  const std::shared_ptr<const LogSegment> log_;
  const std::uint64_t first_position_;
  const Rebuild rebuild_;
  mutable Mutex mutex_;
  mutable std::shared_ptr<const SegmentIndex> index_ DAYBOOK_GUARDED_BY(mutex_);
  mutable std::shared_ptr<const Sidecar> unverified_ DAYBOOK_GUARDED_BY(mutex_);

  // Apart from `mutex_`, which every cursor takes at every segment.
  mutable Mutex lost_mutex_;
  mutable std::weak_ptr<const SegmentIndex> lost_of_ DAYBOOK_GUARDED_BY(lost_mutex_);
  mutable std::uint64_t lost_upto_ DAYBOOK_GUARDED_BY(lost_mutex_) = 0;
  mutable std::vector<std::uint32_t> lost_ DAYBOOK_GUARDED_BY(lost_mutex_);
};

// In order of position.
using SegmentList = std::vector<std::shared_ptr<const Segment>>;

inline constexpr std::uint32_t kNoSegment = 0xFFFFFFFF;
// The number of the last segment that begins at or before `position`; kNoSegment where none does.
std::uint32_t FindSegment(const SegmentList& segments, std::uint64_t position);

// The status of positions that cannot be read since no segment, or no link of its index, leads to
// them. `segment` may be kNoSegment.
absl::Status LostAt(const SegmentList& segments, std::uint32_t segment, std::uint64_t position,
                    std::string_view what);

// The link of a position, from the index alone. A lost event has one whose offset is 0; kDataLoss
// where the segment is missing. `segment` is its number.
absl::Status LinkAt(const SegmentList& segments, std::uint64_t position, Link* link,
                    std::uint32_t* segment);
// The record header, or the event, at a position, verified. Of files that are not mapped they stand
// in the buffer.
absl::Status ReadHeaderAt(const SegmentList& segments, std::uint64_t position,
                          const RecordHeader** header, ReadBuffer* buffer = nullptr);
absl::Status ReadEventAt(const SegmentList& segments, std::uint64_t position, EventView* event,
                         ReadBuffer* buffer = nullptr);

// Thread-safe.
class SegmentSet {
 public:
  SegmentSet();
  [[nodiscard]] std::shared_ptr<const SegmentList> snapshot() const;
  void Append(std::shared_ptr<const Segment> segment);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const SegmentList> list_ DAYBOOK_GUARDED_BY(mutex_);
};

// Finds the last event of a stream. In the writer process from the heads in memory and LMDB, in a
// reader process from the segments.
class HeadSource {
 public:
  virtual ~HeadSource() = default;
  // The position of an event of this stream that no visible event of it follows (as of some
  // moment during the call); it may lie beyond what the caller saw as visible before the call,
  // but is in the index of its segment, and that segment in the set. 0 where the stream holds
  // nothing.
  [[nodiscard]] virtual absl::StatusOr<std::uint64_t> LastPosition(
      std::string_view stream) const = 0;
};

// The HeadSource that needs nothing but the segments: newest first.
class SegmentHeads : public HeadSource {
 public:
  explicit SegmentHeads(const SegmentSet* segments) : segments_(segments) {}
  [[nodiscard]] absl::StatusOr<std::uint64_t> LastPosition(std::string_view stream) const override;

  // The last event of the stream behind `after`, in segments that begin at or before `upto`; 0
  // where there is none.
  [[nodiscard]] absl::StatusOr<std::uint64_t> LastBetween(std::string_view stream,
                                                          std::uint64_t after,
                                                          std::uint64_t upto) const;

 private:
  const SegmentSet* segments_;
};

}  // namespace daybook

#endif  // DAYBOOK_READ_SEGMENTS_H_
