// What the writer leaves in the log folder, also where it stops half-way.

#include "log/segment_writer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "io/directory.h"
#include "log/log_testing.h"
#include "log/recovery.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::AlignedBytes;
using testing::kTestIdentity;
using testing::ScannerOf;
using testing::TempFolder;
using testing::TestLog;
using Result = FrameScanner::Result;

std::vector<std::string> Names(const TestLog& log) {
  const auto names = Directory::List(log.log());
  REQUIRE_OK(names);
  return *names;
}

// The plan of the segment that follows.
SegmentPlan NextOf(const TestLog& log) {
  return {log.tail().next_position, 4711, kSegmentBytesMin};
}

TEST_CASE("the first segment has its full size, its header, and nothing else") {
  TempFolder folder;
  REQUIRE_OK(Directory::Create(folder / "log"));
  const auto tail = CreateFirstSegment(folder.path(), kTestIdentity, kSegmentBytesMin);
  REQUIRE_OK(tail);
  CHECK(*Directory::List(folder / "log") == std::vector<std::string>{SegmentFileName(1)});
  const auto segment = LogSegment::Open(folder.path(), 1, kTestIdentity);
  REQUIRE_OK(segment);
  const SegmentHeader& header = (*segment)->header();
  CHECK((*segment)->bytes().size() == kSegmentBytesMin);
  CHECK(header.segment_bytes == kSegmentBytesMin);
  CHECK(header.first_position == 1);
  CHECK(header.previous_first_position == 0);
  CHECK(header.previous_frame_hash == 0);
  CHECK(header.unsynced_max == kUnsyncedMax);
  CHECK(header.salt == tail->segment.salt);
  CHECK(tail->offset == kSegmentHeaderBytes);
  CHECK(tail->next_position == 1);
  CHECK(tail->last_hash == header.header_hash);
  const auto rest = (*segment)->bytes().subspan(sizeof(SegmentHeader));
  CHECK(std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("a first segment replaces no other, and an attempt that was cut off is no obstacle") {
  TempFolder folder;
  REQUIRE_OK(Directory::Create(folder / "log"));
  REQUIRE_OK(File::CreateNew(folder / "log/spare"));
  const auto first = CreateFirstSegment(folder.path(), kTestIdentity, kSegmentBytesMin);
  REQUIRE_OK(first);
  CHECK(CreateFirstSegment(folder.path(), kTestIdentity, kSegmentBytesMin).status().code() ==
        absl::StatusCode::kAlreadyExists);
  const auto segment = LogSegment::Open(folder.path(), 1, kTestIdentity);
  REQUIRE_OK(segment);
  CHECK((*segment)->header().salt == first->segment.salt);
}

TEST_CASE("segments grow by four up to the limit, and one made for a large commit does not count") {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  CHECK(NextSegmentBytes(0, 256 * kMiB) == kMiB);
  CHECK(NextSegmentBytes(kMiB, 256 * kMiB) == 4 * kMiB);
  CHECK(NextSegmentBytes(64 * kMiB, 256 * kMiB) == 256 * kMiB);
  CHECK(NextSegmentBytes(256 * kMiB, 256 * kMiB) == 256 * kMiB);
  CHECK(NextSegmentBytes(400 * kMiB, 256 * kMiB) == 256 * kMiB);
  CHECK(NextSegmentBytes(128 * kMiB, 256 * kMiB) == 256 * kMiB);
  CHECK(NextSegmentBytes(0, kSegmentBytesMin) == kSegmentBytesMin);
}

TEST_CASE("the bytes of a frame are its header and body, rounded up to 64") {
  CHECK(FrameBytes(0) == 128);
  CHECK(FrameBytes(1) == 192);
  CHECK(FrameBytes(64) == 192);
  CHECK(FrameBytes(65) == 256);
}

TEST_CASE("the smallest segment for a body holds its frame and a seal, and wastes no page") {
  for (std::uint64_t body = 0; body < 20'000; body += 61) {
    const std::uint64_t needed = kSegmentHeaderBytes + FrameBytes(body) + sizeof(FrameHeader);
    CAPTURE(body);
    CHECK(SegmentBytesFor(body) >= needed);
    CHECK(SegmentBytesFor(body) < needed + sizeof(FrameHeader) + 4096);
    CHECK(SegmentBytesFor(body) % 4096 == 0);
  }
}

TEST_CASE("a frame promises what was synced before it, and no more") {
  TestLog log;
  CHECK(log.writer().durable_upto() == kSegmentHeaderBytes);
  log.Write();
  log.Write();
  const std::uint64_t two = log.tail().offset;
  CHECK(log.writer().durable_upto() == kSegmentHeaderBytes);
  log.Sync();
  CHECK(log.writer().durable_upto() == two);
  log.Write();
  CHECK(log.writer().durable_upto() == two);
  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  std::vector<std::uint64_t> promises;
  while (scanner.Next() == Result::kFrame) promises.push_back(scanner.frame().durable_upto);
  CHECK(promises == std::vector<std::uint64_t>{kSegmentHeaderBytes, kSegmentHeaderBytes, two});
}

TEST_CASE("a frame is the pieces one after another, padded with zeros") {
  TestLog log;
  const std::string_view texts[] = {"ab", "", "cde"};
  const std::span<const std::byte> pieces[] = {AsBytes(texts[0]), AsBytes(texts[1]),
                                               AsBytes(texts[2])};
  REQUIRE_OK(log.writer().WriteFrame(FrameKind::kData, 1, 7, pieces));
  CHECK(log.tail().offset == kSegmentHeaderBytes + FrameBytes(5));
  CHECK(log.tail().next_position == 8);
  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kFrame);
  const auto body = segment.bytes().subspan(kSegmentHeaderBytes + sizeof(FrameHeader), 64);
  CHECK(AsText(body) == std::string("abcde") + std::string(59, '\0'));
}

TEST_CASE("a frame that begins a page fills it with zeros, and never beyond the segment") {
  TestLog log;
  const auto fill_behind = [&](std::byte value) {
    AlignedBytes rest(log.Segment().bytes().size() - log.tail().offset);
    std::fill(rest.bytes().begin(), rest.bytes().end(), value);
    auto file = File::OpenReadWrite(log.log() / SegmentFileName(1));
    REQUIRE_OK(file);
    REQUIRE_OK(file->WriteAt(log.tail().offset, rest.bytes()));
  };
  const auto zeros_behind = [&] {
    AlignedBytes segment = log.Segment();
    const auto rest = segment.bytes().subspan(log.tail().offset);
    return std::find(rest.begin(), rest.end(), std::byte{1}) - rest.begin();
  };
  // What stood there is zeros in a log; here it is ones, so that what is written shows.
  const std::string text(5000, 'x');
  const std::span<const std::byte> piece = AsBytes(text);
  fill_behind(std::byte{1});
  REQUIRE_OK(log.writer().WriteFrame(FrameKind::kData, 1, 1, {&piece, 1}));
  CHECK(log.tail().offset == 4096 + 5184);
  CHECK(zeros_behind() == static_cast<std::ptrdiff_t>(4096 + 8192 - log.tail().offset));
  REQUIRE_OK(log.writer().WriteFrame(FrameKind::kWatermark, 0, 0, {}));
  CHECK(zeros_behind() == static_cast<std::ptrdiff_t>(4096 + 8192 - log.tail().offset));
  CHECK(log.Segment().bytes().size() == log.tail().segment.bytes);
}

TEST_CASE("a seal promises all before it; to seal again changes nothing") {
  TestLog log;
  log.Write();
  const std::uint64_t before = log.tail().offset;
  REQUIRE_OK(log.writer().Seal());
  CHECK(log.tail().sealed);
  CHECK(log.tail().offset == before + sizeof(FrameHeader));
  CHECK(log.writer().durable_upto() == log.tail().offset);
  REQUIRE_OK(log.writer().Seal());
  CHECK(log.tail().offset == before + sizeof(FrameHeader));
  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  while (scanner.Next() == Result::kFrame) {
  }
  CHECK(scanner.sealed());
  CHECK(scanner.promised_upto() == before);
}

TEST_CASE("a writer that is opened at the tail goes on with the chain") {
  TestLog log;
  log.Write();
  log.Sync();
  log.Reopen(log.tail());
  CHECK(log.writer().durable_upto() == log.tail().offset);
  log.Write();
  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  CHECK(scanner.Next() == Result::kFrame);
  CHECK(scanner.Next() == Result::kFrame);
  CHECK(scanner.next_position() == 3);
}

TEST_CASE("activation seals the old segment, and the new one names its end") {
  TestLog log;
  SpareMaker spare(log.log());
  log.Write(1, 2);
  REQUIRE_OK(spare.WaitReady(kSegmentBytesMin));
  REQUIRE(spare.Claim(kSegmentBytesMin));
  REQUIRE_OK(log.writer().Activate(NextOf(log), &spare));
  CHECK(Names(log) == std::vector<std::string>{SegmentFileName(1), SegmentFileName(3)});
  CHECK_FALSE(log.tail().sealed);
  CHECK(log.tail().offset == kSegmentHeaderBytes);
  CHECK(log.tail().segment.salt == 4711);
  CHECK(log.writer().durable_upto() == kSegmentHeaderBytes);

  AlignedBytes old = log.Segment(1);
  FrameScanner first = ScannerOf(old.bytes());
  while (first.Next() == Result::kFrame) {
  }
  CHECK(first.sealed());
  const SegmentHeader header = log.Open(3)->header();
  CHECK(header.first_position == 3);
  CHECK(header.previous_first_position == 1);
  CHECK(header.previous_length == first.offset());
  CHECK(header.previous_frame_hash == first.last_hash());

  log.Write();
  AlignedBytes next = log.Segment(3);
  FrameScanner second = ScannerOf(next.bytes());
  REQUIRE(second.Next() == Result::kFrame);
  CHECK(second.frame().first_position == 3);
  // The spare was taken: another can be made and claimed.
  REQUIRE_OK(spare.WaitReady(kSegmentBytesMin));
  REQUIRE(spare.Claim(kSegmentBytesMin));
  REQUIRE_OK(log.writer().Activate(NextOf(log), &spare));
  CHECK(Names(log).size() == 3);
}

// What an opening makes of the last segment.
TailDecision DecideAtOpening(AlignedBytes segment) {
  FrameScanner scanner = ScannerOf(segment.bytes());
  while (scanner.Next() == Result::kFrame) {
  }
  TailEvidence e{.bad_offset = scanner.offset(),
                 .promised_upto = scanner.promised_upto(),
                 .unsynced_max = kUnsyncedMax,
                 .sealed = scanner.sealed(),
                 .last_position = scanner.next_position() - 1};
  ExamineTail(segment.bytes(), segment.At<SegmentHeader>(0).salt, &e);
  return DecideTail(e);
}

TEST_CASE("stopped while the seal is written, the segment goes on being the active one") {
  TestLog log;
  log.Write();
  log.Sync();
  const LogTail before = log.tail();
  REQUIRE_OK(log.writer().Seal());
  for (std::uint64_t written = 0; written < sizeof(FrameHeader); ++written) {
    AlignedBytes segment = log.Segment();
    const auto missing =
        segment.bytes().subspan(before.offset + written, sizeof(FrameHeader) - written);
    std::fill(missing.begin(), missing.end(), std::byte{0});
    CAPTURE(written);
    CHECK(DecideAtOpening(std::move(segment)).verdict ==
          (written == 0 ? TailVerdict::kIntact : TailVerdict::kTorn));
  }
}

TEST_CASE("stopped before there is a spare, the segment is sealed and has no successor") {
  TestLog log;
  SpareMaker spare(log.log());
  log.Write();
  CHECK(log.writer().Activate(NextOf(log), &spare).code() == absl::StatusCode::kNotFound);
  CHECK(Names(log) == std::vector<std::string>{SegmentFileName(1)});
  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  while (scanner.Next() == Result::kFrame) {
  }
  CHECK(scanner.sealed());
  CHECK(DecideAtOpening(std::move(segment)).verdict == TailVerdict::kIntact);
  // The next opening takes it up from there.
  const LogTail tail = log.tail();
  log.Reopen(tail);
  REQUIRE_OK(spare.WaitReady(kSegmentBytesMin));
  REQUIRE(spare.Claim(kSegmentBytesMin));
  REQUIRE_OK(log.writer().Activate(NextOf(log), &spare));
  CHECK(log.Open(2)->header().previous_frame_hash == tail.last_hash);
}

TEST_CASE("stopped before the rename, the spare has a header and is still no part of the log") {
  TestLog log;
  SpareMaker spare(log.log());
  log.Write();
  REQUIRE_OK(spare.WaitReady(kSegmentBytesMin));
  REQUIRE(spare.Claim(kSegmentBytesMin));
  // Another file has the name: the rename is what fails, and replaces nothing.
  const auto name = log.log() / SegmentFileName(2);
  REQUIRE_OK(File::CreateNew(name)->WriteAt(0, AsBytes("other")));
  CHECK(log.writer().Activate(NextOf(log), &spare).code() == absl::StatusCode::kAlreadyExists);
  CHECK(*Directory::FileSize(name) == 5);
  const auto file = File::OpenRead(log.log() / "spare");
  REQUIRE_OK(file);
  SegmentHeader header;
  REQUIRE_OK(file->ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  bool newer = false;
  CHECK(CheckSegmentHeader(header, &newer) == nullptr);
  CHECK(header.first_position == 2);
  CHECK(FirstPositionOf("spare") == 0);
}

TEST_CASE(
    "stopped after the rename, there is a segment without a frame, and the log goes on in it") {
  TestLog log;
  SpareMaker spare(log.log());
  log.Write();
  REQUIRE_OK(spare.WaitReady(kSegmentBytesMin));
  REQUIRE(spare.Claim(kSegmentBytesMin));
  REQUIRE_OK(log.writer().Activate(NextOf(log), &spare));
  AlignedBytes segment = log.Segment(2);
  CHECK(DecideAtOpening(AlignedBytes(segment.bytes())).verdict == TailVerdict::kIntact);
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kBlank);
  const SegmentHeader& header = segment.At<SegmentHeader>(0);
  log.Reopen({.segment = {header.first_position, header.salt, header.segment_bytes},
              .offset = scanner.offset(),
              .next_position = scanner.next_position(),
              .last_hash = scanner.last_hash()});
  log.Write();
  AlignedBytes grown = log.Segment(2);
  FrameScanner again = ScannerOf(grown.bytes());
  CHECK(again.Next() == Result::kFrame);
}

TEST_CASE("a segment of another store, of another name, or with a damaged header is not opened") {
  TestLog log;
  const auto open = [&](std::uint64_t position, const StoreIdentity& identity) {
    return LogSegment::Open(log.folder(), position, identity).status().code();
  };
  CHECK(open(1, kTestIdentity) == absl::StatusCode::kOk);
  CHECK(open(1, {kTestIdentity.incarnation, kTestIdentity.incarnation}) ==
        absl::StatusCode::kDataLoss);
  CHECK(open(1, {kTestIdentity.store_id, kTestIdentity.store_id}) == absl::StatusCode::kDataLoss);
  CHECK(open(2, kTestIdentity) == absl::StatusCode::kNotFound);
  REQUIRE_OK(Directory::Rename(log.log() / SegmentFileName(1), log.log() / SegmentFileName(2)));
  CHECK(open(2, kTestIdentity) == absl::StatusCode::kDataLoss);
  REQUIRE_OK(Directory::Rename(log.log() / SegmentFileName(2), log.log() / SegmentFileName(1)));
  auto file = File::OpenReadWrite(log.log() / SegmentFileName(1));
  REQUIRE_OK(file);
  const SegmentHeader good = log.Open()->header();
  const auto with = [&](auto change) {
    SegmentHeader header = good;
    change(header);
    REQUIRE_OK(file->WriteAt(0, std::as_bytes(std::span(&header, 1))));
    return open(1, kTestIdentity);
  };
  CHECK(with([](SegmentHeader&) {}) == absl::StatusCode::kOk);
  CHECK(with([](SegmentHeader& h) { h.reserved[0] = 1; }) == absl::StatusCode::kDataLoss);
  const auto rehashed = [&](auto change) {
    return with([&](SegmentHeader& h) {
      change(h);
      h.header_hash = HashOf(h);
    });
  };
  CHECK(rehashed([](SegmentHeader& h) { h.compatible_flags = 1; }) == absl::StatusCode::kOk);
  CHECK(rehashed([](SegmentHeader& h) { ++h.format_minor; }) == absl::StatusCode::kOk);
  CHECK(rehashed([](SegmentHeader& h) { ++h.format_major; }) ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(rehashed([](SegmentHeader& h) { h.incompatible_flags = 1; }) ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(rehashed([](SegmentHeader& h) { h.first_position = 0; }) == absl::StatusCode::kDataLoss);
  CHECK(rehashed([](SegmentHeader& h) { h.segment_bytes = 64; }) == absl::StatusCode::kDataLoss);
  CHECK(rehashed([](SegmentHeader& h) { ++h.segment_bytes; }) == absl::StatusCode::kDataLoss);
}

TEST_CASE("an event is read only as what it is: at its place, of its position, with its hash") {
  TestLog log;
  log.Write(1, 2);
  constexpr std::uint64_t kFirst = kSegmentHeaderBytes + sizeof(FrameHeader) + sizeof(CommitHeader);
  EventView event;
  {
    const auto segment = log.Open();
    REQUIRE_OK(segment->ReadEvent(kFirst, Position(1), &event));
    CHECK(event.stream == "s-1");
    CHECK(event.position == Position(1));
    CHECK(event.version == Version(1));
    CHECK(segment->ReadEvent(kFirst, Position(2), &event).code() == absl::StatusCode::kDataLoss);
    CHECK(segment->ReadEvent(kFirst + 4, Position(1), &event).code() ==
          absl::StatusCode::kDataLoss);
    CHECK(segment->ReadEvent(kFirst + 8, Position(1), &event).code() ==
          absl::StatusCode::kDataLoss);
    CHECK(segment->ReadEvent(kSegmentBytesMin, Position(1), &event).code() ==
          absl::StatusCode::kDataLoss);
  }
  // A flipped bit in the body.
  AlignedBytes bytes = log.Segment();
  const std::uint64_t at = kFirst + sizeof(RecordHeader) + 40;
  const std::byte flipped = bytes.bytes()[at] ^ std::byte{1};
  REQUIRE_OK(File::OpenReadWrite(log.log() / SegmentFileName(1))->WriteAt(at, {&flipped, 1}));
  CHECK(log.Open()->ReadEvent(kFirst, Position(1), &event).code() == absl::StatusCode::kDataLoss);
  const RecordHeader* header = nullptr;
  CHECK_OK(log.Open()->ReadHeader(kFirst, Position(1), &header));
}

}  // namespace
}  // namespace daybook
