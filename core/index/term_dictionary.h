// The values of a column (types, categories) of the active segment and their numbers, in order of
// first appearance.

#ifndef DAYBOOK_INDEX_TERM_DICTIONARY_H_
#define DAYBOOK_INDEX_TERM_DICTIONARY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace daybook {

// One thread (the adder) calls NumberOf; any number call the rest.
class TermDictionary {
 public:
  // The number of a value; a new one gets the next number. Allocates, and takes the lock, only for
  // a new one: values that come again are mostly found in a small cache that only the adder knows.
  // `kept` becomes the value as it stands here, valid as long as the dictionary.
  std::uint32_t NumberOf(std::string_view value, std::string_view* kept = nullptr);

  [[nodiscard]] std::optional<std::uint32_t> Find(std::string_view value) const;
  // The values in order of their numbers, valid as long as the dictionary.
  [[nodiscard]] std::vector<std::string_view> Values() const;

 private:
  struct CacheSlot {
    std::string_view value;
    std::uint32_t number = 0;
  };
  static constexpr std::size_t kCacheBits = 6;

  static std::size_t SlotOf(std::string_view value);
  CacheSlot FindOrInsert(std::string_view value);
  std::uint32_t Insert(std::string_view value);
  std::string_view Keep(std::string_view value);

  std::array<CacheSlot, std::size_t{1} << kCacheBits> cache_;

  mutable SharedMutex mutex_;
  absl::flat_hash_map<absl::string_view, std::uint32_t> numbers_ DAYBOOK_GUARDED_BY(mutex_);
  std::vector<std::string_view> values_ DAYBOOK_GUARDED_BY(mutex_);

  // Where the bytes of the values stand; chunks never move. The adder's.
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_room_ = 0;
  char* chunk_next_ = nullptr;
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_TERM_DICTIONARY_H_
