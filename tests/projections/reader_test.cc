// What readers see while a projection runs: at every checkpoint the rows of that checkpoint, no
// more and no fewer.

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "projections/projection_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

using std::chrono_literals::operator""s;

constexpr int kEvents = 4000;
constexpr int kStreams = 40;

// The chains of the category "acct" at each position, from the log alone.
std::vector<std::uint64_t> SumsOfLog(const Reader& reader) {
  std::vector<std::uint64_t> sums = {0};
  Chains chains;
  std::uint64_t sum = 0;
  auto cursor = reader.Read({});
  REQUIRE_OK(cursor);
  REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
    if (CategoryOf(event.stream) == "acct") {
      Chain& chain = chains[std::string(event.stream)];
      sum -= chain.hash;
      Link(event, &chain);
      sum += chain.hash;
    }
    sums.push_back(sum);
    return absl::OkStatus();
  }));
  return sums;
}

std::uint64_t SumOf(const ReadSnapshot& snapshot) {
  std::uint64_t sum = 0;
  const auto chains = ChainsOf(snapshot);
  if (!chains.ok()) return 0;
  for (const auto& [key, chain] : *chains) sum += chain.hash;
  return sum;
}

}  // namespace

TEST_CASE("every snapshot that a reader takes holds the rows of its checkpoint", "[reader]") {
  const TempFolder folder;
  const auto opened = Store::Open(folder.path() / "store", SmallSegments());
  REQUIRE_OK(opened);
  Store& store = **opened;
  REQUIRE_OK(AppendMany(&store, kEvents, kStreams, 20));
  const std::vector<std::uint64_t> sums = SumsOfLog(store);
  auto projections = Projections::Open(store, {});
  REQUIRE_OK(projections);
  Projection projection = ChainProjection("chains");
  projection.filter.category = "acct";
  RunnerOptions options;
  options.batch_events_max = 7;
  auto runner = (*projections)->Run(std::move(projection), options);
  REQUIRE_OK(runner);
  auto model = (*projections)->OpenModel("chains");
  REQUIRE_OK(model);

  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> looks = 0, wrong = 0, backwards = 0;
  std::thread reader([&] {
    Position last;
    while (!done) {
      const auto snapshot = (*model)->Read();
      if (!snapshot.ok()) continue;
      if (SumOf(*snapshot) != sums[snapshot->position().value()]) ++wrong;
      if (snapshot->position() < last) ++backwards;
      last = snapshot->position();
      ++looks;
    }
  });
  const absl::Status run = (*runner)->RunUntilCaughtUp();
  done = true;
  reader.join();
  CHECK_OK(run);
  CHECK(wrong == 0);
  CHECK(backwards == 0);
  CHECK(looks > 10);
  const auto last = (*model)->AtLeast(store.durable(), 1s);
  REQUIRE_OK(last);
  CHECK(SumOf(*last) == sums[kEvents]);
}

}  // namespace daybook::testing
