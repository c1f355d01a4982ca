// The frame scanner, resynchronisation, and the decision about the tail, on a segment in memory.

#include <algorithm>
#include <vector>

#include "base/checksum.h"
#include "log/frame.h"
#include "log/recovery.h"
#include "log/segment.h"
#include "tests/fuzz/segment_image.h"

namespace daybook::fuzzing {
namespace {

struct Scan {
  FrameScanner::Result result{};
  std::uint64_t frames = 0;
  std::uint64_t end = 0;
  std::uint64_t last_position = 0;
  std::uint64_t promised_upto = 0;
  bool sealed = false;
};

// Frames follow one another, verified, and the walk ends with a word.
Scan ScanAll(std::span<const std::byte> bytes, const SegmentHeader& header) {
  Scan scan;
  FrameScanner scanner(bytes, header);
  std::uint64_t offset = scanner.offset();
  std::uint64_t position = scanner.next_position();
  std::uint64_t hash = header.header_hash;
  while ((scan.result = scanner.Next()) == FrameScanner::Result::kFrame) {
    const FrameHeader& frame = scanner.frame();
    DAYBOOK_FUZZ_CHECK(scanner.frame_offset() == offset && frame.offset == offset);
    DAYBOOK_FUZZ_CHECK(frame.first_position == position && frame.previous_hash == hash);
    DAYBOOK_FUZZ_CHECK(scanner.offset() > offset && scanner.offset() <= bytes.size());
    DAYBOOK_FUZZ_CHECK(frame.durable_upto <= offset);
    DAYBOOK_FUZZ_CHECK(frame.header_hash == HashOf(frame, header.salt));
    DAYBOOK_FUZZ_CHECK(Hash64(bytes.subspan(offset + sizeof frame, frame.length - sizeof frame)) ==
                       frame.body_hash);
#ifdef DAYBOOK_FUZZ_CANARY
    // A bug behind every checksum there is: only a mutator that mends them gets here.
    if (frame.durable_upto % 2 == 1) std::abort();
#endif
    offset = scanner.offset();
    position = scanner.next_position();
    hash = frame.header_hash;
    ++scan.frames;
  }
  if (scan.result == FrameScanner::Result::kBad) DAYBOOK_FUZZ_CHECK(scanner.problem() != nullptr);
  scan.end = scanner.offset();
  scan.last_position = scanner.next_position() - 1;
  scan.promised_upto = scanner.promised_upto();
  scan.sealed = scanner.sealed();
  // Looking for what goes on moves forwards, and ends.
  while (scanner.Resynchronise()) {
    DAYBOOK_FUZZ_CHECK(scanner.offset() > offset);
    offset = scanner.offset();
    while (scanner.Next() == FrameScanner::Result::kFrame) {
    }
    DAYBOOK_FUZZ_CHECK(scanner.offset() >= offset);
    offset = scanner.offset();
  }
  return scan;
}

TailDecision Decide(std::span<const std::byte> bytes, const SegmentHeader& header, const Scan& scan,
                    TailEvidence* evidence) {
  *evidence = {.bad_offset = scan.end,
               .promised_upto = scan.promised_upto,
               .unsynced_max = header.unsynced_max,
               .sealed = scan.sealed,
               .last_position = scan.last_position};
  ExamineTail(bytes, header.salt, evidence);
  DAYBOOK_FUZZ_CHECK(evidence->nonzero_end == 0 ||
                     (evidence->nonzero_end > scan.end && evidence->nonzero_end <= bytes.size()));
  return DecideTail(*evidence);
}

// A torn tail that is zeroed is gone, and zeroing that was cut off anywhere stays torn or is done.
void CheckClearing(SegmentImage& image, const Scan& scan, const TailEvidence& evidence) {
  const auto bytes = image.bytes();
  for (const std::uint64_t part : {3U, 1U}) {
    const std::uint64_t length = (evidence.nonzero_end - scan.end) / part;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(scan.end), length, std::byte{0});
    const Scan again = ScanAll(bytes, image.header());
    DAYBOOK_FUZZ_CHECK(again.end == scan.end && again.last_position == scan.last_position);
    TailEvidence after;
    const TailVerdict verdict = Decide(bytes, image.header(), again, &after).verdict;
    DAYBOOK_FUZZ_CHECK(verdict != TailVerdict::kCorrupt);
    DAYBOOK_FUZZ_CHECK(part != 1 || verdict == TailVerdict::kIntact);
  }
}

}  // namespace
}  // namespace daybook::fuzzing

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return daybook::fuzzing::MutateSegment(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace daybook;
  using namespace daybook::fuzzing;
  Tally::Get().Input();
  SegmentImage image(data, size);
  bool newer = false;
  if (CheckSegmentHeader(image.header(), &newer) != nullptr) return 0;
  const Scan scan = ScanAll(image.bytes(), image.header());
  if (scan.frames > 0) Tally::Get().Accepted();
  if (scan.result == FrameScanner::Result::kNewer) return 0;
  TailEvidence evidence;
  const TailDecision decision = Decide(image.bytes(), image.header(), scan, &evidence);
  DAYBOOK_FUZZ_CHECK(Describe(decision.row)[0] != '\0');
  // What a witness adds can only make it corrupt.
  evidence.witnessed_position = scan.last_position + 1;
  DAYBOOK_FUZZ_CHECK(DecideTail(evidence).verdict == TailVerdict::kCorrupt);
  if (decision.verdict == TailVerdict::kTorn) CheckClearing(image, scan, evidence);
  return 0;
}
