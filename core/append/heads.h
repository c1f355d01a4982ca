// The heads of streams in memory: what the sequencer needs to give the next event of a stream its
// version and links, and where readers in this process find a stream's last event.

#ifndef DAYBOOK_APPEND_HEADS_H_
#define DAYBOOK_APPEND_HEADS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"

namespace daybook {

// An event that a jump can lead to.
struct SpineNode {
  std::uint64_t version = 0;
  std::uint64_t position = 0;
};

// The spine of a stream: its head, the event that the head's skip names, the one that this one's
// names, and so on, the head last. It is all that is needed to link any number of further events
// (see index/links.h), and O(log n) long.
class Spine {
 public:
  [[nodiscard]] std::uint64_t version() const { return nodes_.empty() ? 0 : nodes_.back().version; }
  [[nodiscard]] std::uint64_t position() const {
    return nodes_.empty() ? 0 : nodes_.back().position;
  }
  // Appends an event, and returns the position that its skip names.
  std::uint64_t Append(std::uint64_t position);
  // Makes it from its nodes, the oldest first.
  void Push(SpineNode node) { nodes_.push_back(node); }

 private:
  absl::InlinedVector<SpineNode, 3> nodes_;  // the oldest first
};

struct HeadEntry;
struct DeleteHeadEntry {
  void operator()(HeadEntry* entry) const;
};
using OwnedHeadEntry = std::unique_ptr<HeadEntry, DeleteHeadEntry>;

// The head of one stream. Lives while it is pinned; its fields say who may touch them. Begins a
// cache line, and its name stands right behind it: a head that is not in the cache costs one miss.
struct alignas(64) HeadEntry {
  static OwnedHeadEntry New(std::string_view stream, std::uint64_t stream_hash);

  [[nodiscard]] std::string_view name() const {
    return {reinterpret_cast<const char*>(this + 1), name_bytes};
  }

  const std::uint64_t hash;
  const std::uint32_t name_bytes;

  std::atomic<std::uint32_t> pins{0};

  // The version of the spine, for a look without the lock.
  std::atomic<std::uint64_t> sequenced_version{0};
  // The position of its last visible event; 0 where there is none.
  std::atomic<std::uint64_t> visible_position{0};

  OwnedHeadEntry next_of_hash;  // another stream of the same hash

  // The sequencer's, under its lock: the stream with all commits on their way.
  Spine spine;

 private:
  HeadEntry(std::uint64_t stream_hash, std::uint32_t bytes)
      : hash(stream_hash), name_bytes(bytes) {}
};

// A stream whose head is wanted; the name stays where it is meanwhile.
struct HeadRequest {
  std::string_view stream;
  std::uint64_t hash = 0;
  HeadEntry* entry = nullptr;
};

// Thread-safe. Entries whose stream is fully in the head store may be evicted; all others stay.
class HeadTable {
 public:
  // Loads the spine of a stream that is not in memory; an empty one where there is no such stream.
  using Load = std::function<absl::StatusOr<Spine>(std::string_view stream)>;

  explicit HeadTable(Load load) : load_(std::move(load)) {}

  // The entry of a stream, loaded where it is not in memory, and pinned: give it back with Unpin.
  absl::StatusOr<HeadEntry*> Pin(std::string_view stream, std::uint64_t hash);
  // The same for many streams; all of them or, after an error, none.
  absl::Status PinAll(std::span<HeadRequest> requests);
  static void Unpin(HeadEntry* entry) { entry->pins.fetch_sub(1, std::memory_order_release); }

  // The last visible position of a stream that is in memory; nullopt where it is not.
  [[nodiscard]] std::optional<std::uint64_t> VisiblePosition(std::string_view stream,
                                                             std::uint64_t hash) const;

  // Forgets a stream that nobody has pinned.
  void Erase(std::string_view stream, std::uint64_t hash);

  // Evicts entries that nobody has pinned and whose events are all at or below `applied`, until
  // about `keep` are left.
  void Evict(std::uint64_t applied, std::uint64_t keep);

  [[nodiscard]] std::uint64_t size() const;

 private:
  struct Shard {
    mutable SharedMutex mutex;
    absl::flat_hash_map<std::uint64_t, OwnedHeadEntry> entries DAYBOOK_GUARDED_BY(mutex);
    std::uint64_t evictions DAYBOOK_GUARDED_BY(mutex) = 0;
  };
  static constexpr std::size_t kShards = 16;

  // The hash's upper bits: the map uses the lower ones.
  [[nodiscard]] Shard& ShardOf(std::uint64_t hash) const { return shards_[hash >> 60]; }
  static HeadEntry* FindIn(const Shard& shard, std::string_view stream, std::uint64_t hash)
      DAYBOOK_REQUIRES_SHARED(shard.mutex);
  static HeadEntry* InsertIn(Shard& shard, std::string_view stream, std::uint64_t hash, Spine spine)
      DAYBOOK_REQUIRES(shard.mutex);

  // Pins those that are in memory, and leaves the others' entries nullptr.
  void PinPresent(std::span<HeadRequest> requests);

  Load load_;
  mutable std::array<Shard, kShards> shards_;
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_HEADS_H_
