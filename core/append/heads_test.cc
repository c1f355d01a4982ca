// The spine of a stream, and the table of heads that are in memory.

#include "append/heads.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.h"

namespace daybook {
namespace {

// The jump rule as the format gives it, over whole arrays.
std::vector<std::uint64_t> SkipsByDefinition(std::uint64_t versions) {
  std::vector<std::uint64_t> skip(versions + 1);
  for (std::uint64_t v = 1; v <= versions; ++v) {
    const std::uint64_t p = v - 1;
    const std::uint64_t ps = skip[p];
    skip[v] = p > 0 && p - ps == ps - skip[ps] ? skip[ps] : p;
  }
  return skip;
}

TEST_CASE("the first sixteen skips are those of the format document") {
  const std::array<std::uint64_t, 16> expected = {0, 1, 0,  3,  4,  3, 0, 7,
                                                  8, 7, 10, 11, 10, 7, 0, 15};
  Spine spine;
  for (std::uint64_t v = 1; v <= 16; ++v) CHECK(spine.Append(v) == expected[v - 1]);
}

TEST_CASE("a spine gives every event the skip of the rule, as a position") {
  const std::vector<std::uint64_t> skips = SkipsByDefinition(5000);
  const auto position_of = [](std::uint64_t v) { return v == 0 ? 0 : 7 * v + v % 5; };
  Spine spine;
  CHECK(spine.version() == 0);
  CHECK(spine.position() == 0);
  for (std::uint64_t v = 1; v <= 5000; ++v) {
    CAPTURE(v);
    REQUIRE(spine.Append(position_of(v)) == position_of(skips[v]));
    REQUIRE(spine.version() == v);
    REQUIRE(spine.position() == position_of(v));
  }
}

TEST_CASE("a spine made from the head and its skips goes on as the one that was walked") {
  const std::vector<std::uint64_t> skips = SkipsByDefinition(700);
  for (std::uint64_t head = 0; head < 600; ++head) {
    std::vector<std::uint64_t> nodes;
    for (std::uint64_t v = head; v > 0; v = skips[v]) nodes.insert(nodes.begin(), v);
    CHECK(nodes.size() <= 18);
    Spine spine;
    for (const std::uint64_t v : nodes) spine.Push({v, 100 + v});
    for (std::uint64_t v = head + 1; v <= head + 100; ++v) {
      CAPTURE(head, v);
      REQUIRE(spine.Append(100 + v) == (skips[v] == 0 ? 0 : 100 + skips[v]));
    }
  }
}

Spine SpineOf(std::uint64_t versions) {
  Spine spine;
  for (std::uint64_t v = 1; v <= versions; ++v) spine.Append(v);
  return spine;
}

// Moves a head on as the sequencer and the leader do.
void Move(HeadEntry* entry, std::uint64_t position) {
  entry->spine.Append(position);
  entry->sequenced_version.store(entry->spine.version());
  entry->visible_position.store(position);
}

TEST_CASE("a head is loaded once and then found, with what was loaded") {
  int loads = 0;
  HeadTable table([&](std::string_view stream) {
    ++loads;
    return SpineOf(stream.size());
  });
  CHECK(table.VisiblePosition("abc", 5) == std::nullopt);
  const auto first = table.Pin("abc", 5);
  REQUIRE_OK(first);
  CHECK((*first)->name() == "abc");
  CHECK((*first)->spine.version() == 3);
  CHECK((*first)->sequenced_version == 3);
  CHECK((*first)->visible_position == 3);
  CHECK((*first)->pins == 1);
  CHECK(table.VisiblePosition("abc", 5) == 3);
  CHECK(*table.Pin("abc", 5) == *first);
  CHECK((*first)->pins == 2);
  CHECK(loads == 1);
  CHECK(table.size() == 1);
}

TEST_CASE("many heads are pinned at once, in memory or not, and of one hash too") {
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("stream-" + std::to_string(i));
  const auto hash_of = [](std::size_t i) { return (i / 2) * 0x9E3779B97F4A7C15; };
  int loads = 0;
  HeadTable table([&](std::string_view) {
    ++loads;
    return Spine();
  });
  for (std::size_t i = 0; i < names.size(); i += 3) {
    HeadTable::Unpin(*table.Pin(names[i], hash_of(i)));
  }
  for (const std::size_t count : {std::size_t{1}, std::size_t{15}, std::size_t{16}, names.size()}) {
    std::vector<HeadRequest> requests;
    for (std::size_t i = 0; i < count; ++i) requests.push_back({names[i], hash_of(i)});
    REQUIRE_OK(table.PinAll(requests));
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(requests[i].entry->name() == names[i]);
      CHECK(requests[i].entry->pins == 1);
      CHECK(*table.Pin(names[i], hash_of(i)) == requests[i].entry);
      HeadTable::Unpin(requests[i].entry);
      HeadTable::Unpin(requests[i].entry);
    }
  }
  CHECK(loads == 500);
}

TEST_CASE("where one of many heads cannot be loaded none is pinned") {
  HeadTable table([&](std::string_view stream) -> absl::StatusOr<Spine> {
    if (stream == "19") return absl::DataLossError("bad");
    return Spine();
  });
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back(std::to_string(i));
  std::vector<HeadRequest> requests;
  for (std::size_t i = 0; i < names.size(); ++i) requests.push_back({names[i], i << 58});
  CHECK(table.PinAll(requests).code() == absl::StatusCode::kDataLoss);
  table.Evict(0, 0);
  CHECK(table.size() == 0);
}

TEST_CASE("a load that fails pins nothing and is tried again") {
  bool fails = true;
  HeadTable table([&](std::string_view) -> absl::StatusOr<Spine> {
    if (fails) return absl::DataLossError("bad");
    return Spine();
  });
  CHECK(table.Pin("a", 1).status().code() == absl::StatusCode::kDataLoss);
  CHECK(table.size() == 0);
  fails = false;
  CHECK_OK(table.Pin("a", 1));
}

TEST_CASE("streams of one hash are kept apart") {
  HeadTable table([](std::string_view stream) { return SpineOf(stream.size()); });
  HeadEntry* const a = *table.Pin("a", 9);
  HeadEntry* const bb = *table.Pin("bb", 9);
  HeadEntry* const ccc = *table.Pin("ccc", 9);
  CHECK(*table.Pin("a", 9) == a);
  CHECK(*table.Pin("bb", 9) == bb);
  CHECK(*table.Pin("ccc", 9) == ccc);
  CHECK(table.VisiblePosition("a", 9) == 1);
  CHECK(table.VisiblePosition("bb", 9) == 2);
  CHECK(table.VisiblePosition("dddd", 9) == std::nullopt);
  // None of them is lost by an eviction while one is pinned.
  HeadTable::Unpin(ccc);
  HeadTable::Unpin(ccc);
  table.Evict(UINT64_MAX, 0);
  CHECK(*table.Pin("a", 9) == a);
  CHECK(*table.Pin("bb", 9) == bb);
}

TEST_CASE("a head is evicted only if nobody has pinned it and all its events are applied") {
  HeadTable table([](std::string_view) { return SpineOf(10); });
  HeadEntry* const entry = *table.Pin("a", 1);
  table.Evict(UINT64_MAX, 0);
  CHECK(table.VisiblePosition("a", 1) == 10);  // pinned
  HeadTable::Unpin(entry);
  table.Evict(9, 0);
  CHECK(table.VisiblePosition("a", 1) == 10);  // 10 is not applied
  table.Evict(10, 0);
  CHECK(table.VisiblePosition("a", 1) == std::nullopt);
  CHECK(table.size() == 0);
}

TEST_CASE("an eviction keeps about as many heads as it was told") {
  HeadTable table([](std::string_view) { return SpineOf(1); });
  for (std::uint64_t i = 0; i < 1600; ++i) {
    // Spread over the shards, which the upper bits choose.
    HeadTable::Unpin(*table.Pin(std::to_string(i), i % 16 << 60 | i));
  }
  CHECK(table.size() == 1600);
  table.Evict(UINT64_MAX, 2000);
  CHECK(table.size() == 1600);
  table.Evict(UINT64_MAX, 320);
  CHECK(table.size() == 320);
  table.Evict(UINT64_MAX, 0);
  CHECK(table.size() == 0);
}

TEST_CASE("a head that was evicted is loaded anew") {
  std::uint64_t stored = 2;
  HeadTable table([&](std::string_view) { return SpineOf(stored); });
  HeadEntry* entry = *table.Pin("a", 1);
  Move(entry, 3);
  HeadTable::Unpin(entry);
  stored = 3;
  table.Evict(3, 0);
  entry = *table.Pin("a", 1);
  CHECK(entry->spine.version() == 3);
  CHECK(entry->visible_position == 3);
}

TEST_CASE("a head that was loaded before the stream came, moved on and went does not win") {
  HeadTable* other = nullptr;
  std::uint64_t stored = 2;
  int loads = 0;
  HeadTable table([&](std::string_view stream) {
    const Spine old = SpineOf(stored);
    if (++loads == 1) {
      // Meanwhile another thread appends to the stream, it is applied, and the head is evicted.
      HeadEntry* const entry = *other->Pin(stream, 1);
      Move(entry, 3);
      stored = 3;
      HeadTable::Unpin(entry);
      other->Evict(3, 0);
      CHECK(other->size() == 0);
    }
    return old;
  });
  other = &table;
  HeadEntry* const entry = *table.Pin("a", 1);
  CHECK(loads == 3);
  CHECK(entry->spine.version() == 3);
  CHECK(entry->visible_position == 3);
  CHECK(entry->pins == 1);
}

TEST_CASE("a head that another thread loaded first wins over the one loaded later") {
  HeadTable* other = nullptr;
  int loads = 0;
  HeadTable table([&](std::string_view stream) {
    if (++loads == 1) Move(*other->Pin(stream, 1), 3);
    return SpineOf(2);
  });
  other = &table;
  HeadEntry* const entry = *table.Pin("a", 1);
  CHECK(entry->spine.version() == 3);
  CHECK(entry->pins == 2);
}

TEST_CASE("no append is lost while heads are pinned, evicted and loaded by many threads") {
  constexpr int kWriters = 4;
  constexpr int kAppends = 3000;
  constexpr std::uint64_t kStreams = 6;
  std::mutex store_mutex;
  std::map<std::string, Spine, std::less<>> store;
  std::mutex sequencer_mutex;
  std::uint64_t position = 0;
  std::atomic<std::uint64_t> applied{0};
  HeadTable table([&](std::string_view stream) {
    std::lock_guard lock(store_mutex);
    const auto found = store.find(stream);
    return found == store.end() ? Spine() : found->second;
  });
  std::atomic<bool> stop{false};
  std::atomic<bool> wrong{false};
  std::thread evictor([&] {
    while (!stop) {
      table.Evict(applied.load(), 0);
      std::this_thread::yield();
    }
  });
  std::thread reader([&] {
    std::uint64_t last = 0;
    while (!stop) {
      const std::uint64_t now = table.VisiblePosition("0", 0).value_or(last);
      if (now < last) wrong = true;
      last = now;
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kAppends; ++i) {
        // Two streams share each hash's shard, and two share a hash.
        const std::uint64_t stream = static_cast<std::uint64_t>(w + i) % kStreams;
        const std::string name = std::to_string(stream);
        const auto entry = table.Pin(name, stream == 1 ? 0 : stream / 2 << 60 | stream);
        if (!entry.ok()) wrong = true;
        {
          std::lock_guard sequencing(sequencer_mutex);
          Move(*entry, ++position);
          std::lock_guard lock(store_mutex);
          store[name] = (*entry)->spine;
          applied = position;
        }
        HeadTable::Unpin(*entry);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  evictor.join();
  reader.join();
  CHECK_FALSE(wrong);
  std::uint64_t versions = 0;
  for (const auto& [name, spine] : store) versions += spine.version();
  CHECK(versions == kWriters * kAppends);
}

}  // namespace
}  // namespace daybook
