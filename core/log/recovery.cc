#include "log/recovery.h"

#include <algorithm>
#include <cstring>

#include "base/seeded_bug.h"
#include "log/frame.h"

namespace daybook {

TailDecision DecideTail(const TailEvidence& e) {
  // A segment has its full size, synced, before its first event.
  if (e.file_is_short) return {TailVerdict::kCorrupt, TailRow::kFileIsShort};
  if (e.later_promise > e.bad_offset && !IsSeeded(SeededBug::kLaterPromiseIgnored)) {
    return {TailVerdict::kCorrupt, TailRow::kLaterPromise};
  }
  if (e.witnessed_position > e.last_position) return {TailVerdict::kCorrupt, TailRow::kWitness};
  if (e.nonzero_end == 0) return {TailVerdict::kIntact, TailRow::kBlank};
  // A seal is the last thing that is written to a segment.
  if (e.sealed) return {TailVerdict::kCorrupt, TailRow::kBytesAfterSeal};
  if (e.nonzero_end - std::min(e.nonzero_end, e.promised_upto) > e.unsynced_max) {
    return {TailVerdict::kCorrupt, TailRow::kBeyondUnsynced};
  }
  return {TailVerdict::kTorn, TailRow::kTorn};
}

const char* Describe(TailRow row) {
  switch (row) {
    case TailRow::kFileIsShort:
      return "the file is shorter than its header says";
    case TailRow::kLaterPromise:
      return "a later frame says that this was on the device";
    case TailRow::kWitness:
      return "later positions were seen on the device";
    case TailRow::kBlank:
      return "nothing follows the last frame";
    case TailRow::kBytesAfterSeal:
      return "bytes follow the seal of the segment";
    case TailRow::kBeyondUnsynced:
      return "bytes stand farther out than can have been unsynced";
    case TailRow::kTorn:
      return "the last write was torn, and nobody was told that it was durable";
  }
  return "";
}

void ExamineTail(std::span<const std::byte> segment, std::uint64_t salt, TailEvidence* evidence) {
  evidence->nonzero_end = 0;
  evidence->later_promise = 0;
  if (evidence->bad_offset >= segment.size()) return;
  std::uint64_t end = segment.size();
  static constexpr std::array<std::byte, 4096> kZeros{};
  while (end > evidence->bad_offset) {
    const std::uint64_t n = std::min<std::uint64_t>(kZeros.size(), end - evidence->bad_offset);
    if (std::memcmp(segment.data() + end - n, kZeros.data(), n) != 0) break;
    end -= n;
  }
  while (end > evidence->bad_offset && segment[end - 1] == std::byte{0}) --end;
  if (end == evidence->bad_offset) return;
  evidence->nonzero_end = end;
  for (std::uint64_t at = RoundUp(evidence->bad_offset, kFrameAlignment);
       at + sizeof(FrameHeader) <= segment.size() && at < end; at += kFrameAlignment) {
    const FrameHeader* header = nullptr;
    bool newer = false;
    if (CheckFrameHeader(segment, at, salt, &header, &newer) == nullptr) {
      evidence->later_promise = std::max(evidence->later_promise, header->durable_upto);
    }
  }
}

}  // namespace daybook
