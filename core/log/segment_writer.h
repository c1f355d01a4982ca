// Writes the active segment: frames, the seal, and the step to the next segment.

#ifndef DAYBOOK_LOG_SEGMENT_WRITER_H_
#define DAYBOOK_LOG_SEGMENT_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/file.h"
#include "log/format.h"
#include "log/segment.h"
#include "log/spare.h"

namespace daybook {

// A segment that is planned or there: what the sequencer must know before the file exists.
struct SegmentPlan {
  std::uint64_t first_position = 1;
  std::uint64_t salt = 0;
  std::uint64_t bytes = 0;  // of the file
};

// Where the log stands, after recovery or now.
struct LogTail {
  SegmentPlan segment;
  std::uint64_t offset = kSegmentHeaderBytes;  // where the next frame begins
  std::uint64_t next_position = 1;
  std::uint64_t last_hash = 0;  // header hash of the last frame, or of the segment header
  bool sealed = false;
};

// The size of the segment that follows one of `bytes`: 1, 4, 16, 64 MiB and so on, at most
// `bytes_max`.
std::uint64_t NextSegmentBytes(std::uint64_t bytes, std::uint64_t bytes_max);
// The smallest segment that holds one frame with a body of `body_bytes`, and its seal.
std::uint64_t SegmentBytesFor(std::uint64_t body_bytes);
constexpr std::uint64_t FrameBytes(std::uint64_t body_bytes) {
  return RoundUp(sizeof(FrameHeader) + body_bytes, kFrameAlignment);
}

// Creates the first segment of a store. Durable on return.
absl::StatusOr<LogTail> CreateFirstSegment(const std::filesystem::path& store_directory,
                                           const StoreIdentity& identity, std::uint64_t bytes);

// Not thread-safe: the leader of a group commit has it. After an error of any method but the
// constructor the log's tail is not known, and nothing may be written any more.
class SegmentWriter {
 public:
  static absl::StatusOr<SegmentWriter> Open(const std::filesystem::path& store_directory,
                                            const StoreIdentity& identity, const LogTail& tail);

  [[nodiscard]] const LogTail& tail() const { return tail_; }
  // The bytes that are known to be on the device.
  [[nodiscard]] std::uint64_t durable_upto() const { return durable_upto_; }

  // Appends a frame of the commits whose bytes are `pieces`. Not durable before Sync. If the
  // process dies in here, recovery finds a torn tail.
  absl::Status WriteFrame(FrameKind kind, std::uint32_t commits, std::uint32_t events,
                          std::span<const std::span<const std::byte>> pieces);
  // Lets the device begin with what was written from `offset` on. Promises nothing; an error of the
  // device is Sync's to report.
  void BeginSync(std::uint64_t offset) { file_.BeginSync(offset, tail_.offset - offset); }
  // Makes everything written durable. Never tried again after a failure.
  absl::Status Sync();

  // Makes all durable and seals the segment; durable on return.
  absl::Status Seal();

  // Goes on to the next segment, in the file that `spare` holds: seals this one if it is not, heads
  // the spare, syncs both, renames the spare to the plan's name and syncs the folder. A segment
  // without an event is replaced: its name is the plan's. What recovery finds after each step is in
  // docs/format/recovery.md.
  absl::Status Activate(const SegmentPlan& plan, SpareMaker* spare);

 private:
  SegmentWriter(std::filesystem::path directory, const StoreIdentity& identity, File file,
                const LogTail& tail)
      : directory_(std::move(directory)),
        identity_(identity),
        file_(std::move(file)),
        tail_(tail),
        durable_upto_(tail.offset) {}

  std::filesystem::path directory_;  // of the store
  StoreIdentity identity_;
  File file_;
  LogTail tail_;
  std::uint64_t durable_upto_;
};

}  // namespace daybook

#endif  // DAYBOOK_LOG_SEGMENT_WRITER_H_
