// Events that a repair gave up: a projection stops before them until somebody decides, on record,
// that it passes over them.

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/store/store_testing.h"
#include "daybook/error.h"
#include "projections/world_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

// Makes the data of the event whose data is {"n":`number`} something else, so that no check sum
// holds.
void DamageData(const std::filesystem::path& store, int number) {
  const std::string data = "{\"n\":" + std::to_string(number) + "}";
  for (const std::filesystem::path& file : FilesOf(store, ".log")) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const std::size_t at = bytes.find(data);
    if (at == std::string::npos) continue;
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at))
        .write(std::string(data.size(), 'x').data(), static_cast<std::streamsize>(data.size()));
    REQUIRE(out.flush());
    return;
  }
  FAIL("there is no event " << number);
}

// A store in which a repair gave up the events at positions 101 to 103 and 150, each projection of
// which was at 50 then.
class LostWorld {
 public:
  explicit LostWorld(std::vector<Projection> projections) {
    Reopen();
    REQUIRE_OK(AppendMany(store_.get(), 200, 7));
    for (Projection& projection : projections) {
      REQUIRE_OK(
          projections_->Run(std::move(projection), {}).value()->RunUntilCaughtUp(Position(50)));
    }
    Close();
    for (const int number : {100, 101, 102, 149}) DamageData(path(), number);
  }
  void Close() {
    projections_.reset();
    store_.reset();
  }
  void Reopen() {
    Close();
    auto store = Store::Open(path(), SmallSegments());
    REQUIRE_OK(store);
    store_ = *std::move(store);
    auto projections = Projections::Open(*store_, {});
    REQUIRE_OK(projections);
    projections_ = *std::move(projections);
  }
  void Repair() {
    Close();
    const auto report = daybook::Repair(path(), {.accept_loss = true});
    REQUIRE_OK(report);
    CHECK(report->lost == 4);
    Reopen();
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "store"; }
  [[nodiscard]] Store& store() const { return *store_; }
  Projections* operator->() const { return projections_.get(); }
  [[nodiscard]] Chains Rows(const std::string& name) const {
    const auto model = projections_->OpenModel(name);
    REQUIRE_OK(model);
    return ChainsOf((*model)->Read().value()).value();
  }

 private:
  TempFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projections> projections_;
};

}  // namespace

TEST_CASE("a projection passes over lost events only once that is decided, and a rebuild as well") {
  Projection accounts = ChainProjection("accounts");
  accounts.filter.category = "acct";
  LostWorld world({ChainProjection("p"), accounts});
  world.Reopen();
  {
    // Damaged, and not given up: it may be brought back.
    const auto runner = world->Run(ChainProjection("p"), {});
    REQUIRE_OK(runner);
    CHECK(absl::IsDataLoss((*runner)->RunUntilCaughtUp()));
    const absl::Status early = world->Skip({"p", Position(101), "gone", "ann"}).status();
    CHECK(absl::IsFailedPrecondition(early));
    CHECK_THAT(std::string(early.message()), HasText("repair"));
  }
  world.Repair();
  for (const std::string name : {"p", "accounts"}) {
    const Projection projection = name == "p" ? ChainProjection("p") : accounts;
    const auto opened = world->Run(projection, {});
    REQUIRE_OK(opened);
    ProjectionRunner& runner = **opened;
    // One decision for what the repair gave up together, and one for the other.
    for (const std::uint64_t lost : {101U, 102U, 103U, 150U}) {
      const absl::Status stopped = runner.RunUntilCaughtUp();
      if (stopped.ok()) break;
      REQUIRE(absl::IsDataLoss(stopped));
      const std::optional<Damage> damage = DamageOf(stopped);
      REQUIRE(damage);
      if (damage->first_position > Position(lost)) continue;
      CHECK_THAT(std::string(stopped.message()),
                 HasText("skip " + name + " --position " + std::to_string(lost)));
      CHECK(runner.status().state == ProjectionState::kFailed);
      CHECK(runner.checkpoint() < Position(lost));
      const auto skip = world->Skip({name, Position(lost), "lost with the disk", "ann"});
      REQUIRE_OK(skip);
      CHECK(skip->position <= Position(lost));
      CHECK_OK(world->Skip({name, Position(lost), "lost with the disk", "ann"}));
    }
    REQUIRE_OK(runner.RunUntilCaughtUp());
    CHECK(runner.checkpoint() == world.store().durable());
    ReadOptions readable;
    readable.on_damage = OnDamage::kSkip;
    readable.category = projection.filter.category;
    CHECK(world.Rows(name) == ChainsOfLog(world.store(), readable).value());
    CHECK_FALSE(ProjectionSkips(world.store(), name)->empty());
    for (const unsigned threads : {1U, 2U}) {
      const auto rebuild = world->StartRebuild(projection, {.threads = threads});
      REQUIRE_OK(rebuild);
      REQUIRE_OK((*rebuild)->Run());
      CHECK((*rebuild)->Compare()->equal);
      REQUIRE_OK((*rebuild)->Promote());
    }
  }
  CHECK(absl::IsFailedPrecondition(world->Skip({"p", Position(99), "r", "ann"}).status()));
  CHECK(world->Verify()->ok());
}

TEST_CASE("a rebuild without a decision stops before what is lost, and says what to do") {
  LostWorld world({});
  world.Repair();
  for (const unsigned threads : {1U, 2U}) {
    const auto rebuild = world->StartRebuild(ChainProjection("p"), {.threads = threads});
    REQUIRE_OK(rebuild);
    const absl::Status stopped = (*rebuild)->Run();
    CHECK(absl::IsDataLoss(stopped));
    CHECK_THAT(std::string(stopped.message()), HasText("position 101") && HasText("skip"));
  }
}

TEST_CASE("a read model whose checkpoint is at a lost event is gone on with") {
  LostWorld world({});
  world.Repair();
  for (const Position lost : {Position(101), Position(150)}) {
    REQUIRE_OK(world.store().RecordSkip({.projection = "p",
                                         .position = lost,
                                         .reason = "gone",
                                         .actor = "ann",
                                         .last = lost == Position(101) ? Position(103) : lost}));
  }
  REQUIRE_OK(world->Run(ChainProjection("p"), {}).value()->RunUntilCaughtUp(Position(102)));
  world.Reopen();
  const auto runner = world->Run(ChainProjection("p"), {});
  REQUIRE_OK(runner);
  CHECK((*runner)->checkpoint() == Position(102));
  REQUIRE_OK((*runner)->RunUntilCaughtUp());
  ReadOptions readable;
  readable.on_damage = OnDamage::kSkip;
  CHECK(world.Rows("p") == ChainsOfLog(world.store(), readable).value());
}

TEST_CASE("a parked event that is lost can be skipped, and its key goes on") {
  Projection projection = ChainProjection("p", [](const EventView& event) {
    return event.position == Position(20) ? absl::InvalidArgumentError("no") : absl::OkStatus();
  });
  projection.on_poison = OnPoison::kParkByKey;
  projection.parking.retry_first = std::chrono::hours(1);
  projection.parking.retry_max = std::chrono::hours(1);
  LostWorld world({projection});
  DamageData(world.path(), 19);
  {
    const auto report = daybook::Repair(world.path(), {.accept_loss = true});
    REQUIRE_OK(report);
    CHECK(report->lost == 5);
  }
  world.Reopen();
  const auto runner = world->Run(projection, {});
  REQUIRE_OK(runner);
  CHECK(absl::IsDataLoss((*runner)->RetryAll().status()));
  const auto skip = world->Skip({"p", Position(20), "gone", "ann"});
  REQUIRE_OK(skip);
  const auto retried = (*runner)->RetryAll();
  REQUIRE_OK(retried);
  CHECK(retried->parked == 0);
  CHECK(retried->handled > 0);
}

}  // namespace daybook::testing
