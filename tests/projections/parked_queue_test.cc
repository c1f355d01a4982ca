// A hundred thousand events that wait behind one: how much memory that takes, and that they are
// handled in order.

#include <chrono>
#include <fstream>
#include <string>

#include "projections/projection_testing.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

constexpr int kQueued = 100'000;
constexpr std::uint64_t kGrowthMax = std::uint64_t{128} << 20;

// Of this process, in bytes.
std::uint64_t AnonymousMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) << 10;
  }
  return 0;
}

}  // namespace

TEST_CASE("a queue of 100,000 parked events takes little memory, and is handled in order",
          "[queue]") {
  const TempFolder folder;
  auto store = Store::Open(folder.path() / "store", {});
  REQUIRE_OK(store);
  REQUIRE_OK(AppendMany(store->get(), kQueued, 1, 1000));
  auto projections = Projections::Open(**store, {});
  REQUIRE_OK(projections);
  bool fails = true;
  std::uint64_t peak = 0;
  Projection projection = ChainProjection("p", [&](const EventView& event) {
    if (event.position.value() % 1000 == 0) peak = std::max(peak, AnonymousMemory());
    return fails && event.position == Position(1) ? absl::InvalidArgumentError("not yet")
                                                  : absl::OkStatus();
  });
  projection.on_poison = OnPoison::kParkByKey;
  projection.parking.retry_first = std::chrono::hours(1);
  projection.parking.retry_max = std::chrono::hours(1);
  const auto runner = (*projections)->Run(projection, {});
  REQUIRE_OK(runner);

  const std::uint64_t before = AnonymousMemory();
  const auto began = std::chrono::steady_clock::now();
  while ((*runner)->checkpoint() < Position(kQueued)) {
    REQUIRE_OK((*runner)->Step());
    peak = std::max(peak, AnonymousMemory());
  }
  CHECK((*runner)->status().parked == kQueued);
  const auto parked = std::chrono::steady_clock::now();
  fails = false;
  const auto retried = (*runner)->RetryAll();
  REQUIRE_OK(retried);
  const auto ended = std::chrono::steady_clock::now();
  CHECK(retried->handled == kQueued);
  CHECK(retried->parked == 0);
  const auto model = (*projections)->OpenModel("p");
  REQUIRE_OK(model);
  CHECK(ChainsOf((*model)->Read().value()).value() == ChainsOfLog(**store).value());
  CHECK(before > 0);
  CHECK(peak < before + kGrowthMax);
  const auto milliseconds = [](auto time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  };
  Counted("projections.parked_queue")
      .Add("events", kQueued)
      .Add("grown_kib", (std::max(peak, before) - before) >> 10)
      .Add("park_ms", milliseconds(parked - began))
      .Add("retry_ms", milliseconds(ended - parked))
      .Print();
  // Each event once: not each time from the front.
  CHECK(ended - parked < std::chrono::minutes(2));
}

}  // namespace daybook::testing
