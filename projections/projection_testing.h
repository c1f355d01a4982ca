// What the tests of projections share: a store with many streams, and a projection that keeps, for
// each key, a chain over all that it was given, so that one event skipped, doubled or out of order
// shows. What the chain must be is computed from the log by a plain loop.

#ifndef DAYBOOK_PROJECTIONS_PROJECTION_TESTING_H_
#define DAYBOOK_PROJECTIONS_PROJECTION_TESTING_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daybook/projections.h"
#include "daybook/store.h"
#include "tests/temp_folder.h"

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

// From the log, event by event, up to `upto`; 0 is all.
absl::StatusOr<Chains> ChainsOfLog(const Reader& reader, const ReadOptions& filter = {});
// From a read model, and its position.
absl::StatusOr<Chains> ChainsOf(const ReadSnapshot& snapshot);

// Appends `events` events, in commits of `in_commit`, over `streams` streams named "acct-N" and
// "other-N" in turn, of the types "A" and "B"; the data of each is {"n":<its number>}.
absl::Status AppendMany(Store* store, int events, int streams, int in_commit = 10);

// A store with its projections; Reopen() is a new process, as far as the files know.
class World {
 public:
  explicit World(int events = 0, int streams = 7);
  void Reopen();
  // Closes the projections, with all that was read of them; the store stays.
  void CloseProjections();
  [[nodiscard]] Store* store() const { return store_.get(); }
  Projections* operator->() const { return projections_.get(); }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "store"; }

  [[nodiscard]] std::unique_ptr<ProjectionRunner> Run(Projection projection,
                                                      const RunnerOptions& options = {}) const;
  [[nodiscard]] ReadSnapshot Read(const std::string& name) const;
  // The read model of a ChainProjection says what the log does, all of it.
  void CheckWhole(const std::string& name) const;

 private:
  TempFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projections> projections_;
  mutable std::vector<std::unique_ptr<ReadModel>> models_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_PROJECTIONS_PROJECTION_TESTING_H_
