// What a query may not do, and how it ends when it would not.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
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
using sql::testing::TryAsk;
using Clock = std::chrono::steady_clock;

TEST_CASE("only SELECT is possible", "[sql]") {
  History history;
  history.AppendRandom(1, 3);
  for (const char* statement : {"INSERT INTO events(stream) VALUES ('x')",
                                "UPDATE events SET stream = 'x'",
                                "DELETE FROM events",
                                "CREATE TABLE t(x)",
                                "CREATE TEMP TABLE t(x)",
                                "CREATE TEMP VIEW v AS SELECT 1",
                                "CREATE VIRTUAL TABLE t USING events",
                                "CREATE TEMP TABLE t AS SELECT 1",
                                "DROP TABLE events",
                                "ALTER TABLE events RENAME TO e",
                                "ATTACH '/tmp/daybook-attached.db' AS other",
                                "DETACH main",
                                "PRAGMA user_version",
                                "PRAGMA user_version = 5",
                                "PRAGMA writable_schema = 1",
                                "SELECT * FROM pragma_database_list",
                                "SELECT * FROM dbstat",
                                "SELECT * FROM pragma_table_info('events')",
                                "SELECT load_extension('x')",
                                "SELECT LOAD_EXTENSION('x', 'y')",
                                "VACUUM",
                                "VACUUM INTO '/tmp/daybook-vacuumed.db'",
                                "ANALYZE",
                                "REINDEX",
                                "BEGIN",
                                "COMMIT",
                                "SAVEPOINT s",
                                "INSERT INTO sqlite_temp_master VALUES (1, 2, 3, 4, 5)",
                                "EXPLAIN DELETE FROM events",
                                "EXPLAIN PRAGMA user_version",
                                "WITH c AS (SELECT 1) DELETE FROM events"}) {
    INFO(statement);
    CHECK(absl::IsInvalidArgument(TryAsk(history.store(), statement).status()));
  }
  CHECK_FALSE(std::filesystem::exists("/tmp/daybook-attached.db"));
  CHECK_FALSE(std::filesystem::exists("/tmp/daybook-vacuumed.db"));
}

TEST_CASE("one statement is one statement", "[sql]") {
  const History history;
  for (const char* statement :
       {"", " ", ";", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1; x", "SELECT 1;; SELECT 2",
        "SELECT", "SELECT * FROM nothing", "SELECT x FROM events", "SELECT \"x\" FROM events",
        "SELECT 'x", "VALUES"}) {
    INFO(statement);
    CHECK(absl::IsInvalidArgument(TryAsk(history.store(), statement).status()));
  }
  CHECK(absl::IsInvalidArgument(
      TryAsk(history.store(), std::string_view("SELECT 1\0; x", 12)).status()));
  for (const char* statement : {"SELECT 1;", "SELECT 1 ; ; ", "SELECT 1; -- done",
                                "SELECT 1 /* so */ ; /* or */ ;", "VALUES (1)"}) {
    INFO(statement);
    CHECK(Ask(history.store(), statement) == Rows{{"1"}});
  }
}

TEST_CASE("an error says where in the query it is", "[sql]") {
  const History history;
  const absl::Status status =
      TryAsk(history.store(), "SELECT recorded_at, '2010-01-01T00:00:00Z', nope FROM events")
          .status();
  CHECK(status.message() == "SQL: no such column: nope, at byte 44");
}

// How long a query runs that has so many milliseconds.
std::chrono::milliseconds TimeOf(const Reader& reader, const std::string& query, int timeout_ms) {
  SqlOptions options;
  options.timeout = std::chrono::milliseconds(timeout_ms);
  const Clock::time_point begin = Clock::now();
  const absl::Status status = TryAsk(reader, query, options).status();
  INFO(query);
  CHECK(absl::IsDeadlineExceeded(status));
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
}

constexpr char kEndless[] = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) ";

TEST_CASE("a query that never ends ends at its time", "[sql]") {
  History history;
  history.AppendRandom(2, 100);
  constexpr int kTimeoutMs = 100;
  // Generous, for a machine with other things to do.
  constexpr std::chrono::milliseconds kLongest{1500};
  for (const char* query :
       {"SELECT count(*) FROM c", "SELECT x FROM c ORDER BY x", "SELECT DISTINCT x / 1e9 FROM c",
        "SELECT max(x) FROM c, events", "SELECT 1 FROM c WHERE x < 0"}) {
    CHECK(TimeOf(history.store(), std::string(kEndless) + query, kTimeoutMs) < kLongest);
  }
  CHECK(
      TimeOf(history.store(),
             "SELECT count(*) FROM events a, events b, events c, events d WHERE a.type = 'none' OR "
             "b.version + c.version = -1",
             kTimeoutMs) < kLongest);
}

TEST_CASE("time goes on from the first step, and a new run has it anew", "[sql]") {
  History history;
  history.AppendRandom(2, 5);
  SqlOptions options;
  options.timeout = std::chrono::milliseconds(200);
  auto session = SqlSession::Open(history.store(), options);
  REQUIRE_OK(session);
  auto statement = (*session)->Prepare("SELECT position FROM events");
  REQUIRE_OK(statement);
  REQUIRE_OK(statement->Step());
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  auto endless = (*session)->Prepare(std::string(kEndless) + "SELECT count(*) FROM c");
  REQUIRE_OK(endless);
  CHECK(absl::IsDeadlineExceeded(endless->Step().status()));
  CHECK(absl::IsDeadlineExceeded(endless->Step().status()));
  endless->Reset();
  statement->Reset();
  CHECK_OK(statement->Step());
}

// Enough events that a read of them asks more than once whether to go on.
const History& Large() {
  static const auto* const history = [] {
    auto* made = new History();
    for (int commit = 0; commit < 80; ++commit) {
      std::vector<KnownEvent> events(1000);
      for (std::size_t i = 0; i < events.size(); ++i) {
        events[i] = {.stream = absl::StrCat("s-", i), .type = "T"};
      }
      made->Append(events);
    }
    return made;
  }();
  return *history;
}

TEST_CASE("a scan that finds nothing, and what is no scan, can be interrupted", "[sql]") {
  for (const char* query :
       {"SELECT * FROM events WHERE category = 'none'",
        "SELECT * FROM events WHERE type = 'none' ORDER BY position DESC",
        "SELECT * FROM events WHERE id = '00000000-0000-4000-8000-000000000001'",
        "SELECT * FROM events WHERE version < 0 + position - 100000000",
        "SELECT * FROM events WHERE stream = 's-1' AND position < 0 + version",
        "SELECT * FROM streams WHERE version = 0", "SELECT max(state) FROM state"}) {
    INFO(query);
    int asked = 0;
    SqlOptions options;
    options.fold = JsonFold::Count();
    options.interrupted = [&asked] {
      ++asked;
      return false;
    };
    CHECK_OK(TryAsk(Large().store(), query, options));
    CHECK(asked >= 1);
    const int last = asked;
    asked = 0;
    options.interrupted = [&asked, last] { return ++asked == last; };
    CHECK(absl::IsCancelled(TryAsk(Large().store(), query, options).status()));
  }
}

TEST_CASE("a scan that finds nothing ends at its time", "[sql]") {
  // Each question takes longer than the time that the query has: the second is the last.
  int asked = 0;
  SqlOptions options;
  options.timeout = std::chrono::milliseconds(1);
  options.interrupted = [&asked] {
    ++asked;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return false;
  };
  CHECK(absl::IsDeadlineExceeded(
      TryAsk(Large().store(), "SELECT * FROM events WHERE category = 'none'", options).status()));
  CHECK(asked <= 2);
}

TEST_CASE("damage is an error and not the end of the rows", "[sql]") {
  History history;
  history.AppendRandom(7, 300);
  history.CloseAndDamage(1, 9000);
  auto reader = Reader::Open(history.path(), {});
  REQUIRE_OK(reader);
  for (const char* query :
       {"SELECT count(*) FROM events", "SELECT position FROM events ORDER BY position DESC",
        "SELECT count(*) FROM events WHERE category = 'account' OR category = 'order'",
        "SELECT count(state) FROM state"}) {
    INFO(query);
    const absl::Status status = TryAsk(**reader, query).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(DamageOf(status).has_value());
  }
  CHECK_OK(TryAsk(**reader, "SELECT count(*) FROM events WHERE position < 10"));
}

TEST_CASE("a store that can be read only up to damage does not end as if all were said", "[sql]") {
  History history;
  history.AppendRandom(7, 300);
  // The header of a segment: what follows it cannot be found.
  history.CloseAndDamage(2, 20);
  auto reader = Reader::Open(history.path(), {});
  REQUIRE_OK(reader);
  REQUIRE((*reader)->visible() > Position(0));
  for (const char* query : {"SELECT count(*) FROM events", "SELECT count(*) FROM streams",
                            "SELECT count(*) FROM events WHERE position > 1000000",
                            "SELECT * FROM events WHERE recorded_at > '2200-01-01T00:00:00Z'"}) {
    INFO(query);
    CHECK(absl::IsDataLoss(TryAsk(**reader, query).status()));
  }
  CHECK_OK(TryAsk(**reader, "SELECT count(*) FROM events WHERE position <= 10"));
  SqlOptions options;
  options.as_of.position = Position(10);
  CHECK(Ask(**reader, "SELECT count(*) FROM events", options) == Rows{{"10"}});
  CHECK_OK(TryAsk(**reader, "SELECT count(*) FROM streams", options));
}

}  // namespace
}  // namespace daybook
