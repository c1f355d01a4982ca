#include "store/verify_walk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "log/frame.h"
#include "log/recovery.h"

namespace daybook {
namespace {

using What = DamagedRange::What;

constexpr std::uint64_t kProgressBytes = std::uint64_t{16} << 20;

// Walks one segment. What it finds goes to `result`, and what is whole to the visitor.
class SegmentWalk {
 public:
  SegmentWalk(const LogPicture& picture, std::size_t index, const WalkVisitor& visitor,
              std::int64_t* recorded_at, WalkResult* result)
      : picture_(picture),
        index_(index),
        file_(picture.files[index]),
        segment_(*file_.log),
        bytes_(segment_.bytes()),
        visitor_(visitor),
        recorded_at_(recorded_at),
        result_(result) {
    end_.last_hash = segment_.header().header_hash;
    end_.next_position = segment_.first_position();
    if (index + 1 >= picture.files.size()) return;
    const LogFile& next = picture.files[index + 1];
    limit_position_ = next.first_position;
    // Only the segment right behind this one knows how this one ends.
    if (next.log && next.log->header().previous_first_position == file_.first_position) {
      successor_ = &next.log->header();
    }
  }

  absl::StatusOr<SegmentEnd> Run();

 private:
  [[nodiscard]] bool is_last() const { return index_ + 1 == picture_.files.size(); }
  [[nodiscard]] bool AtSuccessorsEnd() const {
    return successor_ != nullptr && end_.length == successor_->previous_length &&
           end_.last_hash == successor_->previous_frame_hash;
  }
  // What stands at the end of what is whole so far.
  const char* Check(const FrameHeader** header, bool* newer, What* what) const;
  void Accept(const FrameHeader& frame);
  void Pass(const FrameHeader* header, What what, std::string problem);
  // The next header at or behind `from` that is whole where it stands and of no earlier position.
  const FrameHeader* FindFrame(std::uint64_t from) const;
  [[nodiscard]] TailDecision Decide(TailEvidence* evidence) const;
  DamagedRange Range(What what, std::uint64_t end, std::string problem) const;
  // Where the next record begins, at `offset` or behind the commit header that stands there.
  [[nodiscard]] std::uint64_t RecordAt(std::uint64_t offset, std::uint64_t end) const;
  // Visits what is whole in the range and notes what is lost.
  void Salvage(DamagedRange range, std::uint64_t next_position);
  void CheckHeaderPadding();
  void CheckChainToNext();
  void CheckRest();
  void CheckLastRest(const TailEvidence& evidence, const TailDecision& decision);
  void LosePositionsBefore(std::uint64_t position);
  void Progress(std::uint64_t bytes);

  const LogPicture& picture_;
  const std::size_t index_;
  const LogFile& file_;
  const LogSegment& segment_;
  const std::span<const std::byte> bytes_;
  const WalkVisitor& visitor_;
  std::int64_t* const recorded_at_;
  WalkResult* const result_;
  const SegmentHeader* successor_ = nullptr;
  std::uint64_t limit_position_ = kCountMax;  // of the next file
  SegmentEnd end_;
  std::uint64_t promised_upto_ = 0;
  bool exhausted_ = false;        // nothing whole follows
  std::uint64_t unreported_ = 0;  // bytes of progress
};

void SegmentWalk::Progress(std::uint64_t bytes) {
  unreported_ += bytes;
  if (unreported_ < kProgressBytes || !visitor_.on_progress) return;
  visitor_.on_progress(std::exchange(unreported_, 0));
}

const char* SegmentWalk::Check(const FrameHeader** header, bool* newer, What* what) const {
  const FrameHeader* found = nullptr;
  *what = What::kFrames;
  if (const char* problem =
          CheckFrameHeader(bytes_, end_.length, segment_.header().salt, &found, newer)) {
    return problem;
  }
  *header = found;
  if (*newer) return nullptr;
  *what = What::kChain;
  if (end_.last_hash != 0 && found->previous_hash != end_.last_hash) {
    return "the frame does not follow the one before it";
  }
  if (found->first_position != end_.next_position ||
      found->events > limit_position_ - std::min(limit_position_, end_.next_position)) {
    return "the frame's first position does not follow the one before it";
  }
  *what = What::kBody;
  const auto body =
      bytes_.subspan(end_.length + sizeof(FrameHeader), found->length - sizeof(FrameHeader));
  return Hash64(body) == found->body_hash ? nullptr : "the hash of the frame's body is wrong";
}

void SegmentWalk::Accept(const FrameHeader& frame) {
  const std::uint64_t first = end_.next_position;
  std::uint64_t visited = first;
  std::uint64_t visited_end = end_.length + sizeof(FrameHeader);
  const char* problem = nullptr;
  if (visitor_.events && frame.kind <= static_cast<std::uint8_t>(FrameKind::kSeal)) {
    problem =
        WalkFrame(segment_, frame, recorded_at_,
                  [&](std::uint64_t offset, const RecordHeader& record, const EventView& event) {
                    visited = record.position + 1;
                    visited_end = offset + sizeof(RecordHeader) + record.body_length;
                    if (visitor_.on_event) visitor_.on_event(segment_, offset, record, event);
                  });
  }
  if (problem != nullptr) {
    DamagedRange range = Range(What::kContent, end_.length + frame.length, problem);
    range.named = RecordAt(visited_end, end_.length + frame.length);
    range.positions = {visited, first + frame.events - 1};
    if (range.positions.last < range.positions.first) range.positions = {};
    if (range.positions.first != 0) {
      range.lost.push_back(range.positions);
      if (visitor_.on_lost) visitor_.on_lost(range.positions);
    }
    result_->positions += visited - first;
    result_->damage.push_back(std::move(range));
    end_.damaged = true;
  } else {
    result_->positions += frame.events;
  }
  end_.length += frame.length;
  end_.last_hash = frame.header_hash;
  end_.next_position = first + frame.events;
  end_.sealed = frame.kind == static_cast<std::uint8_t>(FrameKind::kSeal);
  promised_upto_ = std::max(promised_upto_, frame.durable_upto);
  Progress(frame.length);
}

DamagedRange SegmentWalk::Range(What what, std::uint64_t end, std::string problem) const {
  DamagedRange range;
  range.what = what;
  range.index = index_;
  range.file = file_.name;
  range.offset = range.named = end_.length;
  range.length = std::max(end, end_.length) - end_.length;
  range.problem = std::move(problem);
  range.hash_before = end_.last_hash;
  range.next_position = end_.next_position;
  return range;
}

std::uint64_t SegmentWalk::RecordAt(std::uint64_t offset, std::uint64_t end) const {
  if (offset + sizeof(CommitHeader) > std::min<std::uint64_t>(end, bytes_.size())) return offset;
  const auto* commit = reinterpret_cast<const CommitHeader*>(bytes_.data() + offset);
  const bool is_commit = commit->header_hash == HashOf(*commit, segment_.header().salt);
  return is_commit ? offset + sizeof(CommitHeader) : offset;
}

void SegmentWalk::Salvage(DamagedRange range, std::uint64_t next_position) {
  const std::uint64_t first = end_.next_position;
  std::uint64_t next = first;
  const auto lose = [&](std::uint64_t upto) {  // what is missing before `upto`
    if (next >= upto) return;
    range.lost.push_back({next, upto - 1});
    if (visitor_.on_lost) visitor_.on_lost(range.lost.back());
  };
  std::uint64_t whole_end =
      range.offset;  // behind the last whole record before the first that is lost
  if (next_position > first) {
    const std::uint64_t end = std::min<std::uint64_t>(range.offset + range.length, bytes_.size());
    SalvageRecords(bytes_, range.offset, end, {first, next_position - 1}, segment_.header().salt,
                   [&](std::uint64_t offset, const RecordHeader& record, const EventView& event) {
                     lose(record.position);
                     if (range.lost.empty()) {
                       whole_end = offset + sizeof(RecordHeader) + record.body_length;
                     }
                     next = record.position + 1;
                     ++result_->positions;
                     if (visitor_.on_event) visitor_.on_event(segment_, offset, record, event);
                   });
    lose(next_position);
    range.positions = {first, next_position - 1};
    if (!range.lost.empty()) range.positions = {range.lost.front().first, range.lost.back().last};
  }
  // A body says where its first lost record stands; other damage is told where it begins.
  if (range.what == What::kBody && !range.lost.empty()) {
    range.named = RecordAt(std::max(whole_end, range.offset + sizeof(FrameHeader)),
                           range.offset + range.length);
  }
  end_.damaged = true;
  end_.length = range.offset + range.length;
  end_.last_hash = range.hash_behind;
  end_.next_position = std::max(first, next_position);
  Progress(range.length);
  result_->damage.push_back(std::move(range));
}

const FrameHeader* SegmentWalk::FindFrame(std::uint64_t from) const {
  const std::uint64_t end =
      successor_ != nullptr ? std::min<std::uint64_t>(successor_->previous_length, bytes_.size())
                            : bytes_.size();
  for (std::uint64_t at = RoundUp(from, kFrameAlignment); at + sizeof(FrameHeader) <= end;
       at += kFrameAlignment) {
    const FrameHeader* header = nullptr;
    bool newer = false;
    if (CheckFrameHeader(bytes_, at, segment_.header().salt, &header, &newer) == nullptr &&
        header->first_position >= end_.next_position && header->first_position <= limit_position_) {
      return header;
    }
  }
  return nullptr;
}

void SegmentWalk::Pass(const FrameHeader* header, What what, std::string problem) {
  if (header != nullptr && what == What::kBody) {
    DamagedRange range = Range(what, end_.length + header->length, std::move(problem));
    range.hash_behind = header->header_hash;
    promised_upto_ = std::max(promised_upto_, header->durable_upto);
    Salvage(std::move(range), header->first_position + header->events);
    end_.sealed = header->kind == static_cast<std::uint8_t>(FrameKind::kSeal);
    return;
  }
  const FrameHeader* next = FindFrame(end_.length + kFrameAlignment);
  if (next != nullptr) {
    DamagedRange range = Range(what, next->offset, std::move(problem));
    range.hash_behind = next->previous_hash;
    Salvage(std::move(range), next->first_position);
    return;
  }
  // Nothing whole follows. Behind a segment stands another that says how far this one goes.
  exhausted_ = true;
  const std::uint64_t end =
      successor_ != nullptr ? successor_->previous_length : segment_.header().segment_bytes;
  DamagedRange range = Range(what, end, std::move(problem));
  if (successor_ != nullptr) range.hash_behind = successor_->previous_frame_hash;
  Salvage(std::move(range), limit_position_ == kCountMax ? end_.next_position : limit_position_);
}

TailDecision SegmentWalk::Decide(TailEvidence* evidence) const {
  evidence->bad_offset = end_.length;
  evidence->promised_upto = promised_upto_;
  evidence->unsynced_max = segment_.header().unsynced_max;
  evidence->sealed = end_.sealed;
  evidence->file_is_short = bytes_.size() < segment_.header().segment_bytes;
  evidence->last_position = end_.next_position - 1;
  evidence->witnessed_position = picture_.witnessed_position;
  ExamineTail(bytes_, segment_.header().salt, evidence);
  return DecideTail(*evidence);
}

void SegmentWalk::CheckHeaderPadding() {
  const auto padding =
      bytes_.subspan(sizeof(SegmentHeader), kSegmentHeaderBytes - sizeof(SegmentHeader));
  if (IsAllZero(padding)) return;
  DamagedRange range = Range(What::kZeros, end_.length, "the bytes behind the header are not zero");
  range.offset = range.named = sizeof(SegmentHeader);
  range.length = padding.size();
  result_->damage.push_back(std::move(range));
}

// The bytes behind the end of a segment that others follow.
void SegmentWalk::CheckRest() {
  const bool events_follow = end_.next_position < limit_position_;
  if (events_follow) LosePositionsBefore(limit_position_);
  const bool is_short = bytes_.size() < segment_.header().segment_bytes;
  const auto rest = bytes_.subspan(std::min<std::uint64_t>(end_.length, bytes_.size()));
  // What is left of lost events was told with them.
  if (exhausted_ || events_follow || (!is_short && IsAllZero(rest))) return;
  DamagedRange range = Range(What::kZeros, bytes_.size(),
                             is_short ? "the file is shorter than its header says"
                                      : "bytes follow the end of the segment");
  const auto first =
      std::find_if(rest.begin(), rest.end(), [](std::byte b) { return b != std::byte{0}; });
  range.named =
      is_short ? bytes_.size() : end_.length + static_cast<std::uint64_t>(first - rest.begin());
  result_->damage.push_back(std::move(range));
}

// The segment ends before the next one begins. Where the next one does not follow it directly, that
// is said there.
void SegmentWalk::LosePositionsBefore(std::uint64_t position) {
  if (!AtSuccessorsEnd()) return;
  const SegmentEnd end = end_;
  Salvage(Range(What::kFrames, bytes_.size(), "the events that stood here are lost"), position);
  end_.length = end.length;
  end_.last_hash = end.last_hash;
  end_.sealed = end.sealed;
}

// The end of the log.
void SegmentWalk::CheckLastRest(const TailEvidence& evidence, const TailDecision& decision) {
  if (decision.verdict != TailVerdict::kCorrupt) return;
  const bool more = picture_.witnessed_position >= end_.next_position;
  DamagedRange range = Range(end_.sealed && !more ? What::kZeros : What::kTail, bytes_.size(),
                             Describe(decision.row));
  if (evidence.file_is_short) {
    range.named = bytes_.size();
  } else if (evidence.nonzero_end > end_.length) {
    range.length = evidence.nonzero_end - end_.length;
  }
  const SegmentEnd end = end_;
  Salvage(std::move(range), more ? picture_.witnessed_position + 1 : end_.next_position);
  // The segment ends where its last whole frame does.
  end_.length = end.length;
  end_.last_hash = end.last_hash;
}

absl::StatusOr<SegmentEnd> SegmentWalk::Run() {
  CheckHeaderPadding();
  bool looked_again = false;
  TailEvidence evidence;
  TailDecision decision{};
  while (!end_.sealed && !exhausted_ && !AtSuccessorsEnd()) {
    const bool blank = bytes_.size() < end_.length + sizeof(FrameHeader) ||
                       IsAllZero(bytes_.subspan(end_.length, sizeof(FrameHeader)));
    const FrameHeader* header = nullptr;
    bool newer = false;
    What what = What::kFrames;
    const char* problem =
        blank ? "zeros stand where a frame should" : Check(&header, &newer, &what);
    if (newer) {
      return absl::FailedPreconditionError(
          absl::StrCat(file_.name, " holds frames of a newer format; use a newer Daybook"));
    }
    if (problem == nullptr) {
      Accept(*header);
      looked_again = false;
      continue;
    }
    if (is_last()) {
      decision = Decide(&evidence);
      if (decision.verdict != TailVerdict::kCorrupt) break;
      // A live writer may have filled this frame since it was looked at: what a later frame
      // promises is there by now.
      if (!std::exchange(looked_again, true)) continue;
      const bool goes_on = FindFrame(end_.length + kFrameAlignment) != nullptr ||
                           (header != nullptr && what == What::kBody);
      if (!goes_on) break;
    }
    Pass(header, what, problem);
    looked_again = false;
  }
  if (is_last()) {
    if (end_.sealed) decision = Decide(&evidence);
    CheckLastRest(evidence, decision);
  } else {
    CheckChainToNext();
    CheckRest();
  }
  if (visitor_.on_progress) visitor_.on_progress(unreported_);
  return end_;
}

// A seal that the next segment does not name.
void SegmentWalk::CheckChainToNext() {
  if (!end_.sealed || exhausted_ || successor_ == nullptr || AtSuccessorsEnd()) return;
  DamagedRange range =
      Range(What::kChain, end_.length, "the next segment names another end of this one");
  range.hash_behind = successor_->previous_frame_hash;
  result_->damage.push_back(std::move(range));
}

// Segments that the headers on both sides say were there.
DamagedRange Missing(const LogPicture& picture, std::size_t index, std::uint64_t next_position) {
  const LogFile& behind = picture.files[index];
  const SegmentHeader& header = behind.log->header();
  DamagedRange range;
  range.what = What::kMissing;
  range.index = index;
  const std::uint64_t named = header.previous_first_position;
  range.file =
      named != 0 && named < behind.first_position ? "log/" + SegmentFileName(named) : behind.name;
  range.problem = "the segment before " + behind.name + " is missing";
  range.next_position = next_position;
  if (next_position < behind.first_position) {
    range.positions = {next_position, behind.first_position - 1};
    range.lost.push_back(range.positions);
  }
  return range;
}

// A segment without a whole header.
DamagedRange Headless(const LogPicture& picture, std::size_t index, std::uint64_t next_position) {
  const LogFile& file = picture.files[index];
  DamagedRange range;
  range.what = What::kHeader;
  range.index = index;
  range.file = file.name;
  range.length = std::min(file.file_bytes, kSegmentHeaderBytes);
  range.problem = file.problem;
  range.next_position = next_position;
  const std::uint64_t behind = index + 1 < picture.files.size()
                                   ? picture.files[index + 1].first_position
                                   : picture.witnessed_position + 1;
  if (behind > file.first_position) {
    range.positions = {file.first_position, behind - 1};
    range.lost.push_back(range.positions);
  }
  return range;
}

// What the device does not give. The walk took zeros for it, and tells which events are gone.
DamagedRange Unreadable(std::size_t index, const LogFile& file, const absl::Status& status) {
  DamagedRange range;
  range.what = What::kZeros;
  range.index = index;
  range.file = file.name;
  range.problem = absl::StrCat("a part of the file cannot be read: ", status.message());
  return range;
}

}  // namespace

absl::StatusOr<WalkResult> WalkLog(const LogPicture& picture, const WalkVisitor& visitor) {
  WalkResult result;
  std::int64_t recorded_at = INT64_MIN;
  for (std::size_t i = 0; i < picture.files.size(); ++i) {
    const LogFile& file = picture.files[i];
    const auto lose = [&](const DamagedRange& range) {
      if (visitor.on_lost && range.positions.first != 0) visitor.on_lost(range.positions);
    };
    if (file.log) {
      const std::uint64_t before = i == 0 ? 0 : picture.files[i - 1].first_position;
      if (file.log->header().previous_first_position != before ||
          file.first_position > result.next_position) {
        result.damage.push_back(Missing(picture, i, result.next_position));
        lose(result.damage.back());
      }
    }
    if (visitor.on_segment) visitor.on_segment(file);
    if (file.log) {
      // Where it is not mapped: one segment at a time stands in memory.
      const absl::Status loaded = file.log->LoadFrom(0);
      SegmentWalk walk(picture, i, visitor, &recorded_at, &result);
      const absl::StatusOr<SegmentEnd> end = walk.Run();
      file.log->Unload();
      DAYBOOK_RETURN_IF_ERROR(end.status());
      result.ends.push_back(*end);
      if (!loaded.ok()) result.damage.push_back(Unreadable(i, file, loaded));
    } else {
      result.damage.push_back(Headless(picture, i, result.next_position));
      lose(result.damage.back());
      SegmentEnd end;
      end.damaged = true;
      end.next_position = std::max(file.first_position, result.damage.back().positions.last + 1);
      result.ends.push_back(end);
    }
    result.next_position = std::max(result.next_position, result.ends.back().next_position);
    if (visitor.on_segment_end) visitor.on_segment_end(file, result.ends.back());
  }
  return result;
}

}  // namespace daybook
