// What the walk over a segment's frames accepts, and what it notices.

#include "log/frame.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "log/log_testing.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::AlignedBytes;
using testing::HasText;
using testing::ScannerOf;
using testing::TestCommit;
using testing::TestLog;
using Result = FrameScanner::Result;

// Where the frames of a segment begin, and where they end.
std::vector<std::uint64_t> FrameOffsets(AlignedBytes& segment) {
  FrameScanner scanner = ScannerOf(segment.bytes());
  std::vector<std::uint64_t> offsets;
  while (scanner.Next() == Result::kFrame) offsets.push_back(scanner.frame_offset());
  offsets.push_back(scanner.offset());
  return offsets;
}

// Puts a header at its offset, hashed with the segment's salt. What stands behind it is the body.
void Put(AlignedBytes* segment, FrameHeader header) {
  const auto body =
      segment->bytes().subspan(header.offset, header.length).subspan(sizeof(FrameHeader));
  header.body_hash = Hash64(body);
  header.header_hash = HashOf(header, segment->At<SegmentHeader>(0).salt);
  segment->At<FrameHeader>(header.offset) = header;
}

// What the scanner says after `whole` whole frames.
Result After(AlignedBytes& segment, int whole, std::string* problem = nullptr) {
  FrameScanner scanner = ScannerOf(segment.bytes());
  for (int i = 0; i < whole; ++i) REQUIRE(scanner.Next() == Result::kFrame);
  const Result result = scanner.Next();
  if (result == Result::kBad && problem != nullptr) *problem = scanner.problem();
  return result;
}

TEST_CASE("frames are walked in the order in which they were written, up to the blank") {
  TestLog log;
  log.Write(1, 2);
  log.Sync();
  const std::uint64_t first_end = log.tail().offset;
  log.Write(3, 1);
  log.Watermark();

  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  CHECK(scanner.offset() == kSegmentHeaderBytes);
  CHECK(scanner.next_position() == 1);
  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK(scanner.frame_offset() == kSegmentHeaderBytes);
  CHECK(scanner.frame().kind == static_cast<std::uint8_t>(FrameKind::kData));
  CHECK(scanner.frame().commits == 1);
  CHECK(scanner.frame().events == 2);
  CHECK(scanner.offset() == first_end);
  CHECK(scanner.next_position() == 3);
  CHECK(scanner.promised_upto() == kSegmentHeaderBytes);

  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK(scanner.frame_offset() == first_end);
  CHECK(scanner.frame().first_position == 3);
  CHECK(scanner.frame().commits == 3);
  CHECK(scanner.next_position() == 6);
  CHECK(scanner.promised_upto() == first_end);

  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK(scanner.frame().kind == static_cast<std::uint8_t>(FrameKind::kWatermark));
  CHECK(scanner.frame().first_position == 6);
  CHECK(scanner.Next() == Result::kBlank);
  CHECK_FALSE(scanner.sealed());
  CHECK(scanner.offset() == log.tail().offset);
  CHECK(scanner.next_position() == log.tail().next_position);
  CHECK(scanner.last_hash() == log.tail().last_hash);
}

TEST_CASE("a scanner that came to the blank goes on when the segment has grown") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kFrame);
  REQUIRE(scanner.Next() == Result::kBlank);
  REQUIRE(scanner.Next() == Result::kBlank);
  log.Write();
  const AlignedBytes grown = log.Segment();
  std::ranges::copy(AlignedBytes(grown).bytes(), segment.bytes().begin());
  CHECK(scanner.Next() == Result::kFrame);
  CHECK(scanner.next_position() == 3);
  CHECK(scanner.Next() == Result::kBlank);
}

TEST_CASE("nothing is read behind a seal") {
  TestLog log;
  log.Write();
  REQUIRE_OK(log.writer().Seal());
  AlignedBytes segment = log.Segment();
  segment.bytes()[log.tail().offset] = std::byte{1};
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK_FALSE(scanner.sealed());
  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK(scanner.sealed());
  CHECK(scanner.Next() == Result::kSealed);
}

TEST_CASE("a segment with no room for another header is blank") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  const std::uint64_t end = log.tail().offset;
  for (const std::uint64_t size : {end, end + 64, end + sizeof(FrameHeader) - 1}) {
    AlignedBytes cut(segment.bytes().first(size));
    CHECK(After(cut, 1) == Result::kBlank);
  }
}

TEST_CASE("a frame of which the file lacks the end is bad") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  AlignedBytes cut(segment.bytes().first(log.tail().offset - kFrameAlignment));
  CHECK(After(cut, 0) == Result::kBad);
}

TEST_CASE("every flipped bit of every frame is noticed in the frame where it stands") {
  TestLog log;
  log.Write(1, 2);
  log.Sync();
  log.Write(2, 1);
  log.Watermark();
  REQUIRE_OK(log.writer().Seal());
  AlignedBytes segment = log.Segment();
  const std::vector<std::uint64_t> offsets = FrameOffsets(segment);
  REQUIRE(offsets.size() == 5);
  // There is padding among what is flipped.
  TestCommit first(0, 1, 0, 2);
  REQUIRE((sizeof(FrameHeader) + first.bytes().size()) % kFrameAlignment != 0);
  std::uint64_t noticed = 0;
  for (std::size_t f = 0; f + 1 < offsets.size(); ++f) {
    for (std::uint64_t bit = offsets[f] * 8; bit < offsets[f + 1] * 8; ++bit) {
      const auto mask = static_cast<std::byte>(1 << bit % 8);
      segment.bytes()[bit / 8] ^= mask;
      FrameScanner scanner = ScannerOf(segment.bytes());
      Result result = scanner.Next();
      while (result == Result::kFrame) result = scanner.Next();
      noticed +=
          result == Result::kBad && scanner.offset() == offsets[f] && scanner.problem() != nullptr;
      segment.bytes()[bit / 8] ^= mask;
    }
  }
  CHECK(noticed == (offsets.back() - kSegmentHeaderBytes) * 8);
}

TEST_CASE("a bit that appears where the next header would stand is noticed") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  for (std::uint64_t at = 0; at < sizeof(FrameHeader); ++at) {
    segment.bytes()[log.tail().offset + at] = std::byte{1};
    CHECK(After(segment, 1) == Result::kBad);
    segment.bytes()[log.tail().offset + at] = std::byte{0};
  }
  CHECK(After(segment, 1) == Result::kBlank);
}

TEST_CASE("a frame that was copied to another place is refused there") {
  TestLog log;
  log.Write();
  log.Write();
  AlignedBytes segment = log.Segment();
  const std::vector<std::uint64_t> offsets = FrameOffsets(segment);
  const auto last = segment.bytes().subspan(offsets[1], offsets[2] - offsets[1]);
  std::ranges::copy(last, segment.bytes().begin() + static_cast<std::ptrdiff_t>(offsets[2]));
  std::string problem;
  CHECK(After(segment, 2, &problem) == Result::kBad);
  CHECK_THAT(problem, HasText("another place"));
  // Giving it the right offset breaks its hash, which only the salt can mend.
  segment.At<FrameHeader>(offsets[2]).offset = offsets[2];
  CHECK(After(segment, 2, &problem) == Result::kBad);
  CHECK_THAT(problem, HasText("hash of the frame's header"));
}

TEST_CASE("a frame of another salt is refused") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  SegmentHeader header = segment.At<SegmentHeader>(0);
  CHECK(FrameScanner(segment.bytes(), header).Next() == Result::kFrame);
  header.salt ^= 1;
  CHECK(FrameScanner(segment.bytes(), header).Next() == Result::kBad);
}

TEST_CASE("a frame that does not name its predecessor's hash is refused") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  const std::uint64_t end = log.tail().offset;
  const auto next = [&](std::uint64_t first_position, std::uint64_t previous_hash) {
    return MakeFrameHeader(FrameKind::kWatermark, end, sizeof(FrameHeader), first_position,
                           kSegmentHeaderBytes, previous_hash);
  };
  std::string problem;
  Put(&segment, next(2, log.tail().last_hash));
  CHECK(After(segment, 1) == Result::kFrame);
  Put(&segment, next(2, log.tail().last_hash + 1));
  CHECK(After(segment, 1, &problem) == Result::kBad);
  CHECK_THAT(problem, HasText("does not follow the one before"));
  for (const std::uint64_t position : {1u, 3u}) {
    Put(&segment, next(position, log.tail().last_hash));
    CHECK(After(segment, 1, &problem) == Result::kBad);
    CHECK_THAT(problem, HasText("first position"));
  }
}

TEST_CASE("the first frame names the hash of the segment's header") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  CHECK(segment.At<FrameHeader>(kSegmentHeaderBytes).previous_hash ==
        segment.At<SegmentHeader>(0).header_hash);
}

TEST_CASE("a frame of unknown kind or codec is newer, unless its kind may be passed over") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  const FrameHeader whole = MakeFrameHeader(FrameKind::kWatermark, log.tail().offset, 192, 2,
                                            kSegmentHeaderBytes, log.tail().last_hash);
  segment.bytes()[log.tail().offset + 150] = std::byte{7};
  const auto with = [&](std::uint8_t kind, std::uint8_t codec, std::uint16_t header_bytes) {
    FrameHeader header = whole;
    header.kind = kind;
    header.body_codec = codec;
    header.header_bytes = header_bytes;
    Put(&segment, header);
    return After(segment, 1);
  };
  CHECK(with(2, 0, 128) == Result::kFrame);
  CHECK(with(0, 0, 128) == Result::kNewer);
  CHECK(with(4, 0, 128) == Result::kNewer);
  CHECK(with(0x7F, 0, 128) == Result::kNewer);
  CHECK(with(1, 1, 128) == Result::kNewer);
  CHECK(with(1, 0, 136) == Result::kNewer);
  CHECK(with(0x84, 0, 128) == Result::kFrame);
  CHECK(with(0xFF, 9, 136) == Result::kFrame);

  // One that may be passed over is verified all the same, and the chain goes on behind it.
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kFrame);
  REQUIRE(scanner.Next() == Result::kFrame);
  FrameHeader after = whole;
  after.offset = scanner.offset();
  after.length = sizeof(FrameHeader);
  after.previous_hash = scanner.last_hash();
  Put(&segment, after);
  CHECK(scanner.Next() == Result::kFrame);
  segment.bytes()[log.tail().offset + 150] = std::byte{8};
  CHECK(After(segment, 1) == Result::kBad);
}

TEST_CASE("a newer frame out of its chain is damage, not news") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  FrameHeader header = MakeFrameHeader(FrameKind::kData, log.tail().offset, sizeof(FrameHeader), 2,
                                       kSegmentHeaderBytes, log.tail().last_hash + 1);
  header.kind = 4;
  Put(&segment, header);
  CHECK(After(segment, 1) == Result::kBad);
}

TEST_CASE("lengths that cannot be are refused, though their hash be right") {
  TestLog log;
  AlignedBytes segment = log.Segment();
  const std::uint64_t salt = log.tail().segment.salt;
  const auto check = [&](std::uint64_t length, std::uint64_t durable_upto) {
    FrameHeader header = MakeFrameHeader(FrameKind::kData, kSegmentHeaderBytes, length, 1,
                                         durable_upto, log.tail().last_hash);
    header.header_hash = HashOf(header, salt);
    segment.At<FrameHeader>(kSegmentHeaderBytes) = header;
    const FrameHeader* found = nullptr;
    bool newer = false;
    return CheckFrameHeader(segment.bytes(), kSegmentHeaderBytes, salt, &found, &newer) == nullptr;
  };
  const std::uint64_t room = segment.bytes().size() - kSegmentHeaderBytes;
  CHECK(check(sizeof(FrameHeader), 0));
  CHECK(check(room, 0));
  CHECK(check(sizeof(FrameHeader), kSegmentHeaderBytes));
  CHECK_FALSE(check(0, 0));
  CHECK_FALSE(check(64, 0));
  CHECK_FALSE(check(sizeof(FrameHeader) + 8, 0));
  CHECK_FALSE(check(room + 64, 0));
  CHECK_FALSE(check(UINT64_MAX - 63, 0));
  // A promise of bytes behind the frame itself.
  CHECK_FALSE(check(sizeof(FrameHeader), kSegmentHeaderBytes + 1));
}

TEST_CASE("a header is looked for only where one can stand") {
  TestLog log;
  log.Write();
  AlignedBytes segment = log.Segment();
  const FrameHeader* header = nullptr;
  bool newer = false;
  const auto check = [&](std::uint64_t offset) {
    return CheckFrameHeader(segment.bytes(), offset, log.tail().segment.salt, &header, &newer);
  };
  CHECK(check(kSegmentHeaderBytes) == nullptr);
  CHECK(check(kSegmentHeaderBytes + 8) != nullptr);
  CHECK(check(segment.bytes().size() - 64) != nullptr);
  CHECK(check(segment.bytes().size()) != nullptr);
  CHECK(check(UINT64_MAX - 63) != nullptr);
}

TEST_CASE("event data that holds a whole frame for its own place is not taken for one") {
  TestLog log;
  // The data of the event will stand 64-byte aligned somewhere; a header for every such place is in
  // it.
  std::string data;
  const std::uint64_t begin =
      kSegmentHeaderBytes + sizeof(FrameHeader) + sizeof(CommitHeader) + sizeof(RecordHeader);
  for (std::uint64_t at = RoundUp(begin + 256, 64); data.size() < 4096; at += sizeof(FrameHeader)) {
    FrameHeader forged = MakeFrameHeader(FrameKind::kData, at, sizeof(FrameHeader), 2, at, 0);
    forged.header_hash = HashOf(forged, 0);  // the salt is what it cannot know
    data.append(reinterpret_cast<const char*>(&forged), sizeof forged);
  }
  log.Write(log.NextCommit(1, data));
  AlignedBytes segment = log.Segment();
  segment.bytes()[kSegmentHeaderBytes + 200] ^= std::byte{1};
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kBad);
  CHECK_FALSE(scanner.Resynchronise());
}

TEST_CASE("after a bad frame the walk goes on at the next whole one, if there is one") {
  TestLog log;
  log.Write(1, 2);
  log.Write(1, 3);
  log.Write(1, 1);
  log.Watermark();
  AlignedBytes segment = log.Segment();
  const std::vector<std::uint64_t> offsets = FrameOffsets(segment);
  SECTION("a flipped bit in a body") { segment.bytes()[offsets[1] + 300] ^= std::byte{1}; }
  SECTION("a header that is gone") {
    const auto header = segment.bytes().subspan(offsets[1], sizeof(FrameHeader));
    std::fill(header.begin(), header.end(), std::byte{0xFF});
  }
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kFrame);
  REQUIRE(scanner.Next() == Result::kBad);
  REQUIRE(scanner.Resynchronise());
  CHECK(scanner.offset() == offsets[2]);
  CHECK(scanner.next_position() == 6);  // 3, 4 and 5 are lost
  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK(scanner.frame().first_position == 6);
  // From here on the chain is held to again.
  REQUIRE(scanner.Next() == Result::kFrame);
  CHECK(scanner.Next() == Result::kBlank);
  segment.bytes()[offsets[3]] ^= std::byte{1};
  FrameScanner again = ScannerOf(segment.bytes());
  REQUIRE(again.Next() == Result::kFrame);
  REQUIRE(again.Next() == Result::kBad);
  REQUIRE(again.Resynchronise());
  REQUIRE(again.Next() == Result::kFrame);
  REQUIRE(again.Next() == Result::kBad);
  CHECK_FALSE(again.Resynchronise());
}

TEST_CASE("the walk does not go on at a frame of an earlier position") {
  TestLog log;
  log.Write(1, 2);
  log.Write(1, 2);
  AlignedBytes segment = log.Segment();
  const std::uint64_t bad = log.tail().offset;
  segment.bytes()[bad] = std::byte{1};
  const auto put = [&](std::uint64_t offset, std::uint64_t position) {
    Put(&segment,
        MakeFrameHeader(FrameKind::kWatermark, offset, sizeof(FrameHeader), position, 0, 0));
  };
  put(bad + 128, 4);  // 3 and 4 were walked already
  put(bad + 256, 5);
  FrameScanner scanner = ScannerOf(segment.bytes());
  REQUIRE(scanner.Next() == Result::kFrame);
  REQUIRE(scanner.Next() == Result::kFrame);
  REQUIRE(scanner.Next() == Result::kBad);
  REQUIRE(scanner.Resynchronise());
  CHECK(scanner.offset() == bad + 256);
}

// Walks the first frame of the log's first segment.
struct Walk {
  std::vector<std::uint64_t> positions;
  std::vector<std::string> streams;
  std::int64_t recorded_at = 0;
  std::string problem;
};

Walk WalkFirst(const TestLog& log, std::int64_t recorded_at = 0) {
  const std::shared_ptr<const LogSegment> segment = log.Open();
  FrameScanner scanner(segment->bytes(), segment->header());
  REQUIRE(scanner.Next() == Result::kFrame);
  Walk walk{.recorded_at = recorded_at};
  const char* problem = WalkFrame(
      *segment, scanner.frame(), &walk.recorded_at,
      [&](std::uint64_t offset, const RecordHeader& header, const EventView& event) {
        CHECK(reinterpret_cast<const std::byte*>(&header) == segment->bytes().data() + offset);
        CHECK(event.position == Position(header.position));
        walk.positions.push_back(header.position);
        walk.streams.emplace_back(event.stream);
      });
  if (problem != nullptr) walk.problem = problem;
  return walk;
}

TEST_CASE("the records of a frame are visited in order, commit by commit") {
  TestLog log;
  log.Write(2, 2);
  const Walk walk = WalkFirst(log);
  CHECK(walk.problem == "");
  CHECK(walk.positions == std::vector<std::uint64_t>{1, 2, 3, 4});
  CHECK(walk.streams == std::vector<std::string>{"s-1", "s-2", "s-3", "s-4"});
  CHECK(walk.recorded_at == 1'000'002);
}

TEST_CASE("a commit recorded no later than the one before is refused") {
  TestLog log;
  log.Write(1, 1);
  CHECK(WalkFirst(log, 1'000'000).problem == "");
  CHECK_THAT(WalkFirst(log, 1'000'001).problem, HasText("recorded no later"));
}

TEST_CASE("headers whose hashes are right but which do not fit each other are refused") {
  TestLog log;
  TestCommit commit = log.NextCommit(2);
  std::string expected;
  SECTION("the commit has another position") {
    commit.header().first_position = 2;
    expected = "positions of a commit";
  }
  SECTION("the commit has no events") {
    // The frame's header says two all the same.
    TestCommit none = log.NextCommit(2);
    none.header().events = 0;
    none.Rehash();
    const std::span<const std::byte> piece = none.bytes();
    REQUIRE_OK(log.writer().WriteFrame(FrameKind::kData, 1, 2, {&piece, 1}));
    CHECK_THAT(WalkFirst(log).problem, HasText("positions of a commit"));
    return;
  }
  SECTION("the commit is longer than its frame") {
    commit.header().length += 1024;
    expected = "leads out of its frame";
  }
  SECTION("the commit is shorter than its header") {
    commit.header().length = sizeof(CommitHeader) - 8;
    expected = "leads out of its frame";
  }
  SECTION("the commit is longer than its events") {
    commit.header().length += 8;
    expected = "length of a commit";
  }
  SECTION("the commit is shorter than its events") {
    commit.header().length -= 8;
    expected = "length of a commit";
  }
  const char* const kNoFit = "does not fit its commit";
  SECTION("an event of another position") {
    commit.record(1).position = 3;
    expected = kNoFit;
  }
  SECTION("an event of another time") {
    ++commit.record(1).recorded_at;
    expected = kNoFit;
  }
  SECTION("an event of another commit") {
    commit.record(1).commit_first_position = 2;
    expected = kNoFit;
  }
  SECTION("an event without a version") {
    commit.record(1).version = 0;
    expected = kNoFit;
  }
  SECTION("an event that follows itself") {
    commit.record(1).prev = 2;
    commit.record(1).version = 2;
    expected = kNoFit;
  }
  SECTION("a skip that is nearer than prev") {
    commit.record(1).skip = 1;
    expected = kNoFit;
  }
  SECTION("a first event with a predecessor") {
    commit.record(1).prev = 1;
    expected = kNoFit;
  }
  SECTION("a second event without one") {
    commit.record(1).version = 2;
    expected = kNoFit;
  }
  SECTION("a record header of another length") {
    commit.record(1).header_length = 80;
    expected = "event's lengths";
  }
  SECTION("a body that is no whole number of words") {
    commit.record(1).body_length -= 4;
    expected = "event's lengths";
  }
  SECTION("a body that leads out of the file") {
    commit.record(1).body_length = 1 << 30;
    expected = "event's lengths";
  }
  commit.Rehash();
  log.Write(std::move(commit));
  CHECK_THAT(WalkFirst(log).problem, HasText(expected));
}

TEST_CASE("a commit header or record header whose hash is wrong is refused by name") {
  TestLog log;
  TestCommit commit = log.NextCommit(2);
  SECTION("of the commit") {
    commit.header().header_hash ^= 1;
    log.Write(std::move(commit));
    CHECK_THAT(WalkFirst(log).problem, HasText("hash of a commit's header"));
  }
  SECTION("of an event") {
    commit.record(1).header_hash ^= 1;
    log.Write(std::move(commit));
    const Walk walk = WalkFirst(log);
    CHECK_THAT(walk.problem, HasText("hash of the event's header"));
    CHECK(walk.positions == std::vector<std::uint64_t>{1});
  }
}

TEST_CASE("a frame whose counts are not those of its commits is refused") {
  TestLog log;
  TestCommit commit = log.NextCommit(2);
  const std::span<const std::byte> piece = commit.bytes();
  std::uint32_t commits = 1;
  std::uint32_t events = 2;
  SECTION("more events than there are") { events = 3; }
  SECTION("fewer events than there are") { events = 1; }
  SECTION("more commits than there are") { commits = 2; }
  SECTION("no commits") { commits = 0; }
  REQUIRE_OK(log.writer().WriteFrame(FrameKind::kData, commits, events, {&piece, 1}));
  CHECK(WalkFirst(log).problem != "");
}

}  // namespace
}  // namespace daybook
