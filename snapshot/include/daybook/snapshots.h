// Snapshots: states of folds, kept so that a load folds the tail of a stream and not all of it.
//
// They are derived: what stands in `snapshots/` of a store can be deleted at any time, and every
// answer stays the same. A snapshot is used only where its fold's id and revision, the store's
// incarnation, and the hash of the frame that holds its last event are those of the log; any other,
// and any whose bytes are damaged, is ignored, counted, and replaced when its place comes up again.
// The first snapshot of a newer revision removes those of the older ones.
//
// A load that begins at a snapshot reads the log behind it only: it also answers where the log
// before has become unreadable.

#ifndef DAYBOOK_SNAPSHOTS_H_
#define DAYBOOK_SNAPSHOTS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/fold.h"
#include "daybook/options.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

// Which of a stream's snapshots are kept when newer ones come. The last two always are.
class SnapshotRetention {
 public:
  enum class Kind : std::uint8_t { kLadder, kEvenGrid, kAll };
  // Rungs at growing age: for a state of n events ago there is one within about n events of it.
  // About 2 log2(n) snapshots of a stream of n events.
  static constexpr SnapshotRetention Ladder() { return {Kind::kLadder, 0}; }
  // At most `rungs` (≥ 1) at even distances over the whole stream, and not fewer than half of them,
  // for those who read the far past as often as today.
  static constexpr SnapshotRetention EvenGrid(std::uint32_t rungs) {
    return {Kind::kEvenGrid, rungs};
  }
  static constexpr SnapshotRetention All() { return {Kind::kAll, 0}; }
  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr std::uint32_t rungs() const { return rungs_; }

 private:
  constexpr SnapshotRetention(Kind kind, std::uint32_t rungs) : kind_(kind), rungs_(rungs) {}
  Kind kind_;
  std::uint32_t rungs_;
};

// At which events a snapshot is taken, when a load comes past them.
struct SnapshotPolicy {
  // At every version that is a multiple of this; 0: not by number.
  std::uint64_t every_events = 1000;
  // After an event of one of these types: one that ends a period, say.
  std::vector<std::string> at_types;
  SnapshotRetention retention = SnapshotRetention::Ladder();
  [[nodiscard]] bool takes_any() const { return every_events > 0 || !at_types.empty(); }
};

// What became of snapshots since a SnapshotStore was opened.
struct SnapshotStats {
  std::uint64_t hits = 0;    // loads that began at a snapshot
  std::uint64_t misses = 0;  // loads that found none, and folded from the start
  // Snapshots that were passed over: of another revision, incarnation or history, or damaged.
  std::uint64_t ignored = 0;
  std::uint64_t taken = 0;         // written
  std::uint64_t dropped = 0;       // not written, because too many waited or the disk failed
  std::uint64_t thinned = 0;       // removed by the retention
  std::uint64_t verified = 0;      // loads that were held against a replay
  std::uint64_t false_states = 0;  // of them, those whose snapshot was false
};

// A snapshot as it is listed.
struct SnapshotInfo {
  std::string stream;
  std::string fold;
  std::uint32_t revision = 0;
  Version version;
  Position position;
  std::uint64_t bytes = 0;  // of the state
};

struct SnapshotStoreOptions {
  // What waits to be written, in bytes; more is dropped, and counted.
  std::size_t pending_bytes_max = std::size_t{64} << 20;
  NoticeHandler on_notice;
};

// The snapshots of one store. Thread-safe; shared by any number of repositories. They are open once
// in the world: who comes second, in this process or another, goes without, and has the same
// answers.
//
// What is taken is written by a thread of its own, "daybook-snap", in transactions that gather
// what has come; a crash loses what was not written yet, and nothing else.
class SnapshotStore {
 public:
  // Opens `snapshots/` in the directory of `reader`, which must outlive the result, and creates it
  // where it is missing. What is there and is damaged, of another format or of another store is
  // discarded with a notice. kPermissionDenied where the process may not write there, kUnavailable
  // where they are open already: go without (a Repository takes a null pointer).
  // kResourceExhausted.
  static absl::StatusOr<std::unique_ptr<SnapshotStore>> Open(const Reader& reader,
                                                             const SnapshotStoreOptions& options);
  ~SnapshotStore();
  SnapshotStore(const SnapshotStore&) = delete;
  SnapshotStore& operator=(const SnapshotStore&) = delete;

  // Waits until what was taken so far is written, and says what became of it. Of a kBuffered store
  // that is what is durable by now; the rest goes on waiting.
  absl::Status Flush();
  [[nodiscard]] SnapshotStats stats() const;

  // Removes them, and says which. Durable on return.
  absl::StatusOr<std::vector<SnapshotInfo>> Drop(std::string_view stream = {});

  class Impl;
  // For the library's own use.
  [[nodiscard]] Impl& impl() const { return *impl_; }

 private:
  explicit SnapshotStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The snapshots of one stream, or of all where `stream` is empty, by stream, fold, revision and
// version: with read rights only, whether they are open or not. kDataLoss where they are damaged.
absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(const Reader& reader,
                                                        std::string_view stream = {});

struct SnapshotVerifyReport {
  std::uint64_t replayed = 0;  // held against a replay of their stream
  std::uint64_t checked = 0;   // of folds that are not among those given: all but the state itself
  std::vector<Finding> findings;  // kind "snapshot"
  [[nodiscard]] bool ok() const { return findings.empty(); }
};

// Finds the fold of snapshots; nullptr where it is not known.
using FoldFinder =
    std::function<std::shared_ptr<const AnyFold>(std::string_view id, std::uint32_t revision)>;

// Holds every snapshot of a store against the log, with read rights only: its checksums, its place
// in history, and its state against a replay of its stream, which is folded once for all snapshots
// of one fold. Findings are not an error. A store without snapshots has nothing to find.
absl::StatusOr<SnapshotVerifyReport> VerifySnapshots(const Reader& reader,
                                                     const FoldFinder& find_fold);

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOTS_H_
