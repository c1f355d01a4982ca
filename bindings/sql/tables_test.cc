// streams and state, and the moment that a query sees.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bindings/sql/history_testing.h"
#include "bindings/sql/sql_testing.h"
#include "daybook/sql.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using sql::testing::Ask;
using sql::testing::History;
using sql::testing::KnownEvent;
using sql::testing::Rows;
using sql::testing::Show;
using sql::testing::TryAsk;

// The tables as they are to be at (effective, position), by brute force over what is known.
struct Known {
  Rows events, streams, counts, sums;
};

Known KnownAt(const History& history, std::int64_t effective, std::int64_t position) {
  Known known;
  std::map<std::string, std::vector<KnownEvent>> streams;
  for (const KnownEvent& event : history.events()) {
    if (event.position <= position) streams[event.stream].push_back(event);
    if (event.position <= position && event.effective_ns <= effective) {
      known.events.push_back({absl::StrCat(event.position)});
    }
  }
  for (const auto& [name, events] : streams) {
    const auto selected = std::count_if(events.begin(), events.end(), [&](const KnownEvent& event) {
      return event.effective_ns <= effective;
    });
    if (selected == 0) continue;
    const KnownEvent& last = events.back();
    known.streams.push_back({name, absl::StrCat(last.version),
                             absl::StrCat(events.front().position), absl::StrCat(last.position),
                             Timestamp(last.recorded_ns).ToString()});
    known.counts.push_back(
        {name, absl::StrCat(last.version), absl::StrCat(last.position), absl::StrCat(selected)});
  }
  return known;
}

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

void CheckTables(const History& history, const SqlOptions& options, const Known& known) {
  CHECK(Ask(history.store(), "SELECT position FROM events", options) == known.events);
  CHECK(Ask(history.store(), "SELECT * FROM streams", options) == known.streams);
  CHECK(Ask(history.store(), "SELECT * FROM state", options) == known.counts);
  Rows backwards = known.counts;
  std::reverse(backwards.begin(), backwards.end());
  CHECK(Ask(history.store(), "SELECT * FROM state ORDER BY stream DESC", options) == backwards);
  for (const auto& row : known.streams) {
    CHECK(Ask(history.store(), "SELECT * FROM streams WHERE stream = '" + row[0] + "'", options) ==
          Rows{row});
  }
  CHECK(Ask(history.store(), "SELECT * FROM streams WHERE stream = 'none'", options).empty());
  CHECK(Ask(history.store(), "SELECT * FROM state WHERE stream IS NULL", options).empty());
}

TEST_CASE("all tables see the moment of the session", "[sql]") {
  History history;
  history.AppendRandom(21, 60);
  const auto& events = history.events();
  SqlOptions options;
  options.fold = JsonFold::Count();
  CheckTables(history, options, KnownAt(history, kNever, kNever));
  for (std::size_t i = 0; i < events.size(); i += 17) {
    const KnownEvent& at = events[i];
    options.as_of = AsOf::AtPosition(Position(static_cast<std::uint64_t>(at.position)));
    CheckTables(history, options, KnownAt(history, kNever, at.position));
    const std::int64_t effective = events[events.size() - 1 - i].effective_ns;
    options.as_of = options.as_of.AndEffectiveAt(Timestamp(effective));
    CheckTables(history, options, KnownAt(history, effective, at.position));
    options.as_of = AsOf::EffectiveAt(Timestamp(effective));
    CheckTables(history, options, KnownAt(history, effective, kNever));
    // A recorded time has the whole of its commit.
    std::int64_t last = at.position;
    for (const KnownEvent& event : events) {
      if (event.recorded_ns == at.recorded_ns) last = std::max(last, event.position);
    }
    options.as_of = AsOf::RecordedAt(Timestamp(at.recorded_ns));
    CheckTables(history, options, KnownAt(history, kNever, last));
  }
  options.as_of = AsOf::AtPosition(Position(0));
  CheckTables(history, options, {});
  options.as_of = AsOf::RecordedAt(Timestamp::Min());
  CheckTables(history, options, {});
}

TEST_CASE("a moment that a store cannot be read at is refused when a session is opened", "[sql]") {
  History history;
  history.AppendRandom(22, 3);
  SqlOptions options;
  options.as_of = AsOf::AtVersion(Version(1));
  CHECK(absl::IsInvalidArgument(SqlSession::Open(history.store(), options).status()));
  options.as_of = AsOf::AtPosition(Position(1000));
  CHECK(absl::IsInvalidArgument(SqlSession::Open(history.store(), options).status()));
  options.as_of = AsOf::AtPosition(Position(1));
  options.as_of.recorded_at = Timestamp(1);
  CHECK(absl::IsInvalidArgument(SqlSession::Open(history.store(), options).status()));
}

TEST_CASE("a query sees the store as it was when it was begun, in all its tables", "[sql]") {
  History history;
  history.AppendRandom(23, 30);
  const std::string events = absl::StrCat(history.events().size());
  auto session = SqlSession::Open(history.store(), {});
  REQUIRE_OK(session);
  // Each row of the first table looks at the others again.
  auto statement = (*session)->Prepare(
      "SELECT e.position, (SELECT count(*) + 0 * e.position FROM events), "
      "(SELECT sum(version) + 0 * e.position FROM streams), "
      "(SELECT max(position) + 0 * e.position FROM state), "
      "(SELECT f.position + 0 * e.position FROM events AS f ORDER BY f.position DESC LIMIT 1), "
      "(SELECT count(*) + 0 * e.position FROM events WHERE recorded_at <= '2200-01-01T00:00:00Z'), "
      "(SELECT max(version) + 0 * e.position FROM events WHERE stream = 'one') FROM events AS e");
  REQUIRE_OK(statement);
  std::size_t rows = 0;
  for (;;) {
    auto row = statement->Step();
    REQUIRE_OK(row);
    if (!*row) break;
    ++rows;
    for (int i = 1; i < 6; ++i) CHECK(Show(statement->column(i)) == events);
    CHECK(Show(statement->column(6)) == "NULL");
    history.Append({{.stream = "one", .type = "T"}, {.stream = "two", .type = "T"}});
  }
  CHECK(absl::StrCat(rows) == events);
  CHECK_FALSE(*statement->Step());  // and it stays at its end

  statement->Reset();
  REQUIRE_OK(statement->Step());
  CHECK(Show(statement->column(1)) == absl::StrCat(history.events().size()));
  CHECK(Show(statement->column(3)) == absl::StrCat(history.events().size()));
}

TEST_CASE("the state is that of the fold, a number where it is one", "[sql]") {
  const History history;
  NewEvent event;
  event.type = "T";
  for (const char* data :
       {R"({"a":1.10,"b":[1]})", R"({"a":9223372036854775807})", R"({"c":null})"}) {
    event.data = AsBytes(data);
    REQUIRE_OK(history.store().Append("s", ExpectedVersion::Any(), {event}));
  }
  const auto state = [&history](std::string_view fold, const std::string& where = "1") {
    SqlOptions options;
    options.fold = *JsonFold::Parse(fold);
    return Ask(history.store(),
               "SELECT state, typeof(state), version, position FROM state WHERE " + where, options);
  };
  CHECK(state("merge") == Rows{{R"({"a":9223372036854775807,"b":[1]})", "text", "3", "3"}});
  CHECK(state("count") == Rows{{"3", "integer", "3", "3"}});
  CHECK(state("sum:a") == Rows{{"9223372036854775808.10", "text", "3", "3"}});
  CHECK(state("sum:a", "state > 5").size() == 1);
  CHECK(state("sum:a", "state < 5").empty());
  CHECK(state("last") == Rows{{R"({"c":null})", "text", "3", "3"}});
  SqlOptions options;
  options.fold = *JsonFold::Parse("sum:b");
  CHECK_FALSE(TryAsk(history.store(), "SELECT state FROM state", options).ok());
  CHECK_OK(TryAsk(history.store(), "SELECT version FROM state", options));
}

TEST_CASE("a parameter that is not there, and values of every kind", "[sql]") {
  const History history;
  auto session = SqlSession::Open(history.store(), {});
  REQUIRE_OK(session);
  auto statement = (*session)->Prepare("SELECT ?1, ?2, ?3, ?4, ?5");
  REQUIRE_OK(statement);
  CHECK(absl::IsInvalidArgument(statement->Bind(0, std::int64_t{1})));
  CHECK(absl::IsInvalidArgument(statement->Bind(6, std::int64_t{1})));
  REQUIRE_OK(statement->Bind(1, std::int64_t{-7}));
  REQUIRE_OK(statement->Bind(2, 1.5));
  REQUIRE_OK(statement->Bind(3, std::string_view("")));
  REQUIRE_OK(statement->Bind(4, AsBytes("b")));
  REQUIRE_OK(statement->Step());
  CHECK(std::get<std::int64_t>(statement->column(0)) == -7);
  CHECK(std::get<double>(statement->column(1)) == 1.5);
  CHECK(std::get<std::string_view>(statement->column(2)).empty());
  CHECK(AsText(std::get<std::span<const std::byte>>(statement->column(3))) == "b");
  CHECK(std::holds_alternative<std::monostate>(statement->column(4)));
  CHECK(absl::IsInvalidArgument(statement->Bind(1, std::int64_t{1})));  // it has begun
}

}  // namespace
}  // namespace daybook
