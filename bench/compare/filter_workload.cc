// The workload `filter`: a projection that sees one event in a hundred, against one that sees all.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"
#include "compare/sums.h"
#include "daybook/projections.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kOneIn = 100;
constexpr std::uint64_t kFilteredCommit = 1'000;  // events
constexpr std::uint64_t kFilterSalt = 0xF117E8;
constexpr char kRareType[] = "AccountFrozen";
constexpr char kRareCategory[] = "review";
constexpr char kBusyStream[] = "journal-main";

// What each kind of filter selects: one event in kOneIn, spread over the log.
enum Kind : std::size_t { kByType, kByCategory, kByOneStream, kNoFilter, kKinds };

struct FilterLog {
  std::uint64_t events = 0;
  std::uint64_t sums[kKinds] = {};  // of what each kind sees
};

FilterLog WriteFilterLog(Store* store, const Plan& plan) {
  FilterLog log{.events = plan.events()};
  Commit commit;
  for (std::uint64_t i = 0; i < plan.events(); ++i) {
    Event event = plan.At(i);
    const std::uint64_t drawn = Mix(i ^ kFilterSalt);
    const std::uint64_t kind = drawn % kOneIn;
    std::string stream(event.stream);
    if (kind == kByType) event.type = kRareType;
    if (kind == kByCategory) stream = kRareCategory + ("-" + std::to_string(drawn >> 54));
    if (kind == kByOneStream) stream = kBusyStream;
    const std::uint64_t amount = AmountOf(event.data);
    if (kind < kNoFilter) log.sums[kind] += amount;
    log.sums[kNoFilter] += amount;
    CheckDaybook(commit.Add(stream, {.type = event.type, .data = AsBytes(event.data)}));
    if ((i + 1) % kFilteredCommit != 0) continue;
    CheckDaybook(store->Append(commit).status());
    commit.Clear();
  }
  return log;
}

Projection Filtered(Kind kind) {
  Projection projection = SumByStream("filtered");
  if (kind == kByType) projection.filter.types = {kRareType};
  if (kind == kByCategory) projection.filter.category = kRareCategory;
  if (kind == kByOneStream) projection.filter.stream = kBusyStream;
  return projection;
}

// Runs a projection from the first event to the last, in the way of a runner or of a rebuild; each
// time as if it had never been run.
class FilterRace {
 public:
  FilterRace(Store* store, const std::filesystem::path& directory, const FilterLog& log)
      : store_(store), read_models_(directory / "projections"), log_(log) {}

  double Run(Kind kind) {
    const auto projections = Opened();
    const auto runner = projections->Run(Filtered(kind), {});
    CheckDaybook(runner.status());
    const Stopwatch watch;
    CheckDaybook((*runner)->RunUntilCaughtUp());
    return Rate(kind, watch.Seconds(), projections.get());
  }

  double Rebuild(Kind kind) {
    const auto projections = Opened();
    const auto rebuild = projections->StartRebuild(Filtered(kind), {});
    CheckDaybook(rebuild.status());
    const Stopwatch watch;
    CheckDaybook((*rebuild)->Run());
    const double seconds = watch.Seconds();
    CheckDaybook((*rebuild)->Promote());  // one step, however many events there were
    return Rate(kind, seconds, projections.get());
  }

 private:
  [[nodiscard]] std::unique_ptr<Projections> Opened() const {
    std::filesystem::remove_all(read_models_);
    auto projections = Projections::Open(*store_, {});
    CheckDaybook(projections.status());
    return *std::move(projections);
  }
  double Rate(Kind kind, double seconds, Projections* projections) const {
    std::uint64_t sum = 0;
    VisitSums(projections, "filtered",
              [&](const std::string&, std::uint64_t of_stream) { sum += of_stream; });
    if (sum != log_.sums[kind]) Die("filter: other sums than the events");
    return static_cast<double>(log_.events) / seconds;
  }

  Store* const store_;
  const std::filesystem::path read_models_;
  const FilterLog& log_;
};

}  // namespace

WorkloadResult RunFilter(const RunOptions& options) {
  constexpr double kBar = 20;
  const std::uint64_t events = options.Scaled(20'000'000, 20'000, kFilteredCommit);
  const std::filesystem::path directory = FreshDirectory(options, "filter");
  auto store = Store::Open(directory, {.durability = Durability::kBuffered});
  CheckDaybook(store.status());
  const FilterLog log =
      WriteFilterLog(store->get(), Plan({.events = events,
                                         .events_per_commit = kFilteredCommit,
                                         .streams = options.Scaled(kStreams, 100)}));
  CheckDaybook((*store)->Flush());
  FilterRace race(store->get(), directory, log);

  const std::vector<Contestant> contestants = {
      {"run, all events", [&] { return race.Run(kNoFilter); }},
      {"run, 1 % by type", [&] { return race.Run(kByType); }},
      {"run, 1 % by category", [&] { return race.Run(kByCategory); }},
      {"run, 1 % by stream", [&] { return race.Run(kByOneStream); }},
      {"rebuilt, all events", [&] { return race.Rebuild(kNoFilter); }},
      {"rebuilt, 1 % by type", [&] { return race.Rebuild(kByType); }}};
  WorkloadResult result{
      .id = "filter",
      .title = "a projection that a filter leaves one event in a hundred",
      .unit = "events/s",
      .durability =
          "the read model is on the device at the end; events read with checksums "
          "verified",
      .data = std::to_string(events) + " events of 256 bytes in " +
              std::to_string(options.Scaled(kStreams, 100)) +
              " streams, of which 1 % are of a type, 1 % of a category, and 1 % of a stream that "
              "a filter names, spread over the log; a sum by stream; the rate is of the log's "
              "events, page cache warm"};
  RunRounds(options, WarmUp::kYes, contestants,
            {{contestants[1].name, contestants[0].name, kBar},
             {contestants[2].name, contestants[0].name, kBar},
             {contestants[3].name, contestants[0].name, kBar},
             {contestants[5].name, contestants[4].name, kBar}},
            &result);
  return result;
}

}  // namespace daybook::bench
