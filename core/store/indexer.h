// What is derived from sealed segments, made behind the appends: the sidecar of each, and the heads
// of its streams in LMDB.

#ifndef DAYBOOK_STORE_INDEXER_H_
#define DAYBOOK_STORE_INDEXER_H_

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "daybook/options.h"
#include "index/active_index.h"
#include "index/head_store.h"
#include "index/sidecar.h"
#include "read/segments.h"

namespace daybook {

struct SealedSegment {
  std::shared_ptr<Segment> segment;
  std::shared_ptr<const ActiveIndex> index;
  SidecarKey key;
};

// Writes the sidecar of a sealed segment and opens it again.
absl::StatusOr<std::shared_ptr<const Sidecar>> WriteSidecar(const std::filesystem::path& directory,
                                                            const SidecarKey& key,
                                                            const ActiveIndex& index);
// Merges the heads of a sealed segment into the head store.
absl::Status ApplyHeads(const LogSegment& log, const SegmentIndex& index, const SidecarKey& key,
                        HeadStore* heads);

// Thread-safe. Has a thread of its own, `daybook-index`. A segment that cannot be indexed (a full
// disk) stays in memory and is taken up again at the next opening: nothing that is read depends on
// it.
class Indexer {
 public:
  // `on_applied` is called with the position up to which heads are in the head store, each time it
  // moves. `failure` is why heads of an earlier segment are not in it: then those of later ones may
  // not be either.
  Indexer(std::filesystem::path directory, HeadStore* heads,
          std::function<void(std::uint64_t)> on_applied, NoticeHandler on_notice,
          absl::Status failure);
  // Finishes what is queued.
  ~Indexer();

  // Waits where several are queued already: memory is bounded by them.
  void Add(SealedSegment segment);
  // Waits until nothing is queued. The first error since the opening.
  absl::Status WaitIdle();

 private:
  static constexpr std::size_t kQueuedMax = 3;
  void Run();
  absl::Status Index(const SealedSegment& sealed);

  const std::filesystem::path directory_;
  HeadStore* const heads_;
  const std::function<void(std::uint64_t)> on_applied_;
  const NoticeHandler on_notice_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<SealedSegment> queue_ DAYBOOK_GUARDED_BY(mutex_);
  bool closing_ DAYBOOK_GUARDED_BY(mutex_) = false;
  absl::Status failure_ DAYBOOK_GUARDED_BY(mutex_);
  Thread thread_;  // last: it uses the others
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_INDEXER_H_
