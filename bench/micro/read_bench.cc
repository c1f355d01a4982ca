// Cursors and single events, as a user reads them.

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <utility>

#include "daybook/store.h"
#include "micro/log_fixture.h"

namespace daybook::bench {
namespace {

// Events given by cursors of these options, one after another.
void Drain(benchmark::State& state, const ReadOptions& options) {
  const auto reader = Reader::Open(SharedLog().directory(), {});
  if (!reader.ok()) return state.SkipWithError("the store does not open");
  auto cursor = (*reader)->Read(options);
  if (!cursor.ok()) return state.SkipWithError("no cursor");
  for (auto _ : state) {
    auto event = cursor->Next();
    if (event.ok() && *event == nullptr) {
      state.PauseTiming();
      cursor = (*reader)->Read(options);
      state.ResumeTiming();
    }
    if (!cursor.ok() || !event.ok()) return state.SkipWithError("a read failed");
    benchmark::DoNotOptimize(*event);
  }
  state.SetItemsProcessed(state.iterations());
}

void NextOfAll(benchmark::State& state) { Drain(state, {}); }
BENCHMARK(NextOfAll);

void NextOfLongStream(benchmark::State& state) { Drain(state, {.stream = FixtureStream(0)}); }
BENCHMARK(NextOfLongStream);

void NextOfType(benchmark::State& state) { Drain(state, {.types = {"Withdrawn"}}); }
BENCHMARK(NextOfType);

void EventAtVersion(benchmark::State& state) {
  const auto reader = Reader::Open(SharedLog().directory(), {});
  if (!reader.ok()) return state.SkipWithError("the store does not open");
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const Version version(random() % (kFixtureEvents / 2) + 1);
    const auto event = (*reader)->EventAt(FixtureStream(0), version);
    if (!event.ok()) return state.SkipWithError("a read failed");
    benchmark::DoNotOptimize(event->operator->());
  }
}
BENCHMARK(EventAtVersion);

}  // namespace
}  // namespace daybook::bench
