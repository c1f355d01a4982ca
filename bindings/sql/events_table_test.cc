#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

TEST_CASE("a row of events has every part of an event", "[sql]") {
  const History history;
  NewEvent event;
  event.type = "Deposited";
  event.data = AsBytes(R"({"cents":1.10})");
  event.tags = {"b", "a\""};
  event.metadata = R"({"actor":"me"})";
  event.effective_at = Timestamp(5);
  event.id = *EventId::Parse("00000000-0000-4000-8000-000000000001");
  REQUIRE_OK(history.store().Append("account-42", ExpectedVersion::Any(), {event}));
  CHECK(Ask(history.store(), "SELECT * FROM events") ==
        Rows{{"1", "account-42", "account", "1", "Deposited",
              "00000000-0000-4000-8000-000000000001", "2010-01-01T00:00:00.000000000Z",
              "1970-01-01T00:00:00.000000005Z", "1262304000000000000", "5", R"({"cents":1.10})",
              R"(x:{"cents":1.10})", R"({"actor":"me"})", R"(["a\"","b"])"}});
}

TEST_CASE("data is NULL where it is no JSON, metadata where there is none", "[sql]") {
  const History history;
  NewEvent event;
  event.type = "Scanned";
  event.data = AsBytes("\x01\x02");
  event.content_type = ContentType::kOctetStream;
  NewEvent empty;
  empty.type = "Empty";
  empty.content_type = ContentType::kOctetStream;
  REQUIRE_OK(history.store().Append("scan", ExpectedVersion::Any(), {event, empty}));
  CHECK(Ask(history.store(),
            "SELECT category, data, data_blob, metadata, tags, effective_ns = recorded_ns "
            "FROM events") == Rows{{"scan", "NULL", "x:\x01\x02", "NULL", "[]", "1"},
                                   {"scan", "NULL", "x:", "NULL", "[]", "1"}});
}

// A condition on one column: in SQL, with `+` before the column so that nothing is pushed down, and
// on what is known.
struct Condition {
  std::string sql;
  std::string not_pushed;
  std::function<bool(const KnownEvent&)> holds;
};

class Conditions {
 public:
  Conditions(const History& history, std::uint32_t seed) : history_(history), random_(seed) {}
  Condition Any();

 private:
  unsigned Below(std::size_t n) { return static_cast<unsigned>(random_() % n); }
  const KnownEvent& Event() { return history_.events()[Below(history_.events().size())]; }
  static Condition Of(const std::string& column, const std::string& rest,
                      std::function<bool(const KnownEvent&)> holds) {
    return {absl::StrCat(column, " ", rest), absl::StrCat("+", column, " ", rest),
            std::move(holds)};
  }
  Condition Text(const std::string& column, std::string KnownEvent::*member);
  Condition Number(const std::string& column, std::int64_t KnownEvent::*member, bool time);

  const History& history_;
  std::mt19937 random_;
};

Condition Conditions::Text(const std::string& column, std::string KnownEvent::*member) {
  const std::string a = Event().*member, b = Below(4) == 0 ? "nothing" : Event().*member;
  if (Below(2) == 0) {
    return Of(column, absl::StrCat("= '", a, "'"),
              [=](const KnownEvent& event) { return event.*member == a; });
  }
  return Of(column, absl::StrCat("IN ('", a, "', '", b, "', NULL)"),
            [=](const KnownEvent& event) { return event.*member == a || event.*member == b; });
}

Condition Conditions::Number(const std::string& column, std::int64_t KnownEvent::*member,
                             bool time) {
  const std::int64_t a = Event().*member + Below(3) - 1, b = Event().*member + Below(3) - 1;
  const auto shown = [time](std::int64_t value) {
    return time ? absl::StrCat("'", Timestamp(value).ToString(), "'") : absl::StrCat(value);
  };
  switch (Below(7)) {
    case 0:
      return Of(column, absl::StrCat("< ", shown(a)),
                [=](const KnownEvent& event) { return event.*member < a; });
    case 1:
      return Of(column, absl::StrCat("<= ", shown(a)),
                [=](const KnownEvent& event) { return event.*member <= a; });
    case 2:
      return Of(column, absl::StrCat("> ", shown(a)),
                [=](const KnownEvent& event) { return event.*member > a; });
    case 3:
      return Of(column, absl::StrCat(">= ", shown(a)),
                [=](const KnownEvent& event) { return event.*member >= a; });
    case 4:
      return Of(column, absl::StrCat("= ", shown(a)),
                [=](const KnownEvent& event) { return event.*member == a; });
    case 5:
      return Of(column, absl::StrCat("BETWEEN ", shown(a), " AND ", shown(b)),
                [=](const KnownEvent& event) { return a <= event.*member && event.*member <= b; });
    default:
      return Of(column, absl::StrCat("IN (", shown(a), ", ", shown(b), ")"),
                [=](const KnownEvent& event) { return event.*member == a || event.*member == b; });
  }
}

Condition Conditions::Any() {
  switch (Below(10)) {
    case 0:
      return Text("stream", &KnownEvent::stream);
    case 1:
      return Text("category", &KnownEvent::category);
    case 2:
      return Text("type", &KnownEvent::type);
    case 3:
      return Text("id", &KnownEvent::id);
    case 4:
      return Number("position", &KnownEvent::position, false);
    case 5:
      return Number("version", &KnownEvent::version, false);
    case 6:
      return Number("recorded_ns", &KnownEvent::recorded_ns, false);
    case 7:
      return Number("recorded_at", &KnownEvent::recorded_ns, true);
    case 8:
      return Number("effective_at", &KnownEvent::effective_ns, true);
    default:
      return Number("rowid", &KnownEvent::position, false);
  }
}

TEST_CASE("what is pushed down gives what it gives without, and what is known", "[sql]") {
  History history;
  history.AppendRandom(4, 250);
  Conditions conditions(history, 11);
  std::mt19937 random(3);
  const std::vector<std::string> orders = {"position", "position DESC", "recorded_at, position",
                                           "recorded_ns DESC, position DESC"};
  std::size_t found = 0;
  for (int round = 0; round < 600; ++round) {
    std::vector<std::string> pushed, not_pushed;
    std::vector<Condition> all;
    for (unsigned n = 1 + static_cast<unsigned>(random() % 3); n > 0; --n) {
      all.push_back(conditions.Any());
      pushed.push_back(all.back().sql);
      not_pushed.push_back(all.back().not_pushed);
    }
    const std::string& order = orders[random() % orders.size()];
    Rows known;
    for (const KnownEvent& event : history.events()) {
      if (std::all_of(all.begin(), all.end(), [&](const auto& c) { return c.holds(event); })) {
        known.push_back({absl::StrCat(event.position)});
      }
    }
    if (order.ends_with("DESC")) std::reverse(known.begin(), known.end());
    found += known.size();
    const auto query = [&order](const std::vector<std::string>& where) {
      return absl::StrCat("SELECT position FROM events WHERE ", absl::StrJoin(where, " AND "),
                          " ORDER BY ", order);
    };
    INFO(query(pushed));
    REQUIRE(Ask(history.store(), query(pushed)) == known);
    REQUIRE(Ask(history.store(), query(not_pushed)) == known);
  }
  CHECK(found > 5000);
}

TEST_CASE("values of other types compare as SQLite compares them", "[sql]") {
  History history;
  history.AppendRandom(5, 20);
  for (const char* where :
       {"position = '3'", "position < 2.5", "position > '1'", "position = NULL", "position IS NULL",
        "stream = 5", "type = NULL", "position > 9223372036854775807",
        "position < -9223372036854775808", "position <= 9e99", "version = 1 AND stream = NULL",
        "recorded_ns > 1e30", "id = 'none'", "stream = '' ", "type IN (NULL)", "type IN ()"}) {
    std::string not_pushed = where;
    not_pushed = absl::StrCat("NOT NOT (", where, ")");
    INFO(where);
    CHECK(Ask(history.store(), absl::StrCat("SELECT position FROM events WHERE ", where)) ==
          Ask(history.store(), absl::StrCat("SELECT position FROM events WHERE ", not_pushed)));
  }
}

std::string PlanOf(const History& history, const std::string& query) {
  std::string plan;
  for (const auto& row : Ask(history.store(), "EXPLAIN QUERY PLAN " + query)) plan += row[3] + "\n";
  return plan;
}

TEST_CASE("what can be pushed down is, and an order of positions is not sorted again", "[sql]") {
  History history;
  history.AppendRandom(6, 50);
  const auto plan = [&history](const std::string& rest) {
    return PlanOf(history, "SELECT * FROM events " + rest);
  };
  using Catch::Contains;
  CHECK_THAT(plan("WHERE position > 5 AND position <= 9"), Contains("p>p["));
  CHECK_THAT(plan("WHERE stream = 'a-1' AND version >= 2"), Contains("s=v]"));
  CHECK_THAT(plan("WHERE category = 'a' AND type IN ('x', 'y')"), Contains("c=tI"));
  CHECK_THAT(plan("WHERE recorded_at >= '2010-01-01T01:00:00+01:00'"), Contains("r]"));
  CHECK_THAT(plan("WHERE '2010-01-01T01:00:00+01:00' < recorded_at"), Contains("r>"));
  CHECK_THAT(plan("WHERE recorded_ns = 7"), Contains("n="));
  CHECK_THAT(plan("WHERE id = 'x' AND stream = 'a'"), Contains("i=") && Contains("s="));
  for (const char* order : {"position", "position DESC", "recorded_at, position",
                            "recorded_at DESC", "recorded_ns, recorded_at"}) {
    CHECK_THAT(plan(absl::StrCat("ORDER BY ", order)), !Contains("TEMP B-TREE"));
  }
  CHECK_THAT(plan("WHERE stream = 'a' ORDER BY version DESC"), !Contains("TEMP B-TREE"));
  for (const char* order : {"version", "type", "effective_at", "recorded_at DESC, position"}) {
    CHECK_THAT(plan(absl::StrCat("ORDER BY ", order)), Contains("TEMP B-TREE"));
  }
}

}  // namespace
}  // namespace daybook
