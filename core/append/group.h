// A group: the commits that one frame takes to the device together.

#ifndef DAYBOOK_APPEND_GROUP_H_
#define DAYBOOK_APPEND_GROUP_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "append/commit.h"
#include "base/mutex.h"
#include "log/segment_writer.h"

namespace daybook {

struct Group {
  struct Slot {
    Commit::Impl* commit;                 // the caller's, who waits, ...
    std::unique_ptr<Commit::Impl> owned;  // ... or ours
  };

  // Set by the sequencer while the group is open.
  SegmentPlan segment;     // where its frame goes
  bool activates = false;  // the segment begins with it
  std::vector<Slot> slots;
  std::uint64_t body_bytes = 0;
  std::uint64_t frame_bytes_reserved = 0;
  std::uint64_t first_position = 0;
  std::uint32_t events = 0;

  // Commits whose record headers are not filled yet. The leader waits for 0.
  std::atomic<std::uint32_t> unfilled{0};

  // Under the lock of the group commit.
  bool wants_sync = false;
  std::uint32_t blocking = 0;  // callers that wait for it, or are about to
  std::uint32_t waiting = 0;   // of them, those that sleep or were told to lead
  absl::Status status;         // for everyone once the signal says kDone

  // What those who sleep wait for, and return with kDone without any lock. Stored under the lock.
  enum class Signal : std::uint32_t { kSleep, kLead, kDone };
  std::atomic<Signal> signal{Signal::kSleep};
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_GROUP_H_
