// Times in a query, in every place and in every form.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "bindings/sql/history_testing.h"
#include "bindings/sql/moment_query.h"
#include "bindings/sql/sql_testing.h"
#include "daybook/sql.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using sql::testing::Ask;
using sql::testing::History;
using sql::testing::KnownEvent;
using sql::testing::Rows;
using sql::testing::TryAsk;

constexpr std::int64_t kSecond = 1'000'000'000;

// Moments around 2010-01-01T00:00:00Z whose texts stand in another order than they do.
const std::vector<std::string>& Texts() {
  static const std::vector<std::string> texts = {
      "2010-01-01T00:00:00Z",           "2010-01-01t00:00:00z",
      "2010-01-01T00:00:00.000000000Z", "2010-01-01T02:00:00+02:00",
      "2009-12-31T19:00:00.0-05:00",    "2010-01-01T00:00:00.5Z",
      "2010-01-01T00:00:00.500000001Z", "2010-01-01T05:30:00.500000001+05:30",
      "2010-01-01T00:00:01Z",           "2010-01-01T00:00:01.000+00:00",
      "2009-12-31T23:00:01.0-01:00",    "2010-01-01T00:00:00.999999999Z",
      "2009-12-31T23:59:59Z",           "2010-01-01T14:00:02+14:00",
      "1677-09-21T00:12:43.145224193Z", "2262-04-11T23:47:16.854775807Z",
  };
  return texts;
}

// One event at each moment from the start of 2010 on: 0, 0.5 s, 0.500000001 s, 1 s, 2 s.
class Times {
 public:
  Times() {
    std::int64_t now = 0;
    for (const std::int64_t at :
         {std::int64_t{0}, kSecond / 2, kSecond / 2 + 1, kSecond, 2 * kSecond}) {
      history_.Advance(at - now);
      history_.Append({{.stream = absl::StrCat("s-", at), .type = "T"}});
      now = at + 1;
    }
  }
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] Store& store() const { return history_.store(); }

 private:
  History history_;
};

bool Compare(const std::string& op, std::int64_t a, std::int64_t b) {
  if (op == "<") return a < b;
  if (op == "<=") return a <= b;
  if (op == ">") return a > b;
  if (op == ">=") return a >= b;
  if (op == "=") return a == b;
  return a != b;
}

std::string Mirrored(const std::string& op) {
  return op[0] == '<' && op != "<>" ? absl::StrReplaceAll(op, {{"<", ">"}})
         : op[0] == '>'             ? absl::StrReplaceAll(op, {{">", "<"}})
                                    : op;
}

// Queries for the positions at which `recorded_at OP 'TEXT'`. COND is that, either way round; OP
// and TEXT are its parts.
const std::vector<std::string>& Places() {
  static const std::vector<std::string> places = {
      "SELECT position FROM events WHERE COND",
      "SELECT position FROM events WHERE NOT NOT (COND)",
      "SELECT position FROM events WHERE CASE WHEN COND THEN 1 ELSE 0 END",
      "SELECT position FROM events WHERE iif(COND, 1, 0)",
      "SELECT position FROM (SELECT * FROM events) WHERE COND",
      "WITH e AS MATERIALIZED (SELECT * FROM events) SELECT position FROM e WHERE COND",
      "SELECT position FROM events GROUP BY position HAVING COND",
      "SELECT max(position) FROM events GROUP BY stream HAVING max(recorded_at) OP 'TEXT'",
      "SELECT max(position) FROM events GROUP BY stream HAVING 'TEXT' MIRROR min(recorded_at)",
      "SELECT position FROM events WHERE coalesce(recorded_at, NULL) OP 'TEXT'",
      "SELECT position FROM events WHERE 'TEXT' MIRROR ifnull(NULL, recorded_at)",
      "SELECT p FROM (SELECT max(position) AS p, max(recorded_at) AS m FROM events GROUP BY "
      "stream) "
      "WHERE m OP 'TEXT'",
      "SELECT position FROM events JOIN (SELECT 'TEXT' AS t) AS q ON recorded_at OP q.t",
      "SELECT position FROM events JOIN (SELECT 'TEXT' AS t) AS q ON q.t MIRROR recorded_at",
      "WITH q(t) AS (VALUES ('TEXT')) SELECT position FROM q, events WHERE q.t MIRROR recorded_at",
      "WITH q(t) AS MATERIALIZED (SELECT substr('xTEXT', 2)) SELECT position FROM q CROSS JOIN "
      "events WHERE q.t MIRROR recorded_at",
      "SELECT position FROM events AS e WHERE (SELECT f.recorded_at FROM events AS f WHERE "
      "f.position = e.position) OP 'TEXT'",
      "SELECT position FROM events AS e WHERE EXISTS (SELECT 1 FROM events AS f WHERE f.position = "
      "e.position AND f.recorded_at OP 'TEXT')",
      "SELECT position FROM events WHERE lower(substr('xTEXT', 2)) MIRROR recorded_at",
      "SELECT position FROM events, json_each('[\"TEXT\"]') AS j WHERE j.value MIRROR recorded_at",
      "SELECT position FROM events, json_each('[\"TEXT\"]') AS j WHERE j.value MIRROR "
      "max(recorded_at, recorded_at)",
      "SELECT p FROM (SELECT position AS p, lag(recorded_at, 0) OVER (ORDER BY position) AS l FROM "
      "events) WHERE l OP 'TEXT'",
      "SELECT first_position FROM streams WHERE last_recorded_at OP 'TEXT'",
      "SELECT first_position FROM streams WHERE 'TEXT' MIRROR last_recorded_at",
      "SELECT position FROM events WHERE effective_at OP 'TEXT' /* 'x' */ -- '",
  };
  return places;
}

Rows Sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST_CASE("a time compares as a moment in every place, whatever its text", "[sql]") {
  const Times times;
  for (const std::string& text : Texts()) {
    const std::int64_t moment = Timestamp::Parse(text)->unix_nanoseconds();
    for (const std::string op : {"<", "<=", ">", ">=", "=", "<>"}) {
      Rows known;
      for (const KnownEvent& event : times.history().events()) {
        if (Compare(op, event.recorded_ns, moment)) known.push_back({absl::StrCat(event.position)});
      }
      for (const std::string& place : Places()) {
        for (const std::string condition : {"recorded_at OP 'TEXT'", "'TEXT' MIRROR recorded_at"}) {
          if (condition[0] == '\'' && !place.ends_with("COND")) continue;
          const std::string query =
              absl::StrReplaceAll(absl::StrReplaceAll(place, {{"COND", condition}}),
                                  {{"OP", op}, {"MIRROR", Mirrored(op)}, {"TEXT", text}});
          INFO(query);
          INFO(sql::WithMoments(query));
          REQUIRE(Sorted(Ask(times.store(), query)) == known);
        }
      }
    }
  }
}

TEST_CASE("IN, BETWEEN and CASE compare moments, from either side", "[sql]") {
  const Times times;
  const auto ask = [&times](const std::string& where) {
    INFO(where);
    std::string found;
    for (const auto& row :
         Sorted(Ask(times.store(), "SELECT position FROM events WHERE " + where))) {
      found += row[0];
    }
    return found;
  };
  CHECK(ask("recorded_at IN ('2010-01-01T02:00:00+02:00', '2010-01-01T00:00:02Z')") == "15");
  CHECK(ask("recorded_at NOT IN ('2010-01-01T02:00:00+02:00', '2010-01-01T00:00:02Z')") == "234");
  CHECK(ask("'2010-01-01T02:00:00.5+02:00' IN (recorded_at, effective_at)") == "2");
  CHECK(ask("max(recorded_at, effective_at) IN ('2010-01-01T02:00:00+02:00')") == "1");
  CHECK(ask("(SELECT f.recorded_at FROM events f WHERE f.position = events.position) IN "
            "('2010-01-01T02:00:00+02:00', '2010-01-01T00:00:01Z')") == "14");
  CHECK(ask("(SELECT f.recorded_at FROM events f WHERE f.position = events.position) NOT IN "
            "('2010-01-01T02:00:00+02:00', '2010-01-01T00:00:01Z')") == "235");
  CHECK(ask("'2010-01-01T02:00:00+02:00' IN (SELECT f.recorded_at FROM events f "
            "WHERE f.position = events.position)") == "1");
  CHECK(ask("recorded_at BETWEEN '2010-01-01T00:00:00.5Z' AND '2010-01-01T01:00:01+01:00'") ==
        "234");
  CHECK(ask("recorded_at NOT BETWEEN '2010-01-01T00:00:00.5Z' AND '2010-01-01T01:00:01+01:00'") ==
        "15");
  CHECK(ask("'2010-01-01T01:00:00.500+01:00' BETWEEN recorded_at AND effective_at") == "2");
  CHECK(ask("CASE recorded_at WHEN '2010-01-01T02:00:00+02:00' THEN 1 END") == "1");
  CHECK(ask("CASE '2010-01-01T02:00:00+02:00' WHEN effective_at THEN 1 END") == "1");
  CHECK(ask("recorded_at IS '2010-01-01T02:00:00+02:00'") == "1");
  CHECK(ask("(position, recorded_at) = (1, '2010-01-01T02:00:00+02:00')") == "1");
  CHECK(ask("nullif(recorded_at, '2010-01-01T02:00:00+02:00') IS NULL") == "1");
}

TEST_CASE("times are sorted, grouped and their largest found as moments", "[sql]") {
  const Times times;
  const std::string latest = "2010-01-01T00:00:02.000000000Z";
  CHECK(Ask(times.store(), "SELECT max(recorded_at) FROM events") == Rows{{latest}});
  CHECK(Ask(times.store(),
            "SELECT max(recorded_at, '2010-01-01T00:30:00+01:00') FROM events "
            "WHERE position = 5") == Rows{{latest}});
  CHECK(
      Ask(times.store(),
          "SELECT group_concat(position, '') FROM (SELECT position FROM events UNION ALL SELECT 0 "
          "ORDER BY position)") == Rows{{"012345"}});
  CHECK(Ask(times.store(),
            "SELECT p FROM (SELECT recorded_at AS t, position AS p FROM events WHERE position = 2 "
            "UNION ALL SELECT '2010-01-01T01:00:00.4+01:00', 0) ORDER BY t") == Rows{{"0"}, {"2"}});
  CHECK(Ask(times.store(),
            "SELECT count(*) FROM (SELECT recorded_at FROM events WHERE position = 1 UNION SELECT "
            "'2010-01-01T01:00:00+01:00')") == Rows{{"1"}});
}

TEST_CASE("a time against what is no time is an error, in every place", "[sql]") {
  const Times times;
  for (const std::string text :
       {"2010-01-01", "2010-01-01T00:00:00", "2010-01-01 00:00:00Z", "yesterday", "",
        "2010-01-01T00:00:00.0000000001Z", "1600-01-01T00:00:00Z", "2010-02-30T00:00:00Z"}) {
    for (const std::string where :
         {"recorded_at > 'TEXT'", "'TEXT' < recorded_at", "+recorded_at <> 'TEXT'",
          "effective_at IN ('TEXT')", "recorded_at BETWEEN 'TEXT' AND '2020-01-01T00:00:00Z'",
          "max(recorded_at, effective_at) = 'TEXT'",
          "position IN (SELECT position FROM events "
          "GROUP BY 1 HAVING max(recorded_at) = 'TEXT')"}) {
      const std::string query =
          "SELECT position FROM events WHERE " + absl::StrReplaceAll(where, {{"TEXT", text}});
      INFO(query);
      CHECK(absl::IsInvalidArgument(TryAsk(times.store(), query).status()));
    }
  }
  CHECK(absl::IsInvalidArgument(
      TryAsk(times.store(), "SELECT position FROM events WHERE recorded_at > 5").status()));
}

TEST_CASE("what is no time column compares as text", "[sql]") {
  const Times times;
  const auto ask = [&times](const std::string& condition) {
    INFO(condition);
    return Ask(times.store(), "SELECT " + condition + " FROM events WHERE position = 1")[0][0];
  };
  CHECK(ask("substr(recorded_at, 1, 10) = '2010-01-01'") == "1");
  CHECK(ask("substr(recorded_at, 1, 10) > 'a'") == "0");
  CHECK(ask("recorded_at LIKE '2010-%'") == "1");
  CHECK(ask("strftime('%Y', recorded_at) = '2010'") == "1");
  CHECK(ask("lower('2010-01-01T00:00:00Z') = '2010-01-01T01:00:00+01:00'") == "0");
  CHECK(ask("stream = '2010-01-01T01:00:00+01:00'") == "0");
  CHECK(ask("json_extract('{\"t\":\"2010-01-01T01:00:00+01:00\"}', '$.t') = "
            "'2010-01-01T00:00:00Z'") == "0");
  CHECK(ask("recorded_at COLLATE BINARY = '2010-01-01T01:00:00+01:00'") == "0");
  CHECK(ask("recorded_ns = 1262304000000000000") == "1");
}

TEST_CASE("names are what the query says, whatever is written into it", "[sql]") {
  const Times times;
  auto session = SqlSession::Open(times.store(), {});
  REQUIRE_OK(session);
  auto statement = (*session)->Prepare(
      "SELECT recorded_at, max(effective_at), '2010-01-01T00:00:00Z', e.recorded_at AS \"R\", "
      "recorded_at t FROM events AS e");
  REQUIRE_OK(statement);
  std::vector<std::string> names;
  for (int i = 0; i < statement->columns(); ++i) names.emplace_back(statement->column_name(i));
  CHECK(names == std::vector<std::string>{"recorded_at", "max(effective_at)",
                                          "'2010-01-01T00:00:00Z'", "R", "t"});
}

TEST_CASE("a collation is written behind operands only", "[sql]") {
  const auto with = [](const std::string& query) {
    return absl::StrReplaceAll(sql::WithMoments(query),
                               {{" COLLATE daybook_time", "#"}, {" COLLATE daybook_moment", "@"}});
  };
  CHECK(with("SELECT recorded_at FROM events") == "SELECT recorded_at# FROM events");
  CHECK(with("SELECT 1 AS recorded_at, 2 recorded_at") == "SELECT 1 AS recorded_at, 2 recorded_at");
  CHECK(with("SELECT a USING (recorded_at)") == "SELECT a USING (recorded_at)");
  CHECK(with("WITH c(recorded_at, b) AS (SELECT 1, 2) SELECT 1") ==
        "WITH c(recorded_at, b) AS (SELECT 1, 2) SELECT 1");
  CHECK(with("e.\"Recorded_At\"=[effective_at] COLLATE x") ==
        "e.\"Recorded_At\"#=[effective_at] COLLATE x");
  CHECK(with("'recorded_at' -- recorded_at\n/* recorded_at */") ==
        "'recorded_at' -- recorded_at\n/* recorded_at */");
  CHECK(with("x = '2010-01-01T00:00:00Z' AND 'it''s'") ==
        "x = '2010-01-01T00:00:00Z'@ AND 'it''s'");
  CHECK(with("SELECT max(recorded_at) AS m, m") == "SELECT max(recorded_at#) AS m, m#");
  CHECK(with("(SELECT 1) NOT IN ('2010-01-01T00:00:00Z')") ==
        "(SELECT 1)@ NOT IN ('2010-01-01T00:00:00Z'@)");
  CHECK(with("'unfinished") == "'unfinished");
  CHECK(with("((") == "((");
  CHECK(with("))") == "))");
}

TEST_CASE("a parameter is a moment, too", "[sql]") {
  const Times times;
  auto session = SqlSession::Open(times.store(), {});
  REQUIRE_OK(session);
  for (const char* query : {"SELECT position FROM events WHERE recorded_at <= ?",
                            "SELECT position FROM events WHERE ?1 >= recorded_at",
                            "SELECT max(position) FROM events GROUP BY stream HAVING :t >= "
                            "max(recorded_at) ORDER BY 1"}) {
    INFO(query);
    auto rows = TryAsk(**session, query, {std::string_view("2010-01-01T01:00:00.5+01:00")});
    REQUIRE_OK(rows);
    CHECK(*rows == Rows{{"1"}, {"2"}});
  }
}

}  // namespace
}  // namespace daybook
