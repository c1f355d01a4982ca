#include "index/head_store.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "index/head_store_format.h"
#include "kv/derived.h"
#include "kv/environment.h"

namespace daybook {
namespace {

constexpr std::string_view kMetaKey = "store";
constexpr std::uint64_t kMapBytes = std::uint64_t{4} << 20;  // to begin with
// A transaction dirties at most one leaf for each update, twice that where all of them split, and
// few branches: 4,096 pages hold it.
constexpr std::size_t kUpdatesPerTransaction = 1900;
constexpr std::size_t kHeadsPerVisit = 1000;

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      "index: ", ToAbsl(what), "; it is derived: delete the folder index/ and open again"));
}

// Sorts like the number.
std::array<char, 8> CatalogueKey(std::uint64_t first_position) {
  std::array<char, 8> key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<char>(first_position >> (56 - 8 * i));
  }
  return key;
}
std::string_view View(const std::array<char, 8>& key) { return {key.data(), key.size()}; }

HeadRecord FromStored(const StoredHead& stored) {
  return {.version = stored.version,
          .position = stored.last[0],
          .last = stored.last,
          .effective_min = stored.effective_min,
          .effective_max = stored.effective_max};
}

StoredHead ToStored(const HeadRecord& head, std::string_view stream) {
  StoredHead stored{.version = head.version,
                    .last = head.last,
                    .effective_min = head.effective_min,
                    .effective_max = head.effective_max,
                    .hash = 0};
  stored.hash = HashOfStored(stored, stream);
  return stored;
}

std::uint64_t Known(const HeadRecord& head) {
  return static_cast<std::uint64_t>(std::find(head.last.begin(), head.last.end(), 0U) -
                                    head.last.begin());
}

// The newer head, its list of positions filled up from the older one, bounds over both.
HeadRecord Merge(const HeadRecord& older, HeadRecord newer) {
  newer.effective_min = std::min(newer.effective_min, older.effective_min);
  newer.effective_max = std::max(newer.effective_max, older.effective_max);
  std::uint64_t known = Known(newer);
  const std::uint64_t below = newer.version - std::min(newer.version, known);
  if (below > older.version) return newer;  // versions in between are not known
  for (std::uint64_t i = older.version - below; i < Known(older) && known < kHeadPositionsMax;
       ++i) {
    newer.last[known++] = older.last[i];
  }
  return newer;
}

}  // namespace

struct HeadStore::Parts {
  std::filesystem::path directory;
  SidecarKey identity;
  std::unique_ptr<Environment> environment;
  TableHandle meta, heads, catalogue;
  std::atomic<std::uint64_t> applied_position{0};

  // The store's own lock keeps all others away.
  absl::Status OpenEnvironment(bool* discarded);
  // Reads the meta entry; where the tables are new, writes it. False where it is another store's,
  // or of another format.
  absl::StatusOr<bool> Adopt();
  absl::Status PutMeta(WriteTransaction* transaction, std::uint64_t applied) const;

  absl::Status Write(const std::function<absl::Status(WriteTransaction*)>& work) {
    return WriteGrowing(environment.get(), directory, work);
  }
  absl::Status MergeHead(WriteTransaction* transaction, const Update& update) const;
  absl::Status PutSegment(WriteTransaction* transaction, const SidecarKey& segment) const;
};

absl::Status HeadStore::Parts::OpenEnvironment(bool* discarded) {
  DAYBOOK_ASSIGN_OR_RETURN(
      environment,
      OpenDerived(directory, {.map_bytes = kMapBytes, .max_tables = 3, .no_meta_sync = true},
                  discarded));
  DAYBOOK_ASSIGN_OR_RETURN(meta, environment->OpenTable("meta"));
  DAYBOOK_ASSIGN_OR_RETURN(heads, environment->OpenTable("heads"));
  DAYBOOK_ASSIGN_OR_RETURN(catalogue, environment->OpenTable("catalogue"));
  return absl::OkStatus();
}

absl::StatusOr<bool> HeadStore::Parts::Adopt() {
  std::optional<StoredMeta> found;
  std::uint64_t held = 0;
  {
    DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment->BeginRead());
    DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction.Get(meta, kMetaKey));
    if (bytes && !LoadStored(*bytes, kMetaKey, &found.emplace())) return false;
    DAYBOOK_ASSIGN_OR_RETURN(held, transaction.Count(heads));
  }
  if (!found) {
    if (held != 0) return false;
    DAYBOOK_RETURN_IF_ERROR(Write([this](WriteTransaction* t) { return PutMeta(t, 0); }));
    return true;
  }
  applied_position = found->applied_position;
  return found->format == kHeadStoreFormat && found->store_id == identity.store_id &&
         found->incarnation == identity.incarnation;
}

absl::Status HeadStore::Parts::PutMeta(WriteTransaction* transaction, std::uint64_t applied) const {
  StoredMeta stored{.format = kHeadStoreFormat,
                    .store_id = identity.store_id,
                    .incarnation = identity.incarnation,
                    .applied_position = applied,
                    .hash = 0};
  stored.hash = HashOfStored(stored, kMetaKey);
  return transaction->Put(meta, kMetaKey, BytesOfStored(stored));
}

absl::Status HeadStore::Parts::MergeHead(WriteTransaction* transaction,
                                         const Update& update) const {
  HeadRecord head = update.head;
  head.last[0] = head.position;
  DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction->Get(heads, update.stream));
  if (bytes) {
    StoredHead stored;
    if (!LoadStored(*bytes, update.stream, &stored))
      return Damaged("the head of a stream is damaged");
    if (stored.version >= head.version) return absl::OkStatus();
    head = Merge(FromStored(stored), head);
  }
  return transaction->Put(heads, update.stream, BytesOfStored(ToStored(head, update.stream)));
}

absl::Status HeadStore::Parts::PutSegment(WriteTransaction* transaction,
                                          const SidecarKey& segment) const {
  const std::array<char, 8> key = CatalogueKey(segment.first_position);
  StoredSegment stored{.store_id = segment.store_id,
                       .incarnation = segment.incarnation,
                       .first_position = segment.first_position,
                       .events = segment.events,
                       .last_frame_hash = segment.last_frame_hash,
                       .hash = 0};
  stored.hash = HashOfStored(stored, View(key));
  return transaction->Put(catalogue, View(key), BytesOfStored(stored));
}

HeadStore::HeadStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HeadStore::~HeadStore() = default;

absl::StatusOr<std::unique_ptr<HeadStore>> HeadStore::Open(const std::filesystem::path& directory,
                                                           const SidecarKey& identity,
                                                           bool* discarded) {
  *discarded = false;
  auto parts = std::make_unique<Parts>();
  parts->directory = directory;
  parts->identity = identity;
  for (int tries = 0;; ++tries) {
    absl::StatusOr<bool> adopted = false;
    absl::Status opened = parts->OpenEnvironment(discarded);
    if (opened.ok()) adopted = parts->Adopt();
    if (!adopted.ok()) opened = adopted.status();
    opened = ToldApart(opened, directory);
    if (opened.ok() && *adopted) return std::unique_ptr<HeadStore>(new HeadStore(std::move(parts)));
    // Of these the folder is not the cause, nor would another one help.
    const bool hopeless = absl::IsPermissionDenied(opened) || absl::IsUnavailable(opened) ||
                          absl::IsResourceExhausted(opened);
    if (tries > 0 || hopeless) {
      return opened.ok() ? Damaged("it cannot be made anew") : opened;
    }
    parts->environment.reset();
    parts->applied_position = 0;
    DAYBOOK_RETURN_IF_ERROR(DiscardDerived(directory));
    *discarded = true;
  }
}

std::uint64_t HeadStore::applied_position() const { return parts_->applied_position; }

absl::StatusOr<std::uint64_t> HeadStore::streams() const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, parts_->environment->BeginRead());
  return transaction.Count(parts_->heads);
}

absl::StatusOr<std::optional<HeadRecord>> HeadStore::Find(std::string_view stream) const {
  if (stream.empty() || stream.size() > kNameBytesMax) return std::optional<HeadRecord>();
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, parts_->environment->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction.Get(parts_->heads, stream));
  if (!bytes) return std::optional<HeadRecord>();
  StoredHead stored;
  if (!LoadStored(*bytes, stream, &stored)) return Damaged("the head of a stream is damaged");
  return std::optional<HeadRecord>(FromStored(stored));
}

// Where the process dies in between, some heads are newer than applied_position says: the segment
// is applied again, and a head that is as new already stays.
absl::Status HeadStore::Apply(std::vector<Update>* updates, const SidecarKey& segment) {
  const std::uint64_t applied = applied_position();
  if (segment.first_position == 0 || segment.first_position > applied + 1) {
    return absl::InternalError(absl::StrCat("index: a segment from position ",
                                            segment.first_position, " after ", applied));
  }
  const std::uint64_t last = std::max(applied, segment.first_position + segment.events - 1);
  std::sort(updates->begin(), updates->end(),
            [](const Update& a, const Update& b) { return a.stream < b.stream; });
  if (IsSeeded(SeededBug::kLastHeadDropped) && !updates->empty()) updates->pop_back();
  std::size_t begin = 0;
  do {
    const std::size_t end = std::min(updates->size(), begin + kUpdatesPerTransaction);
    const absl::Status written = parts_->Write([&](WriteTransaction* transaction) {
      for (std::size_t i = begin; i < end; ++i) {
        DAYBOOK_RETURN_IF_ERROR(parts_->MergeHead(transaction, (*updates)[i]));
      }
      if (end < updates->size()) return absl::OkStatus();
      DAYBOOK_RETURN_IF_ERROR(parts_->PutSegment(transaction, segment));
      return parts_->PutMeta(transaction, last);
    });
    DAYBOOK_RETURN_IF_ERROR(written);
    begin = end;
  } while (begin < updates->size());
  parts_->applied_position = last;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SidecarKey>> HeadStore::Catalogue() const {
  std::vector<SidecarKey> segments;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, parts_->environment->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(parts_->catalogue));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Seek(""));
  while (more) {
    StoredSegment stored;
    if (!LoadStored(cursor.value(), cursor.key(), &stored)) {
      return Damaged("the catalogue is damaged");
    }
    segments.push_back({.store_id = stored.store_id,
                        .incarnation = stored.incarnation,
                        .first_position = stored.first_position,
                        .events = stored.events,
                        .last_frame_hash = stored.last_frame_hash});
    DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return segments;
}

// In batches, so that a slow visitor, or one that calls this store, holds no transaction open.
absl::Status HeadStore::ForEach(
    std::string_view prefix,
    const std::function<void(std::string_view, const HeadRecord&)>& visit) const {
  if (prefix.size() > kNameBytesMax) return absl::OkStatus();
  std::string from(prefix);
  std::vector<Update> batch;
  do {
    batch.clear();
    {
      DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, parts_->environment->BeginRead());
      DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(parts_->heads));
      DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Seek(from));
      while (more && cursor.key().starts_with(prefix) && batch.size() < kHeadsPerVisit) {
        StoredHead stored;
        if (!LoadStored(cursor.value(), cursor.key(), &stored)) {
          return Damaged("the head of a stream is damaged");
        }
        batch.push_back({std::string(cursor.key()), FromStored(stored)});
        DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
      }
    }
    for (const Update& head : batch) visit(head.stream, head.head);
    if (!batch.empty()) from = batch.back().stream + '\0';  // the smallest name behind it
  } while (batch.size() == kHeadsPerVisit);
  return absl::OkStatus();
}

}  // namespace daybook
