// SQL in the process: whole scans, in events a second, and one stream.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>

#include "daybook/sql.h"
#include "daybook/store.h"
#include "micro/log_fixture.h"

namespace daybook::bench {
namespace {

// Prepares and runs a query to its end, again and again. `events` is how many it has to look at.
void Ask(benchmark::State& state, const std::string& query, std::uint64_t events) {
  const auto reader = Reader::Open(SharedLog().directory(), {});
  if (!reader.ok()) return state.SkipWithError("the store does not open");
  const auto session = SqlSession::Open(**reader, {});
  if (!session.ok()) return state.SkipWithError("no session");
  for (auto _ : state) {
    auto statement = (*session)->Prepare(query);
    if (!statement.ok()) return state.SkipWithError("the query is wrong");
    for (;;) {
      const auto row = statement->Step();
      if (!row.ok()) return state.SkipWithError("the query failed");
      if (!*row) break;
      benchmark::DoNotOptimize(statement->column(0));
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * events));
}

void SqlCount(benchmark::State& state) {
  Ask(state, "SELECT count(*), max(version), sum(length(type)) FROM events", kFixtureEvents);
}
BENCHMARK(SqlCount)->Unit(benchmark::kMillisecond);

void SqlJson(benchmark::State& state) {
  Ask(state, "SELECT sum(json_extract(data, '$.amount_cents')) FROM events", kFixtureEvents);
}
BENCHMARK(SqlJson)->Unit(benchmark::kMillisecond);

void SqlTimes(benchmark::State& state) {
  Ask(state, "SELECT count(*) FROM events WHERE effective_at > '2010-01-01T01:00:00+01:00'",
      kFixtureEvents);
}
BENCHMARK(SqlTimes)->Unit(benchmark::kMillisecond);

void SqlOneStream(benchmark::State& state) {
  const std::uint64_t events = kFixtureEvents / 2 / kFixtureStreams;
  Ask(state, "SELECT * FROM events WHERE stream = '" + FixtureStream(1) + "'", events);
}
BENCHMARK(SqlOneStream)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace daybook::bench
