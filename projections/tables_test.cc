#include "daybook/tables.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "projections/table_digest.h"
#include "tests/catch.h"

namespace daybook {
namespace {

enum class Color : std::int16_t { kRed = -3, kBlue = 7 };

struct Money {
  std::int64_t cents = 0;
  std::uint32_t count = 0;
  std::uint32_t zero = 0;
  friend bool operator==(const Money&, const Money&) = default;
};

struct Note {
  std::string text;
  void Save(std::string& out) const { out += "n:" + text; }
  static absl::StatusOr<Note> Restore(std::string_view bytes) {
    if (!bytes.starts_with("n:")) return absl::DataLossError("no note");
    return Note{std::string(bytes.substr(2))};
  }
};

struct Padded {
  std::uint8_t a;
  std::uint64_t b;
};
static_assert(TableRow<Money> && TableRow<Note> && TableRow<double> && TableRow<std::string>);
static_assert(!TableRow<Padded>, "padding has no value, so it cannot be in a digest");
static_assert(TableKey<std::tuple<std::string, std::int64_t>> && !TableKey<double>);

// The values must come sorted.
template <class T>
void CheckOrder(const std::vector<T>& sorted) {
  std::vector<std::string> keys;
  for (const T& value : sorted) {
    keys.push_back(EncodeKey(value));
    std::string_view in = keys.back();
    T decoded{};
    CHECK(KeyCodec<T>::Decode(in, &decoded));
    CHECK(in.empty());
    CHECK(decoded == value);
    std::string_view cut = std::string_view(keys.back()).substr(0, keys.back().size() - 1);
    CHECK_FALSE(KeyCodec<T>::Decode(cut, &decoded));
  }
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

// Tables in memory.
class Memory : public TableWriter {
 public:
  absl::StatusOr<std::optional<std::string_view>> GetBytes(std::string_view table,
                                                           std::string_view key) const override {
    const auto& rows = tables_[std::string(table)];
    const auto found = rows.find(std::string(key));
    if (found == rows.end()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(found->second);
  }
  absl::StatusOr<std::uint64_t> CountRows(std::string_view table) const override {
    return tables_[std::string(table)].size();
  }
  absl::Status ScanBytes(std::string_view table, const KeyRange& range,
                         const Visit& visit) const override {
    const auto& rows = tables_[std::string(table)];
    std::uint64_t visited = 0;
    for (auto row = rows.lower_bound(range.first());
         row != rows.end() && range.Reaches(row->first) && visited++ < range.limit(); ++row) {
      if (!visit(row->first, row->second)) break;
    }
    return absl::OkStatus();
  }
  absl::Status PutBytes(std::string_view table, std::string_view key,
                        std::string_view row) override {
    tables_[std::string(table)][std::string(key)] = row;
    return absl::OkStatus();
  }
  absl::Status DeleteBytes(std::string_view table, std::string_view key) override {
    tables_[std::string(table)].erase(std::string(key));
    return absl::OkStatus();
  }

 private:
  mutable std::map<std::string, std::map<std::string, std::string>> tables_;
};

}  // namespace

TEST_CASE("the bytes of keys sort as their values do, and give them back") {
  CheckOrder<std::int64_t>({INT64_MIN, -256, -1, 0, 1, 255, 256, INT64_MAX});
  CheckOrder<std::uint64_t>({0, 1, 255, 256, UINT64_MAX});
  CheckOrder<std::int8_t>({-128, -1, 0, 127});
  CheckOrder<bool>({false, true});
  CheckOrder<Color>({Color::kRed, Color::kBlue});
  CheckOrder<Position>({Position(0), Position(256)});
  CheckOrder<Timestamp>({Timestamp(-5), Timestamp(0), Timestamp(5)});
  using namespace std::string_literals;
  const std::vector<std::string> texts = {""s,  "\0"s,   "\0\0"s,    "\0\1"s, "\1"s,
                                          "a"s, "a\0"s,  "a\0b"s,    "a\1"s,  "aa"s,
                                          "b"s, "\xFF"s, "\xFF\xFF"s};
  CheckOrder<std::string>(texts);
  std::vector<std::tuple<std::string, std::int32_t, std::string>> tuples;
  std::vector<std::pair<std::string, std::uint8_t>> pairs;
  for (const std::string& text : texts) {
    for (const std::int32_t number : {-1, 0, 300}) {
      for (const std::string& last : texts) tuples.emplace_back(text, number, last);
    }
    for (const std::uint8_t number : {std::uint8_t{0}, std::uint8_t{255}})
      pairs.emplace_back(text, number);
  }
  CheckOrder(tuples);
  CheckOrder(pairs);
}

TEST_CASE("a table puts, gets, changes, counts, scans and deletes rows of its types") {
  Memory memory;
  const Table<std::pair<std::string, std::int32_t>, Money> table("money");
  REQUIRE_OK(table.Put(memory, {"b", 2}, {.cents = 5}));
  REQUIRE_OK(table.Put(memory, {"b", -2}, {.cents = 4}));
  REQUIRE_OK(table.Update(memory, {"a", 0}, [](Money& money) { money.cents += 3; }));
  REQUIRE_OK(table.Update(memory, {"a", 0}, [](Money& money) { money.cents += 3; }));
  CHECK(table.Get(memory, {"a", 0}).value() == Money{.cents = 6});
  CHECK_FALSE(table.Get(memory, {"a", 1}).value().has_value());
  CHECK(table.Count(memory).value() == 3);

  const auto cents = [&](const KeyRange& range) {
    std::vector<std::int64_t> seen;
    CHECK_OK(table.Scan(memory, range, [&](const auto&, const Money& money) {
      seen.push_back(money.cents);
      return true;
    }));
    return seen;
  };
  using Key = std::pair<std::string, std::int32_t>;
  CHECK(cents(KeyRange::All()) == std::vector<std::int64_t>{6, 4, 5});
  CHECK(cents(KeyRange::All().Limit(2)) == std::vector<std::int64_t>{6, 4});
  CHECK(cents(KeyRange::Prefix("b")) == std::vector<std::int64_t>{4, 5});
  CHECK(cents(KeyRange::Prefix("")) == std::vector<std::int64_t>{});
  CHECK(cents(KeyRange::From(Key("b", -1))) == std::vector<std::int64_t>{5});
  CHECK(cents(KeyRange::Between(Key("a", 0), Key("b", -2))) == std::vector<std::int64_t>{6, 4});
  REQUIRE_OK(table.Delete(memory, {"b", 2}));
  CHECK(cents(KeyRange::All()) == std::vector<std::int64_t>{6, 4});
}

TEST_CASE("a row or a key of another type is damage, and not a value") {
  Memory memory;
  const Table<std::string, std::string> written("t");
  REQUIRE_OK(written.Put(memory, "k", "text"));
  const Table<std::string, Money> money("t");
  CHECK(absl::IsDataLoss(money.Get(memory, "k").status()));
  const Table<std::string, Note> note("t");
  CHECK(absl::IsDataLoss(note.Get(memory, "k").status()));
  const Table<std::int64_t, std::string> keyed("t");
  CHECK(absl::IsDataLoss(
      keyed.Scan(memory, KeyRange::All(), [](const auto&, const auto&) { return true; })));
}

TEST_CASE("a digest is of the rows, whatever their order, and of nothing that came and went") {
  RowHasher hash;
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"a", "1"}, {"b", "2"}, {"ab", ""}, {"a", "b"}, {"", "ab"}};
  TableDigest forwards, backwards;
  for (const auto& [key, row] : rows) AddRow(hash(key, row), &forwards);
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    AddRow(hash(row->first, row->second), &backwards);
  }
  CHECK(forwards == backwards);
  for (const auto& [key, row] : rows) {
    TableDigest without = forwards, changed = forwards, more = forwards;
    RemoveRow(hash(key, row), &without);
    CHECK_FALSE(without == forwards);
    changed = without;
    AddRow(hash(key, row + "x"), &changed);
    CHECK_FALSE(changed == forwards);
    AddRow(hash(key, row), &more);
    CHECK_FALSE(more == forwards);
    AddRow(hash(key, row), &without);
    CHECK(without == forwards);
  }
  TableDigest none = forwards;
  for (const auto& [key, row] : rows) RemoveRow(hash(key, row), &none);
  CHECK(none == TableDigest{});
  CHECK(forwards.ToString().size() == 32);
}

TEST_CASE("rows that differ only in where the key ends have different digests") {
  RowHasher hash;
  CHECK_FALSE(hash("ab", "c") == hash("a", "bc"));
}

}  // namespace daybook
