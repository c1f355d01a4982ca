#include "projections/rebuild_rows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "projections/merged_rows.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::TempFolder;
using Model = std::map<std::pair<std::size_t, std::string>, std::string>;

Model ModelOf(RowSource* source) {
  Model model;
  std::string last;
  for (;;) {
    const absl::StatusOr<bool> more = source->Next();
    REQUIRE_OK(more);
    if (!*more) return model;
    const std::string key(source->key());
    REQUIRE(last < key);
    last = key;
    if (source->row()) model[{static_cast<std::size_t>(key[0]), key.substr(1)}] = *source->row();
  }
}

// A row of some size, the same for the same number.
std::string RowOf(std::uint64_t number) {
  return std::string(number % 300, static_cast<char>('a' + number % 26));
}

TEST_CASE("rows in memory and in runs read as a map would, whatever is put, deleted or undone") {
  const std::uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const TempFolder folder;
  RebuildRows rows({.memory_bytes_max = 0, .run = folder / "run"}, 2);
  Model model;
  for (int event = 0; event < 60'000; ++event) {
    rows.BeginEvent();
    std::vector<std::pair<Model::key_type, std::optional<std::string>>> before;
    for (int call = 0; call < 2; ++call) {
      const std::size_t table = random() % 2;
      const std::string key = "key-" + std::to_string(random() % 20'000);
      const auto expected = model.find({table, key});
      const std::optional<std::string> was =
          expected == model.end() ? std::nullopt : std::optional(expected->second);
      const absl::StatusOr<std::optional<std::string_view>> got = rows.Get(table, key);
      REQUIRE_OK(got);
      REQUIRE(*got == was);
      before.push_back({{table, key}, was});
      if (random() % 4 == 0) {
        REQUIRE_OK(rows.Delete(table, key));
        model.erase({table, key});
      } else {
        const std::string row = RowOf(random());
        REQUIRE_OK(rows.Put(table, key, row));
        model[{table, key}] = row;
      }
    }
    if (random() % 10 == 0) {
      rows.UndoEvent();
      for (; !before.empty(); before.pop_back()) {
        model.erase(before.back().first);
        if (before.back().second) model[before.back().first] = *before.back().second;
      }
    }
    REQUIRE_OK(rows.SpillIfFull());
  }
  CHECK(rows.runs_written() > 3);
  CHECK(ModelOf(rows.Changes().get()) == model);
  for (const std::size_t table : {0U, 1U}) {
    const auto count = rows.Count(table);
    REQUIRE_OK(count);
    CHECK(*count == static_cast<std::uint64_t>(
                        std::count_if(model.begin(), model.end(),
                                      [&](const auto& row) { return row.first.first == table; })));
  }
}

TEST_CASE("a scan sees rows of memory and runs in order, and ends with its table and its range") {
  const TempFolder folder;
  RebuildRows rows({.memory_bytes_max = 0, .run = folder / "run"}, 2);
  const auto key = [](int number) { return EncodeKey(number); };
  for (int i = 0; i < 20'000; ++i) {
    rows.BeginEvent();
    REQUIRE_OK(rows.Put(0, key(i), RowOf(static_cast<std::uint64_t>(i))));
    if (i % 3 == 0) REQUIRE_OK(rows.Delete(0, key(i / 2)));
    REQUIRE_OK(rows.SpillIfFull());
  }
  REQUIRE(rows.runs_written() > 0);
  REQUIRE_OK(rows.Put(1, key(150), "another table"));
  const auto scan = [&](const KeyRange& range) {
    std::vector<int> seen;
    REQUIRE_OK(rows.Scan(0, range, [&](std::string_view bytes, std::string_view row) {
      int number = 0;
      REQUIRE(KeyCodec<int>::Decode(bytes, &number));
      CHECK(row == RowOf(static_cast<std::uint64_t>(number)));
      seen.push_back(number);
      return true;
    }));
    return seen;
  };
  std::vector<int> expected;
  for (int i = 100; i <= 20'000; ++i) {
    // Gone is the half of each multiple of three.
    const bool gone = i < 10'000 && (2 * i % 3 == 0 || (2 * i + 1) % 3 == 0);
    if (i < 20'000 && !gone) expected.push_back(i);
  }
  CHECK(scan(KeyRange::From(100)) == expected);
  CHECK(scan(KeyRange::From(100).Limit(3)) ==
        std::vector<int>(expected.begin(), expected.begin() + 3));
  // What comes after the first scan is in the next.
  rows.BeginEvent();
  REQUIRE_OK(rows.Put(0, key(-5), RowOf(static_cast<std::uint64_t>(-5))));
  CHECK(scan(KeyRange::Between(-10, -1)) == std::vector<int>{-5});
  rows.UndoEvent();
  CHECK(scan(KeyRange::Between(-10, -1)).empty());
}

TEST_CASE("one of several threads also tells what it only looked at") {
  const TempFolder folder;
  for (const bool several : {false, true}) {
    RebuildRows rows({.memory_bytes_max = 0, .run = folder / "run", .one_of_several = several}, 1);
    rows.BeginEvent();
    REQUIRE_OK(rows.Get(0, "looked at"));
    const std::unique_ptr<RowSource> changes = rows.Changes();
    const absl::StatusOr<bool> more = changes->Next();
    REQUIRE_OK(more);
    CHECK(*more == several);
    CHECK(rows.Count(0).ok() == !several);
  }
}

TEST_CASE("a run has no name once it is made, and finds what was put into it") {
  const TempFolder folder;
  auto writer = SortedRun::Writer::Create(folder / "run", 10'000);
  REQUIRE_OK(writer);
  CHECK(std::filesystem::is_empty(folder.path()));
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = EncodeKey(2 * i);
    REQUIRE_OK((*writer)->Add(key, i % 7 == 0 ? std::nullopt : std::optional(key)));
  }
  auto run = (*writer)->Finish();
  REQUIRE_OK(run);
  CHECK((*run)->rows() == 10'000);
  for (int i = -1; i < 20'001; ++i) {
    const std::string key = EncodeKey(i);
    const auto found = (*run)->Find(key, RowMap::HashOf(key));
    REQUIRE(found.has_value() == (i >= 0 && i < 20'000 && i % 2 == 0));
    if (found)
      CHECK(found->row == (i % 14 == 0 ? std::nullopt : std::optional<std::string_view>(key)));
  }
  for (const int from : {-1, 0, 4'999, 19'998, 19'999}) {
    const std::unique_ptr<RowSource> source = (*run)->Read(EncodeKey(from));
    const absl::StatusOr<bool> more = source->Next();
    REQUIRE_OK(more);
    REQUIRE(*more == (from <= 19'998));
    if (*more) CHECK(source->key() == EncodeKey((from + 1) / 2 * 2));
  }
}

}  // namespace
}  // namespace daybook
