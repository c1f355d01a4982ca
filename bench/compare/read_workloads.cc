// W5 and W6: reading everything, and loading streams. The page cache is warm for all.

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"

namespace daybook::bench {
namespace {

using Open = std::function<std::unique_ptr<EventStore>(const std::filesystem::path&)>;

// A new store that holds the plan, closed and opened again.
std::unique_ptr<EventStore> Loaded(const RunOptions& options, const std::string& name,
                                   const Plan& plan, const Open& open) {
  const std::filesystem::path directory = FreshDirectory(options, name);
  open(directory)->Load(plan);
  return open(directory);
}

std::unique_ptr<EventStore> OpenSqliteByStream(const std::filesystem::path& directory) {
  return OpenSqlite(directory, SqliteLayout::kByStream);
}

std::string Number(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace

WorkloadResult RunW5(const RunOptions& options) {
  constexpr std::uint64_t kPasses = 3;
  const Plan plan({.events = options.Scaled(2'000'000, 2'000, 1'000), .events_per_commit = 1'000});
  const Seen expected = plan.Expected();
  std::vector<std::pair<std::string, Open>> opens = {{"Daybook", OpenDaybook},
                                                     {"SQLite", OpenSqliteByPosition}};
  std::vector<Comparison> comparisons = {{"Daybook", "SQLite", 3}, {"Daybook", "limit", 0.4}};
  if (HasRocksdb()) {
    opens.emplace_back("RocksDB", OpenRocksdb);
    comparisons.push_back({"Daybook", "RocksDB", 4});
  }

  std::vector<std::unique_ptr<EventStore>> stores;
  std::vector<Contestant> contestants;
  for (const auto& [name, open] : opens) {
    stores.push_back(Loaded(options, name, plan, open));
    contestants.push_back({name, [&expected, who = name, store = stores.back().get()] {
                             const Stopwatch watch;
                             for (std::uint64_t i = 0; i < kPasses; ++i) {
                               CheckSeen(who, store->ReadAll(), expected);
                             }
                             return static_cast<double>(kPasses * expected.events) /
                                    watch.Seconds();
                           }});
  }
  const LogHasher hasher(options.directory / "Daybook");
  contestants.insert(contestants.begin() + 1,
                     {"limit", [&] {
                        return static_cast<double>(kPasses * expected.events) /
                               hasher.SecondsToHash(kPasses);
                      }});

  WorkloadResult result{
      .id = "W5",
      .title = "read all, verified",
      .unit = "events/s",
      .durability = "reading; checksums verified by Daybook and RocksDB, SQLite has none",
      .data = Number(plan.events()) + " events of 256 bytes in 100,000 streams, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants, comparisons, &result);
  return result;
}

WorkloadResult RunW6(const RunOptions& options) {
  constexpr std::uint64_t kEventsPerStream = 10;
  const std::uint64_t streams = options.Scaled(1'000'000, 1'000, 1'000);
  const std::uint64_t loads = options.Scaled(100'000, 1'000);
  const Plan plan({.events = streams * kEventsPerStream,
                   .events_per_commit = 1'000,
                   .streams = streams,
                   .order = Order::kRounds});
  std::vector<std::unique_ptr<EventStore>> stores;
  std::vector<Contestant> contestants;
  std::map<std::uint64_t, Seen> agreed;  // what each round's streams hold: who comes first says it
  std::vector<std::uint64_t> rounds(3);
  for (const auto& [name, open] : {std::pair<std::string, Open>{"Daybook", OpenDaybook},
                                   {"SQLite", OpenSqliteByPosition},
                                   {"SQLite by stream", OpenSqliteByStream}}) {
    stores.push_back(Loaded(options, name, plan, open));
    std::uint64_t* round = &rounds[stores.size() - 1];
    contestants.push_back({name, [&, round, who = name, store = stores.back().get()] {
                             std::mt19937_64 random(
                                 ++*round);  // each round other streams, the same for all
                             std::vector<std::string> names;
                             for (std::uint64_t i = 0; i < loads; ++i)
                               names.push_back(StreamName(random() % streams));
                             Seen seen;
                             const Stopwatch watch;
                             for (const std::string& stream : names) {
                               const Seen one = store->ReadStream(stream);
                               seen.events += one.events;
                               seen.payload_bytes += one.payload_bytes;
                               seen.sum += one.sum;
                             }
                             const double seconds = watch.Seconds();
                             CheckSeen(who, seen, agreed.try_emplace(*round, seen).first->second);
                             if (seen.events != loads * kEventsPerStream)
                               Die(who + ": streams have lost events");
                             return static_cast<double>(loads) / seconds;
                           }});
  }

  WorkloadResult result{.id = "W6",
                        .title = "load a random stream of 10 among 1,000,000",
                        .unit = "streams/s",
                        .durability = "reading; checksums verified by Daybook, SQLite has none",
                        .data = Number(loads) + " loads among " + Number(streams) +
                                " streams of 10 events of 256 bytes, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants,
            {{"Daybook", "SQLite", 3}, {"Daybook", "SQLite by stream", 1}}, &result);
  return result;
}

}  // namespace daybook::bench
