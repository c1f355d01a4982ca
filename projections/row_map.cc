#include "projections/row_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "projections/key_order.h"

namespace daybook {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kAlign = alignof(RowEntry);
// Addresses have 48 bits; the upper ones of a word hold bits of the hash, so that a key that only
// shares the place is mostly passed over without a look at it.
constexpr int kTagShift = 48;
constexpr std::uint64_t kAddress = (std::uint64_t{1} << kTagShift) - 1;

std::uint64_t TagOf(std::uint32_t hash) { return std::uint64_t{hash >> 16} << kTagShift; }
RowEntry* EntryOf(std::uint64_t word) { return reinterpret_cast<RowEntry*>(word & kAddress); }
// The low bits of a hash choose the place and the high ones are the tag: they must not be the same.
std::uint32_t Shorten(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
std::size_t PlaceOf(std::uint32_t hash) { return hash * std::uint64_t{0x9E3779B97F4A7C15} >> 32; }

std::size_t Aligned(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

RowEntry* RowMap::Find(std::string_view key, std::uint64_t hash) const {
  if (slots_.empty()) return nullptr;
  const std::uint32_t short_hash = Shorten(hash);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = PlaceOf(short_hash) & mask;; at = (at + 1) & mask) {
    const std::uint64_t word = slots_[at];
    if (word == 0) return nullptr;
    if ((word & ~kAddress) != TagOf(short_hash)) continue;
    RowEntry* const entry = EntryOf(word);
    if (entry->hash_ == short_hash && entry->key() == key) return entry;
  }
}

void RowMap::PrefetchSlot(std::uint64_t hash) const {
  if (slots_.empty()) return;
  __builtin_prefetch(&slots_[PlaceOf(Shorten(hash)) & (slots_.size() - 1)]);
}

void RowMap::PrefetchEntry(std::uint64_t hash) const {
  constexpr std::size_t kLineBytes = 64;
  if (slots_.empty()) return;
  const std::uint32_t short_hash = Shorten(hash);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = PlaceOf(short_hash) & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if ((slots_[at] & ~kAddress) != TagOf(short_hash)) continue;
    const auto* const entry = reinterpret_cast<const char*>(EntryOf(slots_[at]));
    // The row mostly stands right behind the entry and its key.
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + kLineBytes);
    return;
  }
}

RowEntry* RowMap::Insert(std::string_view key, std::uint64_t hash) {
  if (entries_ + 1 > Fill(slots_.size())) Grow();
  auto* const entry = new (Allocate(sizeof(RowEntry) + key.size())) RowEntry;
  entry->hash_ = Shorten(hash);
  entry->key_bytes_ = static_cast<std::uint16_t>(key.size());
  std::memcpy(static_cast<void*>(entry + 1), key.data(), key.size());
  Place(reinterpret_cast<std::uint64_t>(entry) | TagOf(entry->hash_), entry->hash_);
  ++entries_;
  return entry;
}

void RowMap::SetRow(RowEntry* entry, std::string_view row) {
  if (row.size() > entry->room_) {
    // A row that grows gets room to grow on; what it had is lost until Clear().
    const std::size_t room = Aligned(entry->room_ == 0 ? row.size() : row.size() + row.size() / 2);
    entry->row_ = Allocate(room);
    entry->room_ = static_cast<std::uint32_t>(room);
  }
  if (!row.empty()) std::memmove(entry->row_, row.data(), row.size());
  entry->row_bytes_ = static_cast<std::uint32_t>(row.size());
  entry->saved_ = false;
}

void RowMap::Clear() {
  slots_ = {};
  blocks_.clear();
  entries_ = block_bytes_ = free_bytes_ = 0;
  free_ = nullptr;
}

std::vector<const RowEntry*> RowMap::Sorted() const {
  std::vector<const RowEntry*> sorted;
  sorted.reserve(entries_);
  for (const std::uint64_t word : slots_) {
    if (word != 0) sorted.push_back(EntryOf(word));
  }
  SortByKey(&sorted, [](const RowEntry& entry) { return entry.key(); });
  return sorted;
}

char* RowMap::Allocate(std::size_t bytes) {
  bytes = Aligned(bytes);
  if (bytes > free_bytes_) {
    const std::size_t block = std::max(bytes, kBlockBytes);
    blocks_.emplace_back(new char[block]);
    block_bytes_ += block;
    free_ = blocks_.back().get();
    free_bytes_ = block;
  }
  char* const result = free_;
  free_ += bytes;
  free_bytes_ -= bytes;
  return result;
}

void RowMap::Grow() {
  std::vector<std::uint64_t> before(std::max<std::size_t>(slots_.size() * 2, 1024));
  before.swap(slots_);
  for (const std::uint64_t word : before) {
    if (word != 0) Place(word, EntryOf(word)->hash_);
  }
}

void RowMap::Place(std::uint64_t word, std::uint32_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = PlaceOf(hash) & mask;
  while (slots_[at] != 0) at = (at + 1) & mask;
  slots_[at] = word;
}

}  // namespace daybook
