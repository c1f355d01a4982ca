#include <map>
#include <string>
#include <vector>

#include "daybook/builtin_projection.h"
#include "daybook/projections.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

struct Given {
  std::string stream, type, data;
};

using Rows = std::vector<std::vector<std::string>>;

class GivenWorld {
 public:
  explicit GivenWorld(const std::vector<Given>& events) {
    auto store = Store::Open(folder_ / "store", SmallSegments());
    REQUIRE_OK(store);
    store_ = *std::move(store);
    for (const Given& event : events) {
      REQUIRE_OK(store_->Append(event.stream, ExpectedVersion::Any(),
                                {{.type = event.type, .data = AsBytes(event.data)}}));
    }
    auto projections = Projections::Open(*store_, {});
    REQUIRE_OK(projections);
    projections_ = *std::move(projections);
  }

  // What the projection makes of all events: group, position and value of each row.
  absl::StatusOr<Rows> Run(std::string_view kind, std::string_view by, std::string_view field = {},
                           bool system_streams = false) {
    auto builtin = BuiltinProjection::Make(kind, by, field);
    if (!builtin.ok()) return builtin.status();
    builtin->system_streams = system_streams;
    const std::string name = "p" + std::to_string(++runs_);
    auto runner = projections_->Run(builtin->ToProjection(name), {});
    if (!runner.ok()) return runner.status();
    const absl::Status ran = (*runner)->RunUntilCaughtUp();
    if (!ran.ok()) return ran;
    auto model = projections_->OpenModel(name);
    if (!model.ok()) return model.status();
    auto snapshot = (*model)->Read();
    if (!snapshot.ok()) return snapshot.status();
    Rows rows;
    const absl::Status scanned = ScanBuiltin(*builtin, *snapshot, [&](const BuiltinRow& row) {
      rows.push_back({row.group, std::to_string(row.position.value()), row.value});
      return true;
    });
    if (!scanned.ok()) return scanned;
    return rows;
  }

  [[nodiscard]] Store& store() const { return *store_; }

 private:
  TempFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projections> projections_;
  int runs_ = 0;
};

const std::vector<Given> kEvents = {
    {"account-1", "Opened", R"({"amount":"no number","n":1})"},
    {"account-2", "Paid", R"({"amount":1.10,"n":9223372036854775806})"},
    {"bill-1", "Paid", R"({"amount":2,"deep":{"n":4},"n":null})"},
    {"account-1", "Paid", R"( {"amount":0.05} )"},
};

}  // namespace

TEST_CASE("events are counted by stream, category and type") {
  GivenWorld world(kEvents);
  CHECK(world.Run("count", "stream").value() ==
        Rows{{"account-1", "4", "2"}, {"account-2", "2", "1"}, {"bill-1", "3", "1"}});
  CHECK(world.Run("count", "category").value() == Rows{{"account", "4", "3"}, {"bill", "3", "1"}});
  CHECK(world.Run("count", "type").value() == Rows{{"Opened", "1", "1"}, {"Paid", "4", "3"}});
}

TEST_CASE("sums are exact, and say where a field cannot be added") {
  GivenWorld world({kEvents.begin() + 1, kEvents.end()});
  CHECK(world.Run("sum", "type", "amount").value() == Rows{{"Paid", "3", "3.15"}});
  CHECK(world.Run("sum", "stream", "/deep/n").value() ==
        Rows{{"account-1", "0", "0"}, {"account-2", "0", "0"}, {"bill-1", "2", "4"}});
  CHECK(world.Run("sum", "category", "n").value() ==
        Rows{{"account", "1", "9223372036854775806"}, {"bill", "0", "0"}});

  GivenWorld with_text(kEvents);
  const auto poison = PoisonOf(with_text.Run("sum", "type", "amount").status());
  REQUIRE(poison);
  CHECK(poison->position == Position(1));
  // 1 and 2^63 - 2 are in account's, and another 1 would be one too many.
  CHECK(with_text.Run("sum", "category", "n").value() ==
        Rows{{"account", "2", "9223372036854775807"}, {"bill", "0", "0"}});
  std::vector<Given> too_many = kEvents;
  too_many.push_back({"account-3", "Opened", R"({"n":1})"});
  const auto overflow = PoisonOf(GivenWorld(too_many).Run("sum", "category", "n").status());
  REQUIRE(overflow);
  CHECK(overflow->position == Position(5));
}

TEST_CASE("events of the store's own streams count only where they are asked for") {
  GivenWorld world(kEvents);
  REQUIRE_OK(world.store().RecordSkip({"other", Position(1), "a test", "tests"}));
  CHECK(world.Run("count", "category").value() == Rows{{"account", "4", "3"}, {"bill", "3", "1"}});
  CHECK(world.Run("last", "type").value().size() == 2);
  CHECK(world.Run("count", "stream", {}, true).value() == Rows{{"$projection-other", "5", "1"},
                                                               {"account-1", "4", "2"},
                                                               {"account-2", "2", "1"},
                                                               {"bill-1", "3", "1"}});
}

TEST_CASE("the last data is kept as it stands") {
  GivenWorld world(kEvents);
  CHECK(world.Run("last", "type").value() ==
        Rows{{"Opened", "1", R"({"amount":"no number","n":1})"},
             {"Paid", "4", R"({"amount":0.05})"}});
}

TEST_CASE("a ready-made projection is known by its definition, and nothing else is one") {
  for (const auto& [kind, by, field] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"count", "stream", ""}, {"sum", "type", "a b"}, {"last", "category", ""}}) {
    const auto made = BuiltinProjection::Make(kind, by, field);
    REQUIRE_OK(made);
    const auto parsed = BuiltinProjection::Parse(made->Definition());
    REQUIRE_OK(parsed);
    CHECK(parsed->kind == made->kind);
    CHECK(parsed->by == made->by);
    CHECK(parsed->field == field);
    CHECK_FALSE(parsed->system_streams);
    BuiltinProjection with_system = *made;
    with_system.system_streams = true;
    const auto system = BuiltinProjection::Parse(with_system.Definition());
    REQUIRE_OK(system);
    CHECK(system->system_streams);
    CHECK(system->Definition() == with_system.Definition());
    CHECK(with_system.Definition() != made->Definition());
  }
  for (const std::string bad : {"", "builtin", "builtin count", "builtin count cat", "count stream",
                                "builtin sum stream", "builtin count stream x", "builtin  type"}) {
    CHECK(absl::IsInvalidArgument(BuiltinProjection::Parse(bad).status()));
  }
  CHECK(absl::IsInvalidArgument(BuiltinProjection::Make("sum", "stream", "/a~2").status()));
}

}  // namespace daybook::testing
