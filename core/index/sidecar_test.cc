#include "index/sidecar.h"

#include "index/index_testing.h"
#include "index/sidecar_format.h"

namespace daybook {
namespace {

using testing::CheckIndex;
using testing::Keeps;
using testing::ModelSegment;
using testing::NewSeed;
using testing::SegmentShape;
using testing::TempFolder;

SidecarKey KeyOf(const ModelSegment& segment) {
  return {.store_id = {1, 2, 3},
          .incarnation = {4, 5, 6},
          .first_position = segment.shape().first_position,
          .events = segment.events().size(),
          .last_frame_hash = 0x1234567890ABCDEF};
}

std::unique_ptr<Sidecar> WriteAndOpen(const TempFolder& folder, const ModelSegment& segment) {
  const std::filesystem::path path = folder.path() / "00000000000000000001.idx";
  REQUIRE_OK(Sidecar::Write(path, KeyOf(segment), segment.index()));
  auto sidecar = Sidecar::Open(path);
  REQUIRE_OK(sidecar);
  REQUIRE_OK((*sidecar)->VerifyAll());
  return *std::move(sidecar);
}

void CheckSidecarOf(const SegmentShape& shape) {
  const std::uint64_t seed = NewSeed();
  INFO("seed " << seed);
  const TempFolder folder;
  const ModelSegment segment(shape, seed);
  const std::unique_ptr<Sidecar> sidecar = WriteAndOpen(folder, segment);
  CHECK(sidecar->key() == KeyOf(segment));
  CheckIndex(*sidecar, segment, Keeps::kUpperHalf);
}

TEST_CASE("a sidecar answers like the index that it was written from") {
  CheckSidecarOf({});
  CheckSidecarOf({.first_position = 1'000'001, .events = 3001, .streams = 2500});
}

TEST_CASE("a sidecar keeps streams and ids of the same hash apart") {
  CheckSidecarOf({.first_position = 77, .streams = 64, .collide = true});
}

TEST_CASE("a sidecar numbers lost events and finds none of them") {
  CheckSidecarOf({.events = 4000, .lost = 0.2});
  CheckSidecarOf({.events = 300, .lost = 1});
}

TEST_CASE("a sidecar's columns are as wide as they must be") {
  CheckSidecarOf({.events = 3000,
                  .streams = 255,
                  .types = 256,
                  .lost = 0.01,
                  .category_for_each_stream = true});
  CheckSidecarOf({.events = 140'000,
                  .streams = 100'000,
                  .types = 70'000,
                  .lost = 0.01,
                  .category_for_each_stream = true});
  const TempFolder folder;
  const ModelSegment segment({.events = 4000, .streams = 10, .types = 1000}, NewSeed());
  const std::unique_ptr<Sidecar> sidecar = WriteAndOpen(folder, segment);
  CHECK(sidecar->types().width == 2);
  CHECK(sidecar->categories().width == 1);
  CHECK(SidecarColumnWidth(255) == 1);
  CHECK(SidecarColumnWidth(256) == 2);
  CHECK(SidecarColumnWidth(65'535) == 2);
  CHECK(SidecarColumnWidth(65'536) == 4);
}

TEST_CASE("a sidecar may be small, or of no event at all") {
  for (const std::size_t events : {1U, 2U, 255U, 256U, 257U})
    CheckSidecarOf({.events = events, .collide = false});
  const TempFolder folder;
  auto index = ActiveIndex::Create(9, 1 << 14, 128);
  REQUIRE_OK(index);
  const std::filesystem::path path = folder.path() / "a.idx";
  REQUIRE_OK(Sidecar::Write(path, {.first_position = 9}, **index));
  const auto sidecar = Sidecar::Open(path);
  REQUIRE_OK(sidecar);
  CHECK_OK((*sidecar)->VerifyAll());
  std::vector<std::uint32_t> locals = {1};
  (*sidecar)->AllHeads(&locals);
  CHECK(locals.empty());
  CHECK((*sidecar)->FindType("a") == std::nullopt);
}

TEST_CASE("a sidecar is written over an old one and over what a crash left aside") {
  const TempFolder folder;
  const ModelSegment segment({.events = 100}, 1);
  const std::filesystem::path path = folder.path() / "a.idx";
  const std::filesystem::path aside = folder.path() / "a.idx.tmp";
  std::filesystem::copy_file("/proc/self/exe", aside);
  REQUIRE_OK(Sidecar::Write(path, KeyOf(segment), segment.index()));
  REQUIRE_OK(Sidecar::Write(path, KeyOf(segment), segment.index()));
  CHECK_FALSE(std::filesystem::exists(aside));
  CHECK_OK(Sidecar::Open(path));
}

TEST_CASE("a sidecar tells what it covers, so that one of another store is known as such") {
  const TempFolder folder;
  const ModelSegment segment({.events = 100}, 1);
  const std::unique_ptr<Sidecar> sidecar = WriteAndOpen(folder, segment);
  for (int field = 0; field < 5; ++field) {
    SidecarKey other = KeyOf(segment);
    if (field == 0) other.store_id[15] = 1;
    if (field == 1) other.incarnation[15] = 1;
    if (field == 2) ++other.first_position;
    if (field == 3) ++other.events;
    if (field == 4) ++other.last_frame_hash;
    CHECK_FALSE(sidecar->key() == other);
  }
}

TEST_CASE("a sidecar is not written of other events than its key says") {
  const TempFolder folder;
  const ModelSegment segment({.events = 100}, 1);
  SidecarKey key = KeyOf(segment);
  ++key.events;
  CHECK(absl::IsInternal(Sidecar::Write(folder.path() / "a.idx", key, segment.index())));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a sidecar that is not there is kNotFound") {
  const TempFolder folder;
  CHECK(absl::IsNotFound(Sidecar::Open(folder.path() / "a.idx").status()));
}

}  // namespace
}  // namespace daybook
