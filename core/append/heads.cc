#include "append/heads.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "base/status.h"

namespace daybook {

OwnedHeadEntry HeadEntry::New(std::string_view stream, std::uint64_t stream_hash) {
  void* const room =
      ::operator new(sizeof(HeadEntry) + stream.size(), std::align_val_t(alignof(HeadEntry)));
  auto* const entry = new (room) HeadEntry(stream_hash, static_cast<std::uint32_t>(stream.size()));
  std::memcpy(static_cast<void*>(entry + 1), stream.data(), stream.size());
  return OwnedHeadEntry(entry);
}

void DeleteHeadEntry::operator()(HeadEntry* entry) const {
  entry->~HeadEntry();
  ::operator delete(entry, std::align_val_t(alignof(HeadEntry)));
}

std::uint64_t Spine::Append(std::uint64_t position) {
  const std::size_t n = nodes_.size();
  const SpineNode head = n > 0 ? nodes_[n - 1] : SpineNode{};
  const SpineNode jump = n > 1 ? nodes_[n - 2] : SpineNode{};
  const SpineNode second_jump = n > 2 ? nodes_[n - 3] : SpineNode{};
  // The two jumps span the same number of versions: one new jump spans them both.
  const bool merge = n > 0 && head.version - jump.version == jump.version - second_jump.version;
  if (merge) {
    nodes_.pop_back();
    nodes_.pop_back();
  }
  nodes_.push_back({head.version + 1, position});
  return merge ? second_jump.position : head.position;
}

HeadEntry* HeadTable::FindIn(const Shard& shard, std::string_view stream, std::uint64_t hash) {
  const auto found = shard.entries.find(hash);
  if (found == shard.entries.end()) return nullptr;
  HeadEntry* entry = found->second.get();
  while (entry != nullptr && entry->name() != stream) entry = entry->next_of_hash.get();
  return entry;
}

HeadEntry* HeadTable::InsertIn(Shard& shard, std::string_view stream, std::uint64_t hash,
                               Spine spine) {
  OwnedHeadEntry entry = HeadEntry::New(stream, hash);
  entry->sequenced_version.store(spine.version(), std::memory_order_relaxed);
  entry->visible_position.store(spine.position(), std::memory_order_relaxed);
  entry->spine = std::move(spine);
  OwnedHeadEntry& slot = shard.entries[hash];
  entry->next_of_hash = std::move(slot);
  slot = std::move(entry);
  return slot.get();
}

absl::StatusOr<HeadEntry*> HeadTable::Pin(std::string_view stream, std::uint64_t hash) {
  Shard& shard = ShardOf(hash);
  for (;;) {
    std::uint64_t evictions = 0;
    {
      ReaderLock lock(shard.mutex);
      if (HeadEntry* entry = FindIn(shard, stream, hash)) {
        entry->pins.fetch_add(1, std::memory_order_relaxed);
        return entry;
      }
      evictions = shard.evictions;
    }
    DAYBOOK_ASSIGN_OR_RETURN(Spine spine, load_(stream));
    WriterLock lock(shard.mutex);
    HeadEntry* entry = FindIn(shard, stream, hash);
    if (entry == nullptr) {
      // Between the look and now the stream may have been here, moved on, and gone: then what was
      // loaded is old.
      if (shard.evictions != evictions) continue;
      entry = InsertIn(shard, stream, hash, std::move(spine));
    }
    entry->pins.fetch_add(1, std::memory_order_relaxed);
    return entry;
  }
}

// A head that is not in the cache takes longer to fetch than all that is done with it: so many are
// fetched at once.
void HeadTable::PinPresent(std::span<HeadRequest> requests) DAYBOOK_NO_THREAD_SAFETY_ANALYSIS {
  for (Shard& shard : shards_) shard.mutex.ReaderLock();
  for (const HeadRequest& request : requests) ShardOf(request.hash).entries.prefetch(request.hash);
  for (HeadRequest& request : requests) {
    const auto& entries = ShardOf(request.hash).entries;
    const auto found = entries.find(request.hash);
    request.entry = found == entries.end() ? nullptr : found->second.get();
    if (request.entry == nullptr) continue;
    const auto* const line = reinterpret_cast<const std::byte*>(request.entry);
    for (std::size_t at = 0; at <= sizeof(HeadEntry); at += 64) __builtin_prefetch(line + at, 1);
  }
  for (HeadRequest& request : requests) {
    while (request.entry != nullptr && request.entry->name() != request.stream) {
      request.entry = request.entry->next_of_hash.get();
    }
    if (request.entry != nullptr) request.entry->pins.fetch_add(1, std::memory_order_relaxed);
  }
  for (Shard& shard : shards_) shard.mutex.ReaderUnlock();
}

absl::Status HeadTable::PinAll(std::span<HeadRequest> requests) {
  constexpr std::size_t kAtOnce = 64;    // more would fall out of the cache before they are used
  constexpr std::size_t kFew = kShards;  // for these it does not pay to lock all shards
  for (std::size_t i = 0; i < requests.size() && requests.size() >= kFew; i += kAtOnce) {
    PinPresent(requests.subspan(i, std::min(kAtOnce, requests.size() - i)));
  }
  for (HeadRequest& request : requests) {
    if (request.entry != nullptr) continue;
    const absl::StatusOr<HeadEntry*> entry = Pin(request.stream, request.hash);
    if (entry.ok()) {
      request.entry = *entry;
      continue;
    }
    for (HeadRequest& pinned : requests) {
      if (pinned.entry != nullptr) Unpin(std::exchange(pinned.entry, nullptr));
    }
    return entry.status();
  }
  return absl::OkStatus();
}

std::optional<std::uint64_t> HeadTable::VisiblePosition(std::string_view stream,
                                                        std::uint64_t hash) const {
  Shard& shard = ShardOf(hash);
  ReaderLock lock(shard.mutex);
  const HeadEntry* entry = FindIn(shard, stream, hash);
  if (entry == nullptr) return std::nullopt;
  return entry->visible_position.load(std::memory_order_acquire);
}

void HeadTable::Erase(std::string_view stream, std::uint64_t hash) {
  Shard& shard = ShardOf(hash);
  WriterLock lock(shard.mutex);
  const auto found = shard.entries.find(hash);
  if (found == shard.entries.end()) return;
  OwnedHeadEntry* slot = &found->second;
  while (*slot != nullptr && (*slot)->name() != stream) slot = &(*slot)->next_of_hash;
  if (*slot != nullptr) *slot = std::move((*slot)->next_of_hash);
  if (found->second == nullptr) shard.entries.erase(found);
  ++shard.evictions;
}

std::uint64_t HeadTable::size() const {
  std::uint64_t size = 0;
  for (Shard& shard : shards_) {
    ReaderLock lock(shard.mutex);
    size += shard.entries.size();
  }
  return size;
}

void HeadTable::Evict(std::uint64_t applied, std::uint64_t keep) {
  const std::uint64_t keep_each = keep / kShards;
  for (Shard& shard : shards_) {
    WriterLock lock(shard.mutex);
    for (auto it = shard.entries.begin();
         it != shard.entries.end() && shard.entries.size() > keep_each;) {
      const HeadEntry& entry = *it->second;
      // Unpinned: no commit of the stream is on its way, so its version and its last visible
      // position belong together. Nobody can pin it meanwhile: that takes the shard's lock.
      const bool can_go = entry.next_of_hash == nullptr &&
                          entry.pins.load(std::memory_order_acquire) == 0 &&
                          entry.visible_position.load(std::memory_order_acquire) <= applied;
      if (can_go) {
        shard.entries.erase(it++);
        ++shard.evictions;
      } else {
        ++it;
      }
    }
  }
}

}  // namespace daybook
