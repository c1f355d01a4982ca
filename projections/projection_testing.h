// What the tests of projections share: a store with many streams, and a projection that keeps, for
// each key, a chain over all that it was given, so that one event skipped, doubled or out of order
// shows. What the chain must be is computed from the log by a plain loop.

#ifndef DAYBOOK_PROJECTIONS_PROJECTION_TESTING_H_
#define DAYBOOK_PROJECTIONS_PROJECTION_TESTING_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/projections.h"
#include "daybook/store.h"

namespace daybook::testing {

// The chain of one key.
struct Chain {
  std::uint64_t events = 0;
  std::uint64_t hash = 0;  // over (hash so far, position, event id)
  friend bool operator==(const Chain&, const Chain&) = default;
};
using Chains = std::map<std::string, Chain>;

inline constexpr Table<std::string, Chain> kChains{"chains"};

void Link(const EventView& event, Chain* chain);

// Keeps kChains by stream. `before` is called with each event first; its error is the handler's.
Projection ChainProjection(const std::string& name,
                           std::function<absl::Status(const EventView&)> before = {});

// Something to fail by: the positions at which the handler fails now. A test changes them while a
// runner runs.
class Failing {
 public:
  void Set(std::set<std::uint64_t> positions) {
    const std::lock_guard lock(mutex_);
    positions_ = std::move(positions);
  }
  absl::Status operator()(const EventView& event) {
    const std::lock_guard lock(mutex_);
    ++calls_[event.position.value()];
    if (!positions_.contains(event.position.value())) return absl::OkStatus();
    return absl::InvalidArgumentError("no amount");
  }
  int calls(std::uint64_t position) {
    const std::lock_guard lock(mutex_);
    return calls_[position];
  }

 private:
  std::mutex mutex_;
  std::set<std::uint64_t> positions_;
  std::map<std::uint64_t, int> calls_;
};

// From the log, event by event, up to `upto`; 0 is all.
absl::StatusOr<Chains> ChainsOfLog(const Reader& reader, const ReadOptions& filter = {});
// From a read model, and its position.
absl::StatusOr<Chains> ChainsOf(const ReadSnapshot& snapshot);

// Appends `events` events, in commits of `in_commit`, over `streams` streams named "acct-N" and
// "other-N" in turn, of the types "A" and "B"; the data of each is {"n":<its number>}.
absl::Status AppendMany(Store* store, int events, int streams, int in_commit = 10);

}  // namespace daybook::testing

#endif  // DAYBOOK_PROJECTIONS_PROJECTION_TESTING_H_
