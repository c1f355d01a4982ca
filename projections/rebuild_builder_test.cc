#include "projections/rebuild_builder.h"

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daybook/store.h"
#include "io/directory.h"
#include "projections/layout.h"
#include "projections/projection_testing.h"
#include "projections/table_digest.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::AppendMany;
using testing::Chain;
using testing::ChainProjection;
using testing::Chains;
using testing::ChainsOfLog;
using testing::kChains;
using testing::TempFolder;

std::unique_ptr<Store> StoreOf(const TempFolder& folder, int events, int streams) {
  auto store = Store::Open(folder / "store", {.durability = Durability::kBuffered});
  REQUIRE_OK(store);
  REQUIRE_OK(AppendMany(store->get(), events, streams));
  REQUIRE_OK((*store)->Flush());
  return *std::move(store);
}

// A builder with its generation in a folder of its own.
class Building {
 public:
  Building(const std::filesystem::path& folder, const Reader& reader, const Projection& projection,
           RebuildOptions options = {})
      : folder_(folder), projection_(projection), options_(std::move(options)) {
    REQUIRE_OK(Directory::Create(folder));
    builder_ = std::make_unique<RebuildBuilder>(
        reader, projection_, options_, 1, folder, [this](const Checkpoint& initial) {
          ++created;
          return Generation::Create(folder_, 1, initial, std::uint64_t{1} << 20);
        });
  }
  RebuildBuilder* operator->() const { return builder_.get(); }

  [[nodiscard]] Chains Rows() const {
    Chains chains;
    const Generation& generation = *builder_->generation();
    const auto view = generation.environment().BeginRead();
    REQUIRE_OK(view);
    auto cursor = view->OpenCursor(generation.table(0));
    REQUIRE_OK(cursor);
    for (auto more = cursor->Seek(""); more.ok() && *more; more = cursor->Next()) {
      std::string_view bytes = cursor->key();
      std::string key;
      REQUIRE(KeyCodec<std::string>::Decode(bytes, &key));
      const auto chain = RowCodec<Chain>::Decode(cursor->value());
      REQUIRE_OK(chain);
      chains[key] = *chain;
    }
    return chains;
  }
  [[nodiscard]] Checkpoint Now() const {
    auto checkpoint = builder_->generation()->ReadCheckpoint();
    REQUIRE_OK(checkpoint);
    return *checkpoint;
  }
  // Of the rows, computed anew.
  [[nodiscard]] TableSummary Recomputed() const {
    TableSummary summary{.name = std::string(kChains.name())};
    RowHasher hash;
    for (const auto& [key, chain] : Rows()) {
      std::string row;
      RowCodec<Chain>::Encode(chain, row);
      AddRow(hash(EncodeKey(key), row), &summary.digest);
      ++summary.rows;
    }
    return summary;
  }

  int created = 0;

 private:
  std::filesystem::path folder_;
  const Projection projection_;
  const RebuildOptions options_;
  std::unique_ptr<RebuildBuilder> builder_;
};

void CheckBuilt(const Building& building, const Chains& expected, Position to) {
  CHECK(building.Rows() == expected);
  const Checkpoint checkpoint = building.Now();
  CHECK(checkpoint.built);
  CHECK(checkpoint.position == to);
  REQUIRE(checkpoint.tables.size() == 1);
  CHECK(checkpoint.tables[0].rows == expected.size());
  CHECK(checkpoint.tables[0].rows == building.Recomputed().rows);
  CHECK(checkpoint.tables[0].digest == building.Recomputed().digest);
}

Chains ChainsUpTo(const Reader& reader, Position to) {
  ReadOptions options;
  options.to_position = to;
  const auto chains = ChainsOfLog(reader, options);
  REQUIRE_OK(chains);
  return *chains;
}

TEST_CASE("a rebuild makes the rows that the log says, on one thread and on several, and follows") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 30'000, 700);
  std::set<std::pair<std::uint64_t, std::uint64_t>> digests;
  for (const unsigned threads : {1U, 2U, 5U}) {
    INFO(threads << " threads");
    Building building(folder / std::to_string(threads), *store, ChainProjection("p"),
                      {.threads = threads});
    for (const std::uint64_t to : {10'000U, 10'000U, 10'001U, 30'000U}) {
      REQUIRE_OK(building->Build(Position(to)));
      CheckBuilt(building, ChainsUpTo(*store, Position(to)), Position(to));
      CHECK(building.Now().matched == to);
      CHECK(building->progress().scanned == Position(to));
      CHECK(building->progress().matched == to);
    }
    CHECK(building.created == 1);
    const TableDigest digest = building.Now().tables[0].digest;
    digests.insert({digest.low, digest.high});
    CHECK(absl::IsFailedPrecondition(building->Build(Position(29'999))));
  }
  CHECK(digests.size() == 1);
}

TEST_CASE("rows that do not fit into memory make the same tables") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 60'000, 20'000);
  for (const unsigned threads : {1U, 2U}) {
    Building building(folder / std::to_string(threads), *store, ChainProjection("p"),
                      {.threads = threads, .memory_bytes_max = 1});
    REQUIRE_OK(building->Build(Position(50'000)));
    CheckBuilt(building, ChainsUpTo(*store, Position(50'000)), Position(50'000));
    REQUIRE_OK(building->Build(Position(60'000)));
    CheckBuilt(building, ChainsUpTo(*store, Position(60'000)), Position(60'000));
  }
}

TEST_CASE("a filter, a key of one's own and an empty store are built too") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 5'000, 50);
  Projection projection = ChainProjection("p");
  projection.filter.category = "acct";
  projection.filter.types = {"B"};
  projection.key = [](const EventView& event, std::string* key) { *key = event.stream; };
  Building building(folder / "filtered", *store, projection, {.threads = 2});
  REQUIRE_OK(building->Build(Position(5'000)));
  ReadOptions filter;
  filter.category = "acct";
  filter.types = {"B"};
  const auto expected = ChainsOfLog(*store, filter);
  REQUIRE_OK(expected);
  REQUIRE(!expected->empty());
  CheckBuilt(building, *expected, Position(5'000));

  const TempFolder other;
  const std::unique_ptr<Store> empty = StoreOf(other, 0, 1);
  Building nothing(other / "empty", *empty, ChainProjection("p"), {.threads = 2});
  REQUIRE_OK(nothing->Build(Position(0)));
  CheckBuilt(nothing, {}, Position(0));
  REQUIRE_OK(AppendMany(empty.get(), 100, 5));
  REQUIRE_OK(empty->Flush());
  REQUIRE_OK(nothing->Build(Position(100)));
  CheckBuilt(nothing, ChainsUpTo(*empty, Position(100)), Position(100));
}

TEST_CASE("a cancelled rebuild goes on where it was, and handles nothing twice") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 40'000, 300);
  for (const unsigned threads : {1U, 2U}) {
    std::atomic<int> asked{0};
    Building building(folder / std::to_string(threads), *store, ChainProjection("p"),
                      {.threads = threads, .keep_going = [&] { return ++asked % 3 != 0; }});
    int cancelled = 0;
    absl::Status status;
    while (absl::IsCancelled(status = building->Build(Position(40'000)))) {
      CHECK(building->position() == Position(0));
      REQUIRE(++cancelled < 1000);
    }
    REQUIRE_OK(status);
    CHECK(cancelled > 0);
    CheckBuilt(building, ChainsUpTo(*store, Position(40'000)), Position(40'000));
    CHECK(building.Now().matched == 40'000);
  }
}

TEST_CASE("a rebuild stops at the first event that its handler cannot handle, on any threads") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 20'000, 300);
  for (const unsigned threads : {1U, 2U, 4U}) {
    INFO(threads << " threads");
    std::atomic<bool> better{false};
    const auto before = [&](const EventView& event) {
      if (better || event.position < Position(12'345)) return absl::OkStatus();
      if (event.position.value() % 2 == 0) throw std::runtime_error("cannot");
      return absl::InvalidArgumentError("cannot");
    };
    Building building(folder / std::to_string(threads), *store, ChainProjection("p", before),
                      {.threads = threads});
    const absl::Status stopped = building->Build(Position(20'000));
    CHECK(absl::IsFailedPrecondition(stopped));
    const auto poison = PoisonOf(stopped);
    REQUIRE(poison);
    CHECK(poison->position == Position(12'345));
    CHECK(poison->code == absl::StatusCode::kInvalidArgument);
    CHECK(building->generation() == nullptr);
    better = true;
    REQUIRE_OK(building->Build(Position(20'000)));
    CheckBuilt(building, ChainsUpTo(*store, Position(20'000)), Position(20'000));
  }
}

TEST_CASE("parked keys of a rebuild keep their order, and others go on") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 10'000, 100);
  const auto bad = [](const EventView& event) {
    return event.stream.ends_with("7") && event.position > Position(2'000);
  };
  for (const unsigned threads : {1U, 2U}) {
    Projection projection = ChainProjection("p", [&](const EventView& event) {
      return bad(event) ? absl::InvalidArgumentError("cannot") : absl::OkStatus();
    });
    projection.on_poison = OnPoison::kParkByKey;
    Building building(folder / std::to_string(threads), *store, projection, {.threads = threads});
    std::map<std::string, std::vector<Position>> expected;
    for (const std::uint64_t to : {5'000U, 10'000U}) {
      REQUIRE_OK(building->Build(Position(to)));
      Chains chains;
      expected.clear();
      auto cursor = store->Read({.to_position = Position(to)});
      REQUIRE_OK(cursor);
      REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
        if (bad(event)) {
          expected[std::string(event.stream)].push_back(event.position);
        } else {
          testing::Link(event, &chains[std::string(event.stream)]);
        }
        return absl::OkStatus();
      }));
      CheckBuilt(building, chains, Position(to));
      const auto view = building->generation()->environment().BeginRead();
      REQUIRE_OK(view);
      const auto parked = ListParked(*view, building->generation()->parked());
      REQUIRE_OK(parked);
      CHECK(parked->size() == expected.size());
      std::uint64_t events = 0;
      for (const ParkedKey& key : *parked) {
        std::vector<Position> positions;
        for (const ParkedEvent& event : key.events) positions.push_back(event.position);
        CHECK(positions == expected[key.key]);
        events += positions.size();
      }
      CHECK(building.Now().parked == events);
      CHECK(building.Now().parked_keys == expected.size());
    }
    REQUIRE(expected.size() == 10);
  }
}

TEST_CASE("too many parked events stop a rebuild") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 5'000, 100);
  for (const unsigned threads : {1U, 2U}) {
    Projection projection =
        ChainProjection("p", [](const EventView&) { return absl::InvalidArgumentError("cannot"); });
    projection.on_poison = OnPoison::kParkByKey;
    projection.parking.parked_max = 150;  // so that it is one that would wait behind another
    Building building(folder / std::to_string(threads), *store, projection, {.threads = threads});
    const absl::Status stopped = building->Build(Position(5'000));
    CHECK(absl::IsFailedPrecondition(stopped));
    REQUIRE(PoisonOf(stopped));
    if (threads == 1) CHECK(PoisonOf(stopped)->position == Position(151));
  }
}

TEST_CASE("a row that events of two keys use is found by a rebuild on two threads, and named") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 1'000, 100);
  Projection projection = ChainProjection("p");
  for (const bool reads_only : {false, true}) {
    projection.handler = [&](const EventView&, HandlerContext& context) -> absl::Status {
      if (reads_only) return kChains.Get(context, "all of them").status();
      return kChains.Update(context, "all of them", [&](Chain& chain) { ++chain.events; });
    };
    const std::string name = reads_only ? "reads" : "writes";
    Building two(folder / (name + "2"), *store, projection, {.threads = 2});
    const absl::Status failed = two->Build(Position(1'000));
    CHECK(absl::IsFailedPrecondition(failed));
    CHECK(failed.message().find("all of them") != std::string::npos);
    CHECK(failed.message().find("'chains'") != std::string::npos);
    CHECK(two->Build(Position(1'000)) == failed);
    Building one(folder / (name + "1"), *store, projection, {.threads = 1});
    CHECK_OK(one->Build(Position(1'000)));
  }
}

TEST_CASE("a handler past its deadline stops a rebuild, and nothing of its event is kept") {
  const TempFolder folder;
  const std::unique_ptr<Store> store = StoreOf(folder, 500, 20);
  std::atomic<bool> slow{true};
  Projection projection = ChainProjection("p", [&](const EventView& event) {
    if (slow && event.position == Position(321)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return absl::OkStatus();
  });
  projection.handler_deadline = std::chrono::milliseconds(20);
  std::atomic<int> notices{0};
  Building building(folder / "late", *store, projection,
                    {.threads = 1, .on_notice = [&](const Notice&) { ++notices; }});
  const absl::Status late = building->Build(Position(500));
  CHECK(absl::IsDeadlineExceeded(late));
  REQUIRE(PoisonOf(late));
  CHECK(PoisonOf(late)->position == Position(321));
  CHECK(notices == 1);
  slow = false;
  REQUIRE_OK(building->Build(Position(500)));
  CheckBuilt(building, ChainsUpTo(*store, Position(500)), Position(500));
}

}  // namespace
}  // namespace daybook
