// Hops along links and look-ups in sidecars, without touching the log.

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "index/links.h"
#include "index/segment_index.h"
#include "micro/log_fixture.h"
#include "read/link_walker.h"

namespace daybook::bench {
namespace {

void FindSkipVersion(benchmark::State& state) {
  std::uint64_t version = 1;
  for (auto _ : state) benchmark::DoNotOptimize(SkipVersion(version++));
}
BENCHMARK(FindSkipVersion);

// A random version of the long stream, from its head.
void SearchLinks(benchmark::State& state) {
  const LogFixture& log = SharedLog();
  LinkWalker walker(log.segments());
  LinkWalker::Node head;
  if (!walker.Load(log.last_of_long_stream(), &head).ok()) return state.SkipWithError("no head");
  std::mt19937_64 random(1);
  const std::uint64_t before = walker.loads();
  for (auto _ : state) {
    const auto position = walker.PositionOf(head.position, random() % head.version + 1);
    if (!position.ok()) return state.SkipWithError("a walk failed");
    benchmark::DoNotOptimize(*position);
  }
  state.counters["links"] = benchmark::Counter(static_cast<double>(walker.loads() - before),
                                               benchmark::Counter::kAvgIterations);
}
BENCHMARK(SearchLinks);

void FindHeadInSidecar(benchmark::State& state) {
  const Sidecar& sidecar = *SharedLog().sidecars().back();
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t i = 1; i <= kFixtureStreams; ++i)
    hashes.push_back(StreamHash(FixtureStream(i)));
  std::vector<std::uint32_t> locals;
  std::size_t next = 0;
  for (auto _ : state) {
    locals.clear();
    sidecar.FindHead(hashes[next++ % hashes.size()], &locals);
    benchmark::DoNotOptimize(locals.data());
  }
}
BENCHMARK(FindHeadInSidecar);

void MissHeadInSidecar(benchmark::State& state) {
  const Sidecar& sidecar = *SharedLog().sidecars().back();
  std::vector<std::uint32_t> locals;
  std::uint64_t hash = StreamHash("account-none");
  for (auto _ : state) {
    locals.clear();
    sidecar.FindHead(hash++ * 0x9e3779b97f4a7c15, &locals);
    benchmark::DoNotOptimize(locals.data());
  }
}
BENCHMARK(MissHeadInSidecar);

void FindTypeInSidecar(benchmark::State& state) {
  const Sidecar& sidecar = *SharedLog().sidecars().back();
  for (auto _ : state) benchmark::DoNotOptimize(sidecar.FindType("Withdrawn"));
}
BENCHMARK(FindTypeInSidecar);

}  // namespace
}  // namespace daybook::bench
