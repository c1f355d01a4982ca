// Snapshots in LMDB: found, written, thinned and removed. What they are worth is the caller's.

#ifndef DAYBOOK_SNAPSHOT_SNAPSHOT_TABLE_H_
#define DAYBOOK_SNAPSHOT_SNAPSHOT_TABLE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/snapshots.h"
#include "kv/environment.h"
#include "snapshot/record.h"

namespace daybook {

// Thread-safe; one writes at a time.
class SnapshotTable {
 public:
  // Opens the tables in `directory`, whose lock the caller holds. What is there and is damaged, of
  // another format or of another incarnation is discarded, and `*discarded` says so.
  static absl::StatusOr<std::unique_ptr<SnapshotTable>> Open(const std::filesystem::path& directory,
                                                             const EventId::Bytes& incarnation,
                                                             bool* discarded);

  struct Found {
    std::uint64_t version = 0;
    std::string state;
  };
  struct Lookup {
    std::optional<Found> found;
    std::vector<std::uint64_t> passed_over;  // versions of those that are of no use
    bool other_revision = false;             // there are none of this series, but of another one
  };
  // The last snapshot of a series in (above, upto] that is sound and that `accept` takes.
  using Accept = std::function<bool(const SnapshotPlace& place)>;
  absl::StatusOr<Lookup> Find(std::string_view series, std::uint64_t above, std::uint64_t upto,
                              const Accept& accept) const;
  // Their versions, ascending.
  absl::StatusOr<std::vector<std::uint64_t>> Versions(std::string_view series) const;

  struct NewSnapshot {
    std::uint64_t version = 0;
    SnapshotPlace place;
    std::string_view state;
  };
  struct Addition {
    std::string series;
    SnapshotRetention retention;
    std::vector<NewSnapshot> snapshots;  // by version
  };
  struct Written {
    std::uint64_t taken = 0;
    std::uint64_t thinned = 0;
  };
  // Adds snapshots and removes what the retention does not keep, and what older revisions of the
  // same fold left: in one transaction. A crash leaves all of it or nothing.
  absl::StatusOr<Written> Add(const std::vector<Addition>& additions);

  // Removes those of a series from `version` on.
  absl::Status RemoveFrom(std::string_view series, std::uint64_t version);
  // Removes all of a stream, or (empty) all. Durable on return.
  absl::StatusOr<std::vector<SnapshotInfo>> Remove(std::string_view stream);

 private:
  SnapshotTable(std::filesystem::path directory, std::unique_ptr<Environment> environment,
                TableHandle snapshots)
      : directory_(std::move(directory)),
        environment_(std::move(environment)),
        snapshots_(snapshots) {}
  absl::Status AddTo(WriteTransaction* transaction, const Addition& addition,
                     Written* written) const;

  const std::filesystem::path directory_;
  const std::unique_ptr<Environment> environment_;
  const TableHandle snapshots_;
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_SNAPSHOT_TABLE_H_
