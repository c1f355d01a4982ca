#include "index/term_dictionary.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace daybook {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{16} << 10;

std::uint64_t Load64(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

std::uint64_t Load32(const char* bytes) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace

// Good enough to tell a handful of names apart: their size, and their first and last bytes.
std::size_t TermDictionary::SlotOf(std::string_view value) {
  std::uint64_t mix = value.size();
  const char* const end = value.data() + value.size();
  if (value.size() >= 8) {
    mix += Load64(value.data()) ^ (Load64(end - 8) * 3);
  } else if (value.size() >= 4) {
    mix += Load32(value.data()) ^ (Load32(end - 4) << 24);
  } else if (!value.empty()) {
    mix += static_cast<unsigned char>(value.front()) * 31U + static_cast<unsigned char>(end[-1]);
  }
  return static_cast<std::size_t>((mix * 0x9E3779B97F4A7C15U) >> (64 - kCacheBits));
}

std::uint32_t TermDictionary::NumberOf(std::string_view value, std::string_view* kept) {
  CacheSlot& slot = cache_[SlotOf(value)];
  if (slot.value != value || slot.value.data() == nullptr) slot = FindOrInsert(value);
  if (kept != nullptr) *kept = slot.value;
  return slot.number;
}

// Reads the map without the lock: only the calling thread ever changes it, and it does so under the
// lock.
TermDictionary::CacheSlot TermDictionary::FindOrInsert(std::string_view value)
    DAYBOOK_NO_THREAD_SAFETY_ANALYSIS {
  const auto found = numbers_.find(ToAbsl(value));
  const std::uint32_t number = found != numbers_.end() ? found->second : Insert(value);
  return {.value = values_[number], .number = number};
}

std::uint32_t TermDictionary::Insert(std::string_view value) {
  const std::string_view kept = Keep(value);
  WriterLock lock(mutex_);
  const auto number = static_cast<std::uint32_t>(values_.size());
  values_.push_back(kept);
  numbers_.emplace(ToAbsl(kept), number);
  return number;
}

std::string_view TermDictionary::Keep(std::string_view value) {
  if (value.size() > chunk_room_) {
    chunk_room_ = std::max(kChunkBytes, value.size());
    chunks_.push_back(std::make_unique<char[]>(chunk_room_));
    chunk_next_ = chunks_.back().get();
  }
  if (!value.empty()) std::memcpy(chunk_next_, value.data(), value.size());
  const std::string_view kept(chunk_next_, value.size());
  chunk_next_ += value.size();
  chunk_room_ -= value.size();
  return kept;
}

std::optional<std::uint32_t> TermDictionary::Find(std::string_view value) const {
  ReaderLock lock(mutex_);
  const auto found = numbers_.find(ToAbsl(value));
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string_view> TermDictionary::Values() const {
  ReaderLock lock(mutex_);
  return values_;
}

}  // namespace daybook
