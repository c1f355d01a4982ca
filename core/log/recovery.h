// Torn tail or corruption: the decision, as a pure function of what was found.
// docs/format/recovery.md has it as a table; a test walks that table row by row.

#ifndef DAYBOOK_LOG_RECOVERY_H_
#define DAYBOOK_LOG_RECOVERY_H_

#include <cstdint>
#include <span>

#include "log/format.h"

namespace daybook {

// What was found where the frames of the last segment end. Offsets are in that segment.
struct TailEvidence {
  std::uint64_t bad_offset = 0;  // X: where no whole frame stands, be it blank or bad
  std::uint64_t nonzero_end =
      0;  // one past the last byte from X on that is not zero; 0: all are zero
  std::uint64_t promised_upto = 0;  // the largest durable_upto of the frames before X
  std::uint64_t later_promise =
      0;  // the largest durable_upto of headers after X that are whole where they stand
  std::uint64_t unsynced_max = 0;   // from the segment header
  bool sealed = false;              // the last whole frame is a seal: nothing can follow
  bool file_is_short = false;       // the file is shorter than its header says
  std::uint64_t last_position = 0;  // of the frames before X
  std::uint64_t witnessed_position =
      0;  // the largest durable position that WAKE, a sidecar or the catalogue has seen
};

enum class TailVerdict : std::uint8_t {
  kIntact,   // nothing is lost and nothing is there
  kTorn,     // nobody was told that it is durable: zero it
  kCorrupt,  // acknowledged history is damaged: refuse to write
};

// The rows of the table, in the order in which they are asked.
enum class TailRow : std::uint8_t {
  kFileIsShort,     // corrupt
  kLaterPromise,    // corrupt
  kWitness,         // corrupt
  kBlank,           // intact
  kBytesAfterSeal,  // corrupt
  kBeyondUnsynced,  // corrupt
  kTorn,            // torn
};

struct TailDecision {
  TailVerdict verdict;
  TailRow row;
};

TailDecision DecideTail(const TailEvidence& evidence);
// The row as a half sentence: "a later frame promises ...".
const char* Describe(TailRow row);

// Fills `nonzero_end` and `later_promise` from the bytes of the segment from `evidence->bad_offset`
// on.
void ExamineTail(std::span<const std::byte> segment, std::uint64_t salt, TailEvidence* evidence);

}  // namespace daybook

#endif  // DAYBOOK_LOG_RECOVERY_H_
