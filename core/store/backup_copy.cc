#include "store/backup_copy.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "store/verify_walk.h"

namespace daybook {
namespace {

using Result = FrameScanner::Result;

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;

}  // namespace

absl::Status SegmentCopy::Damaged(std::string_view what) const {
  return DataLossAt(
      {source_->name(), scanner_.offset(), Position(scanner_.next_position()),
       Position(goal_.successor != nullptr ? goal_.successor->first_position - 1 : goal_.position)},
      what);
}

// The file of the segment, as long as the manifest says: what a run left that was cut off goes.
absl::Status SegmentCopy::OpenTarget() {
  const auto path = backup_ / "log" / SegmentFileName(source_->first_position());
  DAYBOOK_ASSIGN_OR_RETURN(target_, File::OpenOrCreate(path));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, target_->Size());
  if (size != length_before()) DAYBOOK_RETURN_IF_ERROR(target_->Resize(length_before()));
  DAYBOOK_RETURN_IF_ERROR(ForEachPiece(*target_, length_before(), [&](std::uint64_t, auto piece) {
    hasher_.Update(piece);
    return absl::OkStatus();
  }));
  if (before_ != nullptr && hasher_.Digest() != before_->content_hash) {
    return DamagedBackup(backup_, *before_, 0, kNotWhatWasCopied);
  }
  written_ = length_before();
  return absl::OkStatus();
}

// Dying in it leaves bytes behind those that the manifest speaks of.
absl::Status SegmentCopy::Write(std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t at = std::max(begin, written_); at < end;) {
    const auto piece = source_->bytes().subspan(at, std::min(end - at, kPieceBytes));
    DAYBOOK_RETURN_IF_ERROR(target_->WriteAt(at, piece));
    hasher_.Update(piece);
    copied_ += piece.size();
    at += piece.size();
    written_ = at;
  }
  return absl::OkStatus();
}

bool SegmentCopy::IsDone() const {
  return goal_.successor != nullptr ? scanner_.offset() >= goal_.successor->previous_length
                                    : scanner_.next_position() > goal_.position;
}

// What the backup has must end where a frame of the source ends, in the same frame.
absl::Status SegmentCopy::CheckJoint() {
  if (before_ == nullptr || scanner_.offset() != before_->length ||
      scanner_.last_hash() == before_->last_frame_hash) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the backup in ", backup_.string(), " is of a history that went another way at position ",
      scanner_.next_position() - 1, " (", source_->name(), ", offset ", before_->length,
      "); keep it, and make a new backup in another folder"));
}

absl::Status SegmentCopy::CopyFrames(const std::function<void(std::uint64_t bytes)>& on_progress) {
  std::uint64_t verified = kSegmentHeaderBytes;
  std::uint64_t reported = 0;
  while (!IsDone()) {
    const absl::Status loaded = source_->LoadFrame(scanner_.offset());
    const Result result = loaded.ok() ? scanner_.Next() : Result::kBad;
    if (result == Result::kNewer) {
      return absl::FailedPreconditionError(
          absl::StrCat(source_->name(), " holds frames of a newer format; use a newer Daybook"));
    }
    if (result != Result::kFrame) {
      if (goal_.lossy) return CopyAsItIs();
      return Damaged(!loaded.ok()             ? ToStd(loaded.message())
                     : result == Result::kBad ? scanner_.problem()
                                              : "the log ends before what was durable");
    }
    if (scanner_.frame().events != 0) position_frame_hash_ = scanner_.last_hash();
    result_.last_frame_offset = scanner_.frame_offset();
    DAYBOOK_RETURN_IF_ERROR(CheckJoint());
    if (scanner_.offset() - verified >= kPieceBytes || !source_->is_mapped() || IsDone()) {
      DAYBOOK_RETURN_IF_ERROR(Write(verified, scanner_.offset()));
      verified = scanner_.offset();
    }
    if (scanner_.offset() - reported >= kPieceBytes && on_progress) {
      on_progress(scanner_.offset() - reported);
      reported = scanner_.offset();
    }
  }
  result_.length = scanner_.offset();
  result_.last_frame_hash = scanner_.last_hash();
  result_.next_position = scanner_.next_position();
  return absl::OkStatus();
}

// Damage that was given up stays as it is; the segment behind it names where this one ends.
absl::Status SegmentCopy::CopyAsItIs() {
  if (goal_.successor == nullptr) return Damaged("the log ends before what was durable");
  source_->LoadFrom(0).IgnoreError();  // what cannot be read is lost already
  DAYBOOK_RETURN_IF_ERROR(Write(0, goal_.successor->previous_length));
  result_.length = goal_.successor->previous_length;
  result_.last_frame_offset = 0;
  result_.last_frame_hash = goal_.successor->previous_frame_hash;
  result_.next_position = goal_.successor->first_position;
  return absl::OkStatus();
}

absl::StatusOr<BackupSegment> SegmentCopy::Run(
    const std::function<void(std::uint64_t bytes)>& on_progress) {
  DAYBOOK_RETURN_IF_ERROR(OpenTarget());
  result_.first_position = source_->first_position();
  result_.header_hash = source_->header().header_hash;
  const auto copy = [&]() -> absl::Status {
    DAYBOOK_RETURN_IF_ERROR(source_->LoadPart(0, kSegmentHeaderBytes));
    const auto head = source_->bytes().first(kSegmentHeaderBytes);
    if (!IsAllZero(head.subspan(sizeof(SegmentHeader))) && !goal_.lossy) {
      return Damaged("the bytes behind the header are not zero");
    }
    DAYBOOK_RETURN_IF_ERROR(Write(0, kSegmentHeaderBytes));
    DAYBOOK_RETURN_IF_ERROR(CopyFrames(on_progress));
    if (written_ != result_.length) {
      return Damaged("the log ends before what the backup has of it");
    }
    if (goal_.successor != nullptr &&
        (result_.length != goal_.successor->previous_length ||
         result_.last_frame_hash != goal_.successor->previous_frame_hash ||
         result_.next_position != goal_.successor->first_position)) {
      return Damaged("the next segment names another end of this one");
    }
    result_.content_hash = hasher_.Digest();
    DAYBOOK_RETURN_IF_ERROR(target_->Sync());
    // From the device, not from what the system still has of it.
    target_->DropCached();
    return CheckBackupSegment(backup_, result_, true);
  };
  const absl::Status status = copy();
  source_->Unload();
  if (status.ok()) return result_;
  // Room that a full disk needs. Where even that fails, the next run does it.
  target_->Resize(length_before()).IgnoreError();
  if (before_ == nullptr) Directory::Remove(target_->path()).IgnoreError();
  return status;
}

}  // namespace daybook
