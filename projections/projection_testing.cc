#include "projections/projection_testing.h"

#include <span>
#include <utility>

#include "base/checksum.h"

namespace daybook::testing {

void Link(const EventView& event, Chain* chain) {
  struct {
    std::uint64_t before, position;
    EventId::Bytes id;
  } const link{chain->hash, event.position.value(), event.id.bytes()};
  chain->hash = Hash64(std::as_bytes(std::span(&link, 1)));
  ++chain->events;
}

Projection ChainProjection(const std::string& name,
                           std::function<absl::Status(const EventView&)> before) {
  Projection projection;
  projection.name = name;
  projection.tables = {kChains.name()};
  projection.rows_by_key = true;
  projection.handler = [before = std::move(before)](const EventView& event,
                                                    HandlerContext& context) {
    const absl::Status status = kChains.Update(context, std::string(event.stream),
                                               [&](Chain& chain) { Link(event, &chain); });
    if (!status.ok() || !before) return status;
    return before(event);  // after the change, so that what is undone shows
  };
  return projection;
}

absl::StatusOr<Chains> ChainsOfLog(const Reader& reader, const ReadOptions& filter) {
  auto cursor = reader.Read(filter);
  if (!cursor.ok()) return cursor.status();
  Chains chains;
  const absl::Status status = cursor->ForEach([&](const EventView& event) {
    if (!event.stream.starts_with('$')) Link(event, &chains[std::string(event.stream)]);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return chains;
}

absl::StatusOr<Chains> ChainsOf(const ReadSnapshot& snapshot) {
  Chains chains;
  const absl::Status status =
      kChains.Scan(snapshot, KeyRange::All(), [&](const std::string& key, const Chain& chain) {
        chains[key] = chain;
        return true;
      });
  if (!status.ok()) return status;
  return chains;
}

absl::Status AppendMany(Store* store, int events, int streams, int in_commit) {
  Commit commit;
  for (int i = 0; i < events; ++i) {
    const int stream = (i * 7 + i / 3) % streams;
    const std::string name = (stream % 2 == 0 ? "acct-" : "other-") + std::to_string(stream);
    const std::string data = "{\"n\":" + std::to_string(i) + "}";
    const absl::Status added =
        commit.Add(name, {.type = i % 3 == 0 ? "B" : "A", .data = AsBytes(data)});
    if (!added.ok()) return added;
    if ((i + 1) % in_commit != 0 && i + 1 != events) continue;
    const auto result = store->Append(commit);
    if (!result.ok()) return result.status();
    commit.Clear();
  }
  return absl::OkStatus();
}

}  // namespace daybook::testing
