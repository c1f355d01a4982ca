#include "projections/worked_projection.h"

#include <map>
#include <set>
#include <utility>

#include "projections/projection_testing.h"

namespace daybook::testing {
namespace {

// The events of one stream, as the log has them.
struct Logged {
  std::uint64_t position = 0;
  EventId id;
  bool is_good = false, is_hopeless = false;
};
using Log = std::map<std::string, std::vector<Logged>>;

absl::StatusOr<Log> LogUpTo(const Reader& reader, Position upto) {
  Log log;
  if (upto == Position(0)) return log;
  auto cursor = reader.Read({.category = "acct", .to_position = upto});
  if (!cursor.ok()) return cursor.status();
  const absl::Status read = cursor->ForEach([&](const EventView& event) {
    const bool is_hopeless = event.type == kHopeless;
    log[std::string(event.stream)].push_back(
        {event.position.value(), event.id, event.type != kHealable && !is_hopeless, is_hopeless});
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return log;
}

std::string At(const std::string& stream, std::uint64_t position) {
  return stream + ", position " + std::to_string(position);
}

// One stream: `parked` are its parked positions. Its chain goes to `chain`.
std::string CheckStream(const std::string& stream, const std::vector<Logged>& events,
                        std::set<std::uint64_t> parked, const std::set<std::uint64_t>& skips,
                        Chain* chain, WorkedCounts* counts) {
  const std::uint64_t first = parked.empty() ? UINT64_MAX : *parked.begin();
  bool may_be_good = false;  // what waited behind an event that was skipped still waits
  for (const Logged& event : events) {
    if (parked.erase(event.position) != 0) {
      ++counts->parked;
      if (event.position == first && event.is_good && !may_be_good) {
        return At(stream, first) + ": parked, but good";
      }
      continue;
    }
    if (event.is_hopeless) {
      if (!skips.contains(event.position)) return At(stream, event.position) + ": passed over";
      ++counts->skipped;
      may_be_good = true;
      continue;
    }
    if (event.position > first) return At(stream, event.position) + ": overtook a parked event";
    EventView view;
    view.position = Position(event.position);
    view.id = event.id;
    Link(view, chain);
    ++counts->events;
  }
  return parked.empty() ? "" : At(stream, *parked.begin()) + ": parked, but no event of it";
}

}  // namespace

Projection WorkedProjection(bool mended) {
  Projection projection = ChainProjection(kWorked, [mended](const EventView& event) {
    if (event.type == kHopeless || (event.type == kHealable && !mended)) {
      return absl::InvalidArgumentError("the event cannot be handled");
    }
    return absl::OkStatus();
  });
  projection.filter.category = "acct";
  projection.on_poison = OnPoison::kParkByKey;
  projection.parking.retries = 2;
  projection.parking.retry_first = std::chrono::milliseconds(1);
  projection.parking.retry_max = std::chrono::milliseconds(2);
  return projection;
}

std::string CheckWorked(const Reader& reader, Projections* projections, WorkedCounts* counts) {
  const auto model = projections->OpenModel(kWorked);
  if (absl::IsNotFound(model.status())) return "";  // killed before its first run
  if (!model.ok()) return "the model: " + model.status().ToString();
  const auto snapshot = (*model)->Read();
  if (!snapshot.ok()) return "the snapshot: " + snapshot.status().ToString();
  const auto keys = projections->Parked(kWorked);
  if (!keys.ok()) return "the parked keys: " + keys.status().ToString();
  const auto recorded = ProjectionSkips(reader, kWorked);
  if (!recorded.ok()) return "the skips: " + recorded.status().ToString();
  const auto log = LogUpTo(reader, snapshot->position());
  if (!log.ok()) return "the log: " + log.status().ToString();
  auto rows = ChainsOf(*snapshot);
  if (!rows.ok()) return "the rows: " + rows.status().ToString();

  std::set<std::uint64_t> skips;
  for (const ProjectionSkip& skip : *recorded) skips.insert(skip.position.value());
  std::map<std::string, std::set<std::uint64_t>> parked;
  for (const ParkedKey& key : *keys) {
    for (const ParkedEvent& event : key.events) parked[key.key].insert(event.position.value());
    const auto stale = snapshot->StaleSince(key.key);
    if (!stale.ok() || !*stale || (*stale)->since != key.events.front().position) {
      return key.key + ": readers are not told since when it is stale";
    }
  }
  for (const auto& [stream, events] : *log) {
    Chain chain;
    std::string what =
        CheckStream(stream, events, std::exchange(parked[stream], {}), skips, &chain, counts);
    if (!what.empty()) return what;
    const auto row = rows->find(stream);
    if ((row == rows->end() ? Chain{} : row->second) != chain) {
      return stream + ": another chain than the log's at " +
             std::to_string(snapshot->position().value());
    }
    if (row != rows->end()) rows->erase(row);
    ++counts->rows;
  }
  if (!rows->empty()) return rows->begin()->first + ": a row of no events";
  for (const auto& [stream, positions] : parked) {
    if (!positions.empty()) return At(stream, *positions.begin()) + ": parked, but not in the log";
  }
  return "";
}

std::string CheckWorked(const Reader& reader, Projections* projections) {
  WorkedCounts counts;
  return CheckWorked(reader, projections, &counts);
}

}  // namespace daybook::testing
