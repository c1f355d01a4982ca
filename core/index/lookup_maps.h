// What the active index is asked by hash: maps over its append-only arrays, extended when they are
// asked. They start empty, so a store that never asks pays nothing, and the adding thread never
// takes their locks.
//
// Thread-safe. The arrays that are passed only grow, and what was passed once never changes.

#ifndef DAYBOOK_INDEX_LOOKUP_MAPS_H_
#define DAYBOOK_INDEX_LOOKUP_MAPS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "base/mutex.h"
#include "index/links.h"

namespace daybook {

// A tag of the event `local`.
struct TagEntry {
  std::uint64_t hash;
  std::uint32_t local;
  std::uint32_t zero;
};

class TagLookup {
 public:
  // `entries` ascend by local.
  void Find(std::span<const TagEntry> entries, std::uint64_t hash, std::uint64_t limit,
            std::vector<std::uint32_t>* locals);

 private:
  Mutex mutex_;
  std::size_t seen_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::uint64_t, absl::InlinedVector<std::uint32_t, 4>> locals_
      DAYBOOK_GUARDED_BY(mutex_);
};

class IdLookup {
 public:
  // The event `i` has id_hashes[i], unless it is lost.
  void Find(std::span<const std::uint64_t> id_hashes, const Link* links, std::uint64_t hash,
            std::uint64_t limit, std::vector<std::uint32_t>* locals);

 private:
  Mutex mutex_;
  std::size_t seen_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  // Nearly every id is there once; the further ones of a hash stand in `more_`.
  absl::flat_hash_map<std::uint64_t, std::uint32_t> first_ DAYBOOK_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::uint64_t, std::vector<std::uint32_t>> more_ DAYBOOK_GUARDED_BY(mutex_);
};

// A head is an event that no later event of the segment names as its prev or skip. That tells two
// streams of the same hash apart without their names. Where the event between two others of a
// stream is lost, both may count as heads: a reader takes the newer one.
class HeadLookup {
 public:
  // The heads of a hash, newest first.
  void Find(std::span<const std::uint64_t> stream_hashes, const Link* links,
            std::uint64_t first_position, std::uint64_t hash, std::vector<std::uint32_t>* locals);

 private:
  Mutex mutex_;
  std::size_t seen_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::uint64_t, absl::InlinedVector<std::uint32_t, 4>> heads_
      DAYBOOK_GUARDED_BY(mutex_);
};

// All heads among `links`, ascending.
void CollectHeads(std::span<const Link> links, std::uint64_t first_position,
                  std::vector<std::uint32_t>* locals);

}  // namespace daybook

#endif  // DAYBOOK_INDEX_LOOKUP_MAPS_H_
