#include "snapshot/snapshot_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "kv/derived.h"
#include "snapshot/retention.h"

namespace daybook {
namespace {

constexpr std::uint64_t kMapBytes = std::uint64_t{16} << 20;  // to begin with

std::string_view WithoutRevision(std::string_view series) {
  return series.substr(0, series.size() - kRevisionBytes);
}

std::uint64_t VersionIn(std::string_view key) {
  const std::optional<KeyParts> parts = PartsOf(key);
  return parts ? parts->version : 0;
}

// The keys that begin with `prefix`, from `from` on, which begins with it, too, and (given) before
// `end`.
absl::StatusOr<std::vector<std::string>> KeysOf(const Transaction& transaction, TableHandle table,
                                                std::string_view prefix, std::string_view from,
                                                std::string_view end = {}) {
  std::vector<std::string> keys;
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Seek(from));
  while (more && cursor.key().starts_with(prefix) && (end.empty() || cursor.key() < end)) {
    keys.emplace_back(cursor.key());
    DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return keys;
}

absl::Status DeleteAll(WriteTransaction* transaction, TableHandle table,
                       const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    DAYBOOK_RETURN_IF_ERROR(transaction->Delete(table, key).status());
  }
  return absl::OkStatus();
}

std::vector<std::uint64_t> VersionsIn(const std::vector<std::string>& keys) {
  std::vector<std::uint64_t> versions;
  versions.reserve(keys.size());
  for (const std::string& key : keys) versions.push_back(VersionIn(key));
  return versions;
}

// Whether the environment is of this incarnation. A new one becomes so.
absl::StatusOr<bool> Adopt(Environment* environment, const std::filesystem::path& directory,
                           const EventId::Bytes& incarnation, TableHandle* snapshots) {
  DAYBOOK_ASSIGN_OR_RETURN(const TableHandle owner, environment->OpenTable(kOwnerTable));
  DAYBOOK_ASSIGN_OR_RETURN(*snapshots, environment->OpenTable(kSnapshotTable));
  {
    DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment->BeginRead());
    DAYBOOK_ASSIGN_OR_RETURN(const auto value, transaction.Get(owner, kOwnerKey));
    if (value) return OwnerOf(*value) == incarnation;
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t held, transaction.Count(*snapshots));
    if (held != 0) return false;
  }
  DAYBOOK_RETURN_IF_ERROR(WriteGrowing(environment, directory, [&](WriteTransaction* transaction) {
    return transaction->Put(owner, kOwnerKey, OwnerValue(incarnation));
  }));
  return true;
}

// Of these the folder is not the cause, nor would another one help.
bool IsHopeless(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsUnavailable(status) ||
         absl::IsResourceExhausted(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotTable>> SnapshotTable::Open(
    const std::filesystem::path& directory, const EventId::Bytes& incarnation, bool* discarded) {
  for (int tries = 0;; ++tries) {
    DAYBOOK_ASSIGN_OR_RETURN(
        std::unique_ptr<Environment> environment,
        OpenDerived(directory, {.map_bytes = kMapBytes, .max_tables = 2, .no_meta_sync = true},
                    discarded));
    TableHandle snapshots;
    absl::StatusOr<bool> adopted = Adopt(environment.get(), directory, incarnation, &snapshots);
    const absl::Status status = ToldApart(adopted.status(), directory);
    if (status.ok() && *adopted) {
      return std::unique_ptr<SnapshotTable>(
          new SnapshotTable(directory, std::move(environment), snapshots));
    }
    if (IsHopeless(status)) return status;
    if (tries > 0) {
      return absl::DataLossError(absl::StrCat(directory.native(), ": cannot be made anew (",
                                              status.message(), "); delete the folder"));
    }
    environment.reset();
    // A process that dies behind this leaves a folder without tables, which begins anew.
    DAYBOOK_RETURN_IF_ERROR(DiscardDerived(directory));
    *discarded = true;
  }
}

absl::StatusOr<SnapshotTable::Lookup> SnapshotTable::Find(std::string_view series,
                                                          std::uint64_t above, std::uint64_t upto,
                                                          const Accept& accept) const {
  Lookup lookup;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(snapshots_));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.SeekBack(SnapshotKey(series, upto)));
  while (more && cursor.key().starts_with(series)) {
    const std::uint64_t version = VersionIn(cursor.key());
    if (version <= above) return lookup;
    const std::optional<SnapshotParts> snapshot = SnapshotOf(cursor.key(), cursor.value());
    if (snapshot && accept(snapshot->place)) {
      lookup.found = Found{version, std::string(snapshot->state)};
      return lookup;
    }
    lookup.passed_over.push_back(version);
    DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Previous());
  }
  if (!lookup.passed_over.empty()) return lookup;
  DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Seek(WithoutRevision(series)));
  lookup.other_revision = more && cursor.key().starts_with(WithoutRevision(series)) &&
                          !cursor.key().starts_with(series);
  return lookup;
}

absl::StatusOr<std::vector<std::uint64_t>> SnapshotTable::Versions(std::string_view series) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(const auto keys, KeysOf(transaction, snapshots_, series, series));
  return VersionsIn(keys);
}

absl::Status SnapshotTable::AddTo(WriteTransaction* transaction, const Addition& addition,
                                  Written* written) const {
  const std::string_view series = addition.series;
  const std::string_view fold = WithoutRevision(series);
  DAYBOOK_ASSIGN_OR_RETURN(std::vector<std::string> old,
                           KeysOf(*transaction, snapshots_, fold, fold, series));
  std::vector<std::string> keys;
  if (addition.retention.kind() != SnapshotRetention::Kind::kAll) {
    DAYBOOK_ASSIGN_OR_RETURN(keys, KeysOf(*transaction, snapshots_, series, series));
  }
  const std::vector<std::uint64_t> existing = VersionsIn(keys);
  std::vector<std::uint64_t> added, all;
  for (const NewSnapshot& snapshot : addition.snapshots) added.push_back(snapshot.version);
  std::set_union(existing.begin(), existing.end(), added.begin(), added.end(),
                 std::back_inserter(all));
  const std::vector<std::uint64_t> kept = Kept(addition.retention, all);
  const auto is_kept = [&](std::uint64_t version) {
    return std::binary_search(kept.begin(), kept.end(), version);
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!is_kept(existing[i])) old.push_back(keys[i]);
  }
  DAYBOOK_RETURN_IF_ERROR(DeleteAll(transaction, snapshots_, old));
  written->thinned += old.size();
  for (const NewSnapshot& snapshot : addition.snapshots) {
    if (!is_kept(snapshot.version)) {
      ++written->thinned;
      continue;
    }
    const std::string key = SnapshotKey(series, snapshot.version);
    DAYBOOK_RETURN_IF_ERROR(
        transaction->Put(snapshots_, key, SnapshotValue(key, snapshot.place, snapshot.state)));
    ++written->taken;
  }
  return absl::OkStatus();
}

absl::StatusOr<SnapshotTable::Written> SnapshotTable::Add(const std::vector<Addition>& additions) {
  Written written;
  const auto add = [&](WriteTransaction* transaction) {
    written = {};  // it may be done anew
    for (const Addition& addition : additions) {
      DAYBOOK_RETURN_IF_ERROR(AddTo(transaction, addition, &written));
    }
    return absl::OkStatus();
  };
  DAYBOOK_RETURN_IF_ERROR(WriteGrowing(environment_.get(), directory_, add));
  return written;
}

absl::Status SnapshotTable::RemoveFrom(std::string_view series, std::uint64_t version) {
  return WriteGrowing(environment_.get(), directory_, [&](WriteTransaction* transaction) {
    DAYBOOK_ASSIGN_OR_RETURN(
        const auto keys, KeysOf(*transaction, snapshots_, series, SnapshotKey(series, version)));
    return DeleteAll(transaction, snapshots_, keys);
  });
}

absl::StatusOr<std::vector<SnapshotInfo>> SnapshotTable::Remove(std::string_view stream) {
  const std::string prefix = StreamPrefix(stream);
  std::vector<SnapshotInfo> removed;
  const auto remove = [&](WriteTransaction* transaction) {
    removed.clear();
    DAYBOOK_ASSIGN_OR_RETURN(const auto keys, KeysOf(*transaction, snapshots_, prefix, prefix));
    for (const std::string& key : keys) {
      DAYBOOK_ASSIGN_OR_RETURN(const auto value, transaction->Get(snapshots_, key));
      if (value) removed.push_back(InfoOf(key, *value));
    }
    return DeleteAll(transaction, snapshots_, keys);
  };
  DAYBOOK_RETURN_IF_ERROR(WriteGrowing(environment_.get(), directory_, remove));
  DAYBOOK_RETURN_IF_ERROR(environment_->Sync());
  return removed;
}

}  // namespace daybook
