// Hands the events of a stretch of the log to the threads of a rebuild: each event, decoded once,
// to the thread that has its key, in order of position.
//
// The stretch is cut into chunks. A thread that has nothing to handle decodes the next one and
// deals its events out; so decoding and handling are shared, whoever is faster.

#ifndef DAYBOOK_PROJECTIONS_EVENT_FEED_H_
#define DAYBOOK_PROJECTIONS_EVENT_FEED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "daybook/event.h"
#include "daybook/projection.h"
#include "daybook/read.h"
#include "daybook/store.h"
#include "daybook/values.h"
#include "projections/skips.h"

namespace daybook {

// Thread-safe: each thread calls Next() with its own number.
class EventFeed {
 public:
  struct Item {
    EventView event;
    std::string_view key;
    // Where Projection::key threw; `key` is then empty.
    bool key_failed = false;
  };
  struct Batch {
    std::vector<Item> items;
    Position end;         // everything of the log up to here was looked at
    absl::Status status;  // of the read, behind the items
  };

  // The events in (after, to] that match, for `threads` threads. What of them cannot be read and is
  // in `skips`, which does not change meanwhile, is passed over.
  EventFeed(const Reader& reader, const Projection& projection, const SkipSet& skips,
            Position after, Position to, unsigned threads);
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;
  ~EventFeed();

  // What is next for a thread, which is done with what it got before; nullptr at the end. It may be
  // without items.
  const Batch* Next(unsigned thread) DAYBOOK_EXCLUDES(mutex_);
  // Nothing from this position on is wanted; the first of several counts. Threads still come to the
  // end of what was decoded, and pass over what is_wanted() is false for.
  void StopBefore(Position position) DAYBOOK_EXCLUDES(mutex_);
  [[nodiscard]] bool is_wanted(Position position) const {
    return position.value() < stop_before_.load(std::memory_order_relaxed);
  }

 private:
  struct Chunk;
  [[nodiscard]] Position FirstOf(std::uint64_t chunk) const {
    return Position(after_.value() + 1 + chunk * chunk_);
  }
  [[nodiscard]] bool IsPastEnd(std::uint64_t chunk) const;
  void Decode(Chunk* chunk);
  // Everything up to `last` from behind `*seen` on, which follows.
  absl::Status Deal(Position last, Chunk* chunk, Position* seen);
  void Release(Chunk* chunk) DAYBOOK_REQUIRES(mutex_);

  const Reader& reader_;
  const Projection& projection_;
  const SkipSet& skips_;
  const Position after_, to_;
  const unsigned threads_;
  const std::uint64_t chunk_;  // positions in one
  const bool system_streams_;
  std::atomic<std::uint64_t> stop_before_{UINT64_MAX};
  Mutex mutex_;
  CondVar changed_;
  std::vector<Chunk> ring_;  // chunk n stands at n modulo its size
  std::vector<std::uint64_t> next_ DAYBOOK_GUARDED_BY(mutex_);  // chunk, for each thread
  std::vector<Chunk*> held_ DAYBOOK_GUARDED_BY(mutex_);         // what each thread is at
  std::uint64_t claimed_ DAYBOOK_GUARDED_BY(mutex_) = 0;        // up to here somebody decodes
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_EVENT_FEED_H_
