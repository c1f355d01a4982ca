// The arrays behind ActiveIndex, shared with the writer of sidecars.

#ifndef DAYBOOK_INDEX_ACTIVE_ARRAYS_H_
#define DAYBOOK_INDEX_ACTIVE_ARRAYS_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "index/active_index.h"
#include "index/lookup_maps.h"
#include "index/term_dictionary.h"
#include "io/reserved_array.h"

namespace daybook {

// The number of a lost event's type and category.
inline constexpr std::uint32_t kNoTerm = 0xFFFFFFFF;

// Written by the adding thread alone. Below the published counts nothing changes any more, and only
// there others read.
struct ActiveIndex::Arrays {
  ReservedArray<Link> links;
  ReservedArray<std::uint32_t> types;
  ReservedArray<std::uint32_t> categories;
  ReservedArray<std::uint64_t> stream_hashes;
  ReservedArray<std::uint64_t> id_hashes;
  ReservedArray<std::int64_t> effective_ats;
  ReservedArray<std::int64_t> time_samples;
  ReservedArray<TagEntry> tags;
  // By number: how many events have the term. Read and written by std::atomic_ref.
  ReservedArray<std::uint64_t> type_counts;
  ReservedArray<std::uint64_t> category_counts;
  TermDictionary type_terms;
  TermDictionary category_terms;

  // What the adding thread keeps for itself, but for added() and the bounds, which others may ask
  // for too.
  std::atomic<std::uint64_t> added{0};
  std::uint64_t tags_added = 0;
  std::int64_t last_recorded_at = std::numeric_limits<std::int64_t>::min();
  std::string_view last_category;  // stands in category_terms
  std::uint32_t last_category_number = kNoTerm;
  std::atomic<std::int64_t> effective_min{std::numeric_limits<std::int64_t>::max()};
  std::atomic<std::int64_t> effective_max{std::numeric_limits<std::int64_t>::min()};

  // Stored before count_, so that who sees a count sees all tags below it.
  std::atomic<std::uint64_t> tags_published{0};

  TagLookup tag_lookup;
  IdLookup id_lookup;
  HeadLookup head_lookup;

  // To be asked after count().
  [[nodiscard]] std::span<const TagEntry> published_tags() const {
    return {tags.data(), tags_published.load(std::memory_order_acquire)};
  }
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_ACTIVE_ARRAYS_H_
