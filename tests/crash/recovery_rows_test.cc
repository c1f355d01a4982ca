// Each row of the recovery table (docs/format/recovery.md), made by changing bytes of a store.

#include <algorithm>
#include <filesystem>

#include "crash/crashed_store.h"
#include "log/recovery.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

// Opening for writing is refused for the reason of this row, names the place, and changes nothing;
// opening for reading goes up to the damage, behind position `last`, and says so. Where neither
// WAKE nor the log itself says that `last` was durable, it ends before it and sees no damage.
void CheckRefused(const CrashedStore& store, TailRow row, std::uint64_t segment,
                  std::uint64_t offset, std::uint64_t last, bool last_is_proven = true) {
  const auto before = store.Contents();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto opened = Store::Open(store.path(), {});
    REQUIRE(opened.status().code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(std::string(opened.status().message()), HasText(Describe(row)));
    const auto damage = DamageOf(opened.status());
    REQUIRE(damage.has_value());
    CHECK(damage->file == "log/" + SegmentFileName(segment));
    CHECK(damage->offset == offset);
    CHECK(damage->first_position.value() == last + 1);
  }
  CHECK(store.Contents() == before);
  std::string notices;
  ReaderOptions options;
  options.on_notice = [&notices](const Notice& notice) { notices += notice.message + "\n"; };
  const auto reader = Reader::Open(store.path(), options);
  REQUIRE_OK(reader);
  const std::uint64_t readable = last_is_proven ? last : last - 1;
  const bool damaged =
      row == TailRow::kLaterPromise || row == TailRow::kWitness || row == TailRow::kFileIsShort;
  const bool says_so = damaged && last_is_proven;
  CHECK(CrashedStore::Check(**reader, readable,
                            says_so ? CrashedStore::End::kDamage : CrashedStore::End::kWhole) ==
        "");
  CHECK((*reader)->visible().value() == readable);
  if (says_so) CHECK_THAT(notices, HasText(SegmentFileName(segment)));
  CHECK(store.Contents() == before);
}

std::string Garbage(std::size_t bytes) {
  std::string garbage(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) garbage[i] = static_cast<char>(i * 7 + 1);
  return garbage;
}

}  // namespace

TEST_CASE("a torn last frame is dropped and the frames before it survive", "[recovery]") {
  const CrashedStore store({.events = 8});
  const FrameAt last = store.frames(1).back();
  store.SetWake(7);  // nobody was told of the last one
  SECTION("its last byte is wrong") { store.Flip(1, last.end - 1); }
  SECTION("its body is wrong") { store.Flip(1, last.offset + sizeof(FrameHeader) + 40); }
  SECTION("its header is wrong") { store.Flip(1, last.offset + 8); }
  SECTION("its second half never arrived") {
    store.Zero(1, (last.offset + last.end) / 2, last.end);
  }
  SECTION("its first half never arrived") {
    store.Zero(1, last.offset, (last.offset + last.end) / 2);
  }
  SECTION("only its magic arrived") { store.Zero(1, last.offset + 4, last.end); }
  SECTION("only its last byte arrived") {
    store.Zero(1, last.offset, last.end);
    store.Put(1, last.end - 1, "x");
  }
  SECTION("something else stands there, up to the end of the file") {
    store.Put(1, last.offset, Garbage(store.header(1).segment_bytes - last.offset));
  }
  std::string notices;
  CHECK(store.GoesOnAfter(7, &notices) == "");
  CHECK_THAT(notices, HasText(Describe(TailRow::kTorn)));
  CHECK_THAT(notices, HasText(SegmentFileName(1)));
  CHECK_THAT(notices, HasText("offset " + std::to_string(last.offset)));
  // Nothing of it is left that a later frame could be taken for.
  const std::uint64_t end = store.frames(1).back().end;
  const std::string rest = store.Get(1, end, store.header(1).segment_bytes - end);
  CHECK(rest.find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("a torn tail without any other witness is dropped too", "[recovery]") {
  const CrashedStore store({.events = 8});
  store.RemoveWake();
  store.RemoveIndex();
  store.Flip(1, store.frames(1).back().end - 1);
  std::string notices;
  CHECK(store.GoesOnAfter(7, &notices) == "");
  CHECK_THAT(notices, HasText("are cleared"));
}

TEST_CASE("a whole last frame that nobody was told of is kept", "[recovery]") {
  const CrashedStore store({.events = 8});
  store.SetWake(7);
  std::string notices;
  CHECK(store.GoesOnAfter(8, &notices) == "");
  CHECK(notices == "");
}

TEST_CASE("a frame that a later one says was on the device is damage", "[recovery]") {
  const CrashedStore store({.events = 8});
  const bool wake = GENERATE(true, false);
  if (!wake) store.RemoveWake();
  const auto frames = store.frames(1);
  const auto fifth = std::find_if(frames.begin(), frames.end(), [](const FrameAt& frame) {
    return frame.kind == FrameKind::kData && frame.first_position == 5;
  });
  REQUIRE(fifth != frames.end());
  SECTION("its body is wrong") { store.Flip(1, fifth->end - 70); }
  SECTION("its header is wrong") { store.Flip(1, fifth->offset + 50); }
  SECTION("it is gone") { store.Zero(1, fifth->offset, fifth->end); }
  CheckRefused(store, TailRow::kLaterPromise, 1, fifth->offset, 4);
}

TEST_CASE("what WAKE has seen is not given up, also where zeros stand", "[recovery]") {
  const CrashedStore store({.events = 8});
  const FrameAt last = store.frames(1).back();
  SECTION("zeros") { store.Zero(1, last.offset, last.end); }
  SECTION("a wrong byte") { store.Flip(1, last.end - 1); }
  CheckRefused(store, TailRow::kWitness, 1, last.offset, 7);
}

TEST_CASE("what a closed store marked is not given up", "[recovery]") {
  const CrashedStore store({.events = 8, .close = true});
  store.RemoveWake();
  store.RemoveIndex();
  const auto frames = store.frames(1);
  REQUIRE(frames.back().kind == FrameKind::kWatermark);
  const auto last = std::find_if(frames.rbegin(), frames.rend(),
                                 [](const FrameAt& f) { return f.kind == FrameKind::kData; });
  store.Flip(1, last->end - 1);
  CheckRefused(store, TailRow::kLaterPromise, 1, last->offset, 7);
}

TEST_CASE("what a sidecar or the index has seen is not given up", "[recovery]") {
  const CrashedStore store({.events = 60, .segment_bytes_max = kSegmentBytesMin});
  auto segments = store.segments();
  REQUIRE(segments.size() >= 3);
  // The segment that was active is lost, and the end of the one before it.
  fs::remove(store.log(segments.back()));
  segments.pop_back();
  const std::uint64_t segment = segments.back();
  const auto frames = store.frames(segment);
  REQUIRE(frames.back().kind == FrameKind::kSeal);
  const auto last = std::find_if(frames.rbegin(), frames.rend(),
                                 [](const FrameAt& f) { return f.kind == FrameKind::kData; });
  store.RemoveWake();
  store.Zero(segment, last->offset, frames.back().end);
  SECTION("a sidecar") { store.RemoveIndex(); }
  SECTION("the index") { store.RemoveSidecars(); }
  CheckRefused(store, TailRow::kWitness, segment, last->offset, last->first_position - 1, false);
}

TEST_CASE("a segment that is missing at the end is noticed", "[recovery]") {
  const CrashedStore store({.events = 60, .segment_bytes_max = kSegmentBytesMin});
  auto segments = store.segments();
  fs::remove(store.log(segments.back()));
  const bool sidecars = GENERATE(true, false);
  if (!sidecars) store.RemoveSidecars();
  const auto before = store.Contents();
  const auto opened = Store::Open(store.path(), {});
  REQUIRE(opened.status().code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(opened.status().message()), HasText("WAKE"));
  CHECK(store.Contents() == before);
  const auto reader = Reader::Open(store.path(), {});
  REQUIRE_OK(reader);
  CHECK(CrashedStore::Check(**reader, segments.back() - 1, CrashedStore::End::kDamage) == "");
}

TEST_CASE("a segment that is missing in the middle is noticed", "[recovery]") {
  const CrashedStore store({.events = 60, .segment_bytes_max = kSegmentBytesMin});
  const auto segments = store.segments();
  REQUIRE(segments.size() >= 3);
  fs::remove(store.log(segments[1]));
  const auto opened = Store::Open(store.path(), {});
  REQUIRE(opened.status().code() == absl::StatusCode::kDataLoss);
  const auto reader = Reader::Open(store.path(), {});
  REQUIRE_OK(reader);
  CHECK(CrashedStore::Check(**reader, segments[1] - 1, CrashedStore::End::kDamage) == "");
}

TEST_CASE("a segment shorter than its header says is damage", "[recovery]") {
  const CrashedStore store({.events = 8});
  const FrameAt last = store.frames(1).back();
  fs::resize_file(store.log(1), store.header(1).segment_bytes - 4096);
  CheckRefused(store, TailRow::kFileIsShort, 1, last.end, 8);
}

TEST_CASE("bytes behind a seal are damage", "[recovery]") {
  const CrashedStore store(
      {.events = 60, .data_bytes = 700, .segment_bytes_max = kSegmentBytesMin});
  auto segments = store.segments();
  fs::remove(store.log(segments.back()));
  const std::uint64_t head = segments.back() - 1;
  segments.pop_back();
  store.SetWake(head);
  store.RemoveSidecars();
  const FrameAt seal = store.frames(segments.back()).back();
  REQUIRE(seal.kind == FrameKind::kSeal);
  REQUIRE(seal.end + 64 < kSegmentBytesMin);
  store.Put(segments.back(), seal.end + 20, "x");
  CheckRefused(store, TailRow::kBytesAfterSeal, segments.back(), seal.end, head);
}

TEST_CASE("bytes farther out than can be unsynced are damage", "[recovery]") {
  const CrashedStore store({.events = 0, .close = true});
  SegmentHeader header = store.header(1);
  header.unsynced_max = 16384;
  header.header_hash = HashOf(header);
  store.Put(1, 0, std::string(reinterpret_cast<const char*>(&header), sizeof header));
  SECTION("one byte too far") {
    store.Put(1, 16384, "x");
    CheckRefused(store, TailRow::kBeyondUnsynced, 1, kSegmentHeaderBytes, 0);
  }
  SECTION("just within") {
    store.Put(1, 16383, "x");
    std::string notices;
    CHECK(store.GoesOnAfter(0, &notices) == "");
    CHECK_THAT(notices, HasText(Describe(TailRow::kTorn)));
  }
}

TEST_CASE("a zeroing that was cut off is taken up again", "[recovery]") {
  const CrashedStore store({.events = 5, .data_bytes = 20000});
  const FrameAt last = store.frames(1).back();
  store.SetWake(4);
  const std::uint64_t page = RoundUp(last.offset + 1, 4096);
  REQUIRE(page + 8192 < last.end);
  SECTION("the first piece is zero") { store.Zero(1, last.offset, page); }
  SECTION("two pieces are zero") { store.Zero(1, last.offset, page + 4096); }
  SECTION("a piece in the middle is zero") { store.Zero(1, page, page + 4096); }
  SECTION("all but the last piece are zero") { store.Zero(1, last.offset, last.end - 200); }
  SECTION("the last piece is zero") { store.Zero(1, last.end - 200, last.end); }
  std::string notices;
  CHECK(store.GoesOnAfter(4, &notices) == "");
  CHECK_THAT(notices, HasText(Describe(TailRow::kTorn)));
}

TEST_CASE("a damaged or foreign witness is none", "[recovery]") {
  const CrashedStore store({.events = 60, .segment_bytes_max = kSegmentBytesMin});
  SECTION("WAKE is damaged") { fs::resize_file(store.path() / "WAKE", 100); }
  SECTION("WAKE is of another store") {
    const CrashedStore other({.events = 500, .close = true});
    fs::copy_file(other.path() / "WAKE", store.path() / "WAKE",
                  fs::copy_options::overwrite_existing);
  }
  SECTION("index/ is of another store") {
    const CrashedStore other({.events = 200, .segment_bytes_max = kSegmentBytesMin, .close = true});
    store.RemoveIndex();
    fs::copy(other.path() / "index", store.path() / "index");
  }
  SECTION("sidecars are of another store") {
    const CrashedStore other({.events = 200, .segment_bytes_max = kSegmentBytesMin, .close = true});
    for (const auto& file : fs::directory_iterator(other.path() / "log")) {
      // In place of those that the store has itself.
      const fs::path own = store.path() / "log" / file.path().filename();
      if (file.path().extension() != ".idx" || !fs::exists(own)) continue;
      fs::copy_file(file.path(), own, fs::copy_options::overwrite_existing);
    }
  }
  std::string notices;
  CHECK(store.GoesOnAfter(60, &notices) == "");
}

}  // namespace daybook::testing
