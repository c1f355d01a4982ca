#include "index/head_store.h"

#include <fstream>

#include "base/thread.h"
#include "index/index_testing.h"

namespace daybook {
namespace {

using testing::NewSeed;
using testing::TempFolder;

constexpr SidecarKey kIdentity{.store_id = {1}, .incarnation = {2}};

SidecarKey SegmentOf(std::uint64_t first_position, std::uint64_t events) {
  SidecarKey key = kIdentity;
  key.first_position = first_position;
  key.events = events;
  key.last_frame_hash = first_position * 31;
  return key;
}

std::unique_ptr<HeadStore> OpenStore(const TempFolder& folder, bool expect_discarded = false,
                                     const SidecarKey& identity = kIdentity) {
  bool discarded = !expect_discarded;
  auto store = HeadStore::Open(folder.path() / "index", identity, &discarded);
  REQUIRE_OK(store);
  CHECK(discarded == expect_discarded);
  return *std::move(store);
}

// The head of a stream whose last events stand at these positions, newest first.
HeadRecord HeadAt(std::uint64_t version, std::vector<std::uint64_t> last,
                  std::int64_t effective = 0) {
  HeadRecord head;
  head.version = version;
  head.position = last.front();
  std::copy(last.begin(), last.end(), head.last.begin());
  head.effective_min = effective;
  head.effective_max = effective;
  return head;
}

bool Same(const HeadRecord& a, const HeadRecord& b) {
  return a.version == b.version && a.position == b.position && a.last == b.last &&
         a.effective_min == b.effective_min && a.effective_max == b.effective_max;
}

TEST_CASE("a new head store is empty") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  CHECK(store->applied_position() == 0);
  CHECK(store->streams().value() == 0);
  CHECK(store->Catalogue().value().empty());
  CHECK(store->Find("account-1").value() == std::nullopt);
  CHECK(store->Find("").value() == std::nullopt);
  CHECK(store->Find(std::string(600, 'x')).value() == std::nullopt);
}

TEST_CASE("applied heads are found, also after a reopen") {
  const TempFolder folder;
  std::vector<HeadStore::Update> updates = {{"b", HeadAt(1, {2}, 7)}, {"a", HeadAt(2, {3, 1}, 9)}};
  {
    const auto store = OpenStore(folder);
    REQUIRE_OK(store->Apply(&updates, SegmentOf(1, 3)));
    CHECK(updates.front().stream == "a");
  }
  const auto store = OpenStore(folder);
  CHECK(store->applied_position() == 3);
  CHECK(store->streams().value() == 2);
  CHECK(Same(store->Find("a").value().value(), HeadAt(2, {3, 1}, 9)));
  CHECK(Same(store->Find("b").value().value(), HeadAt(1, {2}, 7)));
  CHECK(store->Catalogue().value() == std::vector<SidecarKey>{SegmentOf(1, 3)});
}

TEST_CASE("the larger version stays, whatever comes again") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  std::vector<HeadStore::Update> old = {{"a", HeadAt(2, {2, 1})}};
  std::vector<HeadStore::Update> fresh = {{"a", HeadAt(3, {3})}};
  REQUIRE_OK(store->Apply(&old, SegmentOf(1, 2)));
  REQUIRE_OK(store->Apply(&fresh, SegmentOf(3, 1)));
  REQUIRE_OK(store->Apply(&old, SegmentOf(1, 2)));
  CHECK(store->applied_position() == 3);
  CHECK(store->Find("a").value()->version == 3);
  CHECK(store->Catalogue().value().size() == 2);
}

TEST_CASE("last positions and effective bounds grow over segments") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  std::vector<HeadStore::Update> updates = {{"a", HeadAt(3, {5, 3, 1}, 50)}};
  REQUIRE_OK(store->Apply(&updates, SegmentOf(1, 5)));
  updates = {{"a", HeadAt(5, {12, 10}, -50)}};
  REQUIRE_OK(store->Apply(&updates, SegmentOf(6, 10)));
  HeadRecord head = store->Find("a").value().value();
  CHECK(head.last == std::array<std::uint64_t, 4>{12, 10, 5, 3});
  CHECK(head.effective_min == -50);
  CHECK(head.effective_max == 50);
  // One position of four new events: what lies between is not known, so nothing older is listed.
  updates = {{"a", HeadAt(9, {30})}};
  REQUIRE_OK(store->Apply(&updates, SegmentOf(16, 20)));
  CHECK(store->Find("a").value()->last == std::array<std::uint64_t, 4>{30, 0, 0, 0});
  // A list that reaches back into what was known.
  updates = {{"a", HeadAt(10, {40, 30})}};
  REQUIRE_OK(store->Apply(&updates, SegmentOf(36, 10)));
  CHECK(store->Find("a").value()->last == std::array<std::uint64_t, 4>{40, 30, 0, 0});
}

TEST_CASE("a segment that leaves a gap is refused") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  std::vector<HeadStore::Update> updates = {{"a", HeadAt(1, {7})}};
  CHECK(absl::IsInternal(store->Apply(&updates, SegmentOf(7, 1))));
  CHECK(store->streams().value() == 0);
}

TEST_CASE("many heads make the map grow, and are those of a plain model") {
  const std::uint64_t seed = NewSeed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const TempFolder folder;
  auto store = OpenStore(folder);
  std::map<std::string, std::uint64_t> model;
  std::uint64_t position = 0;
  for (int segment = 0; segment < 6; ++segment) {
    std::map<std::string, HeadRecord> heads;
    const std::uint64_t first = position + 1;
    for (int i = 0; i < 10'000; ++i) {
      const std::uint64_t number = random() % 30'000;
      const std::string stream = absl::StrCat(std::string(number % 200, 's'), "-", number);
      heads[stream] = HeadAt(++model[stream], {++position});
    }
    std::vector<HeadStore::Update> updates;
    for (const auto& [stream, head] : heads) updates.push_back({stream, head});
    std::shuffle(updates.begin(), updates.end(), random);
    REQUIRE_OK(store->Apply(&updates, SegmentOf(first, position - first + 1)));
  }
  store.reset();
  store = OpenStore(folder);
  CHECK(store->applied_position() == position);
  CHECK(store->streams().value() == model.size());
  bool good = true;
  for (const auto& [stream, version] : model) {
    const auto head = store->Find(stream);
    good = good && head.ok() && head->has_value() && (*head)->version == version;
  }
  CHECK(good);
  auto expected = model.begin();
  REQUIRE_OK(store->ForEach("", [&](std::string_view stream, const HeadRecord& head) {
    good = good && expected != model.end() && expected->first == stream &&
           expected->second == head.version;
    ++expected;
  }));
  CHECK(good);
  CHECK(expected == model.end());
}

TEST_CASE("heads are visited by prefix in order of name") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  std::vector<HeadStore::Update> updates;
  std::uint64_t position = 0;
  for (const char* name : {"order-2", "account-1", "order-1", "order", "orders-1", "z"}) {
    updates.push_back({name, HeadAt(1, {++position})});
  }
  REQUIRE_OK(store->Apply(&updates, SegmentOf(1, position)));
  std::vector<std::string> seen;
  const auto visit = [&](std::string_view stream, const HeadRecord&) { seen.emplace_back(stream); };
  REQUIRE_OK(store->ForEach("order-", visit));
  CHECK(seen == std::vector<std::string>{"order-1", "order-2"});
  seen.clear();
  REQUIRE_OK(store->ForEach("x", visit));
  REQUIRE_OK(store->ForEach(std::string(600, 'x'), visit));
  CHECK(seen.empty());
}

TEST_CASE("what is of another store, or is damaged, is discarded and begun anew") {
  const TempFolder folder;
  std::vector<HeadStore::Update> updates = {{"a", HeadAt(1, {1})}};
  REQUIRE_OK(OpenStore(folder)->Apply(&updates, SegmentOf(1, 1)));
  SECTION("of another store") {
    const auto store = OpenStore(folder, true, {.store_id = {9}, .incarnation = {2}});
    CHECK(store->applied_position() == 0);
    CHECK(store->streams().value() == 0);
  }
  SECTION("of another incarnation") {
    CHECK(OpenStore(folder, true, {.store_id = {1}, .incarnation = {9}})->applied_position() == 0);
  }
  SECTION("its file is no database") {
    std::ofstream(folder.path() / "index" / "data.mdb", std::ios::trunc)
        << std::string(100'000, 'x');
    const auto store = OpenStore(folder, true);
    CHECK(store->applied_position() == 0);
    REQUIRE_OK(store->Apply(&updates, SegmentOf(1, 1)));
  }
  SECTION("its values are damaged") {
    const std::filesystem::path file = folder.path() / "index" / "data.mdb";
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string all(std::istreambuf_iterator<char>(bytes), {});
    for (std::size_t at = all.find("store\x01"); at != std::string::npos;
         at = all.find("store\x01", at + 1)) {
      all[at + 5 + 16] = static_cast<char>(all[at + 5 + 16] ^ 1);
    }
    bytes.seekp(0);
    bytes << all;
    bytes.close();
    CHECK(OpenStore(folder, true)->applied_position() == 0);
  }
}

TEST_CASE("lookups go on while heads are applied and the map grows") {
  const TempFolder folder;
  const auto store = OpenStore(folder);
  std::atomic<bool> done = false;
  std::atomic<bool> good = true;
  {
    const auto read = [&] {
      std::uint64_t version = 0;
      while (!done) {
        const auto head = store->Find("stream-0");
        if (!head.ok()) good = false;
        if (!head.ok() || !head->has_value()) continue;
        if ((*head)->version < version) good = false;
        version = (*head)->version;
      }
    };
    Thread first("reader1", read);
    Thread second("reader2", read);
    std::uint64_t position = 0;
    for (std::uint64_t round = 1; round <= 4; ++round) {
      std::vector<HeadStore::Update> updates;
      const std::uint64_t begin = position + 1;
      for (int i = 0; i < 10'000; ++i) {
        updates.push_back({absl::StrCat("stream-", i * (i % 3 == 0 ? 1 : static_cast<int>(round))),
                           HeadAt(round, {++position})});
      }
      const absl::Status applied = store->Apply(&updates, SegmentOf(begin, position - begin + 1));
      if (!applied.ok()) good = false;
    }
    done = true;
  }
  CHECK(good);
  CHECK(store->Find("stream-0").value()->version == 4);
}

TEST_CASE("a head store whose file was cut off is discarded, never mapped beyond its end") {
  const TempFolder folder;
  std::vector<HeadStore::Update> updates;
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    updates.push_back({absl::StrCat("stream-", i), HeadAt(1, {i})});
  }
  REQUIRE_OK(OpenStore(folder)->Apply(&updates, SegmentOf(1, 5000)));
  const std::filesystem::path file = folder.path() / "index" / "data.mdb";
  std::filesystem::resize_file(file, 5 * 4096);
  const auto store = OpenStore(folder, true);
  CHECK(store->streams().value() == 0);
}

}  // namespace
}  // namespace daybook
