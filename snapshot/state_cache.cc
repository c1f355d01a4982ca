#include "snapshot/state_cache.h"

#include <utility>

#include "base/status.h"

namespace daybook {

KnownState StateCache::Find(std::string_view stream) {
  const MutexLock lock(mutex_);
  const auto found = by_stream_.find(ToAbsl(stream));
  if (found == by_stream_.end()) return {};
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->known;
}

void StateCache::Put(std::string_view stream, const KnownState& known) {
  if (states_max_ == 0) return;
  KnownState gone;  // destroyed outside the lock: it may be large
  const MutexLock lock(mutex_);
  if (const auto found = by_stream_.find(ToAbsl(stream)); found != by_stream_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    if (found->second->known.version < known.version) {
      gone = std::exchange(found->second->known, known);
    }
    return;
  }
  entries_.push_front({std::string(stream), known});
  by_stream_.emplace(ToAbsl(entries_.front().stream), entries_.begin());
  if (entries_.size() <= states_max_) return;
  by_stream_.erase(ToAbsl(entries_.back().stream));
  gone = std::move(entries_.back().known);
  entries_.pop_back();
}

void StateCache::Forget(std::string_view stream) {
  const MutexLock lock(mutex_);
  const auto found = by_stream_.find(ToAbsl(stream));
  if (found == by_stream_.end()) return;
  const auto entry = found->second;
  by_stream_.erase(found);
  entries_.erase(entry);
}

}  // namespace daybook
