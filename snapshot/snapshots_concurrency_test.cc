// Many threads that decide, load, list and drop at the same time: no answer is wrong.

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using testing::Chain;
using testing::ChainFold;
using testing::History;
using testing::TempFolder;

constexpr std::uint32_t kStreams = 3;

// What threads share here. Catch2's checks are for one thread: faults are counted.
struct Shared {
  Store* store;
  SnapshotStore* snapshots;
  const Repository<ChainFold>* chains;
  std::atomic<bool> over{false};
  std::atomic<int> faults{0};
  void Expect(bool condition) { faults += condition ? 0 : 1; }
};

void Decide(Shared* shared, int count) {
  for (int i = 0; i < count; ++i) {
    const auto done = shared->chains->Transact(
        *shared->store, History::StreamName(static_cast<std::uint32_t>(i) % kStreams),
        [](const Chain& chain, Decision& decision) {
          const std::string data = std::to_string(chain.events);
          return decision.Add({.type = "Happened", .data = AsBytes(data)});
        },
        {.attempts_max = 1000});
    shared->Expect(done.ok());
  }
}

void LookBack(Shared* shared, std::uint32_t seed) {
  std::mt19937 random(seed);
  while (!shared->over) {
    const std::string stream = History::StreamName(static_cast<std::uint32_t>(random()) % kStreams);
    const auto now = shared->chains->Load(stream);
    if (!now.ok() || now->state().events != now->version().value()) {
      shared->Expect(false);
      continue;
    }
    const Version version(random() % (now->version().value() + 1));
    const auto past = shared->chains->LoadAt(stream, AsOf::AtVersion(version));
    shared->Expect(past.ok() && past->state().events == version.value());
  }
}

void Disturb(Shared* shared) {
  for (std::uint32_t i = 0; !shared->over; ++i) {
    const auto listed = ListSnapshots(*shared->store, History::StreamName(i % kStreams));
    shared->Expect(listed.ok() || absl::IsUnavailable(listed.status()));
    if (i % 5 == 0) shared->Expect(shared->snapshots->Flush().ok());
    if (i % 11 == 0) shared->Expect(shared->snapshots->Drop(History::StreamName(0)).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST_CASE("threads that decide, load, list and drop get no wrong answer", "[snapshots]") {
  const TempFolder folder;
  StoreOptions store_options = testing::SmallSegments();
  store_options.durability = Durability::kBuffered;
  store_options.sync_interval = std::chrono::milliseconds(5);
  auto store = Store::Open(folder / "store", store_options);
  REQUIRE_OK(store);
  auto snapshots = SnapshotStore::Open(**store, {});
  REQUIRE_OK(snapshots);
  RepositoryOptions options;
  options.snapshots = *std::move(snapshots);
  options.policy.every_events = 4;
  options.verify_one_in = 10;
  options.cached_states_max = 1;  // so that most loads begin at a snapshot
  const Repository<ChainFold> chains(**store, {}, options);
  Shared shared{.store = store->get(), .snapshots = options.snapshots.get(), .chains = &chains};

  std::vector<std::thread> writers, others;
  for (int t = 0; t < 2; ++t) writers.emplace_back([&shared] { Decide(&shared, 200); });
  for (std::uint32_t t = 0; t < 2; ++t) others.emplace_back([&shared, t] { LookBack(&shared, t); });
  others.emplace_back([&shared] { Disturb(&shared); });
  for (std::thread& thread : writers) thread.join();
  shared.over = true;
  for (std::thread& thread : others) thread.join();
  CHECK(shared.faults == 0);

  REQUIRE_OK((*store)->Flush());
  REQUIRE_OK(options.snapshots->Flush());
  const SnapshotStats stats = options.snapshots->stats();
  CHECK(stats.hits > 0);
  CHECK(stats.verified > 0);
  CHECK(stats.false_states == 0);
  CHECK(stats.taken > 0);
  const Repository<ChainFold> plain(**store);
  std::uint64_t events = 0;
  for (std::uint32_t s = 0; s < kStreams; ++s) {
    const std::string stream = History::StreamName(s);
    const auto through = chains.LoadAt(stream, {});
    const auto full = plain.LoadAt(stream, {});
    REQUIRE_OK(through);
    REQUIRE_OK(full);
    CHECK(through->state() == full->state());
    events += full->state().events;
  }
  CHECK(events == 400);
  const auto report = VerifySnapshots(**store, [](std::string_view, std::uint32_t) {
    return std::make_shared<FoldAdapter<ChainFold>>(ChainFold());
  });
  REQUIRE_OK(report);
  CHECK(report->ok());
}

}  // namespace
}  // namespace daybook
