#include "index/active_index.h"

#include "index/index_testing.h"

namespace daybook {
namespace {

using testing::CheckIndex;
using testing::Keeps;
using testing::ModelSegment;
using testing::NewSeed;
using testing::SegmentShape;

void CheckShape(const SegmentShape& shape) {
  const std::uint64_t seed = NewSeed();
  INFO("seed " << seed);
  const ModelSegment segment(shape, seed);
  CheckIndex(segment.index(), segment, Keeps::kWholeHash);
}

TEST_CASE("the index in memory answers like a plain model") { CheckShape({}); }

TEST_CASE("the index in memory of a later segment answers like a plain model") {
  CheckShape({.first_position = 1'000'001, .events = 3000, .streams = 2500});
}

TEST_CASE("the index in memory keeps streams and ids of the same hash apart") {
  CheckShape({.first_position = 77, .streams = 64, .collide = true});
}

TEST_CASE("the index in memory numbers lost events and finds none of them") {
  CheckShape({.events = 4000, .lost = 0.2});
  CheckShape({.events = 300, .lost = 1});
}

TEST_CASE("the index in memory takes any number of types and categories") {
  CheckShape({.events = 3000, .streams = 2000, .types = 1000, .category_for_each_stream = true});
}

std::unique_ptr<ActiveIndex> MakeIndex() {
  auto index = ActiveIndex::Create(1, 1 << 20, 128);
  REQUIRE_OK(index);
  return *std::move(index);
}

ActiveIndex::Entry EntryOf(std::uint64_t position, std::string_view stream) {
  return {.offset = 4096 + 128 * position,
          .version = 1,
          .prev = 0,
          .skip = 0,
          .recorded_at = static_cast<std::int64_t>(position),
          .effective_at = 5,
          .stream = stream,
          .stream_hash = StreamHash(stream),
          .type = "opened",
          .id = EventId({1})};
}

TEST_CASE("what is added is not seen before it is published") {
  const auto index = MakeIndex();
  const testing::EncodedTags tags({"vip"});
  index->Add(EntryOf(1, "account-1"), tags.list());
  CHECK(index->added() == 1);
  CHECK(index->count() == 0);
  std::vector<std::uint32_t> locals;
  const auto found = [&] {
    std::size_t sum = 0;
    index->FindTag(TagHash("vip"), UINT64_MAX, &locals);
    sum += locals.size();
    index->FindId(IdHash(StreamHash("account-1"), EventId({1})), UINT64_MAX, &locals);
    sum += locals.size();
    index->FindHead(StreamHash("account-1"), &locals);
    sum += locals.size();
    index->AllHeads(&locals);
    return sum + locals.size();
  };
  CHECK(found() == 0);
  index->Publish();
  CHECK(index->count() == 1);
  CHECK(found() == 4);
}

TEST_CASE("lookups go on from where they were when events follow") {
  const auto index = MakeIndex();
  std::vector<std::uint32_t> locals;
  ActiveIndex::Entry entry = EntryOf(1, "account-1");
  for (std::uint64_t position = 1; position <= 100; ++position) {
    entry.offset += 128;
    entry.version = position;
    entry.prev = position - 1;
    entry.skip = SkipVersion(position);
    const testing::EncodedTags tags({position % 2 == 0 ? "even" : "odd"});
    index->Add(entry, tags.list());
    index->Publish();
    index->FindHead(entry.stream_hash, &locals);
    CHECK(locals == std::vector<std::uint32_t>{static_cast<std::uint32_t>(position - 1)});
    index->FindTag(TagHash("even"), UINT64_MAX, &locals);
    CHECK(locals.size() == position / 2);
    index->FindId(IdHash(entry.stream_hash, entry.id), UINT64_MAX, &locals);
    CHECK(locals.size() == position);
  }
}

TEST_CASE("streams are summed up by their last events and the bounds of their times") {
  const auto index = MakeIndex();
  const auto add = [&](std::uint64_t position, std::uint64_t prev, std::string_view stream,
                       std::int64_t effective_at) {
    ActiveIndex::Entry entry = EntryOf(position, stream);
    entry.prev = prev;
    entry.effective_at = effective_at;
    index->Add(entry, TagList());
    index->Publish();
  };
  CHECK(index->SummarizeStreams()->empty());
  add(1, 0, "a", 7);
  add(2, 0, "b", 3);
  add(3, 1, "a", -5);
  add(4, 3, "a", 6);
  const auto streams = index->SummarizeStreams();
  REQUIRE(streams.has_value());
  REQUIRE(streams->size() == 2);
  CHECK(streams->at(0).last_local == 3);
  CHECK(streams->at(0).effective.min == -5);
  CHECK(streams->at(0).effective.max == 7);
  CHECK(streams->at(1).last_local == 1);
  CHECK(streams->at(1).effective.min == 3);
  SECTION("two streams of one hash are not summed up as one") {
    ActiveIndex::Entry entry = EntryOf(5, "c");
    entry.stream_hash = StreamHash("a");
    index->Add(entry, TagList());
    index->Publish();
    CHECK_FALSE(index->SummarizeStreams().has_value());
  }
  SECTION("nothing is summed up where events are lost") {
    index->AddLost();
    index->Publish();
    CHECK_FALSE(index->SummarizeStreams().has_value());
  }
}

TEST_CASE("a version beyond 32 bits stands as the escape") {
  const auto index = MakeIndex();
  ActiveIndex::Entry entry = EntryOf(1, "a");
  entry.version = std::uint64_t{1} << 32;
  index->Add(entry, TagList());
  index->Publish();
  CHECK(index->links()[0].version == kLinkVersionEscape);
}

TEST_CASE("the memory of a type may change after it was added") {
  const auto index = MakeIndex();
  std::string type = "opened";
  ActiveIndex::Entry entry = EntryOf(1, "a");
  entry.type = type;
  index->Add(entry, TagList());
  type = "closed";
  entry.type = type;
  entry.offset += 128;
  index->Add(entry, TagList());
  index->Publish();
  REQUIRE(index->FindType("opened").has_value());
  REQUIRE(index->FindType("closed").has_value());
  CHECK(index->FindType("opened")->number != index->FindType("closed")->number);
  CHECK(index->FindType("closed")->events == 1);
}

TEST_CASE("an index has room for as many events as fit into its segment") {
  const auto index = ActiveIndex::Create(1, 128 * 10, 128);
  REQUIRE_OK(index);
  CHECK((*index)->capacity() == 11);
  for (int i = 0; i < 11; ++i) (*index)->AddLost();
  CHECK((*index)->added() == 11);
}

TEST_CASE("an index of impossible size is refused") {
  CHECK_FALSE(ActiveIndex::Create(0, 1 << 20, 128).ok());
  CHECK_FALSE(ActiveIndex::Create(1, 1 << 20, 0).ok());
  CHECK_FALSE(ActiveIndex::Create(1, std::uint64_t{1} << 40, 128).ok());
}

}  // namespace
}  // namespace daybook
