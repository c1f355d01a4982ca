// Takes the snapshots that come due while a load folds the events of a stream.

#ifndef DAYBOOK_SNAPSHOT_TAKER_H_
#define DAYBOOK_SNAPSHOT_TAKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "daybook/snapshots.h"
#include "snapshot/snapshot_store.h"

namespace daybook {

// Of one load: of the versions in (after, upto]. What it refers to must outlive it.
class SnapshotTaker {
 public:
  // `broken` are versions at which there are snapshots that are of no use.
  SnapshotTaker(SnapshotStore::Impl* store, const AnyFold& fold, const SnapshotPolicy& policy,
                const NoticeHandler& on_notice, std::string series, std::uint64_t after,
                std::uint64_t upto, std::vector<std::uint64_t> broken);

  // The state after this event. Costs a comparison where nothing is due.
  void Passed(const void* state, const EventView& event) {
    if (event.version.value() >= next_ || !policy_.at_types.empty()) Look(state, event);
  }

 private:
  void Look(const void* state, const EventView& event);
  // Works out which snapshots are worth taking: when the first one comes due.
  void Plan();
  // Where the next one is due by number.
  [[nodiscard]] std::uint64_t NextDue();
  [[nodiscard]] bool IsWanted(const EventView& event) const;
  void Take(const void* state, const EventView& event);

  SnapshotStore::Impl* const store_;
  const AnyFold& fold_;
  const SnapshotPolicy& policy_;
  const NoticeHandler& on_notice_;
  const std::string series_;
  const std::uint64_t after_, upto_;
  const bool all_are_kept_;
  std::vector<std::uint64_t> broken_;

  bool is_planned_ = false;
  std::vector<std::uint64_t> existing_, planned_;
  std::size_t passed_ = 0;  // of planned_
  std::uint64_t next_ = 0;  // version at which something may be due by number
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_TAKER_H_
