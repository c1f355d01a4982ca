// A segment file: its header, commits, records and events; the index that is made of it, also over
// damage; and what is salvaged from it.

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "base/checksum.h"
#include "log/event_codec.h"
#include "log/frame.h"
#include "log/segment.h"
#include "store/catch_up.h"
#include "store/verify_walk.h"
#include "tests/fuzz/body_check.h"
#include "tests/fuzz/segment_image.h"

namespace daybook::fuzzing {
namespace {

const std::filesystem::path& StoreFolder() {
  static const std::filesystem::path path = [] {
    std::filesystem::create_directories(Folder().path() / "log");
    return Folder().path();
  }();
  return path;
}

// Every record that a walk gives reads the same when it is asked for by itself.
std::uint64_t WalkAll(const LogSegment& segment) {
  FrameScanner scanner(segment.bytes(), segment.header());
  std::int64_t recorded_at = INT64_MIN;
  std::uint64_t records = 0;
  while (scanner.Next() == FrameScanner::Result::kFrame) {
    std::uint64_t position = scanner.frame().first_position;
    static_cast<void>(WalkFrame(
        segment, scanner.frame(), &recorded_at,
        [&](std::uint64_t offset, const RecordHeader& record, const EventView& event) {
          DAYBOOK_FUZZ_CHECK(record.position == position++);
          const auto body =
              segment.bytes().subspan(offset + sizeof(RecordHeader), record.body_length);
          CheckDecoded(body, event);
          EventView alone;
          const absl::Status read = segment.ReadEvent(offset, Position(record.position), &alone);
          // A body whose own hash is wrong is in a frame whose hash is right: written so.
          if (Hash64(body) == record.body_hash) {
            DAYBOOK_FUZZ_CHECK(read.ok() && SameBody(alone, event));
          } else {
            DAYBOOK_FUZZ_CHECK(absl::IsDataLoss(read));
          }
          ++records;
        }));
  }
  return records;
}

void CheckSalvage(const LogSegment& segment) {
  std::uint64_t before = 0;
  SalvageRecords(
      segment.bytes(), kSegmentHeaderBytes, segment.bytes().size(),
      {segment.first_position(), segment.first_position() + 500}, segment.header().salt,
      [&](std::uint64_t offset, const RecordHeader& record, const EventView&) {
        DAYBOOK_FUZZ_CHECK(record.position > before);
        before = record.position;
        EventView event;
        DAYBOOK_FUZZ_CHECK(segment.ReadEvent(offset, Position(record.position), &event).ok());
      });
}

// An index over the segment has as many events as it was asked for, or says why not; what it says
// to be there can be looked up.
void CheckIndex(const std::shared_ptr<const LogSegment>& segment) {
  constexpr std::uint64_t kEvents = 40;
  const std::uint64_t last = segment->first_position() + kEvents - 1;
  const auto index = RebuildIndex(segment, last);
  if (!index.ok()) {
    DAYBOOK_FUZZ_CHECK(!index.status().message().empty());
    return;
  }
  DAYBOOK_FUZZ_CHECK((*index)->count() >= kEvents);
  for (std::uint64_t i = 0; i < (*index)->count(); ++i) {
    const Link& link = (*index)->links()[i];
    if (link.offset8 == 0) continue;
    const RecordHeader* record = nullptr;
    DAYBOOK_FUZZ_CHECK(
        segment->ReadHeader(link.offset(), Position(segment->first_position() + i), &record).ok());
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
  const std::uint64_t first = image.header().first_position;
  if (first == 0 || first > (1ULL << 40)) return 0;
  const std::filesystem::path path = StoreFolder() / "log" / SegmentFileName(first);
  const auto bytes = image.bytes();
  WriteFile(path, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  const auto segment =
      LogSegment::Open(StoreFolder(), first, {image.header().store_id, image.header().incarnation});
  if (segment.ok()) {
    if (WalkAll(**segment) > 0) Tally::Get().Accepted();
    CheckSalvage(**segment);
    CheckIndex(*segment);
  }
  std::filesystem::remove(path);
  return 0;
}
