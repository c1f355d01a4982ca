// Parked keys: their order, their retries, and that what a reader sees is what was committed.

#include "projections/parking.h"

#include <chrono>
#include <map>
#include <random>
#include <utility>

#include "kv/environment.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::TempFolder;

constexpr std::int64_t kSecond = 1'000'000'000;
const absl::Status kBad = absl::InvalidArgumentError("no amount");

Timestamp At(std::int64_t seconds) { return Timestamp(seconds * kSecond); }

// The table of a generation, and the parked keys over it as batch after batch sees them.
class ParkedTable {
 public:
  explicit ParkedTable(const ParkingOptions& options = {}) : options_(options) {
    environment_ = Environment::Open(folder_.path(), {}).value();
    table_ = environment_->OpenTable("parked").value();
    Reopen(0, 0);
  }
  Parking& operator*() { return *parking_; }
  Parking* operator->() { return &*parking_; }
  void Reopen(std::uint64_t events, std::uint64_t keys) {
    auto parking = Parking::Open(*environment_, table_, options_, events, keys);
    REQUIRE_OK(parking);
    parking_.emplace(*std::move(parking));
  }
  void Reopen() { Reopen(parking_->events(), parking_->keys()); }
  void Write(const Parking& parking) {
    auto transaction = environment_->BeginWrite();
    REQUIRE_OK(transaction);
    // As where the map was full: the changes are put in again.
    REQUIRE_OK(parking.Write(table_, &*transaction));
    REQUIRE_OK(parking.Write(table_, &*transaction));
    REQUIRE_OK(transaction->Commit());
  }
  void Commit() {
    Write(*parking_);
    REQUIRE_OK(parking_->Committed());
  }
  std::vector<ParkedKey> List() {
    const auto read = environment_->BeginRead();
    REQUIRE_OK(read);
    return ListParked(*read, table_).value();
  }
  std::optional<StaleKey> Stale(std::string_view key) {
    const auto read = environment_->BeginRead();
    REQUIRE_OK(read);
    return FindStale(*read, table_, key).value();
  }
  std::uint64_t entries() { return environment_->BeginRead()->Count(table_).value(); }

 private:
  const TempFolder folder_;
  const ParkingOptions options_;
  std::unique_ptr<Environment> environment_;
  TableHandle table_;
  std::optional<Parking> parking_;
};

std::vector<std::uint64_t> PositionsOf(const std::vector<ParkedEvent>& events) {
  std::vector<std::uint64_t> positions;
  for (const ParkedEvent& event : events) positions.push_back(event.position.value());
  return positions;
}

}  // namespace

TEST_CASE("events of a parked key queue behind the one that failed, and others are not parked") {
  ParkedTable table;
  CHECK_FALSE(table->IsParked("a").value());
  REQUIRE_OK(table->Park("a", Position(3), kBad, At(100)));
  REQUIRE_OK(table->Queue("a", Position(5), At(101)));
  CHECK(table->IsParked("a").value());
  CHECK_FALSE(table->IsParked("b").value());
  CHECK_FALSE(table->IsParked(std::string_view("a\0", 2)).value());
  CHECK_FALSE(table.Stale("a"));
  table.Commit();
  REQUIRE_OK(table->Queue("a", Position(9), At(102)));
  CHECK(table->events() == 3);
  table.Commit();
  table.Reopen();
  CHECK(table->IsParked("a").value());
  const std::vector<ParkedKey> keys = table.List();
  REQUIRE(keys.size() == 1);
  CHECK(keys[0].key == "a");
  CHECK(PositionsOf(keys[0].events) == std::vector<std::uint64_t>{3, 5, 9});
  CHECK(keys[0].events[0].failed);
  CHECK_FALSE(keys[0].events[1].failed);
  CHECK(keys[0].parked_at == At(100));
  CHECK(keys[0].attempts == 1);
  CHECK(keys[0].code == absl::StatusCode::kInvalidArgument);
  CHECK(keys[0].message == "no amount");
  const std::optional<StaleKey> stale = table.Stale("a");
  REQUIRE(stale);
  CHECK(stale->since == Position(3));
  CHECK(stale->parked_at == At(100));
  CHECK(stale->events == 3);
}

TEST_CASE("a batch that is discarded has parked nothing") {
  ParkedTable table;
  REQUIRE_OK(table->Park("a", Position(1), kBad, At(1)));
  table.Commit();
  REQUIRE_OK(table->Queue("a", Position(2), At(1)));
  REQUIRE_OK(table->Park("b", Position(3), kBad, At(1)));
  REQUIRE(table->Release("a", Position(1)).value());
  table->Discard();
  CHECK(table->events() == 1);
  CHECK(table->keys() == 1);
  CHECK_FALSE(table->changed());
  CHECK_FALSE(table->IsParked("b").value());
  CHECK(PositionsOf(table->EventsOf("a", Position(0), 9).value()) == std::vector<std::uint64_t>{1});
}

TEST_CASE("a key whose last event is released is parked no longer, and leaves nothing behind") {
  ParkedTable table;
  REQUIRE_OK(table->Park("a", Position(1), kBad, At(1)));
  REQUIRE_OK(table->Queue("a", Position(2), At(1)));
  table.Commit();
  CHECK(table->Release("a", Position(1)).value());
  CHECK_FALSE(table->Release("a", Position(1)).value());
  CHECK_FALSE(table->Release("a", Position(7)).value());
  CHECK(table->IsParked("a").value());
  CHECK(table->Release("a", Position(2)).value());
  CHECK_FALSE(table->IsParked("a").value());
  // Within the same batch it can fail again.
  REQUIRE_OK(table->Park("a", Position(4), kBad, At(2)));
  table.Commit();
  CHECK(PositionsOf(table.List().at(0).events) == std::vector<std::uint64_t>{4});
  CHECK(table->Release("a", Position(4)).value());
  table.Commit();
  CHECK(table.entries() == 0);
  CHECK_FALSE(table->next_retry());
}

TEST_CASE("a failed event is tried again later and later, a bounded number of times") {
  ParkingOptions options;
  options.retries = 4;
  options.retry_first = std::chrono::seconds(10);
  options.retry_max = std::chrono::seconds(35);
  ParkedTable table(options);
  REQUIRE_OK(table->Park("a", Position(1), kBad, At(0)));
  table.Commit();
  std::int64_t now = 0;
  for (const std::int64_t wait : {10, 20, 35, 35}) {
    CHECK(table->next_retry() == At(now + wait));
    CHECK(table->Due(At(now + wait - 1), 9).value().empty());
    now += wait;
    CHECK(table->Due(At(now), 9).value() == std::vector<std::string>{"a"});
    REQUIRE_OK(table->Failed("a", Position(1), kBad, At(now)));
    table.Commit();
  }
  CHECK_FALSE(table->next_retry());
  CHECK(table->Head("a").value()->attempts == 5);
  // The next event of the key has its own attempts.
  REQUIRE_OK(table->Queue("a", Position(2), At(now)));
  table.Commit();
  CHECK(table->Release("a", Position(1)).value());
  REQUIRE_OK(table->Failed("a", Position(2), kBad, At(now)));
  table.Commit();
  CHECK(table->Head("a").value()->attempts == 1);
  CHECK(table->next_retry() == At(now + 10));
  CHECK(table.List().at(0).events.at(0).failed);
  CHECK(table.List().at(0).parked_at == At(now));
}

TEST_CASE("keys come due in the order of their times, and one that is released does not") {
  ParkedTable table;
  for (int i = 0; i < 5; ++i) {
    REQUIRE_OK(table->Park(std::string(1, static_cast<char>('a' + i)),
                           Position(static_cast<std::uint64_t>(i) + 1), kBad, At(10 - i)));
  }
  table.Commit();
  REQUIRE(table->Release("d", Position(4)).value());
  REQUIRE_OK(table->RetrySoon("b", At(1)));
  table.Commit();
  CHECK(table->Due(At(100), 9).value() == std::vector<std::string>{"b", "e", "c", "a"});
  CHECK(table->Due(At(100), 2).value() == std::vector<std::string>{"b", "e"});
  table.Reopen();
  CHECK(table->next_retry() == At(1));
  CHECK(table->KeysBehind(std::nullopt, 2).value() == std::vector<std::string>{"a", "b"});
  CHECK(table->KeysBehind("b", 9).value() == std::vector<std::string>{"c", "e"});
}

TEST_CASE("a long queue is walked piece by piece") {
  ParkedTable table;
  REQUIRE_OK(table->Park("a", Position(1), kBad, At(1)));
  for (std::uint64_t i = 2; i <= 1000; ++i) REQUIRE_OK(table->Queue("a", Position(i), At(1)));
  REQUIRE_OK(table->Park(std::string("a\0", 2), Position(1001), kBad, At(1)));
  table.Commit();
  Position after;
  std::uint64_t seen = 0;
  for (;;) {
    const auto events = table->EventsOf("a", after, 64);
    REQUIRE_OK(events);
    if (events->empty()) break;
    REQUIRE(events->size() <= 64);
    for (const ParkedEvent& event : *events) CHECK(event.position == Position(++seen));
    after = events->back().position;
  }
  CHECK(seen == 1000);
}

TEST_CASE("no more than the limit is parked") {
  ParkingOptions options;
  options.parked_max = 2;
  ParkedTable table(options);
  REQUIRE_OK(table->Park("a", Position(1), kBad, At(1)));
  CHECK_FALSE(table->full());
  REQUIRE_OK(table->Queue("a", Position(2), At(1)));
  CHECK(table->full());
  table.Commit();
  table.Reopen();
  CHECK(table->full());
}

TEST_CASE("events parked out of turn are a bug, and are not kept") {
  ParkedTable table;
  CHECK(absl::IsInternal(table->Queue("a", Position(1), At(1))));
  CHECK(absl::IsInternal(table->Failed("a", Position(1), kBad, At(1))));
  REQUIRE_OK(table->Park("a", Position(1), kBad, At(1)));
  CHECK(absl::IsInternal(table->Park("a", Position(2), kBad, At(1))));
}

TEST_CASE("a rebuild parks without tables of its own, and writes into those that it makes") {
  ParkedTable table;
  Parking own{ParkingOptions()};
  REQUIRE_OK(own.Park("a", Position(1), kBad, At(1)));
  REQUIRE_OK(own.Queue("a", Position(2), At(1)));
  REQUIRE_OK(own.Park("b", Position(3), kBad, At(1)));
  CHECK(own.IsParked("a").value());
  CHECK_FALSE(own.IsParked("c").value());
  CHECK(own.Release("b", Position(3)).value());
  CHECK(own.events() == 2);
  CHECK(own.keys() == 1);
  table.Write(own);
  table.Reopen(own.events(), own.keys());
  CHECK(table->IsParked("a").value());
  CHECK_FALSE(table->IsParked("b").value());
  CHECK(PositionsOf(table.List().at(0).events) == std::vector<std::uint64_t>{1, 2});
}

// What the parked keys are, kept in the plainest way.
struct Model {
  struct Key {
    std::vector<std::uint64_t> events;
    bool failed = false;
  };
  std::map<std::string, Key> keys;
  [[nodiscard]] std::uint64_t events() const {
    std::uint64_t count = 0;
    for (const auto& [name, key] : keys) count += key.events.size();
    return count;
  }
};

TEST_CASE(
    "after any number of batches, kept or discarded, the parked keys are what a plain list "
    "says") {
  std::mt19937_64 random(20260729);
  ParkedTable table;
  Model model;
  std::uint64_t position = 0;
  for (int batch = 0; batch < 300; ++batch) {
    Model next = model;
    for (std::uint64_t i = random() % 8; i > 0; --i) {
      const std::string key = "key-" + std::to_string(random() % 12);
      const auto found = next.keys.find(key);
      REQUIRE(table->IsParked(key).value() == (found != next.keys.end()));
      if (found == next.keys.end()) {
        REQUIRE_OK(table->Park(key, Position(++position), kBad, At(batch)));
        next.keys[key] = {{position}, true};
      } else if (random() % 2 == 0) {
        REQUIRE_OK(table->Queue(key, Position(++position), At(batch)));
        found->second.events.push_back(position);
      } else {
        // A retry: some are handled, and the next one fails.
        for (std::uint64_t done = random() % 4; done > 0 && !found->second.events.empty(); --done) {
          REQUIRE(table->Release(key, Position(found->second.events.front())).value());
          found->second.events.erase(found->second.events.begin());
        }
        if (found->second.events.empty()) {
          next.keys.erase(found);
        } else {
          REQUIRE_OK(table->Failed(key, Position(found->second.events.front()), kBad, At(batch)));
        }
      }
    }
    REQUIRE(table->events() == next.events());
    REQUIRE(table->keys() == next.keys.size());
    if (random() % 4 == 0) {
      table->Discard();
    } else {
      table.Commit();
      model = next;
    }
    if (random() % 16 == 0) table.Reopen();
    const std::vector<ParkedKey> keys = table.List();
    REQUIRE(keys.size() == model.keys.size());
    for (const ParkedKey& key : keys) {
      REQUIRE(PositionsOf(key.events) == model.keys.at(key.key).events);
      CHECK(key.events.front().failed);
    }
  }
}

}  // namespace daybook
