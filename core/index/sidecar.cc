#include "index/sidecar.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "index/sidecar_parts.h"
#include "io/file.h"

namespace daybook {
namespace {

std::optional<Term> FindTerm(const SidecarColumn& column, std::string_view value) {
  const auto found = std::lower_bound(
      column.terms.begin(), column.terms.end(), value,
      [&](const SidecarTerm& term, std::string_view v) { return column.NameOf(term) < v; });
  if (found == column.terms.end() || column.NameOf(*found) != value) return std::nullopt;
  return Term{.number = static_cast<std::uint32_t>(found - column.terms.begin()),
              .events = found->events};
}

// The entries of a run that have the upper half of this hash.
std::span<const std::uint64_t> FindInRun(std::span<const std::uint64_t> run, std::uint64_t hash) {
  const auto begin = std::lower_bound(run.begin(), run.end(), hash & kRunHashMask);
  const auto end = std::upper_bound(begin, run.end(), hash | ~kRunHashMask);
  return {begin, end};
}

}  // namespace

absl::Status Sidecar::Parts::CheckHeader(std::uint64_t file_bytes) const {
  // Nothing that it says is believed yet, so the positions are left out.
  const auto damaged = [&](std::string_view what) { return DataLossAt({.file = name}, what); };
  if (header.magic != kSidecarMagic) return damaged("not a sidecar");
  if (header.format != kSidecarFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " has format ", header.format, ", this version reads ", kSidecarFormat,
                     ": it is derived from the log, and rebuilt by opening the store for writing"));
  }
  if (header.header_hash != HashOf(header)) return damaged("the sidecar's header is damaged");
  if (header.header_bytes != sizeof(SidecarHeader) || header.first_position == 0 ||
      header.first_position > kCountMax || header.events >= 0xFFFFFFFF) {
    return damaged("the sidecar's header is no good");
  }
  if (header.file_bytes != file_bytes) return damaged("the sidecar has not its full length");
  std::uint64_t offset = sizeof(SidecarHeader);
  for (const SidecarSectionEntry& entry : header.sections) {
    if (entry.offset != offset || entry.bytes % 8 != 0 || entry.bytes > file_bytes - offset) {
      return damaged("the sidecar's sections do not fit");
    }
    offset += entry.bytes;
  }
  if (offset != file_bytes) return damaged("the sidecar's sections do not fill it");
  return absl::OkStatus();
}

template <class T>
absl::Status Sidecar::Parts::CutExactly(SidecarSection section, std::uint64_t count,
                                        std::span<const T>* out) const {
  *out = Array<T>(section);
  if (Entry(section).bytes != count * sizeof(T))
    return Damaged(section, "a section's size is wrong");
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::CutColumn(SidecarSection column, SidecarSection terms,
                                       SidecarColumn* out) const {
  const std::span<const std::byte> bytes = Bytes(terms);
  if (bytes.size() < sizeof(std::uint64_t)) return Damaged(terms, "a section of terms is cut off");
  const std::uint64_t count = *reinterpret_cast<const std::uint64_t*>(bytes.data());
  const std::span<const std::byte> rest = bytes.subspan(sizeof(std::uint64_t));
  if (count > rest.size() / sizeof(SidecarTerm)) return Damaged(terms, "more terms than fit");
  out->terms = {reinterpret_cast<const SidecarTerm*>(rest.data()), count};
  out->bytes = AsText(rest.subspan(out->terms.size_bytes()));
  out->column = {.data = Bytes(column).data(), .width = SidecarColumnWidth(count)};
  if (Entry(column).bytes != SidecarRoundUp(header.events * out->column.width)) {
    return Damaged(column, "a column's size is wrong");
  }
  return absl::OkStatus();
}

absl::Status Sidecar::Parts::Cut() {
  using S = SidecarSection;
  DAYBOOK_RETURN_IF_ERROR(CutExactly(S::kLinks, header.events, &links));
  DAYBOOK_RETURN_IF_ERROR(CutColumn(S::kTypes, S::kTypeTerms, &types));
  DAYBOOK_RETURN_IF_ERROR(CutColumn(S::kCategories, S::kCategoryTerms, &categories));
  tags = Array<SidecarTag>(S::kTagDirectory);
  if (tags.size_bytes() != Entry(S::kTagDirectory).bytes) {
    return Damaged(S::kTagDirectory, "a section's size is wrong");
  }
  postings = Array<std::uint32_t>(S::kTagPostings);
  heads = Array<std::uint64_t>(S::kHeads);
  ids = Array<std::uint64_t>(S::kIds);
  std::span<const BloomBlock> blocks;
  DAYBOOK_RETURN_IF_ERROR(CutExactly(S::kHeadFilter, BloomBlocksFor(heads.size()), &blocks));
  head_filter = BloomView(blocks);
  DAYBOOK_RETURN_IF_ERROR(CutExactly(S::kIdFilter, BloomBlocksFor(ids.size()), &blocks));
  id_filter = BloomView(blocks);
  return CutExactly(S::kTimeSamples, SidecarTimeSamples(header.events), &time_samples);
}

absl::StatusOr<std::unique_ptr<Sidecar>> Sidecar::Open(const std::filesystem::path& path,
                                                       FileAccess access) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(path));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, file.Size());
  auto parts = std::make_unique<Parts>();
  parts->name = (path.parent_path().filename() / path.filename()).generic_string();
  if (file_bytes < sizeof(SidecarHeader)) {
    return DataLossAt({.file = parts->name}, "the sidecar is shorter than its header");
  }
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(&parts->header, 1))));
  const SidecarHeader& header = parts->header;
  DAYBOOK_RETURN_IF_ERROR(parts->CheckHeader(file_bytes));
  DAYBOOK_ASSIGN_OR_RETURN(parts->map, FileBytes::Open(file, file_bytes, access));
  for (const SidecarSection terms : {SidecarSection::kTypeTerms, SidecarSection::kCategoryTerms}) {
    // The counts by which the sections are cut.
    DAYBOOK_RETURN_IF_ERROR(parts->map.Load(parts->Entry(terms).offset, sizeof(std::uint64_t)));
  }
  DAYBOOK_RETURN_IF_ERROR(parts->Cut());
  parts->key = {.store_id = header.store_id,
                .incarnation = header.incarnation,
                .first_position = header.first_position,
                .events = header.events,
                .last_frame_hash = header.last_frame_hash};
  return std::unique_ptr<Sidecar>(new Sidecar(header.first_position, std::move(parts)));
}

Sidecar::Sidecar(std::uint64_t first_position, std::unique_ptr<Parts> parts)
    : SegmentIndex(first_position), parts_(std::move(parts)) {
  links_ = parts_->links.data();
  time_samples_ = parts_->time_samples.data();
  count_.store(parts_->key.events, std::memory_order_release);
}

Sidecar::~Sidecar() = default;

const SidecarKey& Sidecar::key() const { return parts_->key; }

SegmentIndex::EffectiveBounds Sidecar::effective_bounds() const {
  return {.min = parts_->header.effective_min, .max = parts_->header.effective_max};
}

std::optional<Term> Sidecar::FindType(std::string_view type) const {
  return FindTerm(parts_->types, type);
}

std::optional<Term> Sidecar::FindCategory(std::string_view category) const {
  return FindTerm(parts_->categories, category);
}

ColumnView Sidecar::types() const { return parts_->types.column; }

ColumnView Sidecar::categories() const { return parts_->categories.column; }

void Sidecar::FindTag(std::uint64_t tag_hash, std::uint64_t limit,
                      std::vector<std::uint32_t>* locals) const {
  locals->clear();
  const auto found =
      std::lower_bound(parts_->tags.begin(), parts_->tags.end(), tag_hash,
                       [](const SidecarTag& tag, std::uint64_t hash) { return tag.hash < hash; });
  if (found == parts_->tags.end() || found->hash != tag_hash) return;
  const auto run = parts_->postings.subspan(found->start, found->count);
  locals->assign(run.begin(), std::lower_bound(run.begin(), run.end(), limit));
}

void Sidecar::FindId(std::uint64_t id_hash, std::uint64_t limit,
                     std::vector<std::uint32_t>* locals) const {
  locals->clear();
  if (!parts_->id_filter.MayContain(id_hash)) return;
  for (const std::uint64_t entry : FindInRun(parts_->ids, id_hash)) {
    const auto local = static_cast<std::uint32_t>(entry);
    if (local < limit) locals->push_back(local);
  }
}

void Sidecar::FindHead(std::uint64_t stream_hash, std::vector<std::uint32_t>* locals) const {
  locals->clear();
  if (!parts_->head_filter.MayContain(stream_hash)) return;
  for (const std::uint64_t entry : FindInRun(parts_->heads, stream_hash)) {
    locals->push_back(static_cast<std::uint32_t>(entry));
  }
  std::reverse(locals->begin(), locals->end());
}

void Sidecar::AllHeads(std::vector<std::uint32_t>* locals) const {
  locals->clear();
  locals->reserve(parts_->heads.size());
  for (const std::uint64_t entry : parts_->heads) {
    locals->push_back(static_cast<std::uint32_t>(entry));
  }
}

}  // namespace daybook
