// W8: a per-stream sum rebuilt into its read model, against the same loop over SQLite.

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"
#include "compare/sums.h"
#include "daybook/projections.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

using Sums = EventStore::Sums;

// Rebuilds, each time into a new generation that is promoted.
class Rebuilder {
 public:
  explicit Rebuilder(const std::filesystem::path& directory) {
    auto store = Store::Open(directory, {.durability = Durability::kBuffered});
    CheckDaybook(store.status());
    store_ = *std::move(store);
    auto projections = Projections::Open(*store_, {});
    CheckDaybook(projections.status());
    projections_ = *std::move(projections);
  }

  // Seconds.
  double Rebuild(unsigned threads) const {
    const Stopwatch watch;
    const auto rebuild = projections_->StartRebuild(SumByStream("sums"), {.threads = threads});
    CheckDaybook(rebuild.status());
    CheckDaybook((*rebuild)->Run());
    CheckDaybook((*rebuild)->Promote());
    return watch.Seconds();
  }

  // Calls `visit` with each stream and its sum.
  template <class Visit>
  void Read(const Visit& visit) const {
    VisitSums(projections_.get(), "sums", visit);
  }

 private:
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projections> projections_;
};

void CheckSums(const std::string& who, const Sums& sums, const Sums& expected) {
  if (sums != expected) Die(who + " has other sums than the events");
}

// A number of KiB that a file of /proc tells under this name.
std::uint64_t KibOf(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    std::uint64_t kib = 0;
    if (word == name && in >> kib) return kib;
  }
  Die("no " + name + " in " + file);
}

// The most memory that the process has of its own while this lives, with what the system has still
// to write to its files: a machine that does something else as well makes that too large.
class PeakMemory {
 public:
  PeakMemory() : before_(Dirty()), thread_([this] { Watch(); }) {}
  // MiB.
  double Stop() {
    stop_ = true;
    thread_.join();
    std::fprintf(stderr, "W8M: peak of %.0f MiB, of that %.0f to be written by the system\n",
                 Mib(peak_), Mib(dirty_at_peak_));
    return Mib(peak_);
  }

 private:
  static std::uint64_t Dirty() {
    return KibOf("/proc/meminfo", "Dirty:") + KibOf("/proc/meminfo", "Writeback:");
  }
  void Watch() {
    while (!stop_) {
      const std::uint64_t now = Dirty(), dirty = now > before_ ? now - before_ : 0;
      const std::uint64_t all = KibOf("/proc/self/status", "RssAnon:") + dirty;
      if (all > peak_) {
        peak_ = all;
        dirty_at_peak_ = dirty;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  static double Mib(std::uint64_t kib) { return static_cast<double>(kib) / 1024; }

  const std::uint64_t before_;
  std::uint64_t peak_ = 0, dirty_at_peak_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

constexpr std::uint64_t kRebuiltCommit = 1'000;  // events

// Fills a store with a plan that nothing is left of afterwards; the sum over all events.
std::uint64_t Fill(const std::filesystem::path& directory, const PlanOptions& options) {
  const Plan plan(options);
  OpenDaybook(directory)->Load(plan);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < plan.events(); ++i) sum += AmountOf(plan.At(i).data);
  return sum;
}

}  // namespace

WorkloadResult RunW8(const RunOptions& options) {
  const std::uint64_t events = options.Scaled(10'000'000, 2'000, kRebuiltCommit);
  const Plan plan({.events = events,
                   .events_per_commit = kRebuiltCommit,
                   .streams = options.Scaled(kStreams, 100)});
  const Sums expected = plan.ExpectedSums();
  const std::filesystem::path ours = FreshDirectory(options, "W8-daybook");
  const std::filesystem::path theirs = FreshDirectory(options, "W8-sqlite");
  OpenDaybook(ours)->Load(plan);
  OpenSqlite(theirs)->Load(plan);
  const Rebuilder daybook(ours);
  const std::unique_ptr<EventStore> sqlite = OpenSqlite(theirs);

  const auto rate = [&](double seconds) { return static_cast<double>(events) / seconds; };
  const auto rebuild = [&](unsigned threads) {
    const double seconds = daybook.Rebuild(threads);
    Sums sums;
    daybook.Read([&](const std::string& stream, std::uint64_t sum) { sums.emplace(stream, sum); });
    CheckSums("Daybook", sums, expected);
    return rate(seconds);
  };
  const std::vector<Contestant> contestants = {{"Daybook, 1 thread", [&] { return rebuild(1); }},
                                               {"Daybook, 2 threads", [&] { return rebuild(2); }},
                                               {"SQLite", [&] {
                                                  const Stopwatch watch;
                                                  sqlite->SumByStream();
                                                  const double seconds = watch.Seconds();
                                                  CheckSums("SQLite", sqlite->ReadSums(), expected);
                                                  return rate(seconds);
                                                }}};
  WorkloadResult result{.id = "W8",
                        .title = "rebuild a per-stream sum into its read model",
                        .unit = "events/s",
                        .durability =
                            "the read model is on the device at the end; events read with "
                            "checksums verified",
                        .data = std::to_string(events) + " events of 256 bytes in " +
                                std::to_string(plan.streams()) + " streams, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants,
            {{contestants[0].name, contestants[2].name, 5},
             {contestants[1].name, contestants[0].name, 1.6}},
            &result);
  return result;
}

WorkloadResult RunW8Memory(const RunOptions& options) {
  constexpr double kAllowedMib = 512;
  // The bar is about so many, at whatever scale.
  const std::uint64_t events = options.smoke ? 2'000 : 10'000'000;
  // What a peak is does not rest on who else runs: one round tells it.
  RunOptions once = options;
  once.pairs = 1;
  const std::filesystem::path directory = FreshDirectory(options, "W8M");
  const std::uint64_t expected = Fill(directory, {.events = events,
                                                  .events_per_commit = kRebuiltCommit,
                                                  .streams = events,
                                                  .order = Order::kRounds});
  // What the plan and the workloads before took is free, but the allocator keeps it.
  malloc_trim(0);
  const Rebuilder daybook(directory);
  const auto room = [&](unsigned threads) {
    PeakMemory peak;
    daybook.Rebuild(threads);
    const double mib = peak.Stop();
    std::uint64_t rows = 0, total = 0;
    daybook.Read([&](const std::string&, std::uint64_t sum) {
      ++rows;
      total += sum;
    });
    if (rows != events || total != expected) Die("Daybook has other sums than the events");
    return kAllowedMib / mib;
  };
  const std::vector<Contestant> contestants = {{"Daybook, 1 thread", [&] { return room(1); }},
                                               {"Daybook, 2 threads", [&] { return room(2); }}};
  WorkloadResult result{
      .id = "W8M",
      .title =
          "rebuild a read model that does not fit into memory: how often its peak of memory "
          "goes into 512 MiB",
      .unit = "times",
      .durability = "the read model is on the device at the end",
      .data = std::to_string(events) +
              " events, each in a stream of its own, so as many rows; "
              "memory is RssAnon and what the system has yet to write; one rebuild on each number "
              "of threads, at any scale"};
  RunRounds(once, WarmUp::kNo, contestants,
            {{contestants[0].name, "", 1}, {contestants[1].name, "", 1}}, &result);
  return result;
}

}  // namespace daybook::bench
