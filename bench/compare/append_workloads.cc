// W1 to W4: durable appends.

#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"

namespace daybook::bench {
namespace {

using Open = std::function<std::unique_ptr<EventStore>(const std::filesystem::path&)>;

constexpr char kDurability[] =
    "every commit on the device when the append returns (Daybook kSync, SQLite WAL with "
    "synchronous=FULL, "
    "RocksDB sync=true, LMDB default sync)";

std::string DataOf(std::uint64_t commits, std::uint64_t events_per_commit, std::uint64_t threads) {
  return std::to_string(commits * threads) + " commits of " + std::to_string(events_per_commit) +
         (events_per_commit == 1 ? " event" : " events") + " of 256 bytes to 100,000 streams, " +
         (threads == 1 ? "1 thread" : std::to_string(threads) + " threads") +
         ", new store each run";
}

// Appends each plan with a thread of its own to a new store and checks what the store then holds.
// Events a second.
double AppendRate(const RunOptions& options, const std::string& name,
                  const std::vector<std::unique_ptr<Plan>>& plans, const Open& open) {
  const std::filesystem::path directory = FreshDirectory(options, name);
  std::unique_ptr<EventStore> store = open(directory);
  std::vector<std::unique_ptr<Appender>> appenders;
  for (std::size_t i = 0; i < plans.size(); ++i) appenders.push_back(store->NewAppender());
  SettleDisk(directory);

  std::uint64_t events = 0;
  std::vector<std::thread> threads;
  std::latch start(static_cast<std::ptrdiff_t>(plans.size()));
  for (std::size_t i = 1; i < plans.size(); ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (std::uint64_t c = 0; c < plans[i]->commits(); ++c) appenders[i]->Append(*plans[i], c);
    });
  }
  start.arrive_and_wait();
  const Stopwatch watch;
  for (std::uint64_t c = 0; c < plans[0]->commits(); ++c) appenders[0]->Append(*plans[0], c);
  for (std::thread& thread : threads) thread.join();
  const double seconds = watch.Seconds();

  appenders.clear();
  store.reset();
  Seen expected;
  for (const auto& plan : plans) {
    const Seen part = plan->Expected();
    events += part.events;
    expected.events += part.events;
    expected.payload_bytes += part.payload_bytes;
    expected.sum += part.sum;
  }
  CheckSeen(name, open(directory)->ReadAll(), expected);
  return static_cast<double>(events) / seconds;
}

// The contestants of one workload: they share the plans.
class AppendRace {
 public:
  AppendRace(const RunOptions& options, std::uint64_t commits, std::uint64_t events_per_commit,
             std::uint64_t threads = 1)
      : options_(options), commits_(commits), events_per_commit_(events_per_commit) {
    for (std::uint64_t t = 0; t < threads; ++t) {
      plans_.push_back(std::make_unique<Plan>(PlanOptions{.events = commits * events_per_commit,
                                                          .events_per_commit = events_per_commit,
                                                          .streams = kStreams / threads,
                                                          .first_stream = kStreams / threads * t}));
    }
  }

  void Add(const std::string& name, Open open) {
    contestants_.push_back({name, [this, name, open = std::move(open)] {
                              return AppendRate(options_, name, plans_, open);
                            }});
  }
  // Daybook, which also tells the limit how many bytes there are to write.
  void AddDaybook() {
    contestants_.push_back({"Daybook", [this] {
                              const double rate =
                                  AppendRate(options_, "Daybook", plans_, OpenDaybook);
                              bytes_ = LogBytes(options_.directory / "Daybook") / commits_;
                              return rate;
                            }});
  }
  void AddLimit() {
    contestants_.push_back({"limit", [this] {
                              const auto directory = FreshDirectory(options_, "limit");
                              return static_cast<double>(commits_ * events_per_commit_) /
                                     SecondsToWrite(directory, commits_, bytes_);
                            }});
  }
  void AddOther(Contestant contestant) { contestants_.push_back(std::move(contestant)); }

  WorkloadResult Run(std::string id, std::string title,
                     const std::vector<Comparison>& comparisons) {
    WorkloadResult result{.id = std::move(id),
                          .title = std::move(title),
                          .unit = "events/s",
                          .durability = kDurability,
                          .data = DataOf(commits_, events_per_commit_, plans_.size())};
    RunRounds(options_, WarmUp::kNo, contestants_, comparisons, &result);
    return result;
  }

 private:
  const RunOptions& options_;
  std::uint64_t commits_, events_per_commit_;
  std::uint64_t bytes_ = 0;  // of a commit in the log
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<Contestant> contestants_;
};

}  // namespace

WorkloadResult RunW1(const RunOptions& options) {
  AppendRace race(options, options.Scaled(20'000, 100), 1);
  race.AddDaybook();
  race.AddLimit();
  race.Add("SQLite", OpenSqliteByPosition);
  race.Add("LMDB alone", OpenLmdb);
  return race.Run(
      "W1", "durable append, 1 thread, 1 event a commit",
      {{"Daybook", "limit", 0.9}, {"Daybook", "SQLite", 1.0}, {"Daybook", "LMDB alone", 1.5}});
}

WorkloadResult RunW2(const RunOptions& options) {
  AppendRace race(options, options.Scaled(5'000, 20), 100);
  std::vector<Comparison> comparisons = {{"Daybook", "SQLite", 5}};
  race.AddDaybook();
  race.Add("SQLite", OpenSqliteByPosition);
  if (HasRocksdb()) {
    race.Add("RocksDB", OpenRocksdb);
    comparisons.push_back({"Daybook", "RocksDB", 6});
  }
  return race.Run("W2", "durable append, 1 thread, 100 events a commit", comparisons);
}

WorkloadResult RunW3(const RunOptions& options) {
  AppendRace race(options, options.Scaled(1'000, 4), 1000);
  std::vector<Comparison> comparisons = {{"Daybook", "limit", 0.5}, {"Daybook", "SQLite", 15}};
  race.AddDaybook();
  race.AddLimit();
  race.Add("SQLite", OpenSqliteByPosition);
  if (HasRocksdb()) {
    race.Add("RocksDB", OpenRocksdb);
    comparisons.push_back({"Daybook", "RocksDB", 15});
  }
  race.Add("SQLite by stream", [](const std::filesystem::path& directory) {
    return OpenSqlite(directory, SqliteLayout::kByStream);
  });
  comparisons.push_back({"Daybook", "SQLite by stream", 30});
  return race.Run("W3", "durable append, 1 thread, 1000 events a commit", comparisons);
}

WorkloadResult RunW4(const RunOptions& options) {
  constexpr std::uint64_t kThreads = 16;
  AppendRace race(options, options.Scaled(5'000, 20), 1, kThreads);
  race.AddDaybook();

  std::vector<std::unique_ptr<Plan>> plans;
  plans.push_back(std::make_unique<Plan>(PlanOptions{.events = options.Scaled(10'000, 100)}));
  race.AddOther({"Daybook, 1 thread",
                 [&] { return AppendRate(options, "Daybook, 1 thread", plans, OpenDaybook); }});
  race.Add("SQLite, mutex", OpenSqliteByPosition);
  race.Add("SQLite, connections", [](const std::filesystem::path& directory) {
    return OpenSqlite(directory, SqliteLayout::kByPosition, SqliteThreads::kConnections);
  });
  return race.Run("W4", "durable append, 16 threads, 1 event a commit",
                  {{"Daybook", "Daybook, 1 thread", 8},
                   {"Daybook", "SQLite, mutex", 8},
                   {"Daybook", "SQLite, connections", 8}});
}

}  // namespace daybook::bench
