// W7: one event of a long stream, by version and by recorded time, against the same in a short one.

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

constexpr char kLong[] = "account-long";
constexpr char kShort[] = "account-short";
constexpr std::uint64_t kEventsOfOneTime = 8;  // so that many events have times of their own

// The stream's events as they were recorded: times[v - 1] is that of version v.
struct Recorded {
  std::string stream;
  std::vector<Timestamp> times;
};

void AppendTo(Store* store, Recorded* recorded, std::uint64_t events) {
  const Plan plan({.events = events, .events_per_commit = kEventsOfOneTime});
  Commit commit;
  for (std::uint64_t c = 0; c < plan.commits(); ++c) {
    commit.Clear();
    for (std::uint64_t i = 0; i < kEventsOfOneTime; ++i) {
      const Event event = plan.At(c * kEventsOfOneTime + i);
      CheckDaybook(commit.Add(recorded->stream, {.type = event.type, .data = AsBytes(event.data)}));
    }
    const absl::StatusOr<AppendResult> result = store->Append(commit);
    CheckDaybook(result.status());
    for (const AppendedEvent& event : result->events) recorded->times.push_back(event.recorded_at);
  }
}

// Look-ups a second, each of an event drawn at random.
class Traveller {
 public:
  Traveller(const Store* store, const Recorded* recorded, std::uint64_t lookups)
      : store_(store), recorded_(recorded), lookups_(lookups) {}

  double ByVersion() {
    return Rate([this](std::uint64_t version) {
      const absl::StatusOr<EventHandle> event =
          store_->EventAt(recorded_->stream, Version(version));
      CheckDaybook(event.status());
      return (*event)->version.value();
    });
  }

  double ByTime() {
    return Rate([this](std::uint64_t version) {
      const AsOf moment = AsOf::RecordedAt(recorded_->times[version - 1]);
      const absl::StatusOr<StreamInfo> head = store_->Head(recorded_->stream, moment);
      CheckDaybook(head.status());
      const absl::StatusOr<EventHandle> event = store_->EventAt(head->last_position);
      CheckDaybook(event.status());
      const std::uint64_t found = (*event)->version.value();
      // The last event of a commit stands for all that were recorded with it.
      if (found < version || recorded_->times[found - 1] != moment.recorded_at)
        Die("W7: a wrong moment");
      return version;
    });
  }

 private:
  template <class Find>
  double Rate(const Find& find) {
    std::vector<std::uint64_t> versions(lookups_);
    for (std::uint64_t& version : versions) version = random_() % recorded_->times.size() + 1;
    const Stopwatch watch;
    for (const std::uint64_t version : versions) {
      if (find(version) != version) Die("W7: a wrong version");
    }
    return static_cast<double>(lookups_) / watch.Seconds();
  }

  const Store* store_;
  const Recorded* recorded_;
  std::uint64_t lookups_;
  std::mt19937_64 random_{7};
};

}  // namespace

WorkloadResult RunW7(const RunOptions& options) {
  const std::uint64_t events = options.Scaled(1'000'000, 8'000, kEventsOfOneTime);
  const std::uint64_t lookups = options.Scaled(200'000, 1'000);
  StoreOptions store_options{.durability = Durability::kBuffered};
  store_options.segment_bytes_max = options.Scaled(32 << 20, 128 << 10, 4096);
  const std::filesystem::path directory = FreshDirectory(options, "W7");
  auto store = Store::Open(directory, store_options);
  CheckDaybook(store.status());
  Recorded many{.stream = kLong, .times = {}}, few{.stream = kShort, .times = {}};
  AppendTo(store->get(), &many, events / 2 / kEventsOfOneTime * kEventsOfOneTime);
  AppendTo(store->get(), &few, 1'000);
  AppendTo(store->get(), &many, events - many.times.size());
  store->reset();
  store = Store::Open(directory, store_options);
  CheckDaybook(store.status());
  const absl::StatusOr<StoreStats> stats = (*store)->Stats();
  CheckDaybook(stats.status());
  if (stats->segments < 8) Die("W7: the stream lies over fewer than 8 segments");

  Traveller far(store->get(), &many, lookups), near(store->get(), &few, lookups);
  const std::vector<Contestant> contestants = {
      {"1,000,000, by version", [&] { return far.ByVersion(); }},
      {"1,000, by version", [&] { return near.ByVersion(); }},
      {"1,000,000, by time", [&] { return far.ByTime(); }},
      {"1,000, by time", [&] { return near.ByTime(); }}};
  WorkloadResult result{.id = "W7",
                        .title = "event at a version and at a recorded time of a long stream",
                        .unit = "events/s",
                        .durability = "reading, checksums verified",
                        .data = "streams of " + std::to_string(many.times.size()) +
                                " and of 1000 events of "
                                "256 bytes over " +
                                std::to_string(stats->segments) + " segments, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants,
            {{contestants[0].name, contestants[1].name, 1.0 / 6},
             {contestants[2].name, contestants[3].name, 1.0 / 6},
             {contestants[0].name, "", 100'000},
             {contestants[2].name, "", 100'000}},
            &result);
  return result;
}

}  // namespace daybook::bench
