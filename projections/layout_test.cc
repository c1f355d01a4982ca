#include "projections/layout.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "projections/generation.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;

Projection WithTables(std::vector<std::string_view> tables) {
  Projection projection{.name = "p"};
  projection.tables = std::move(tables);
  projection.handler = [](const EventView&, HandlerContext&) { return absl::OkStatus(); };
  return projection;
}

}  // namespace

TEST_CASE("a projection's name can be a folder and a part of a stream's name") {
  CHECK_OK(ValidateProjectionName("balances_2.by-day"));
  CHECK_OK(ValidateProjectionName(std::string(100, 'x')));
  for (const std::string bad : {"", ".", "..", ".a", "-a", "a/b", "a b", "\xC3\xA9", "a\n"}) {
    CHECK(absl::IsInvalidArgument(ValidateProjectionName(bad)));
  }
  CHECK(absl::IsInvalidArgument(ValidateProjectionName(std::string(101, 'x'))));
}

TEST_CASE("a projection says what is wrong with it before it is run") {
  CHECK_OK(ValidateProjection(WithTables({"a", "b_2"})));
  CHECK(absl::IsInvalidArgument(ValidateProjection(WithTables({"a", "a"}))));
  CHECK(absl::IsInvalidArgument(ValidateProjection(WithTables({"A"}))));
  CHECK(absl::IsInvalidArgument(ValidateProjection(WithTables({""}))));
  Projection without = WithTables({});
  without.handler = nullptr;
  CHECK(absl::IsInvalidArgument(ValidateProjection(without)));
}

TEST_CASE("CURRENT reads back as it was written, with and without a previous generation") {
  const testing::TempFolder folder;
  CHECK(absl::IsNotFound(ReadCurrent(folder.path()).status()));
  const Current first{.generation = 1, .previous = std::nullopt, .effects_floor = Position(7)};
  const Current second{.generation = 4, .previous = 1, .effects_floor = Position(9)};
  for (const Current& current : {first, second}) {
    REQUIRE_OK(WriteCurrent(folder.path(), current));
    CHECK(ReadCurrent(folder.path()).value() == current);
  }
}

TEST_CASE("CURRENT has the bytes that docs/format/projections.md shows") {
  const testing::TempFolder folder;
  const Current current{.generation = 3, .previous = 2, .effects_floor = Position(1200)};
  REQUIRE_OK(WriteCurrent(folder.path(), current));
  std::ifstream file(folder / "CURRENT");
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  CHECK(bytes ==
        "daybook current 1\ngeneration=3\nprevious=2\neffects_floor=1200\n"
        "checksum=5fb3a44544d6db1c\n");
}

TEST_CASE("a generation is made whole, listed by its number, and removed") {
  const testing::TempFolder folder;
  auto store = Store::Open(folder / "store", testing::SmallSegments());
  REQUIRE_OK(store);
  const Checkpoint initial = InitialCheckpoint(WithTables({"b", "a"}), **store);
  for (const std::uint64_t number : {2u, 10u}) {
    REQUIRE_OK(Generation::Create(folder.path(), number, initial, 1 << 20));
  }
  fs::create_directory(folder / "011");
  CHECK(ListGenerations(folder.path()).value() == std::vector<std::uint64_t>{2, 10});
  for (const auto access : {Generation::Access::kOwner, Generation::Access::kReader}) {
    const auto generation = Generation::Open(folder.path(), 10, access, 1 << 20);
    REQUIRE_OK(generation);
    CHECK((*generation)->tables() == 2);
    CHECK((*generation)->IndexOf("b").value() == 1);
    CHECK(absl::IsInvalidArgument((*generation)->IndexOf("c").status()));
    const auto checkpoint = (*generation)->ReadCheckpoint();
    REQUIRE_OK(checkpoint);
    CHECK(EncodeCheckpoint(*checkpoint) == EncodeCheckpoint(initial));
  }
  REQUIRE_OK(RemoveGeneration(folder.path(), 10));
  REQUIRE_OK(RemoveGeneration(folder.path(), 10));
  CHECK(ListGenerations(folder.path()).value() == std::vector<std::uint64_t>{2});
  CHECK(absl::IsNotFound(
      Generation::Open(folder.path(), 10, Generation::Access::kReader, 1 << 20).status()));
}

TEST_CASE("a generation whose map is too small grows it and writes everything once") {
  const testing::TempFolder folder;
  auto store = Store::Open(folder / "store", testing::SmallSegments());
  REQUIRE_OK(store);
  auto generation =
      Generation::Create(folder.path(), 1, InitialCheckpoint(WithTables({"a"}), **store), 1 << 20);
  REQUIRE_OK(generation);
  REQUIRE_OK((*generation)->Write([&](WriteTransaction& transaction) {
    for (int i = 0; i < 3000; ++i) {
      const absl::Status status =
          transaction.Put((*generation)->table(0), std::to_string(i), std::string(1000, 'x'));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }));
  CHECK((*generation)->environment().map_bytes() > (1 << 20));
  const auto transaction = (*generation)->environment().BeginRead();
  REQUIRE_OK(transaction);
  CHECK(transaction->Count((*generation)->table(0)).value() == 3000);
}

TEST_CASE("a checkpoint of another incarnation, history, revision or filter is refused") {
  const testing::TempFolder folder;
  auto store = Store::Open(folder / "store", testing::SmallSegments());
  REQUIRE_OK(store);
  for (int i = 0; i < 3; ++i) {
    REQUIRE_OK((*store)->Append("a-1", ExpectedVersion::Any(), {{.type = "T"}}));
  }
  const Projection projection = WithTables({"a"});
  Checkpoint checkpoint = InitialCheckpoint(projection, **store);
  CHECK_OK(CheckHistory(**store, "p", checkpoint));
  REQUIRE_OK(MoveTo(**store, Position(2), &checkpoint));
  CHECK_OK(CheckHistory(**store, "p", checkpoint));
  CHECK_OK(CheckCode(projection, checkpoint));

  Checkpoint other = checkpoint;
  other.frame_hash ^= 1;
  CHECK(absl::IsFailedPrecondition(CheckHistory(**store, "p", other)));
  other = checkpoint;
  other.position = Position(4);
  CHECK(absl::IsFailedPrecondition(CheckHistory(**store, "p", other)));
  other = checkpoint;
  other.incarnation.back() ^= 1;
  const absl::Status refused = CheckHistory(**store, "p", other);
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK_THAT(std::string(refused.message()), testing::HasText("rebuild"));

  Projection changed = projection;
  changed.revision = 2;
  CHECK(absl::IsFailedPrecondition(CheckCode(changed, checkpoint)));
  changed = projection;
  changed.filter.category = "a";
  CHECK(absl::IsFailedPrecondition(CheckCode(changed, checkpoint)));
  changed = WithTables({"a", "b"});
  CHECK(absl::IsFailedPrecondition(CheckCode(changed, checkpoint)));
}

}  // namespace daybook
