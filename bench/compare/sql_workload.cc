// The workload `sql`: SQL in the process, over all events and over one stream.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"
#include "daybook/sql.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kSqlCommit = 1'000;  // events

// Runs a query to its end, from its text on; the sum of the integers in all of its rows, and how
// many rows.
struct SqlAnswer {
  std::uint64_t rows = 0, sum = 0;
  friend bool operator==(const SqlAnswer&, const SqlAnswer&) = default;
};
SqlAnswer AskSql(SqlSession* session, const std::string& query) {
  auto statement = session->Prepare(query);
  CheckDaybook(statement.status());
  for (SqlAnswer answer;; ++answer.rows) {
    const auto row = statement->Step();
    CheckDaybook(row.status());
    if (!*row) return answer;
    for (int i = 0; i < statement->columns(); ++i) {
      const SqlValue value = statement->column(i);
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        answer.sum += static_cast<std::uint64_t>(*number);
      }
    }
  }
}

// Queries a second; each must have this answer.
double QueryRate(SqlSession* session, const std::string& query, const SqlAnswer& expected) {
  const Stopwatch watch;
  const SqlAnswer answer = AskSql(session, query);
  const double seconds = watch.Seconds();
  if (answer != expected) Die("sql: a wrong answer to " + query);
  return 1 / seconds;
}

struct SqlExpected {
  SqlAnswer counted{.rows = 1, .sum = 0}, amounts{.rows = 1, .sum = 0},
      moments{.rows = 1, .sum = 0};
};

SqlExpected ExpectedOf(const Plan& plan) {
  SqlExpected expected;
  std::uint64_t version_max = 0, type_bytes = 0;
  for (std::uint64_t i = 0; i < plan.events(); ++i) {
    const Event event = plan.At(i);
    version_max = std::max<std::uint64_t>(version_max, event.version);
    type_bytes += event.type.size();
    expected.amounts.sum += AmountOf(event.data);
  }
  expected.counted.sum = plan.events() + version_max + type_bytes;
  expected.moments.sum = plan.events();
  return expected;
}

// Streams a second, each drawn at random and asked for in a query of its own.
double StreamRate(SqlSession* session, const Plan& plan, std::uint64_t queries) {
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < queries; ++i) {
    const std::string stream(plan.At(Mix(i) % plan.events()).stream);
    texts.push_back("SELECT * FROM events WHERE stream = '" + stream + "'");
  }
  const Stopwatch watch;
  for (const std::string& text : texts) {
    if (AskSql(session, text).rows == 0) Die("sql: no events of a stream that has some");
  }
  return static_cast<double>(queries) / watch.Seconds();
}

}  // namespace

WorkloadResult RunSql(const RunOptions& options) {
  const std::uint64_t events = options.Scaled(1'000'000, 2'000, kSqlCommit);
  const std::uint64_t queries = options.Scaled(10'000, 100);
  const Plan plan({.events = events,
                   .events_per_commit = kSqlCommit,
                   .streams = options.Scaled(kStreams, 100)});
  const std::filesystem::path directory = FreshDirectory(options, "sql");
  OpenDaybook(directory)->Load(plan);
  const auto reader = Reader::Open(directory, {});
  CheckDaybook(reader.status());
  const auto session = SqlSession::Open(**reader, {});
  CheckDaybook(session.status());
  SqlSession* const sql = session->get();
  const SqlExpected expected = ExpectedOf(plan);
  const auto scan = [&](const char* query, const SqlAnswer& answer) {
    return static_cast<double>(events) * QueryRate(sql, query, answer);
  };

  const std::vector<Contestant> contestants = {
      {"events, counted",
       [&] {
         return scan("SELECT count(*), max(version), sum(length(type)) FROM events",
                     expected.counted);
       }},
      {"events, a sum from their JSON",
       [&] {
         return scan("SELECT sum(json_extract(data, '$.amount')) FROM events", expected.amounts);
       }},
      {"events, by a moment",
       [&] {
         return scan("SELECT count(*) FROM events WHERE effective_at > '2010-01-01T01:00:00+01:00'",
                     expected.moments);
       }},
      {"queries for all of a stream", [&] { return StreamRate(sql, plan, queries); }}};
  WorkloadResult result{.id = "sql",
                        .title = "SQL in the process: scans of all events, and one stream",
                        .unit = "/s",
                        .durability = "reading, checksums verified",
                        .data = std::to_string(events) + " events of 256 bytes in " +
                                std::to_string(plan.streams()) +
                                " streams; `SELECT count(*), max(version), sum(length(type)) FROM "
                                "events`, `SELECT sum(json_extract(data, '$.amount')) FROM "
                                "events`, and `SELECT * FROM events WHERE stream = ...`, each "
                                "from its text on, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants,
            {{contestants[0].name, "", 1'500'000},
             {contestants[1].name, "", 400'000},
             {contestants[3].name, "", 1'000}},
            &result);
  return result;
}

}  // namespace daybook::bench
