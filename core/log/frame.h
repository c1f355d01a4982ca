// Walking the frames of a segment: every header, the chain, every body hash, and the commits and
// records within.

#ifndef DAYBOOK_LOG_FRAME_H_
#define DAYBOOK_LOG_FRAME_H_

#include <cstdint>
#include <span>

#include "log/format.h"
#include "log/segment.h"

namespace daybook {

// What is wrong with the frame header at `offset`, by itself (hash, offset, lengths; not the
// chain), or nullptr. `newer` is set where it is whole but of a kind or codec that this version
// does not know and may not pass over.
const char* CheckFrameHeader(std::span<const std::byte> segment, std::uint64_t offset,
                             std::uint64_t salt, const FrameHeader** header, bool* newer);

// Walks frame by frame, verifying everything. Can be asked again after kBlank: the segment may have
// grown.
class FrameScanner {
 public:
  enum class Result : std::uint8_t {
    kFrame,   // frame() is whole and follows its predecessor
    kBlank,   // no frame begins here: zeros, or no room for a header
    kSealed,  // the frame before was a seal: nothing may follow
    kBad,     // what stands here is no frame that could; problem() says why
    kNewer,   // a frame of a newer format, which must not be passed over
  };

  // `segment` begins with its header, which has been verified.
  FrameScanner(std::span<const std::byte> segment, const SegmentHeader& header);

  Result Next();
  // After kBad: looks for the next frame that is whole where it stands and of a later position, and
  // goes on there. False where there is none.
  bool Resynchronise();

  [[nodiscard]] const FrameHeader& frame() const { return *frame_; }
  // Where the frame begins; where the next begins.
  [[nodiscard]] std::uint64_t frame_offset() const { return frame_->offset; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] std::uint64_t next_position() const { return next_position_; }
  [[nodiscard]] std::uint64_t last_hash() const { return last_hash_; }
  [[nodiscard]] bool sealed() const { return sealed_; }
  // The largest durable_upto of the frames walked.
  [[nodiscard]] std::uint64_t promised_upto() const { return promised_upto_; }
  [[nodiscard]] const char* problem() const { return problem_; }

 private:
  void Accept(const FrameHeader* header);

  std::span<const std::byte> segment_;
  std::uint64_t salt_;
  std::uint64_t offset_ = kSegmentHeaderBytes;
  std::uint64_t next_position_;
  std::uint64_t last_hash_;
  std::uint64_t promised_upto_ = 0;
  bool sealed_ = false;
  bool chain_broken_ =
      false;  // after a resynchronisation the next frame's predecessor is not known
  const FrameHeader* frame_ = nullptr;
  const char* problem_ = nullptr;
};

// Visits the records of a frame whose body hash has been verified: `visit(offset in the segment,
// header, event)` for each, with the event decoded. Returns what is wrong with the structure (a
// header, a count, a body), or nullptr. `recorded_at` is that of the commit before and is moved on;
// times must increase from commit to commit.
template <class Visit>
const char* WalkFrame(const LogSegment& segment, const FrameHeader& frame,
                      std::int64_t* recorded_at, Visit&& visit);

// One step of it: the commit header at `offset`, checked against the frame.
const char* CheckCommitHeader(const LogSegment& segment, const FrameHeader& frame,
                              std::uint64_t offset, std::uint64_t position,
                              const CommitHeader** commit);
// And the record at `offset`, checked against its commit.
const char* CheckRecordOfCommit(const LogSegment& segment, const CommitHeader& commit,
                                std::uint64_t offset, std::uint64_t position,
                                const RecordHeader** header, EventView* event);

template <class Visit>
const char* WalkFrame(const LogSegment& segment, const FrameHeader& frame,
                      std::int64_t* recorded_at, Visit&& visit) {
  std::uint64_t offset = frame.offset + sizeof(FrameHeader);
  std::uint64_t position = frame.first_position;
  for (std::uint32_t c = 0; c < frame.commits; ++c) {
    const CommitHeader* commit = nullptr;
    if (const char* what = CheckCommitHeader(segment, frame, offset, position, &commit))
      return what;
    if (commit->recorded_at <= *recorded_at)
      return "a commit was recorded no later than the one before";
    *recorded_at = commit->recorded_at;
    const std::uint64_t end = offset + commit->length;
    offset += sizeof(CommitHeader);
    for (std::uint32_t e = 0; e < commit->events; ++e, ++position) {
      const RecordHeader* header = nullptr;
      EventView event;
      if (const char* what =
              CheckRecordOfCommit(segment, *commit, offset, position, &header, &event)) {
        return what;
      }
      visit(offset, *header, event);
      offset += sizeof(RecordHeader) + header->body_length;
    }
    if (offset != end) return "the length of a commit is wrong";
  }
  return position == frame.first_position + frame.events ? nullptr
                                                         : "a frame's count of events is wrong";
}

// Builds the header of a frame: fields set, hashes computed. The body's hash is given.
FrameHeader MakeFrameHeader(FrameKind kind, std::uint64_t offset, std::uint64_t length,
                            std::uint64_t first_position, std::uint64_t durable_upto,
                            std::uint64_t previous_hash);

}  // namespace daybook

#endif  // DAYBOOK_LOG_FRAME_H_
