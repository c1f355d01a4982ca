// Sorting entries by their keys, as a table has them.

#ifndef DAYBOOK_PROJECTIONS_KEY_ORDER_H_
#define DAYBOOK_PROJECTIONS_KEY_ORDER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace daybook {

// Eight bytes of a key from `at` on, that compare as numbers do; what the key does not have counts
// as zeros.
inline std::uint64_t PrefixOf(std::string_view key, std::size_t at) {
  std::uint64_t prefix = 0;
  if (at < key.size()) {
    std::memcpy(&prefix, key.data() + at, std::min(sizeof prefix, key.size() - at));
  }
  return __builtin_bswap64(prefix);
}

inline std::size_t CommonBytes(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

// `key_of` gives the key of an entry. Takes 16 bytes for each of them meanwhile.
//
// Keys mostly begin alike ("account-"): the eight bytes behind that tell most of them apart without
// a look at the keys, which asks memory for few of them again.
template <class Entry, class KeyOf>
void SortByKey(std::vector<const Entry*>* entries, const KeyOf& key_of) {
  std::size_t common = SIZE_MAX;
  for (const Entry* const entry : *entries) {
    common = std::min(common, CommonBytes(key_of(*entry), key_of(*entries->front())));
  }
  struct Item {
    std::uint64_t prefix;
    const Entry* entry;
  };
  std::vector<Item> items;
  items.reserve(entries->size());
  for (const Entry* const entry : *entries) {
    items.push_back({PrefixOf(key_of(*entry), common), entry});
  }
  std::sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : key_of(*a.entry) < key_of(*b.entry);
  });
  std::transform(items.begin(), items.end(), entries->begin(),
                 [](const Item& item) { return item.entry; });
}

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_KEY_ORDER_H_
