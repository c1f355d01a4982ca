#include <algorithm>
#include <cstring>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/active_arrays.h"
#include "index/head_store_format.h"
#include "index/sidecar.h"
#include "store/catch_up.h"
#include "store/verify_events.h"

namespace daybook {
namespace {

constexpr std::string_view kRebuild = "; it is derived: `daybook repair` rebuilds it";
constexpr std::string_view kIndexFile = "index/data.mdb";

// In a damaged segment an event may be found whole in another place than where it was written.
bool SameLink(const Link& a, const Link& b, bool lossy) {
  return (a.offset8 == b.offset8 || lossy) && a.version == b.version && a.prev == b.prev &&
         a.skip == b.skip;
}

const char* CompareLinks(const ActiveIndex& log, const SegmentIndex& sidecar, bool lossy) {
  for (std::uint64_t i = 0; i < log.count(); ++i) {
    const Link& a = log.links()[i];
    const Link& b = sidecar.links()[i];
    const bool unknown = lossy && (a.offset8 == 0 || b.offset8 == 0);
    if (!unknown && !SameLink(a, b, lossy)) return "a link of the sidecar is not what the log says";
  }
  return nullptr;
}

// Whether each event has the same term in both. The numbers differ: the sidecar's are sorted.
template <class Find>
bool SameColumn(const ActiveIndex& log, const ReservedArray<std::uint32_t>& numbers,
                const ReservedArray<std::uint64_t>& counts,
                const std::vector<std::string_view>& terms, const ColumnView& column,
                const Find& find) {
  std::vector<std::uint32_t> places(terms.size(), kNoTerm);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (counts[i] == 0) continue;
    const std::optional<Term> term = find(terms[i]);
    if (!term || term->events != counts[i]) return false;
    places[i] = term->number;
  }
  const std::uint32_t none =
      column.width == 4 ? kNoTerm : (std::uint32_t{1} << (8 * column.width)) - 1;
  for (std::uint64_t i = 0; i < log.count(); ++i) {
    const std::uint32_t expected = numbers[i] == kNoTerm ? none : places[numbers[i]];
    if (column.At(i) != expected) return false;
  }
  return true;
}

bool SameTags(const ActiveIndex& log, const SegmentIndex& sidecar) {
  absl::flat_hash_set<std::uint64_t> seen;
  std::vector<std::uint32_t> expected, found;
  for (const TagEntry& entry : log.arrays().published_tags()) {
    if (!seen.insert(entry.hash).second) continue;
    log.FindTag(entry.hash, log.count(), &expected);
    sidecar.FindTag(entry.hash, log.count(), &found);
    if (expected != found) return false;
  }
  return true;
}

bool SameIds(const ActiveIndex& log, const SegmentIndex& sidecar) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < log.count(); ++i) {
    if (log.links()[i].offset8 == 0) continue;
    sidecar.FindId(log.arrays().id_hashes[i], log.count(), &found);
    if (!std::binary_search(found.begin(), found.end(), i)) return false;
  }
  return true;
}

bool SameHeads(const ActiveIndex& log, const SegmentIndex& sidecar) {
  std::vector<std::uint32_t> expected, found;
  log.AllHeads(&expected);
  sidecar.AllHeads(&found);
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  if (expected != found) return false;
  for (const std::uint32_t local : expected) {
    sidecar.FindHead(log.arrays().stream_hashes[local], &found);
    if (std::find(found.begin(), found.end(), local) == found.end()) return false;
  }
  return true;
}

}  // namespace

const char* CompareIndexes(const ActiveIndex& log, const SegmentIndex& sidecar, bool lossy) {
  if (log.count() != sidecar.count())
    return "the sidecar has another number of events than the log";
  if (const char* what = CompareLinks(log, sidecar, lossy)) return what;
  if (lossy) return nullptr;
  const ActiveIndex::Arrays& a = log.arrays();
  const auto type = [&](std::string_view term) { return sidecar.FindType(term); };
  const auto category = [&](std::string_view term) { return sidecar.FindCategory(term); };
  if (!SameColumn(log, a.types, a.type_counts, a.type_terms.Values(), sidecar.types(), type)) {
    return "the sidecar's types are not what the log says";
  }
  if (!SameColumn(log, a.categories, a.category_counts, a.category_terms.Values(),
                  sidecar.categories(), category)) {
    return "the sidecar's categories are not what the log says";
  }
  if (!SameTags(log, sidecar)) return "the sidecar's tags are not what the log says";
  if (!SameIds(log, sidecar)) return "the sidecar's ids are not what the log says";
  if (!SameHeads(log, sidecar)) return "the sidecar's heads are not what the log says";
  const std::uint64_t samples = (log.count() + kTimeSampleEvery - 1) / kTimeSampleEvery;
  if (!std::equal(log.time_samples(), log.time_samples() + samples, sidecar.time_samples())) {
    return "the sidecar's times are not what the log says";
  }
  const auto ours = log.effective_bounds();
  const auto theirs = sidecar.effective_bounds();
  if (ours.min != theirs.min || ours.max != theirs.max) {
    return "the sidecar's bounds of effective times are not what the log says";
  }
  return nullptr;
}

void SidecarCheck::BeginSegment(const LogFile& file) {
  index_.reset();
  lossy_ = false;
  const std::string name = SidecarFileName(file.first_position);
  const bool is_there = std::binary_search(picture_.names.begin(), picture_.names.end(), name);
  if (!file.log || (!is_there && !rewrite_.contains(file.first_position))) return;
  // As many as the segment or the distance to the next has room for: lost events need room too.
  std::uint64_t bytes = file.log->header().segment_bytes;
  const auto next = static_cast<std::size_t>(&file - picture_.files.data()) + 1;
  if (next < picture_.files.size()) {
    const std::uint64_t events = picture_.files[next].first_position - file.first_position;
    if (events < UINT32_MAX) bytes = std::max(bytes, events * kRecordBytesMin);
  }
  auto index = ActiveIndex::Create(file.first_position, bytes, kRecordBytesMin);
  if (index.ok()) index_ = *std::move(index);
}

void SidecarCheck::FillUpTo(std::uint64_t position) {
  while (index_ != nullptr && index_->first_position() + index_->added() < position) {
    lossy_ = true;
    if (index_->added() >= index_->capacity()) {
      index_.reset();  // more than a segment can hold: there is nothing to compare with
      return;
    }
    index_->AddLost();
  }
}

void SidecarCheck::Add(std::uint64_t offset, const RecordHeader& record, const EventView& event) {
  FillUpTo(record.position);
  if (index_ == nullptr || index_->first_position() + index_->added() != record.position ||
      index_->added() >= index_->capacity()) {
    return;
  }
  index_->Add(IndexEntryOf(offset, record, event), event.tags);
}

void SidecarCheck::Lose(PositionSpan positions) { FillUpTo(positions.last + 1); }

void SidecarCheck::EndSegment(const LogFile& file, const SegmentEnd& end) {
  if (index_ == nullptr) return;
  FillUpTo(end.next_position);
  if (index_ == nullptr) return;
  index_->Publish();
  if (rewrite_.contains(file.first_position)) {
    Write(file, end);
  } else {
    Check(file, end);
  }
  index_.reset();
}

bool SidecarCheck::KeyOf(const LogFile& file, const SegmentEnd& end, SidecarKey* key) const {
  const auto next = static_cast<std::size_t>(&file - picture_.files.data()) + 1;
  const bool follows = next < picture_.files.size() && picture_.files[next].log;
  *key = {picture_.identity.store_id, picture_.identity.incarnation, file.first_position,
          end.next_position - file.first_position,
          follows ? picture_.files[next].log->header().previous_frame_hash : end.last_hash};
  // Where the log is damaged at its end the sidecar may know better than the log.
  return follows || (end.sealed && !end.damaged);
}

void SidecarCheck::Write(const LogFile& file, const SegmentEnd& end) {
  SidecarKey key;
  if (!KeyOf(file, end, &key) || key.events == 0 || key.events != index_->count()) return;
  const absl::Status written =
      Sidecar::Write(directory_ / "log" / SidecarFileName(file.first_position), key, *index_);
  if (written.ok()) {
    ++rewritten_;
  } else {
    write_status_ = written;
  }
}

void SidecarCheck::Check(const LogFile& file, const SegmentEnd& end) {
  const std::string name = SidecarFileName(file.first_position);
  const auto find = [&](std::string_view what, std::uint64_t offset) {
    findings_->push_back({.kind = "sidecar",
                          .file = "log/" + name,
                          .offset = offset,
                          .first_position = Position(file.first_position),
                          .last_position = Position(end.next_position - 1),
                          .hint = absl::StrCat(ToAbsl(what), ToAbsl(kRebuild))});
  };
  const auto sidecar = Sidecar::Open(directory_ / "log" / name, picture_.access);
  absl::Status status = sidecar.status();
  if (status.ok()) status = (*sidecar)->VerifyAll();
  if (absl::IsNotFound(status)) return;  // removed since: a writer makes it anew
  if (!status.ok()) {
    const std::optional<Damage> damage = DamageOf(status);
    find("the sidecar is damaged or of another version", damage ? damage->offset : 0);
    return;
  }
  const SidecarKey& key = (*sidecar)->key();
  SidecarKey expected;
  const bool is_known = KeyOf(file, end, &expected);
  const bool is_ours = key.store_id == expected.store_id &&
                       key.incarnation == expected.incarnation &&
                       key.first_position == expected.first_position;
  if (!is_ours || (is_known && key.last_frame_hash != expected.last_frame_hash)) {
    find("the sidecar is of another history", 0);
  } else if (is_known) {
    if (const char* what = CompareIndexes(*index_, **sidecar, lossy_ || end.damaged)) find(what, 0);
  } else if (!end.damaged) {
    find("the sidecar is of a segment that is not sealed", 0);
  }
}

void HeadsCheck::Find(std::string_view hint) {
  findings_->push_back({.kind = "index",
                        .file = std::string(kIndexFile),
                        .offset = 0,
                        .first_position = Position(0),
                        .last_position = Position(0),
                        .hint = absl::StrCat(ToAbsl(hint), ToAbsl(kRebuild))});
}

void HeadsCheck::Find(const absl::Status& status) {
  const std::optional<Damage> damage = DamageOf(status);
  Find("the index is damaged");
  if (damage) findings_->back().offset = damage->offset;
}

HeadsCheck::HeadsCheck(const std::filesystem::path& directory, const StoreIdentity& identity,
                       FileAccess access, std::vector<Finding>* findings)
    : findings_(findings) {
  auto snapshot = LmdbSnapshot::Open(directory / "index", access);
  if (!snapshot.ok()) {
    if (absl::IsDataLoss(snapshot.status())) Find(snapshot.status());
    return;
  }
  std::optional<StoredMeta> meta;
  bool is_good = true;
  absl::Status read = snapshot->CheckPages();
  if (read.ok()) {
    read = snapshot->ForEach("meta", [&](std::string_view key, std::string_view value) {
      is_good = is_good && key == "store" && LoadStored(value, key, &meta.emplace());
    });
  }
  if (snapshot->Changed()) return;
  if (!read.ok()) {
    Find(read);
  } else if (!is_good || (meta && meta->format != kHeadStoreFormat)) {
    Find("the index is damaged or of another version");
  } else if (!meta) {
    // Just made, or its only entry is gone.
    std::uint64_t heads = 0;
    const absl::Status counted =
        snapshot->ForEach("heads", [&](std::string_view, std::string_view) { ++heads; });
    if (!counted.ok() || heads != 0) Find("the index does not say what it covers");
  } else if (StoreIdentity{meta->store_id, meta->incarnation} != identity) {
    Find("the index is of another store or incarnation");
  } else {
    applied_ = meta->applied_position;
    snapshot_.emplace(*std::move(snapshot));
  }
}

void HeadsCheck::Check(const StreamStates& streams, bool lossy) {
  if (!snapshot_) return;
  const char* problem = nullptr;
  std::uint64_t known = 0;
  const auto compare = [&](std::string_view name, const StoredHead& head) -> const char* {
    // A crash between two transactions leaves heads that are newer than what is said to be applied.
    if (head.last[0] > applied_) return nullptr;
    const auto found = streams.find(ToAbsl(name));
    if (found == streams.end())
      return lossy ? nullptr : "the index knows a stream that is not there";
    ++known;
    const StreamState& stream = found->second;
    if (lossy) return nullptr;
    if (head.version != stream.spine.version() || head.last[0] != stream.spine.position()) {
      return "the index has another head of a stream than the log";
    }
    for (std::size_t i = 1; i < head.last.size(); ++i) {
      if (head.last[i] != 0 && head.last[i] != stream.last[i]) {
        return "the index has other last events of a stream than the log";
      }
    }
    if (head.effective_min != stream.effective_min || head.effective_max != stream.effective_max) {
      return "the index has other bounds of effective times of a stream than the log";
    }
    return nullptr;
  };
  std::uint64_t newer = 0;
  const absl::Status read =
      snapshot_->ForEach("heads", [&](std::string_view key, std::string_view value) {
        StoredHead head;
        const char* what =
            LoadStored(value, key, &head) ? compare(key, head) : "the head of a stream is damaged";
        if (problem == nullptr) problem = what;
        newer += what == nullptr && head.last[0] > applied_;
      });
  if (snapshot_->Changed()) {
    snapshot_.reset();
    return;
  }
  if (!read.ok()) {
    Find(read);
  } else if (problem != nullptr) {
    Find(problem);
  } else if (!lossy && known + newer < streams.size()) {
    Find("the index lacks the heads of streams");
  }
}

void HeadsCheck::CheckCatalogue(const LogPicture& picture, const WalkResult& walk) {
  if (!snapshot_) return;
  const char* problem = nullptr;
  const auto compare = [&](const StoredSegment& stored) -> const char* {
    const auto file =
        std::find_if(picture.files.begin(), picture.files.end(),
                     [&](const LogFile& f) { return f.first_position == stored.first_position; });
    if (file == picture.files.end())
      return nullptr;  // missing: the catalogue is the witness of that
    const SegmentEnd& end = walk.ends[static_cast<std::size_t>(file - picture.files.begin())];
    if (end.damaged) return nullptr;
    return stored.events == end.next_position - file->first_position &&
                   stored.last_frame_hash == end.last_hash
               ? nullptr
               : "the catalogue knows another segment than the log";
  };
  const absl::Status read =
      snapshot_->ForEach("catalogue", [&](std::string_view key, std::string_view value) {
        StoredSegment stored;
        const char* what =
            LoadStored(value, key, &stored) ? compare(stored) : "the catalogue is damaged";
        if (problem == nullptr) problem = what;
      });
  if (snapshot_->Changed()) return;
  if (!read.ok()) {
    Find(read);
  } else if (problem != nullptr) {
    Find(problem);
  }
}

}  // namespace daybook
