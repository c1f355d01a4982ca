// What stands behind a SnapshotStore: the tables, what waits to be written, and the thread that
// writes it.

#ifndef DAYBOOK_SNAPSHOT_SNAPSHOT_STORE_H_
#define DAYBOOK_SNAPSHOT_SNAPSHOT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "daybook/snapshots.h"
#include "io/file.h"
#include "snapshot/snapshot_table.h"

namespace daybook {

// Thread-safe. Never fails a load: what goes wrong is counted, told by notices, and means that
// there is no snapshot.
class SnapshotStore::Impl {
 public:
  Impl(const Reader& reader, const EventId::Bytes& incarnation, File lock,
       std::unique_ptr<SnapshotTable> table, const SnapshotStoreOptions& options);
  ~Impl();

  [[nodiscard]] const std::string& incarnation() const { return reader_.incarnation(); }

  // The last sound snapshot of a series in (above, upto]. Versions of those that were passed over
  // are added to `passed_over`, and counted as ignored.
  std::optional<SnapshotTable::Found> Find(std::string_view series, std::uint64_t above,
                                           std::uint64_t upto,
                                           std::vector<std::uint64_t>* passed_over);
  // The versions of a series, ascending, written or about to be.
  std::vector<std::uint64_t> Versions(std::string_view series);

  struct Taken {
    std::uint64_t version = 0;
    Position position;
    std::string state;
    SnapshotRetention retention;
  };
  // Will be written once its event is durable; or dropped, and counted, where too much waits.
  void Take(std::string_view series, Taken taken);
  // Removes what is false, and all that may have been made from it.
  absl::Status RemoveFrom(std::string_view series, std::uint64_t version);

  void Count(std::uint64_t SnapshotStats::*counter, std::uint64_t by = 1);
  [[nodiscard]] SnapshotStats stats() const;
  absl::Status Flush();
  absl::StatusOr<std::vector<SnapshotInfo>> Drop(std::string_view stream);

 private:
  struct Pending {
    std::string series;
    std::shared_ptr<const Taken> taken;
  };
  using Batch = std::map<std::string, Pending>;  // by key, so that a series stands together

  [[nodiscard]] bool inherited() const { return fork_generation_ != ForkGeneration(); }
  [[nodiscard]] std::optional<SnapshotTable::Found> FindPending(std::string_view series,
                                                                std::uint64_t above,
                                                                std::uint64_t upto);
  [[nodiscard]] bool IsInHistory(const SnapshotPlace& place) const;

  void Run();
  // What can be written now, up to some size.
  [[nodiscard]] Batch NextBatch() DAYBOOK_REQUIRES(mutex_);
  [[nodiscard]] bool HasWritable() DAYBOOK_REQUIRES(mutex_);
  absl::StatusOr<SnapshotTable::Written> Write(const Batch& batch);
  // True where the failure has to be told.
  bool Settle(const Batch& batch, const absl::StatusOr<SnapshotTable::Written>& written)
      DAYBOOK_REQUIRES(mutex_);
  // Forgets what waits under keys from `from` on that begin with `prefix`.
  void ForgetPending(std::string_view prefix, std::string_view from) DAYBOOK_REQUIRES(mutex_);
  // Keeps the thread from writing, until Release().
  void Acquire() DAYBOOK_REQUIRES(mutex_);
  void Release() DAYBOOK_REQUIRES(mutex_);
  void Notify(Notice::Severity severity, const std::string& message) const;

  const Reader& reader_;
  const EventId::Bytes incarnation_;
  const SnapshotStoreOptions options_;
  const std::uint64_t fork_generation_ = ForkGeneration();
  const File lock_;
  const std::unique_ptr<SnapshotTable> table_;

  mutable Mutex mutex_;
  CondVar work_, idle_;
  Batch pending_ DAYBOOK_GUARDED_BY(mutex_);
  std::size_t pending_bytes_ DAYBOOK_GUARDED_BY(mutex_) = 0;
  bool writing_ DAYBOOK_GUARDED_BY(mutex_) = false;
  bool stopping_ DAYBOOK_GUARDED_BY(mutex_) = false;
  bool failing_ DAYBOOK_GUARDED_BY(mutex_) = false;  // the last write did, and was told
  absl::Status failure_ DAYBOOK_GUARDED_BY(mutex_);  // since the last Flush
  SnapshotStats stats_ DAYBOOK_GUARDED_BY(mutex_);
  std::unique_ptr<Thread> thread_;  // the last member: it uses the others
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_SNAPSHOT_STORE_H_
