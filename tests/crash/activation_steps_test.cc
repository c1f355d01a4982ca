// What the step from one segment to the next leaves where the writer dies in it (docs/format/
// recovery.md, "From one segment to the next").

#include <filesystem>
#include <fstream>

#include "crash/crashed_store.h"
#include "log/frame.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

void WriteSpare(const CrashedStore& store, const std::string& bytes) {
  std::ofstream(store.path() / "log" / "spare", std::ios::binary) << bytes;
}

// A store whose last segment is sealed and has no successor yet.
CrashedStore::Plan Small() { return {.events = 60, .segment_bytes_max = kSegmentBytesMin}; }
std::uint64_t RemoveActive(const CrashedStore& store) {
  const std::uint64_t active = store.segments().back();
  fs::remove(store.log(active));
  store.SetWake(active - 1);
  return active - 1;
}

}  // namespace

TEST_CASE("a spare that was left holds nothing and is removed", "[recovery]") {
  const CrashedStore store(Small());
  const std::string segment = store.Get(store.segments().back(), 0, kSegmentBytesMin);
  SECTION("empty") { WriteSpare(store, ""); }
  SECTION("short") { WriteSpare(store, std::string(5000, '\0')); }
  SECTION("all zero") { WriteSpare(store, std::string(kSegmentBytesMin, '\0')); }
  SECTION("with a header") {
    WriteSpare(store, segment.substr(0, kSegmentHeaderBytes) +
                          std::string(kSegmentBytesMin - kSegmentHeaderBytes, '\0'));
  }
  SECTION("with frames") { WriteSpare(store, segment); }
  std::string notices;
  CHECK(store.GoesOnAfter(60, &notices) == "");
}

TEST_CASE("a sealed segment without a successor gets one", "[recovery]") {
  const CrashedStore store(Small());
  const std::uint64_t head = RemoveActive(store);
  const std::uint64_t sealed = store.segments().back();
  REQUIRE(store.frames(sealed).back().kind == FrameKind::kSeal);
  SECTION("its sidecar is there") {}
  SECTION("its sidecar is not there yet") { store.RemoveSidecars(); }
  SECTION("nothing derived is there yet") {
    store.RemoveSidecars();
    store.RemoveIndex();
  }
  SECTION("a spare with the header of the successor is there") {
    WriteSpare(store, std::string(kSegmentBytesMin, '\0'));
  }
  {
    const auto reader = Reader::Open(store.path(), {});
    REQUIRE_OK(reader);
    CHECK(CrashedStore::Check(**reader, head) == "");
  }
  std::string notices;
  CHECK(store.GoesOnAfter(head, &notices) == "");
  CHECK(fs::exists(store.log(head + 1)));
}

TEST_CASE("a segment whose seal is torn or missing goes on being the active one", "[recovery]") {
  const CrashedStore store(Small());
  const std::uint64_t head = RemoveActive(store);
  const std::uint64_t last = store.segments().back();
  const FrameAt seal = store.frames(last).back();
  REQUIRE(seal.kind == FrameKind::kSeal);
  // No sidecar of it can be there: it is written when the seal is on the device.
  fs::remove(store.path() / "log" / SidecarFileName(last));
  store.RemoveIndex();
  std::string notices;
  SECTION("torn") {
    store.Zero(last, seal.offset + 64, seal.end);
    CHECK(store.GoesOnAfter(head, &notices) == "");
    CHECK_THAT(notices, HasText("are cleared"));
  }
  SECTION("missing") {
    store.Zero(last, seal.offset, seal.end);
    CHECK(store.GoesOnAfter(head, &notices) == "");
  }
}

TEST_CASE("a segment with a header and no frame is gone on in", "[recovery]") {
  const CrashedStore store(Small());
  const std::uint64_t active = store.segments().back();
  store.Zero(active, kSegmentHeaderBytes, kSegmentBytesMin);
  store.SetWake(active - 1);
  SECTION("all derived files are there") {}
  SECTION("the sidecar before it is not there yet") { store.RemoveSidecars(); }
  SECTION("a torn first frame") { store.Put(active, kSegmentHeaderBytes, "DBFR and then nothing"); }
  {
    const auto reader = Reader::Open(store.path(), {});
    REQUIRE_OK(reader);
    CHECK(CrashedStore::Check(**reader, active - 1) == "");
  }
  const std::size_t segments = store.segments().size();
  std::string notices;
  CHECK(store.GoesOnAfter(active - 1, &notices) == "");
  CHECK(store.segments().size() == segments);
}

TEST_CASE("a segment without an event gives way to one that its first commit fits in",
          "[recovery]") {
  // The only event is larger than the first segment of a store.
  const CrashedStore store(
      {.events = 1, .data_bytes = 30000, .segment_bytes_max = kSegmentBytesMin});
  REQUIRE(store.segments().size() == 1);
  CHECK(store.header(1).segment_bytes > kSegmentBytesMin);
  CHECK(store.header(1).previous_first_position == 0);
  std::string notices;
  SECTION("and then all goes on") {
    CHECK(store.GoesOnAfter(1, &notices) == "");
    CHECK(notices == "");
  }
  SECTION("also where only its seal is there") {
    const CrashedStore empty(
        {.events = 0, .data_bytes = 30000, .segment_bytes_max = kSegmentBytesMin, .close = true});
    const SegmentHeader header = empty.header(1);
    FrameHeader seal = MakeFrameHeader(FrameKind::kSeal, kSegmentHeaderBytes, sizeof(FrameHeader),
                                       1, kSegmentHeaderBytes, header.header_hash);
    seal.header_hash = HashOf(seal, header.salt);
    empty.Put(1, kSegmentHeaderBytes,
              std::string(reinterpret_cast<const char*>(&seal), sizeof seal));
    REQUIRE(empty.frames(1).back().kind == FrameKind::kSeal);
    CHECK(empty.GoesOnAfter(0, &notices) == "");
  }
}

TEST_CASE("a headed segment without an event, not the first, gives way too", "[recovery]") {
  const CrashedStore store(
      {.events = 3, .data_bytes = 30000, .segment_bytes_max = kSegmentBytesMin});
  REQUIRE(store.segments().size() == 3);
  // The last one as it would be if it had been made for a small commit that was never written.
  SegmentHeader header = store.header(3);
  header.segment_bytes = kSegmentBytesMin;
  header.header_hash = HashOf(header);
  store.Zero(3, kSegmentHeaderBytes, kSegmentBytesMin);
  store.Put(3, 0, std::string(reinterpret_cast<const char*>(&header), sizeof header));
  fs::resize_file(store.log(3), kSegmentBytesMin);
  store.SetWake(2);
  std::string notices;
  CHECK(store.GoesOnAfter(2, &notices) == "");
  CHECK(store.header(3).segment_bytes > kSegmentBytesMin);
}

TEST_CASE("a store that was never appended to opens after a kill", "[recovery]") {
  const CrashedStore store({.events = 0, .close = true});
  store.RemoveWake();
  store.RemoveIndex();
  std::string notices;
  CHECK(store.GoesOnAfter(0, &notices) == "");
  CHECK(notices == "");
}

}  // namespace daybook::testing
