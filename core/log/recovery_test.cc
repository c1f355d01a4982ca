// The table of docs/format/recovery.md, row by row.

#include "log/recovery.h"

#include <algorithm>
#include <set>
#include <string>

#include "log/log_testing.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::AlignedBytes;
using testing::ScannerOf;
using testing::TestLog;

// A torn tail: nothing speaks against it.
TailEvidence Torn() {
  return {.bad_offset = 8192,
          .nonzero_end = 9000,
          .promised_upto = 8000,
          .later_promise = 0,
          .unsynced_max = 4096,
          .sealed = false,
          .file_is_short = false,
          .last_position = 10,
          .witnessed_position = 10};
}

// The evidence that speaks for each row and, taken alone, for no row before it.
void MakeShort(TailEvidence* e) { e->file_is_short = true; }
void MakePromised(TailEvidence* e) { e->later_promise = e->bad_offset + 1; }
void MakeWitnessed(TailEvidence* e) { e->witnessed_position = e->last_position + 1; }
void MakeBlank(TailEvidence* e) { e->nonzero_end = 0; }
void MakeSealed(TailEvidence* e) { e->sealed = true; }
void MakeFar(TailEvidence* e) { e->nonzero_end = e->promised_upto + e->unsynced_max + 1; }

void CheckRow(const TailEvidence& evidence, TailVerdict verdict, TailRow row) {
  const TailDecision decision = DecideTail(evidence);
  CAPTURE(Describe(decision.row), Describe(row));
  CHECK(decision.row == row);
  CHECK(decision.verdict == verdict);
}

TEST_CASE("each row of the table holds by its own evidence") {
  TailEvidence e = Torn();
  SECTION("1: the file is short") {
    MakeShort(&e);
    CheckRow(e, TailVerdict::kCorrupt, TailRow::kFileIsShort);
  }
  SECTION("2: a later header promises what is gone") {
    MakePromised(&e);
    CheckRow(e, TailVerdict::kCorrupt, TailRow::kLaterPromise);
  }
  SECTION("3: a witness has seen more") {
    MakeWitnessed(&e);
    CheckRow(e, TailVerdict::kCorrupt, TailRow::kWitness);
  }
  SECTION("4: nothing follows") {
    MakeBlank(&e);
    CheckRow(e, TailVerdict::kIntact, TailRow::kBlank);
  }
  SECTION("5: bytes follow a seal") {
    MakeSealed(&e);
    CheckRow(e, TailVerdict::kCorrupt, TailRow::kBytesAfterSeal);
  }
  SECTION("6: bytes stand too far out") {
    MakeFar(&e);
    CheckRow(e, TailVerdict::kCorrupt, TailRow::kBeyondUnsynced);
  }
  SECTION("7: otherwise it is torn") { CheckRow(e, TailVerdict::kTorn, TailRow::kTorn); }
}

TEST_CASE("where several rows hold, the first decides") {
  TailEvidence e = Torn();
  CheckRow(e, TailVerdict::kTorn, TailRow::kTorn);
  MakeFar(&e);
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kBeyondUnsynced);
  MakeSealed(&e);
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kBytesAfterSeal);
  MakeBlank(&e);
  CheckRow(e, TailVerdict::kIntact, TailRow::kBlank);
  MakeWitnessed(&e);
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kWitness);
  MakePromised(&e);
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kLaterPromise);
  MakeShort(&e);
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kFileIsShort);
}

TEST_CASE("all zeros behind the last frame are damage where a witness saw more") {
  TailEvidence e = Torn();
  MakeBlank(&e);
  MakeWitnessed(&e);
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kWitness);
}

TEST_CASE("a later promise counts only beyond X: one up to X says nothing of what stands there") {
  TailEvidence e = Torn();
  e.later_promise = e.bad_offset;
  CheckRow(e, TailVerdict::kTorn, TailRow::kTorn);
}

TEST_CASE("a witness that saw exactly the last position speaks for nothing") {
  TailEvidence e = Torn();
  e.witnessed_position = e.last_position;
  CheckRow(e, TailVerdict::kTorn, TailRow::kTorn);
}

TEST_CASE("bytes may stand exactly unsynced_max behind the last promise") {
  TailEvidence e = Torn();
  e.nonzero_end = e.promised_upto + e.unsynced_max;
  CheckRow(e, TailVerdict::kTorn, TailRow::kTorn);
  // Without any promise the limit counts from the beginning of the file.
  e.promised_upto = 0;
  CheckRow(e, TailVerdict::kCorrupt, TailRow::kBeyondUnsynced);
}

TEST_CASE("every row says another thing about itself") {
  std::set<std::string> said;
  for (int row = 0; row <= static_cast<int>(TailRow::kTorn); ++row) {
    said.insert(Describe(static_cast<TailRow>(row)));
  }
  CHECK(said.size() == 7);
  CHECK(said.count("") == 0);
}

TEST_CASE("where all is zero from X on, the tail is blank") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  TailEvidence e{.bad_offset = log.tail().offset, .nonzero_end = 1, .later_promise = 1};
  ExamineTail(segment.bytes(), log.tail().segment.salt, &e);
  CHECK(e.nonzero_end == 0);
  CHECK(e.later_promise == 0);
}

TEST_CASE("the end of the bytes that are not zero is found wherever it stands") {
  AlignedBytes segment(kSegmentBytesMin);
  const std::uint64_t x = 5120;           // not a multiple of the search's step from the end
  segment.bytes()[x - 1] = std::byte{1};  // before X: does not count
  for (std::uint64_t at = x; at < segment.bytes().size(); ++at) {
    segment.bytes()[at] = std::byte{1};
    TailEvidence e{.bad_offset = x};
    ExamineTail(segment.bytes(), 0, &e);
    segment.bytes()[at] = std::byte{0};
    if (e.nonzero_end == at + 1) continue;
    CAPTURE(at);
    CHECK(e.nonzero_end == at + 1);
  }
}

TEST_CASE("a file that ends at X or before has no tail") {
  AlignedBytes segment(kSegmentHeaderBytes);
  TailEvidence e{.bad_offset = kSegmentHeaderBytes, .nonzero_end = 1, .later_promise = 1};
  ExamineTail(segment.bytes(), 0, &e);
  CHECK(e.nonzero_end == 0);
  e.bad_offset = 2 * kSegmentHeaderBytes;
  e.nonzero_end = 1;
  ExamineTail(segment.bytes(), 0, &e);
  CHECK(e.nonzero_end == 0);
}

// Walks to the first frame that is not whole, as an opening does, and decides.
TailDecision Decide(AlignedBytes segment) {
  FrameScanner scanner = ScannerOf(segment.bytes());
  while (scanner.Next() == FrameScanner::Result::kFrame) {
  }
  const auto& header = segment.At<SegmentHeader>(0);
  TailEvidence e{.bad_offset = scanner.offset(),
                 .promised_upto = scanner.promised_upto(),
                 .unsynced_max = header.unsynced_max,
                 .sealed = scanner.sealed(),
                 .last_position = scanner.next_position() - 1};
  ExamineTail(segment.bytes(), header.salt, &e);
  return DecideTail(e);
}

TEST_CASE("a last frame of which any beginning was written is torn, or blank, and never damage") {
  TestLog log;
  log.Write();
  log.Sync();
  const std::uint64_t x = log.tail().offset;
  log.Write(2, 2);
  const std::uint64_t end = log.tail().offset;
  for (std::uint64_t cut = x; cut < end; ++cut) {
    AlignedBytes segment = log.Segment();
    const auto rest = segment.bytes().subspan(cut, end - cut);
    std::fill(rest.begin(), rest.end(), std::byte{0});
    const TailDecision decision = Decide(std::move(segment));
    CAPTURE(cut - x);
    // The padding at its end is zero anyway: without it the frame is whole.
    if (decision.row == TailRow::kBlank) {
      CHECK((cut == x || end - cut < kFrameAlignment));
    } else {
      CHECK(decision.row == TailRow::kTorn);
    }
  }
}

TEST_CASE("damage in a frame that a later one promises is corrupt, whatever stands between") {
  TestLog log;
  log.Write();
  log.Sync();
  log.Write();
  log.Sync();
  const std::uint64_t last = log.tail().offset;
  log.Watermark();  // promises all before it
  AlignedBytes segment = log.Segment();
  CHECK(Decide(AlignedBytes(segment.bytes())).row == TailRow::kBlank);
  segment.bytes()[kSegmentHeaderBytes + 200] ^= std::byte{1};
  CHECK(Decide(AlignedBytes(segment.bytes())).row == TailRow::kLaterPromise);
  // The watermark gone, the second frame still promises the first.
  const auto watermark = segment.bytes().subspan(last, sizeof(FrameHeader));
  std::fill(watermark.begin(), watermark.end(), std::byte{0});
  CHECK(Decide(std::move(segment)).row == TailRow::kLaterPromise);
}

TEST_CASE(
    "damage in the very last group without a later promise looks torn: the window that stays") {
  TestLog log;
  log.Write();
  log.Sync();
  const std::uint64_t x = log.tail().offset;
  log.Write();
  log.Sync();
  AlignedBytes segment = log.Segment();
  segment.bytes()[x + 200] ^= std::byte{1};
  CHECK(Decide(std::move(segment)).row == TailRow::kTorn);
}

TEST_CASE("a promise in a header that belongs to another place or segment is none") {
  TestLog log;
  log.Write();
  log.Sync();
  const std::uint64_t x = log.tail().offset;
  AlignedBytes segment = log.Segment();
  const std::uint64_t salt = log.tail().segment.salt;
  const auto put = [&](std::uint64_t offset, std::uint64_t names, std::uint64_t with_salt) {
    FrameHeader header =
        MakeFrameHeader(FrameKind::kWatermark, names, sizeof(FrameHeader), 2, x + 64, 0);
    header.header_hash = HashOf(header, with_salt);
    segment.At<FrameHeader>(offset) = header;
    return Decide(AlignedBytes(segment.bytes())).row;
  };
  CHECK(put(x + 128, x + 128, salt) == TailRow::kLaterPromise);
  CHECK(put(x + 128, x + 192, salt) == TailRow::kTorn);
  CHECK(put(x + 128, x + 128, salt + 1) == TailRow::kTorn);
}

TEST_CASE("bytes behind a seal are damage, and a sealed segment without them is intact") {
  TestLog log;
  log.Write();
  REQUIRE_OK(log.writer().Seal());
  AlignedBytes segment = log.Segment();
  CHECK(Decide(AlignedBytes(segment.bytes())).row == TailRow::kBlank);
  segment.bytes()[log.tail().offset + 1000] = std::byte{1};
  CHECK(Decide(std::move(segment)).row == TailRow::kBytesAfterSeal);
}

}  // namespace
}  // namespace daybook
