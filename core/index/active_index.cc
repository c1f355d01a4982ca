#include "index/active_index.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/status.h"
#include "index/active_arrays.h"

namespace daybook {
namespace {

// One thread writes: a plain add that others may read at any time.
void CountOne(std::uint64_t* counter) {
  const std::atomic_ref<std::uint64_t> count(*counter);
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// CategoryOf(stream) == category, where the category is known to be one.
bool IsOfCategory(std::string_view stream, std::string_view category) {
  return stream.starts_with(category) &&
         (stream.size() == category.size() || stream[category.size()] == '-');
}

std::optional<Term> FindTerm(const TermDictionary& terms,
                             const ReservedArray<std::uint64_t>& counts, std::string_view value) {
  const std::optional<std::uint32_t> number = terms.Find(value);
  if (!number) return std::nullopt;
  const std::atomic_ref<std::uint64_t> count(counts[*number]);
  return Term{.number = *number, .events = count.load(std::memory_order_relaxed)};
}

}  // namespace

ActiveIndex::ActiveIndex(std::uint64_t first_position)
    : SegmentIndex(first_position), arrays_(std::make_unique<Arrays>()) {}

ActiveIndex::~ActiveIndex() = default;

absl::StatusOr<std::unique_ptr<ActiveIndex>> ActiveIndex::Create(std::uint64_t first_position,
                                                                 std::uint64_t segment_bytes,
                                                                 std::uint64_t record_bytes_min) {
  constexpr std::uint64_t kTagBytesMin = sizeof(std::uint64_t);  // its pointer in the list of tags
  if (first_position == 0 || record_bytes_min == 0 ||
      segment_bytes / record_bytes_min >= kNoTerm - 1) {
    return absl::InternalError("an active index of no position, or of too many events");
  }
  const std::uint64_t events = segment_bytes / record_bytes_min + 1;
  std::unique_ptr<ActiveIndex> index(new ActiveIndex(first_position));
  Arrays& a = *index->arrays_;
  DAYBOOK_ASSIGN_OR_RETURN(a.links, ReservedArray<Link>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.types, ReservedArray<std::uint32_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.categories, ReservedArray<std::uint32_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.stream_hashes, ReservedArray<std::uint64_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.id_hashes, ReservedArray<std::uint64_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.effective_ats, ReservedArray<std::int64_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.type_counts, ReservedArray<std::uint64_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.category_counts, ReservedArray<std::uint64_t>::Reserve(events));
  DAYBOOK_ASSIGN_OR_RETURN(a.time_samples,
                           ReservedArray<std::int64_t>::Reserve(events / kTimeSampleEvery + 1));
  DAYBOOK_ASSIGN_OR_RETURN(a.tags,
                           ReservedArray<TagEntry>::Reserve(segment_bytes / kTagBytesMin + 64));
  index->links_ = a.links.data();
  index->time_samples_ = a.time_samples.data();
  return index;
}

std::uint64_t ActiveIndex::capacity() const { return arrays_->links.capacity(); }

void ActiveIndex::Add(const Entry& entry, const TagList& tags) {
  Arrays& a = *arrays_;
  const std::uint64_t local = a.added.load(std::memory_order_relaxed);
  DAYBOOK_CHECK(local < a.links.capacity() && tags.size() <= a.tags.capacity() - a.tags_added);
  DAYBOOK_CHECK(entry.offset % 8 == 0 && entry.offset / 8 - 1 < 0xFFFFFFFF);
  a.links[local] = {.offset8 = static_cast<std::uint32_t>(entry.offset / 8),
                    .version = static_cast<std::uint32_t>(
                        std::min<std::uint64_t>(entry.version, kLinkVersionEscape)),
                    .prev = entry.prev,
                    .skip = entry.skip};
  a.stream_hashes[local] = entry.stream_hash;
  a.id_hashes[local] = IdHash(entry.stream_hash, entry.id);
  a.effective_ats[local] = entry.effective_at;

  const std::uint32_t type = a.type_terms.NumberOf(entry.type);
  a.types[local] = type;
  CountOne(&a.type_counts[type]);
  if (a.last_category_number == kNoTerm || !IsOfCategory(entry.stream, a.last_category)) {
    a.last_category_number = a.category_terms.NumberOf(CategoryOf(entry.stream), &a.last_category);
  }
  a.categories[local] = a.last_category_number;
  CountOne(&a.category_counts[a.last_category_number]);

  a.last_recorded_at = entry.recorded_at;
  if (local % kTimeSampleEvery == 0) a.time_samples[local / kTimeSampleEvery] = entry.recorded_at;
  if (entry.effective_at < a.effective_min.load(std::memory_order_relaxed)) {
    a.effective_min.store(entry.effective_at, std::memory_order_relaxed);
  }
  if (entry.effective_at > a.effective_max.load(std::memory_order_relaxed)) {
    a.effective_max.store(entry.effective_at, std::memory_order_relaxed);
  }
  for (const std::string_view tag : tags) {
    a.tags[a.tags_added++] = {
        .hash = TagHash(tag), .local = static_cast<std::uint32_t>(local), .zero = 0};
  }
  a.added.store(local + 1, std::memory_order_relaxed);
}

void ActiveIndex::AddLost() {
  Arrays& a = *arrays_;
  const std::uint64_t local = a.added.load(std::memory_order_relaxed);
  DAYBOOK_CHECK(local < a.links.capacity());
  // The link and the hashes are zeros, as the arrays began; the offset says that the event is lost.
  a.types[local] = kNoTerm;
  a.categories[local] = kNoTerm;
  if (local % kTimeSampleEvery == 0) a.time_samples[local / kTimeSampleEvery] = a.last_recorded_at;
  a.added.store(local + 1, std::memory_order_relaxed);
}

void ActiveIndex::Publish() {
  arrays_->tags_published.store(arrays_->tags_added, std::memory_order_release);
  count_.store(arrays_->added.load(std::memory_order_relaxed), std::memory_order_release);
}

std::uint64_t ActiveIndex::added() const { return arrays_->added.load(std::memory_order_relaxed); }

SegmentIndex::EffectiveBounds ActiveIndex::effective_bounds() const {
  return {.min = arrays_->effective_min.load(std::memory_order_relaxed),
          .max = arrays_->effective_max.load(std::memory_order_relaxed)};
}

std::optional<Term> ActiveIndex::FindType(std::string_view type) const {
  return FindTerm(arrays_->type_terms, arrays_->type_counts, type);
}

std::optional<Term> ActiveIndex::FindCategory(std::string_view category) const {
  return FindTerm(arrays_->category_terms, arrays_->category_counts, category);
}

ColumnView ActiveIndex::types() const {
  return {.data = arrays_->types.data(), .width = sizeof(std::uint32_t)};
}

ColumnView ActiveIndex::categories() const {
  return {.data = arrays_->categories.data(), .width = sizeof(std::uint32_t)};
}

void ActiveIndex::FindTag(std::uint64_t tag_hash, std::uint64_t limit,
                          std::vector<std::uint32_t>* locals) const {
  const std::uint64_t end = std::min(limit, count());
  arrays_->tag_lookup.Find(arrays_->published_tags(), tag_hash, end, locals);
}

void ActiveIndex::FindId(std::uint64_t id_hash, std::uint64_t limit,
                         std::vector<std::uint32_t>* locals) const {
  const std::uint64_t events = count();
  arrays_->id_lookup.Find({arrays_->id_hashes.data(), events}, links_, id_hash,
                          std::min(limit, events), locals);
}

void ActiveIndex::FindHead(std::uint64_t stream_hash, std::vector<std::uint32_t>* locals) const {
  arrays_->head_lookup.Find({arrays_->stream_hashes.data(), count()}, links_, first_position_,
                            stream_hash, locals);
}

std::optional<std::vector<StreamSummary>> ActiveIndex::SummarizeStreams() const {
  const std::uint64_t events = count();
  std::vector<StreamSummary> streams;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> stream_of_hash;
  for (std::uint64_t local = 0; local < events; ++local) {
    const Link& link = links_[local];
    if (link.offset8 == 0) return std::nullopt;
    const auto [found, added] = stream_of_hash.try_emplace(
        arrays_->stream_hashes[local], static_cast<std::uint32_t>(streams.size()));
    if (added) streams.emplace_back();
    StreamSummary& stream = streams[found->second];
    // An event follows the last one of its stream, which may lie before the segment.
    const bool follows =
        added ? link.prev < first_position_ : link.prev == first_position_ + stream.last_local;
    if (!follows) return std::nullopt;
    stream.last_local = static_cast<std::uint32_t>(local);
    stream.effective.min = std::min(stream.effective.min, arrays_->effective_ats[local]);
    stream.effective.max = std::max(stream.effective.max, arrays_->effective_ats[local]);
  }
  return streams;
}

void ActiveIndex::AllHeads(std::vector<std::uint32_t>* locals) const {
  CollectHeads({links_, count()}, first_position_, locals);
}

}  // namespace daybook
