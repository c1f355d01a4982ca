#include "index/lookup_maps.h"

#include <algorithm>

namespace daybook {
namespace {}  // namespace

void TagLookup::Find(std::span<const TagEntry> entries, std::uint64_t hash, std::uint64_t limit,
                     std::vector<std::uint32_t>* locals) {
  locals->clear();
  MutexLock lock(mutex_);
  for (; seen_ < entries.size(); ++seen_) {
    const TagEntry& entry = entries[seen_];
    auto& of_hash = locals_[entry.hash];
    // Two tags of one event with the same hash are one answer.
    if (of_hash.empty() || of_hash.back() != entry.local) of_hash.push_back(entry.local);
  }
  const auto found = locals_.find(hash);
  if (found == locals_.end()) return;
  const auto end = std::lower_bound(found->second.begin(), found->second.end(), limit);
  locals->assign(found->second.begin(), end);
}

void IdLookup::Find(std::span<const std::uint64_t> id_hashes, const Link* links, std::uint64_t hash,
                    std::uint64_t limit, std::vector<std::uint32_t>* locals) {
  locals->clear();
  MutexLock lock(mutex_);
  for (; seen_ < id_hashes.size(); ++seen_) {
    if (links[seen_].lost()) continue;
    const auto local = static_cast<std::uint32_t>(seen_);
    const bool inserted = first_.try_emplace(id_hashes[seen_], local).second;
    if (!inserted) more_[id_hashes[seen_]].push_back(local);
  }
  const auto found = first_.find(hash);
  if (found == first_.end()) return;
  if (found->second < limit) locals->push_back(found->second);
  const auto more = more_.find(hash);
  if (more == more_.end()) return;
  const auto end = std::lower_bound(more->second.begin(), more->second.end(), limit);
  locals->insert(locals->end(), more->second.begin(), end);
}

void HeadLookup::Find(std::span<const std::uint64_t> stream_hashes, const Link* links,
                      std::uint64_t first_position, std::uint64_t hash,
                      std::vector<std::uint32_t>* locals) {
  locals->clear();
  MutexLock lock(mutex_);
  for (; seen_ < stream_hashes.size(); ++seen_) {
    const Link& link = links[seen_];
    if (link.lost()) continue;
    auto& heads = heads_[stream_hashes[seen_]];
    const auto named = [&](std::uint32_t head) {
      const std::uint64_t position = first_position + head;
      return position == link.prev || position == link.skip;
    };
    heads.erase(std::remove_if(heads.begin(), heads.end(), named), heads.end());
    heads.push_back(static_cast<std::uint32_t>(seen_));
  }
  const auto found = heads_.find(hash);
  if (found != heads_.end()) locals->assign(found->second.rbegin(), found->second.rend());
}

void CollectHeads(std::span<const Link> links, std::uint64_t first_position,
                  std::vector<std::uint32_t>* locals) {
  locals->clear();
  std::vector<bool> named(links.size());
  for (const Link& link : links) {
    // Below the segment the subtraction wraps around to far beyond its size.
    const std::uint64_t prev = link.prev - first_position;
    const std::uint64_t skip = link.skip - first_position;
    if (prev < named.size()) named[prev] = true;
    if (skip < named.size()) named[skip] = true;
  }
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (!named[i] && !links[i].lost()) locals->push_back(static_cast<std::uint32_t>(i));
  }
}

}  // namespace daybook
