#include <vector>

#include "base/seeded_bug.h"
#include "index/sidecar_parts.h"

namespace daybook {
namespace {

// A lost event says nothing; another points backwards, so that every walk ends.
bool IsGood(const Link& link, std::uint64_t position) {
  if (link.lost()) return link.version == 0 && link.prev == 0 && link.skip == 0;
  return link.version != 0 && link.prev < position && link.skip <= link.prev;
}

// Calls visit(i, number) for each event; false as soon as it says so. One loop for each width, at
// the speed of memory.
template <class Visit>
bool ForEachNumber(const ColumnView& column, std::uint64_t events, const Visit& visit) {
  const auto walk = [&](const auto* numbers) {
    for (std::uint64_t i = 0; i < events; ++i) {
      if (!visit(i, std::uint32_t{numbers[i]})) return false;
    }
    return true;
  };
  switch (column.width) {
    case 1:
      return walk(static_cast<const std::uint8_t*>(column.data));
    case 2:
      return walk(static_cast<const std::uint16_t*>(column.data));
    default:
      return walk(static_cast<const std::uint32_t*>(column.data));
  }
}

}  // namespace

absl::Status Sidecar::Parts::VerifyLinks() const {
  std::uint64_t position = header.first_position;
  std::uint32_t offset8 = 0;
  for (const Link& link : links) {
    const bool in_order = link.lost() || link.offset8 > offset8;
    if (!in_order || !IsGood(link, position)) {
      const auto at = static_cast<std::uint64_t>(&link - links.data()) * sizeof(Link);
      return Damaged(Entry(SidecarSection::kLinks).offset + at, "a link of the sidecar is no good");
    }
    if (!link.lost()) offset8 = link.offset8;
    ++position;
  }
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::VerifyTerms(SidecarSection section,
                                         const SidecarColumn& column) const {
  std::string_view before;
  for (const SidecarTerm& term : column.terms) {
    const bool fits = term.bytes <= kNameBytesMax && term.offset <= column.bytes.size() &&
                      term.bytes <= column.bytes.size() - term.offset;
    if (!fits) return Damaged(section, "a term lies beyond its section");
    const std::string_view value = column.NameOf(term);
    if (&term != column.terms.data() && value <= before) {
      return Damaged(section, "terms are not in order");
    }
    before = value;
  }
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::VerifyColumn(SidecarSection column_section,
                                          SidecarSection terms_section,
                                          const SidecarColumn& column) const {
  DAYBOOK_RETURN_IF_ERROR(VerifyTerms(terms_section, column));
  std::vector<std::uint64_t> counts(column.terms.size());
  const std::uint32_t none = SidecarNoTerm(column.column.width);
  const bool good =
      ForEachNumber(column.column, header.events, [&](std::uint64_t i, std::uint32_t number) {
        if (number == none) return links[i].lost();
        if (number >= counts.size() || links[i].lost()) return false;
        ++counts[number];
        return true;
      });
  if (!good) return Damaged(column_section, "a column has a number without a term");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != column.terms[i].events)
      return Damaged(terms_section, "a term's count is wrong");
  }
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::VerifyTags() const {
  std::uint64_t start = 0;
  for (const SidecarTag& tag : tags) {
    const bool in_order = &tag == tags.data() || (&tag)[-1].hash < tag.hash;
    if (!in_order || tag.count == 0 || tag.start != start || tag.count > postings.size() - start) {
      return Damaged(SidecarSection::kTagDirectory, "the directory of tags is no good");
    }
    const std::span<const std::uint32_t> run = postings.subspan(start, tag.count);
    for (std::size_t i = 0; i < run.size(); ++i) {
      const bool ascends = i == 0 || run[i - 1] < run[i];
      if (!ascends || run[i] >= header.events || links[run[i]].lost()) {
        return Damaged(SidecarSection::kTagPostings, "the postings of a tag are no good");
      }
    }
    start += tag.count;
  }
  if (SidecarRoundUp(start * sizeof(std::uint32_t)) != postings.size_bytes()) {
    return Damaged(SidecarSection::kTagPostings, "there are postings without a tag");
  }
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::VerifyRun(SidecarSection section,
                                       std::span<const std::uint64_t> run) const {
  for (std::size_t i = 0; i < run.size(); ++i) {
    const auto local = static_cast<std::uint32_t>(run[i]);
    const bool ascends = i == 0 || run[i - 1] < run[i];
    if (!ascends || local >= header.events || links[local].lost()) {
      return Damaged(section, "a sorted run is no good");
    }
  }
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::VerifyTimeSamples() const {
  for (std::size_t i = 1; i < time_samples.size(); ++i) {
    if (time_samples[i - 1] > time_samples[i]) {
      return Damaged(SidecarSection::kTimeSamples, "the sampled times are not in order");
    }
  }
  return absl::OkStatus();
}

// The hashes first: they find every accident. The rest is for bytes that were made up with good
// hashes: they may lie, but no lookup can leave its section.
absl::Status Sidecar::VerifyAll() const {
  using S = SidecarSection;
  if (IsSeeded(SeededBug::kSidecarChecksumSkipped)) return absl::OkStatus();
  const Parts& p = *parts_;
  DAYBOOK_RETURN_IF_ERROR(p.map.Load(0, p.map.bytes().size()));
  p.map.AdviseWillNeed(0, p.map.bytes().size());
  for (std::size_t i = 0; i < kSidecarSections; ++i) {
    const auto section = static_cast<SidecarSection>(i);
    if (Hash64(p.Bytes(section)) != p.Entry(section).hash) {
      return p.Damaged(section, "a section of the sidecar is damaged");
    }
  }
  DAYBOOK_RETURN_IF_ERROR(p.VerifyLinks());
  DAYBOOK_RETURN_IF_ERROR(p.VerifyColumn(S::kTypes, S::kTypeTerms, p.types));
  DAYBOOK_RETURN_IF_ERROR(p.VerifyColumn(S::kCategories, S::kCategoryTerms, p.categories));
  DAYBOOK_RETURN_IF_ERROR(p.VerifyTags());
  DAYBOOK_RETURN_IF_ERROR(p.VerifyRun(S::kHeads, p.heads));
  DAYBOOK_RETURN_IF_ERROR(p.VerifyRun(S::kIds, p.ids));
  return p.VerifyTimeSamples();
}

}  // namespace daybook
