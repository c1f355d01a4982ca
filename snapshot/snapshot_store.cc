#include "snapshot/snapshot_store.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "kv/derived.h"

namespace daybook {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{16} << 20;  // of one transaction, about
constexpr std::size_t kEntryBytes = 512;  // what a snapshot takes beside its state
// How often it is looked whether a buffered store has synced what waits.
constexpr std::chrono::milliseconds kSyncedCheck{20};

std::size_t BytesOf(const SnapshotStore::Impl::Taken& taken) {
  return taken.state.size() + kEntryBytes;
}

}  // namespace

SnapshotStore::Impl::Impl(const Reader& reader, const EventId::Bytes& incarnation, File lock,
                          std::unique_ptr<SnapshotTable> table, const SnapshotStoreOptions& options)
    : reader_(reader),
      incarnation_(incarnation),
      options_(options),
      lock_(std::move(lock)),
      table_(std::move(table)),
      thread_(std::make_unique<Thread>("daybook-snap", [this] { Run(); })) {}

SnapshotStore::Impl::~Impl() {
  if (inherited()) return;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    work_.NotifyAll();
  }
  thread_->Join();
}

void SnapshotStore::Impl::Notify(Notice::Severity severity, const std::string& message) const {
  if (options_.on_notice) options_.on_notice({severity, message});
}

void SnapshotStore::Impl::Count(std::uint64_t SnapshotStats::*counter, std::uint64_t by) {
  const MutexLock lock(mutex_);
  stats_.*counter += by;
}

SnapshotStats SnapshotStore::Impl::stats() const {
  const MutexLock lock(mutex_);
  return stats_;
}

bool SnapshotStore::Impl::IsInHistory(const SnapshotPlace& place) const {
  if (place.incarnation != incarnation_) return false;
  const absl::StatusOr<std::uint64_t> hash = reader_.FrameHashAt(Position(place.position));
  return hash.ok() && *hash == place.frame_hash;
}

std::optional<SnapshotTable::Found> SnapshotStore::Impl::FindPending(std::string_view series,
                                                                     std::uint64_t above,
                                                                     std::uint64_t upto) {
  std::shared_ptr<const Taken> taken;
  {
    const MutexLock lock(mutex_);
    auto found = pending_.upper_bound(SnapshotKey(series, upto));
    if (found == pending_.begin()) return std::nullopt;
    --found;
    if (found->second.series != series || found->second.taken->version <= above) {
      return std::nullopt;
    }
    taken = found->second.taken;
  }
  return SnapshotTable::Found{taken->version, taken->state};
}

std::optional<SnapshotTable::Found> SnapshotStore::Impl::Find(
    std::string_view series, std::uint64_t above, std::uint64_t upto,
    std::vector<std::uint64_t>* passed_over) {
  if (inherited()) return std::nullopt;
  std::optional<SnapshotTable::Found> pending = FindPending(series, above, upto);
  absl::StatusOr<SnapshotTable::Lookup> lookup =
      table_->Find(series, pending ? pending->version : above, upto,
                   [this](const SnapshotPlace& place) { return IsInHistory(place); });
  if (!lookup.ok()) {
    Count(&SnapshotStats::ignored);
    return pending;
  }
  const bool other = lookup->other_revision && !pending;
  if (const std::uint64_t ignored = lookup->passed_over.size() + (other ? 1 : 0); ignored > 0) {
    Count(&SnapshotStats::ignored, ignored);
  }
  passed_over->insert(passed_over->end(), lookup->passed_over.begin(), lookup->passed_over.end());
  return lookup->found ? std::move(lookup->found) : std::move(pending);
}

std::vector<std::uint64_t> SnapshotStore::Impl::Versions(std::string_view series) {
  if (inherited()) return {};
  std::vector<std::uint64_t> versions;
  {
    const MutexLock lock(mutex_);
    for (auto i = pending_.lower_bound(std::string(series));
         i != pending_.end() && i->second.series == series; ++i) {
      versions.push_back(i->second.taken->version);
    }
  }
  const absl::StatusOr<std::vector<std::uint64_t>> written = table_->Versions(series);
  if (!written.ok()) return versions;
  std::vector<std::uint64_t> all;
  all.reserve(versions.size() + written->size());
  std::set_union(versions.begin(), versions.end(), written->begin(), written->end(),
                 std::back_inserter(all));
  return all;
}

void SnapshotStore::Impl::Take(std::string_view series, Taken taken) {
  if (inherited()) return;
  std::string key = SnapshotKey(series, taken.version);
  const std::size_t bytes = BytesOf(taken);
  const MutexLock lock(mutex_);
  if (stopping_ || pending_.contains(key)) return;
  if (pending_bytes_ + bytes > options_.pending_bytes_max) {
    ++stats_.dropped;
    return;
  }
  pending_bytes_ += bytes;
  pending_.emplace(std::move(key),
                   Pending{std::string(series), std::make_shared<const Taken>(std::move(taken))});
  work_.NotifyOne();
}

bool SnapshotStore::Impl::HasWritable() {
  const Position durable = reader_.durable();
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const auto& entry) { return entry.second.taken->position <= durable; });
}

SnapshotStore::Impl::Batch SnapshotStore::Impl::NextBatch() {
  Batch batch;
  std::size_t bytes = 0;
  const Position durable = reader_.durable();
  for (const auto& [key, pending] : pending_) {
    if (pending.taken->position > durable) continue;
    batch.emplace(key, pending);
    bytes += BytesOf(*pending.taken);
    if (bytes >= kBatchBytes) break;
  }
  return batch;
}

// A process that dies in here loses what waits, and at most the last transaction: the snapshots
// that are there afterwards are whole, and each stands for a durable event.
void SnapshotStore::Impl::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (writing_) idle_.Wait(mutex_);
    const Batch batch = NextBatch();
    if (!batch.empty()) {
      writing_ = true;
      lock.Unlock();
      const absl::StatusOr<SnapshotTable::Written> written = Write(batch);
      lock.Lock();
      const bool tell = Settle(batch, written);
      Release();
      if (!tell) continue;
      lock.Unlock();
      Notify(Notice::Severity::kWarning,
             absl::StrCat("snapshots are not written; answers are as before, but slower: ",
                          written.status().message()));
      lock.Lock();
    } else if (stopping_) {
      stats_.dropped += pending_.size();
      return;
    } else if (pending_.empty()) {
      work_.Wait(mutex_);
    } else {
      work_.WaitFor(mutex_, kSyncedCheck);
    }
  }
}

absl::StatusOr<SnapshotTable::Written> SnapshotStore::Impl::Write(const Batch& batch) {
  std::vector<SnapshotTable::Addition> additions;
  for (const auto& [key, pending] : batch) {
    const Taken& taken = *pending.taken;
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t frame_hash, reader_.FrameHashAt(taken.position));
    if (additions.empty() || additions.back().series != pending.series) {
      additions.push_back({pending.series, taken.retention, {}});
    }
    additions.back().retention = taken.retention;
    additions.back().snapshots.push_back(
        {taken.version, {incarnation_, taken.position.value(), frame_hash}, taken.state});
  }
  return table_->Add(additions);
}

bool SnapshotStore::Impl::Settle(const Batch& batch,
                                 const absl::StatusOr<SnapshotTable::Written>& written) {
  for (const auto& [key, pending] : batch) {
    pending_bytes_ -= BytesOf(*pending.taken);
    pending_.erase(key);
  }
  if (written.ok()) {
    stats_.taken += written->taken;
    stats_.thinned += written->thinned;
    failing_ = false;
    return false;
  }
  stats_.dropped += batch.size();
  failure_ = written.status();
  return !std::exchange(failing_, true);  // once, and not for each of the snapshots that follow
}

void SnapshotStore::Impl::Acquire() {
  while (writing_) idle_.Wait(mutex_);
  writing_ = true;
}

void SnapshotStore::Impl::Release() {
  writing_ = false;
  idle_.NotifyAll();
  work_.NotifyAll();
}

absl::Status SnapshotStore::Impl::Flush() {
  if (inherited()) return absl::FailedPreconditionError("opened before a fork");
  const MutexLock lock(mutex_);
  work_.NotifyAll();
  while (writing_ || HasWritable()) idle_.Wait(mutex_);
  return std::exchange(failure_, absl::OkStatus());
}

void SnapshotStore::Impl::ForgetPending(std::string_view prefix, std::string_view from) {
  auto i = pending_.lower_bound(std::string(from));
  while (i != pending_.end() && i->first.starts_with(prefix)) {
    pending_bytes_ -= BytesOf(*i->second.taken);
    i = pending_.erase(i);
  }
}

absl::Status SnapshotStore::Impl::RemoveFrom(std::string_view series, std::uint64_t version) {
  MutexLock lock(mutex_);
  Acquire();
  ForgetPending(series, SnapshotKey(series, version));
  lock.Unlock();
  absl::Status removed = table_->RemoveFrom(series, version);
  lock.Lock();
  Release();
  return removed;
}

absl::StatusOr<std::vector<SnapshotInfo>> SnapshotStore::Impl::Drop(std::string_view stream) {
  if (inherited()) return absl::FailedPreconditionError("opened before a fork");
  MutexLock lock(mutex_);
  Acquire();
  const std::string prefix = StreamPrefix(stream);
  ForgetPending(prefix, prefix);
  lock.Unlock();
  absl::StatusOr<std::vector<SnapshotInfo>> dropped = table_->Remove(stream);
  lock.Lock();
  Release();
  return dropped;
}

SnapshotStore::SnapshotStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotStore::~SnapshotStore() = default;

absl::StatusOr<std::unique_ptr<SnapshotStore>> SnapshotStore::Open(
    const Reader& reader, const SnapshotStoreOptions& options) {
  const std::filesystem::path directory = reader.directory() / kSnapshotFolder;
  DAYBOOK_ASSIGN_OR_RETURN(const EventId incarnation, EventId::Parse(reader.incarnation()));
  DAYBOOK_ASSIGN_OR_RETURN(File lock, LockDerived(directory));
  bool discarded = false;
  DAYBOOK_ASSIGN_OR_RETURN(std::unique_ptr<SnapshotTable> table,
                           SnapshotTable::Open(directory, incarnation.bytes(), &discarded));
  if (discarded && options.on_notice) {
    options.on_notice({Notice::Severity::kWarning,
                       absl::StrCat(directory.native(),
                                    ": snapshots were damaged or of another history, and were "
                                    "discarded; they are taken anew")});
  }
  return std::unique_ptr<SnapshotStore>(new SnapshotStore(std::make_unique<Impl>(
      reader, incarnation.bytes(), std::move(lock), std::move(table), options)));
}

absl::Status SnapshotStore::Flush() { return impl_->Flush(); }
SnapshotStats SnapshotStore::stats() const { return impl_->stats(); }
absl::StatusOr<std::vector<SnapshotInfo>> SnapshotStore::Drop(std::string_view stream) {
  return impl_->Drop(stream);
}

}  // namespace daybook
