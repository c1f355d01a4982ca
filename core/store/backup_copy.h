// Copying one segment of a store to a backup, frame by frame.

#ifndef DAYBOOK_STORE_BACKUP_COPY_H_
#define DAYBOOK_STORE_BACKUP_COPY_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/checksum.h"
#include "io/file.h"
#include "log/frame.h"
#include "log/segment.h"
#include "store/backup_manifest.h"

namespace daybook {

// How far a segment is to be copied.
struct CopyGoal {
  std::uint64_t position = 0;  // up to this one, which its last data frame must reach, or
  // where others follow it: up to the end that the next one names.
  const SegmentHeader* successor = nullptr;
  // Its damage was given up by a repair: what cannot be verified is copied as it is.
  bool lossy = false;
};

// One segment, once. Not thread-safe.
class SegmentCopy {
 public:
  // `before`: what the backup has of it, nullptr for nothing.
  SegmentCopy(std::filesystem::path backup, std::shared_ptr<const LogSegment> source,
              const BackupSegment* before, const CopyGoal& goal)
      : backup_(std::move(backup)),
        source_(std::move(source)),
        before_(before),
        goal_(goal),
        scanner_(source_->bytes(), source_->header()) {}

  // Verifies the frames of the source, writes those that the backup has not, syncs, and reads all
  // back. On an error the file is again as long as it was. kFailedPrecondition where the backup's
  // part is of another history; kDataLoss where frames of the source are damaged or missing.
  absl::StatusOr<BackupSegment> Run(const std::function<void(std::uint64_t bytes)>& on_progress);

  [[nodiscard]] std::uint64_t copied() const { return copied_; }
  // Header hash of the frame that holds the last position that was copied.
  [[nodiscard]] std::uint64_t position_frame_hash() const { return position_frame_hash_; }

 private:
  absl::Status OpenTarget();
  absl::Status CopyFrames(const std::function<void(std::uint64_t bytes)>& on_progress);
  absl::Status CopyAsItIs();
  absl::Status CheckJoint();
  absl::Status Write(std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] bool IsDone() const;
  [[nodiscard]] absl::Status Damaged(std::string_view what) const;
  [[nodiscard]] std::uint64_t length_before() const { return before_ ? before_->length : 0; }

  const std::filesystem::path backup_;
  const std::shared_ptr<const LogSegment> source_;
  const BackupSegment* const before_;
  const CopyGoal goal_;
  FrameScanner scanner_;
  std::optional<File> target_;
  BackupSegment result_{};
  Hasher64 hasher_;            // of all that the backup has or gets
  std::uint64_t written_ = 0;  // bytes of the source that are in the file
  std::uint64_t copied_ = 0;
  std::uint64_t position_frame_hash_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_BACKUP_COPY_H_
