// What is derived from sealed segments, made behind the appends: the sidecar of each, and the heads
// of its streams in LMDB.

#ifndef DAYBOOK_STORE_INDEXER_H_
#define DAYBOOK_STORE_INDEXER_H_

#include <chrono>
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
  std::shared_ptr<const ActiveIndex> index;  // nullptr: the sidecar is written
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
// disk) stays in memory, with those behind it: nothing that is read depends on it. It is tried
// again after a while, from 100 ms to 10 s, until it succeeds; the host is told of the first
// failure and of the success.
class Indexer {
 public:
  // `on_applied` is called with the position up to which heads are in the head store, each time it
  // moves. `backlog` are the segments that could not be indexed while opening, in order.
  Indexer(std::filesystem::path directory, HeadStore* heads,
          std::function<void(std::uint64_t)> on_applied, NoticeHandler on_notice,
          std::deque<SealedSegment> backlog);
  // Finishes what is queued, up to the first failure.
  ~Indexer();

  // Waits where several are queued already: memory is bounded by them. Not where they cannot be
  // indexed: appends go on.
  void Add(SealedSegment segment);
  // Waits until nothing is queued, or an attempt that began in this call failed: why.
  absl::Status WaitIdle();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kQueuedMax = 3;
  static constexpr std::chrono::milliseconds kRetryFirst{100};
  static constexpr std::chrono::milliseconds kRetryMax{10'000};

  void Run();
  // Waits until the front of the queue is to be tried.
  void AwaitAttempt() DAYBOOK_REQUIRES(mutex_);
  // Notes how an attempt ended.
  void Succeeded() DAYBOOK_REQUIRES(mutex_);
  void Failed(absl::Status status) DAYBOOK_REQUIRES(mutex_);
  // Takes `sealed->index` off when the sidecar is written.
  absl::Status Index(SealedSegment* sealed);

  const std::filesystem::path directory_;
  HeadStore* const heads_;
  const std::function<void(std::uint64_t)> on_applied_;
  const NoticeHandler on_notice_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<SealedSegment> queue_ DAYBOOK_GUARDED_BY(mutex_);
  bool closing_ DAYBOOK_GUARDED_BY(mutex_) = false;
  absl::Status failure_ DAYBOOK_GUARDED_BY(mutex_);  // of the last attempt
  Clock::time_point next_attempt_ DAYBOOK_GUARDED_BY(mutex_);
  Clock::duration backoff_ DAYBOOK_GUARDED_BY(mutex_) = kRetryFirst;
  // Numbers of attempts: the last begun, the last that failed, the next that is waited for.
  std::uint64_t begun_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  std::uint64_t wanted_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  Thread thread_;  // last: it uses the others
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_INDEXER_H_
