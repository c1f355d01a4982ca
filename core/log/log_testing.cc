#include "log/log_testing.h"

#include "base/checksum.h"
#include "io/directory.h"
#include "log/event_codec.h"
#include "tests/catch.h"

namespace daybook::testing {

TestCommit::TestCommit(std::uint64_t salt, std::uint64_t first_position, std::int64_t recorded_at,
                       std::uint32_t events, std::string_view data)
    : salt_(salt), bytes_(0) {
  std::vector<std::string> streams;
  std::vector<BodyFields> fields;
  std::size_t size = sizeof(CommitHeader);
  for (std::uint32_t i = 0; i < events; ++i) {
    streams.push_back("s-" + std::to_string(first_position + i));
  }
  for (std::uint32_t i = 0; i < events; ++i) {
    EventId::Bytes id{};
    id.fill(static_cast<std::uint8_t>(i + 1));
    fields.push_back({.id = EventId(id), .stream = streams[i], .type = "t", .data = AsBytes(data)});
    offsets_.push_back(size);
    size += sizeof(RecordHeader) + EncodedBodyBytes(fields.back());
  }
  bytes_ = AlignedBytes(size);
  header() = {recorded_at, first_position, events, static_cast<std::uint32_t>(size), 0};
  for (std::uint32_t i = 0; i < events; ++i) {
    const auto body_bytes = static_cast<std::uint32_t>(EncodedBodyBytes(fields[i]));
    std::byte* const body = bytes_.bytes().data() + offsets_[i] + sizeof(RecordHeader);
    EncodeBody(fields[i], body);
    record(i) = {.body_length = body_bytes,
                 .header_length = sizeof(RecordHeader),
                 .flags = 0,
                 .position = first_position + i,
                 .version = 1,
                 .prev = 0,
                 .skip = 0,
                 .recorded_at = recorded_at,
                 .commit_first_position = first_position,
                 .body_hash = Hash64({body, body_bytes}),
                 .header_hash = 0};
  }
  Rehash();
}

void TestCommit::Rehash() {
  header().header_hash = HashOf(header(), salt_);
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    record(i).header_hash = HashOf(record(i), salt_);
  }
}

TestLog::TestLog(std::uint64_t segment_bytes) {
  REQUIRE_OK(Directory::Create(log()));
  const absl::StatusOr<LogTail> tail = CreateFirstSegment(folder(), kTestIdentity, segment_bytes);
  REQUIRE_OK(tail);
  Reopen(*tail);
}

void TestLog::Reopen(const LogTail& tail) {
  absl::StatusOr<SegmentWriter> writer = SegmentWriter::Open(folder(), kTestIdentity, tail);
  REQUIRE_OK(writer);
  writer_ = std::make_unique<SegmentWriter>(*std::move(writer));
}

TestCommit TestLog::NextCommit(std::uint32_t events, std::string_view data) {
  return {tail().segment.salt, tail().next_position, ++recorded_at_, events, data};
}

void TestLog::Write(std::uint32_t commits, std::uint32_t events) {
  std::vector<TestCommit> all;
  std::vector<std::span<const std::byte>> pieces;
  for (std::uint32_t i = 0; i < commits; ++i) {
    all.emplace_back(tail().segment.salt, tail().next_position + i * events, ++recorded_at_,
                     events);
  }
  for (TestCommit& commit : all) pieces.emplace_back(commit.bytes());
  REQUIRE_OK(writer_->WriteFrame(FrameKind::kData, commits, commits * events, pieces));
}

void TestLog::Write(TestCommit commit) {
  const std::span<const std::byte> piece = commit.bytes();
  REQUIRE_OK(writer_->WriteFrame(FrameKind::kData, 1, commit.header().events, {&piece, 1}));
}

void TestLog::Watermark() { REQUIRE_OK(writer_->WriteFrame(FrameKind::kWatermark, 0, 0, {})); }

void TestLog::Sync() { REQUIRE_OK(writer_->Sync()); }

AlignedBytes TestLog::Segment(std::uint64_t first_position) const {
  const auto file = File::OpenRead(log() / SegmentFileName(first_position));
  REQUIRE_OK(file);
  AlignedBytes segment(*file->Size());
  REQUIRE_OK(file->ReadAt(0, segment.bytes()));
  return segment;
}

std::shared_ptr<const LogSegment> TestLog::Open(std::uint64_t first_position) const {
  auto segment = LogSegment::Open(folder(), first_position, kTestIdentity);
  REQUIRE_OK(segment);
  return *segment;
}

}  // namespace daybook::testing
