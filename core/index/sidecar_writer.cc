#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bloom.h"
#include "base/radix_sort.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "index/active_arrays.h"
#include "index/sidecar.h"
#include "index/sidecar_format.h"
#include "io/directory.h"
#include "io/file.h"

namespace daybook {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

// Writes sections one behind the other, in order, and keeps their places and hashes for the header.
class SectionWriter {
 public:
  explicit SectionWriter(File* file) : file_(file) { buffer_.reserve(kBufferBytes); }

  void Begin(SidecarSection section) {
    entry_ = &sections_[static_cast<std::size_t>(section)];
    entry_->offset = end();
    hasher_ = Hasher64();
  }

  absl::Status Append(std::span<const std::byte> bytes) {
    hasher_.Update(bytes);
    if (buffer_.size() + bytes.size() > kBufferBytes) DAYBOOK_RETURN_IF_ERROR(Flush());
    if (bytes.size() >= kBufferBytes) {
      DAYBOOK_RETURN_IF_ERROR(file_->WriteAt(flushed_, bytes));
      flushed_ += bytes.size();
    } else {
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    }
    return absl::OkStatus();
  }
  template <class T>
  absl::Status AppendArray(std::span<const T> values) {
    return Append(std::as_bytes(values));
  }

  absl::Status End() {
    constexpr std::array<std::byte, 8> kZeros{};
    const std::uint64_t bytes = end() - entry_->offset;
    DAYBOOK_RETURN_IF_ERROR(
        Append(std::span(kZeros).first(static_cast<std::size_t>(SidecarRoundUp(bytes) - bytes))));
    entry_->bytes = SidecarRoundUp(bytes);
    entry_->hash = hasher_.Digest();
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Write(SidecarSection section, std::span<const T> values) {
    Begin(section);
    DAYBOOK_RETURN_IF_ERROR(AppendArray(values));
    return End();
  }

  absl::Status Flush() {
    DAYBOOK_RETURN_IF_ERROR(file_->WriteAt(flushed_, buffer_));
    flushed_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

  [[nodiscard]] std::uint64_t end() const { return flushed_ + buffer_.size(); }
  [[nodiscard]] const std::array<SidecarSectionEntry, kSidecarSections>& sections() const {
    return sections_;
  }

 private:
  File* file_;
  std::vector<std::byte> buffer_;
  std::uint64_t flushed_ = sizeof(SidecarHeader);  // the header comes last
  std::array<SidecarSectionEntry, kSidecarSections> sections_{};
  SidecarSectionEntry* entry_ = nullptr;
  Hasher64 hasher_;
};

// The numbers of the events, `place` applied, in words of type T.
template <class T>
absl::Status WriteNumbers(SidecarSection section, std::span<const std::uint32_t> numbers,
                          const std::vector<std::uint32_t>& place, SectionWriter* out) {
  std::vector<T> column(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    column[i] = numbers[i] == kNoTerm ? static_cast<T>(-1) : static_cast<T>(place[numbers[i]]);
  }
  return out->Write(section, std::span<const T>(column));
}

// A column and its terms. The terms are sorted, so that a reader finds one without a table of its
// own; the events' numbers become the places in that order.
absl::Status WriteColumn(SidecarSection column_section, SidecarSection terms_section,
                         std::span<const std::uint32_t> numbers,
                         const std::vector<std::string_view>& values, SectionWriter* out) {
  std::vector<std::uint64_t> counts(values.size());
  for (const std::uint32_t number : numbers) {
    if (number != kNoTerm) ++counts[number];
  }
  // Only what an event has: a term that was added but whose event was not published is none.
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    if (counts[i] != 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; });
  std::vector<std::uint32_t> place(values.size());
  std::vector<SidecarTerm> terms;
  std::string bytes;
  for (const std::uint32_t number : order) {
    place[number] = static_cast<std::uint32_t>(terms.size());
    terms.push_back({.events = counts[number],
                     .offset = static_cast<std::uint32_t>(bytes.size()),
                     .bytes = static_cast<std::uint32_t>(values[number].size())});
    bytes.append(values[number]);
  }
  // Offsets are 32 bits wide: names of more than 4 GiB do not fit into one segment.
  switch (SidecarColumnWidth(terms.size())) {
    case 1:
      DAYBOOK_RETURN_IF_ERROR(WriteNumbers<std::uint8_t>(column_section, numbers, place, out));
      break;
    case 2:
      DAYBOOK_RETURN_IF_ERROR(WriteNumbers<std::uint16_t>(column_section, numbers, place, out));
      break;
    default:
      DAYBOOK_RETURN_IF_ERROR(WriteNumbers<std::uint32_t>(column_section, numbers, place, out));
  }
  const std::uint64_t count = terms.size();
  out->Begin(terms_section);
  DAYBOOK_RETURN_IF_ERROR(out->AppendArray(std::span(&count, 1)));
  DAYBOOK_RETURN_IF_ERROR(out->AppendArray(std::span<const SidecarTerm>(terms)));
  DAYBOOK_RETURN_IF_ERROR(out->Append(AsBytes(bytes)));
  return out->End();
}

absl::Status WriteTags(std::span<const TagEntry> entries, SectionWriter* out) {
  if (IsSeeded(SeededBug::kLastTagDropped) && !entries.empty()) {
    entries = entries.first(entries.size() - 1);
  }
  // The entries are sorted through words {upper half of the hash, place}; the places ascend, and so
  // do the locals of a tag.
  std::vector<std::uint64_t> order(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) order[i] = (entries[i].hash & kRunHashMask) | i;
  RadixSortByUpperHalf(&order);
  const auto hash_of = [&](std::uint64_t word) { return entries[word & ~kRunHashMask].hash; };

  std::vector<SidecarTag> directory;
  std::vector<std::uint32_t> postings;
  postings.reserve(entries.size());
  for (auto begin = order.begin(); begin != order.end();) {
    auto end = begin + 1;
    bool same = true;
    for (; end != order.end() && ((*end ^ *begin) & kRunHashMask) == 0; ++end) {
      same = same && hash_of(*end) == hash_of(*begin);
    }
    if (!same) {  // rare: the lower halves decide
      std::stable_sort(begin, end,
                       [&](std::uint64_t a, std::uint64_t b) { return hash_of(a) < hash_of(b); });
    }
    for (; begin != end; ++begin) {
      const TagEntry& entry = entries[*begin & ~kRunHashMask];
      if (directory.empty() || directory.back().hash != entry.hash) {
        directory.push_back(
            {.hash = entry.hash, .start = static_cast<std::uint32_t>(postings.size()), .count = 0});
      } else if (postings.back() == entry.local) {
        continue;  // two tags of one event with the same hash are one answer
      }
      ++directory.back().count;
      postings.push_back(entry.local);
    }
  }
  DAYBOOK_RETURN_IF_ERROR(
      out->Write(SidecarSection::kTagDirectory, std::span<const SidecarTag>(directory)));
  return out->Write(SidecarSection::kTagPostings, std::span<const std::uint32_t>(postings));
}

// A sorted run of {upper half of the hash, local} of these locals (ascending), and its filter.
absl::Status WriteRun(SidecarSection run_section, SidecarSection filter_section,
                      const std::uint64_t* hashes, const std::vector<std::uint32_t>& locals,
                      SectionWriter* out) {
  std::vector<std::uint64_t> run;
  run.reserve(locals.size());
  BloomBuilder filter(locals.size());
  for (const std::uint32_t local : locals) {
    run.push_back((hashes[local] & kRunHashMask) | local);
    filter.Insert(hashes[local]);
  }
  RadixSortByUpperHalf(&run);
  DAYBOOK_RETURN_IF_ERROR(out->Write(run_section, std::span<const std::uint64_t>(run)));
  return out->Write(filter_section, filter.blocks());
}

absl::Status WriteSections(const ActiveIndex& index, std::uint64_t events, SectionWriter* out) {
  using S = SidecarSection;
  const ActiveIndex::Arrays& a = index.arrays();
  const std::span<const Link> links(a.links.data(), events);
  DAYBOOK_RETURN_IF_ERROR(out->Write(S::kLinks, links));
  DAYBOOK_RETURN_IF_ERROR(
      WriteColumn(S::kTypes, S::kTypeTerms, {a.types.data(), events}, a.type_terms.Values(), out));
  DAYBOOK_RETURN_IF_ERROR(WriteColumn(S::kCategories, S::kCategoryTerms,
                                      {a.categories.data(), events}, a.category_terms.Values(),
                                      out));
  DAYBOOK_RETURN_IF_ERROR(WriteTags(a.published_tags(), out));

  std::vector<std::uint32_t> locals;
  CollectHeads(links, index.first_position(), &locals);
  DAYBOOK_RETURN_IF_ERROR(WriteRun(S::kHeads, S::kHeadFilter, a.stream_hashes.data(), locals, out));
  locals.clear();
  for (std::uint32_t i = 0; i < events; ++i) {
    if (links[i].offset8 != 0) locals.push_back(i);
  }
  DAYBOOK_RETURN_IF_ERROR(WriteRun(S::kIds, S::kIdFilter, a.id_hashes.data(), locals, out));
  const std::span<const std::int64_t> samples(a.time_samples.data(), SidecarTimeSamples(events));
  return out->Write(S::kTimeSamples, samples);
}

absl::Status WriteFile(const std::filesystem::path& path, const SidecarKey& key,
                       const ActiveIndex& index) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(path));
  SectionWriter sections(&file);
  DAYBOOK_RETURN_IF_ERROR(WriteSections(index, key.events, &sections));
  DAYBOOK_RETURN_IF_ERROR(sections.Flush());
  const SegmentIndex::EffectiveBounds effective = index.effective_bounds();
  SidecarHeader header{};
  header.magic = kSidecarMagic;
  header.format = kSidecarFormat;
  header.header_bytes = sizeof(header);
  header.store_id = key.store_id;
  header.incarnation = key.incarnation;
  header.first_position = key.first_position;
  header.events = key.events;
  header.last_frame_hash = key.last_frame_hash;
  header.effective_min = effective.min;
  header.effective_max = effective.max;
  header.file_bytes = sections.end();
  header.sections = sections.sections();
  header.header_hash = HashOf(header);
  DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(&header, 1))));
  return file.Sync();
}

}  // namespace

absl::Status Sidecar::Write(const std::filesystem::path& path, const SidecarKey& key,
                            const ActiveIndex& index) {
  if (index.first_position() != key.first_position || index.count() != key.events ||
      index.added() != key.events) {
    return absl::InternalError(absl::StrCat("a sidecar of ", key.events, " events from position ",
                                            key.first_position, " was asked from an index of ",
                                            index.added(), " from ", index.first_position()));
  }
  // Until the rename there is no sidecar, or the old one, and a file aside that the next writing
  // removes: recovery rebuilds from the log. After it the new one is whole; if the machine dies
  // before the folder is synced, either is there.
  std::filesystem::path aside = path;
  aside += ".tmp";
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(aside));
  if (absl::Status written = WriteFile(aside, key, index); !written.ok()) {
    Directory::Remove(aside).IgnoreError();
    return written;
  }
  DAYBOOK_RETURN_IF_ERROR(Directory::Rename(aside, path));
  return Directory::Sync(path.parent_path());
}

}  // namespace daybook
