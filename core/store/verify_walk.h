// Walking a whole log without believing a byte of it: what is whole is visited, what is not is
// described so that `Verify` can name it and `Repair` can mend it. Reads only.

#ifndef DAYBOOK_STORE_VERIFY_WALK_H_
#define DAYBOOK_STORE_VERIFY_WALK_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "log/format.h"
#include "log/segment.h"

namespace daybook {

// Positions from `first` to `last`, both included; first 0: none.
struct PositionSpan {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  [[nodiscard]] std::uint64_t count() const { return first == 0 ? 0 : last - first + 1; }
};

// Bytes of the log that are not what was written.
struct DamagedRange {
  enum class What : std::uint8_t {
    kHeader,   // of a segment: nothing in it can be read
    kMissing,  // a segment that is not there
    kZeros,    // bytes that must be zero and are not, or that the end of the file lacks: no event
    kFrames,   // one or several frames, of which the first has no whole header
    kBody,     // a frame whose header is whole and whose body is not
    kChain,    // a whole frame that does not follow the one before it
    kContent,  // a whole frame whose content makes no sense: it was written so
    kTail,     // the end of the last segment: witnesses saw more than is there
  };
  What what = What::kFrames;
  std::size_t index = 0;     // of the file in LogPicture::files; for kMissing of the one behind it
  std::string file;          // "log/00000000000000000001.log"
  std::uint64_t offset = 0;  // where the range begins
  std::uint64_t length = 0;  // and how long it is
  std::uint64_t named =
      0;                   // the offset to be told: of the first damaged record where that is known
  PositionSpan positions;  // that the range touches
  std::vector<PositionSpan> lost;  // of them, those that cannot be read by their own hashes
  std::string problem;             // what is wrong with it
  // The chain around it: what the frame before it has as its hash, and what the one behind it
  // names. 0: not known.
  std::uint64_t hash_before = 0;
  std::uint64_t hash_behind = 0;
  std::uint64_t next_position = 0;  // of the first event in it, if the chain goes on

  [[nodiscard]] std::uint64_t lost_count() const;
};

// One segment file.
struct LogFile {
  std::uint64_t first_position = 0;  // as its name says
  std::string name;                  // "log/..."
  std::uint64_t file_bytes = 0;
  std::shared_ptr<const LogSegment> log;  // nullptr where the header is no good
  std::string problem;                    // and why
};

// A log as it was found.
struct LogPicture {
  StoreIdentity identity;
  FileAccess access = FileAccess::kMap;
  std::vector<LogFile> files;      // by position
  std::vector<std::string> names;  // everything in log/
  std::uint64_t witnessed_position =
      0;  // the largest durable position that anything outside of the log saw
  std::uint64_t total_bytes = 0;
};

// Opens the segments. kNotFound, kPermissionDenied, or kFailedPrecondition (a newer format).
absl::StatusOr<LogPicture> LookAtLog(const std::filesystem::path& directory,
                                     const StoreIdentity& identity,
                                     FileAccess access = FileAccess::kMap);
// The identity that the segment headers name, for a store whose STORE is damaged: the store that
// most name, and the incarnation of the newest. kDataLoss where there is no whole header.
absl::StatusOr<StoreIdentity> IdentityFromSegments(const std::filesystem::path& directory);

struct WalkVisitor {
  // Whether the events of whole frames are visited. Those of damaged frames that are whole by
  // themselves always are, if on_event is set.
  bool events = false;
  std::function<void(const LogFile&)> on_segment;  // before its first event
  std::function<void(const LogSegment&, std::uint64_t offset, const RecordHeader&,
                     const EventView&)>
      on_event;
  std::function<void(PositionSpan)> on_lost;
  std::function<void(const LogFile&, const struct SegmentEnd&)> on_segment_end;
  std::function<void(std::uint64_t bytes)> on_progress;  // bytes walked since the last call
};

// How the walk through one segment ended.
struct SegmentEnd {
  std::uint64_t length = kSegmentHeaderBytes;  // where its last whole frame ends
  std::uint64_t last_hash = 0;                 // of that frame, or of the segment header
  std::uint64_t next_position = 0;             // after it, lost events counted
  bool sealed = false;                         // it is a seal
  bool damaged = false;
};

struct WalkResult {
  std::vector<DamagedRange> damage;
  std::uint64_t positions = 0;      // that are whole
  std::uint64_t next_position = 1;  // after all, lost ones counted
  std::vector<SegmentEnd> ends;     // one a file
};

// Walks all files in order: every header, chain and hash; the end of the last segment by the rules
// of log/recovery.h, so that a torn tail is no damage. kFailedPrecondition where a frame is of a
// newer format.
absl::StatusOr<WalkResult> WalkLog(const LogPicture& picture, const WalkVisitor& visitor);

// Visits in order the records in [begin, end) that are whole by their own hashes, with positions
// within `positions`. `salt_known`: without it a header is believed where the body fits its hash;
// such events may be counted, not read.
using RecordVisit =
    std::function<void(std::uint64_t offset, const RecordHeader&, const EventView&)>;
void SalvageRecords(std::span<const std::byte> segment, std::uint64_t begin, std::uint64_t end,
                    PositionSpan positions, std::optional<std::uint64_t> salt,
                    const RecordVisit& visit);

bool IsAllZero(std::span<const std::byte> bytes);

}  // namespace daybook

#endif  // DAYBOOK_STORE_VERIFY_WALK_H_
