// Many threads on one store: no increment is lost, none counts twice, and readers see whole
// histories meanwhile.

#include <algorithm>
#include <atomic>
#include <thread>

#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

constexpr int kWriters = 8;
constexpr int kStreams = 3;
constexpr int kIncrements = 60;  // of each writer

std::string Stream(int n) { return "counter-" + std::to_string(n); }

// What a writer was told: each success of Exactly(n) must have given version n + 1.
struct Told {
  int stream;
  std::uint64_t expected, version, position;
};

// Increments until it has succeeded as often as it should. What it does not understand is counted.
void Increment(Store* store, int writer, std::vector<Told>* told, std::atomic<int>* wrong) {
  for (int n = 0; n < kIncrements; ++n) {
    const int stream = (writer + n) % kStreams;
    std::uint64_t version = store->Head(Stream(stream))->version.value();
    for (;;) {
      const std::string data = std::to_string(version + 1) + std::string(200, ' ');
      Commit commit;
      if (!commit.Add(Stream(stream), EventOf(data)).ok() ||
          !commit.Expect(Stream(stream), ExpectedVersion::Exactly(Version(version))).ok()) {
        ++*wrong;
      }
      const bool asynchronous = n % 5 == 0;
      auto result = asynchronous ? store->AppendAsync(std::move(commit)) : store->Append(commit);
      if (result.ok() && asynchronous && !store->WaitDurable(result->last_position).ok()) ++*wrong;
      if (result.ok()) {
        told->push_back({stream, version, result->events[0].version.value(),
                         result->events[0].position.value()});
        break;
      }
      const auto conflict = ConflictOf(result.status());
      if (!absl::IsAborted(result.status()) || !conflict || conflict->actual.value() == version) {
        ++*wrong;
        return;
      }
      version = conflict->actual.value();
    }
  }
}

// Reads everything again and again: gapless, and every version one more than the one before.
void Scan(const Reader* reader, const std::atomic<bool>* done, std::atomic<int>* wrong) {
  do {
    std::uint64_t position = 0;
    std::map<std::string, std::uint64_t> versions;
    auto cursor = reader->Read({});
    const absl::Status status = cursor.ok() ? cursor->ForEach([&](const EventView& event) {
      const std::uint64_t version = ++versions[std::string(event.stream)];
      if (event.position.value() != ++position || event.version.value() != version ||
          AsText(event.data).substr(0, AsText(event.data).find(' ')) != std::to_string(version)) {
        ++*wrong;
      }
      return absl::OkStatus();
    })
                                            : cursor.status();
    if (!status.ok()) ++*wrong;
    const auto stream = reader->Read({.stream = Stream(1), .direction = Direction::kBackwards});
    if (!stream.ok()) ++*wrong;
  } while (!*done);
}

// Follows the tail to the end.
void Tail(const Reader* reader, std::uint64_t last, std::atomic<int>* wrong) {
  for (std::uint64_t seen = 0; seen < last;) {
    const auto visible = reader->WaitVisible(Position(seen + 1), std::chrono::milliseconds(60000));
    if (!visible.ok()) {
      ++*wrong;
      return;
    }
    auto cursor = reader->Read({.from_position = Position(seen + 1), .to_position = *visible});
    if (!cursor.ok() || !cursor
                             ->ForEach([&](const EventView& event) {
                               if (event.position.value() != ++seen) ++*wrong;
                               return absl::OkStatus();
                             })
                             .ok()) {
      ++*wrong;
      return;
    }
    if (seen != visible->value()) ++*wrong;
  }
}

void Run(const StoreOptions& options) {
  TempFolder folder;
  const auto store = Store::Open(folder / "store", options);
  REQUIRE_OK(store);
  const auto reader = Reader::Open(folder / "store", {});
  REQUIRE_OK(reader);
  constexpr std::uint64_t kAll = kWriters * kIncrements;
  std::vector<std::vector<Told>> told(kWriters);
  std::atomic<int> wrong = 0;
  std::atomic<bool> done = false;
  std::vector<std::thread> writers, readers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back(
        [&, i] { Increment(store->get(), i, &told[static_cast<std::size_t>(i)], &wrong); });
  }
  readers.emplace_back([&] { Scan(store->get(), &done, &wrong); });
  readers.emplace_back([&] { Scan(reader->get(), &done, &wrong); });
  readers.emplace_back([&] { Tail(store->get(), kAll, &wrong); });
  readers.emplace_back([&] { Tail(reader->get(), kAll, &wrong); });
  for (std::thread& thread : writers) thread.join();
  REQUIRE_OK((*store)->Flush());
  done = true;
  for (std::thread& thread : readers) thread.join();
  CHECK(wrong == 0);

  std::map<std::pair<int, std::uint64_t>, std::uint64_t> positions;
  for (const auto& some : told) {
    std::uint64_t before = 0;
    for (const Told& one : some) {
      CHECK(one.version == one.expected + 1);
      CHECK(one.position > before);  // a writer's own appends are in its order
      before = one.position;
      CHECK(positions.emplace(std::pair(one.stream, one.version), one.position).second);
    }
  }
  CHECK(positions.size() == kAll);
  CHECK((*store)->visible() == Position(kAll));
  std::uint64_t in_all = 0;
  for (int stream = 0; stream < kStreams; ++stream) {
    const auto head = (*store)->Head(Stream(stream));
    REQUIRE_OK(head);
    in_all += head->version.value();
    auto cursor = (*store)->Read({.stream = Stream(stream)});
    REQUIRE_OK(cursor);
    std::uint64_t version = 0;
    REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
      CHECK(event.version.value() == ++version);
      CHECK(event.position.value() == positions.at({stream, version}));
      return absl::OkStatus();
    }));
    CHECK(version == head->version.value());
  }
  CHECK(in_all == kAll);
}

}  // namespace

TEST_CASE("every increment counts once while readers scan and tail") { Run(SmallSegments()); }

TEST_CASE("every increment of a buffered store counts once") {
  StoreOptions options = SmallSegments();
  options.durability = Durability::kBuffered;
  options.sync_interval = std::chrono::milliseconds(3);
  Run(options);
}

TEST_CASE("every increment counts once where almost no heads are kept") {
  StoreOptions options = SmallSegments();
  options.cached_heads_max = 1;
  Run(options);
}

TEST_CASE("of many that append under one condition one wins") {
  TempFolder folder;
  const auto store = Store::Open(folder / "store", SmallSegments());
  REQUIRE_OK(store);
  for (int round = 0; round < 20; ++round) {
    const std::string tag = "seat:" + std::to_string(round);
    std::atomic<int> won = 0, lost = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        NewEvent event = EventOf("taken");
        event.tags = {tag};
        Commit commit;
        if (!commit.Add("seats-" + std::to_string(i), event).ok()) return;
        if (!commit.Require({{{{}, {tag}}}, Position(0)}).ok()) return;
        const auto result = (*store)->Append(commit);
        if (result.ok()) ++won;
        if (absl::IsAborted(result.status())) ++lost;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(won == 1);
    CHECK(lost == kWriters - 1);
  }
}

TEST_CASE("the same commit from many threads is appended once") {
  TempFolder folder;
  const auto store = Store::Open(folder / "store", SmallSegments());
  REQUIRE_OK(store);
  for (std::uint64_t round = 0; round < 20; ++round) {
    const EventId id = EventId::NewV7();
    std::atomic<int> first = 0, again = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&] {
        NewEvent event = EventOf("once");
        event.id = id;
        const auto result =
            (*store)->Append("a", ExpectedVersion::Exactly(Version(round)), {event});
        if (result.ok() && result->last_position == Position(round + 1)) {
          ++(result->duplicate ? again : first);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(first == 1);
    CHECK(again == kWriters - 1);
  }
}

}  // namespace daybook::testing
