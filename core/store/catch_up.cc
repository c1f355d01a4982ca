#include "store/catch_up.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "store/verify_walk.h"

namespace daybook {

absl::StatusOr<std::unique_ptr<ActiveIndex>> MakeActiveIndex(std::uint64_t first_position,
                                                             std::uint64_t segment_bytes) {
  return ActiveIndex::Create(first_position, segment_bytes, kRecordBytesMin);
}

ActiveIndex::Entry IndexEntryOf(std::uint64_t offset, const RecordHeader& record,
                                const EventView& event) {
  return {.offset = offset,
          .version = record.version,
          .prev = record.prev,
          .skip = record.skip,
          .recorded_at = record.recorded_at,
          .effective_at = event.effective_at().unix_nanoseconds(),
          .stream = event.stream,
          .stream_hash = StreamHash(event.stream),
          .type = event.type,
          .id = event.id};
}

void CatchUp::Add(std::uint64_t offset, const RecordHeader& record, const EventView& event) {
  index_->Add(IndexEntryOf(offset, record, event), event.tags);
}

absl::StatusOr<FrameScanner::Result> CatchUp::Advance(std::uint64_t limit, const Visit& visit) {
  FrameScanner::Result result = FrameScanner::Result::kFrame;
  while (result == FrameScanner::Result::kFrame && scanner_.next_position() <= limit) {
    // What the device does not give is zeros here: said instead of taken for the end.
    const absl::Status loaded = log_->LoadFrame(scanner_.offset());
    result = scanner_.Next();
    if (!loaded.ok()) {
      unreadable_ = std::string(loaded.message());
      problem_ = unreadable_.c_str();
      return FrameScanner::Result::kBad;
    }
    if (result != FrameScanner::Result::kFrame) break;
    absl::Status status;
    problem_ =
        WalkFrame(*log_, scanner_.frame(), &recorded_at_,
                  [&](std::uint64_t offset, const RecordHeader& record, const EventView& event) {
                    Add(offset, record, event);
                    if (visit && status.ok()) status = visit(record, event);
                  });
    index_->Publish();
    DAYBOOK_RETURN_IF_ERROR(status);
    if (problem_ != nullptr) {
      // The frame's hash is right and its content is not: written so. Nothing in it can be trusted.
      return DataLossAt(
          {log_->name(), scanner_.frame_offset(), Position(scanner_.frame().first_position),
           Position(scanner_.next_position() - 1)},
          problem_);
    }
  }
  if (result == FrameScanner::Result::kBad) problem_ = scanner_.problem();
  return result;
}

absl::Status CatchUp::PassOver(std::uint64_t end) {
  const std::uint64_t from = index_->first_position() + index_->added();
  const std::uint64_t damaged_from = scanner_.offset();
  log_->LoadFrom(damaged_from).IgnoreError();  // what cannot be read is lost
  const bool goes_on = scanner_.Resynchronise();
  const std::uint64_t upto = goes_on ? std::min(scanner_.next_position(), end + 1) : end + 1;
  if (upto > from && upto - from > index_->capacity() - index_->added()) {
    return DataLossAt({log_->name(), scanner_.offset(), Position(from), Position(upto - 1)},
                      "the segment cannot hold as many events as its neighbours say");
  }
  const auto next = [this] { return index_->first_position() + index_->added(); };
  // What is whole by its own hashes is not lost with the rest of its frame.
  SalvageRecords(log_->bytes(), damaged_from, goes_on ? scanner_.offset() : log_->bytes().size(),
                 {from, upto - 1}, log_->header().salt,
                 [&](std::uint64_t offset, const RecordHeader& record, const EventView& event) {
                   while (next() < record.position) index_->AddLost();
                   Add(offset, record, event);
                 });
  while (next() < upto) index_->AddLost();
  index_->Publish();
  log_->Unload();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ActiveIndex>> RebuildIndex(
    const std::shared_ptr<const LogSegment>& log, std::uint64_t last_position) {
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<ActiveIndex> index,
                           MakeActiveIndex(log->first_position(), log->header().segment_bytes));
  CatchUp catch_up(log, index.get(), INT64_MIN);
  while (index->first_position() + index->added() <= last_position) {
    DAYBOOK_ASSIGN_OR_RETURN(const FrameScanner::Result result, catch_up.Advance(last_position));
    if (result == FrameScanner::Result::kFrame) continue;
    if (result == FrameScanner::Result::kNewer) {
      return absl::FailedPreconditionError(log->name() + " holds frames of a newer format");
    }
    DAYBOOK_RETURN_IF_ERROR(catch_up.PassOver(last_position));
  }
  return index;
}

std::shared_ptr<Segment> MakeSealedSegment(std::shared_ptr<const LogSegment> log,
                                           std::shared_ptr<const Sidecar> sidecar,
                                           std::function<void(const LogSegment&)> on_damage) {
  const std::uint64_t last = log->first_position() + sidecar->count() - 1;
  return std::make_shared<Segment>(
      std::move(log), std::move(sidecar),
      [last, on_damage = std::move(on_damage)](
          const LogSegment& damaged) -> absl::StatusOr<std::shared_ptr<const SegmentIndex>> {
        if (on_damage) on_damage(damaged);
        // The segment owns the log for as long as this runs.
        const std::shared_ptr<const LogSegment> borrowed(&damaged, [](const LogSegment*) {});
        DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<ActiveIndex> index, RebuildIndex(borrowed, last));
        return std::shared_ptr<const SegmentIndex>(std::move(index));
      });
}

}  // namespace daybook
