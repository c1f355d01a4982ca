// From the log to the index: the same steps at opening, in a reader process that follows a writer,
// and when a sidecar is rebuilt.

#ifndef DAYBOOK_STORE_CATCH_UP_H_
#define DAYBOOK_STORE_CATCH_UP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/active_index.h"
#include "log/frame.h"
#include "log/segment.h"
#include "read/segments.h"

namespace daybook {

// An empty index for a segment.
absl::StatusOr<std::unique_ptr<ActiveIndex>> MakeActiveIndex(std::uint64_t first_position,
                                                             std::uint64_t segment_bytes);

// What the index holds of the event whose record stands at `offset`. The views are the event's.
ActiveIndex::Entry IndexEntryOf(std::uint64_t offset, const RecordHeader& record,
                                const EventView& event);

// Walks the frames of one segment into an index. Not thread-safe.
class CatchUp {
 public:
  using Visit = std::function<absl::Status(const RecordHeader&, const EventView&)>;

  // `recorded_at` is that of the last commit before the segment, or less.
  CatchUp(std::shared_ptr<const LogSegment> log, ActiveIndex* index, std::int64_t recorded_at)
      : log_(std::move(log)),
        index_(index),
        scanner_(log_->bytes(), log_->header()),
        recorded_at_(recorded_at) {}

  // Adds whole frames until one would begin beyond position `limit`, or none follows. The result is
  // that of the last step: kFrame means that the limit was reached. A visitor's error ends it.
  absl::StatusOr<FrameScanner::Result> Advance(std::uint64_t limit, const Visit& visit = nullptr);

  // Passes over what is damaged, keeping the events in it that are whole and marking the others as
  // lost, up to the next whole frame or to position `end`. kDataLoss where the segment cannot hold
  // as many events as that would make.
  absl::Status PassOver(std::uint64_t end);

  [[nodiscard]] const FrameScanner& scanner() const { return scanner_; }
  [[nodiscard]] const std::shared_ptr<const LogSegment>& log() const { return log_; }
  [[nodiscard]] std::int64_t recorded_at() const { return recorded_at_; }
  // What kBad was about.
  [[nodiscard]] const char* problem() const { return problem_; }

 private:
  void Add(std::uint64_t offset, const RecordHeader& record, const EventView& event);

  std::shared_ptr<const LogSegment> log_;
  ActiveIndex* index_;
  FrameScanner scanner_;
  std::int64_t recorded_at_;
  const char* problem_ = nullptr;
  std::string unreadable_;  // what the device said
};

// The index of a whole sealed segment with positions up to `last_position`; what is damaged in it
// is marked as lost.
absl::StatusOr<std::shared_ptr<ActiveIndex>> RebuildIndex(
    const std::shared_ptr<const LogSegment>& log, std::uint64_t last_position);

// A segment with a sidecar that is verified at its first use, and rebuilt in memory where it is
// damaged.
std::shared_ptr<Segment> MakeSealedSegment(std::shared_ptr<const LogSegment> log,
                                           std::shared_ptr<const Sidecar> sidecar,
                                           std::function<void(const LogSegment&)> on_damage);

}  // namespace daybook

#endif  // DAYBOOK_STORE_CATCH_UP_H_
