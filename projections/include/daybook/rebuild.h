// Building a read model anew beside the live one, holding the two against each other, and putting
// the new one in its place.
//
//   auto rebuild = projections->StartRebuild(balances, {.threads = 2});
//   (*rebuild)->Run();
//   auto report = (*rebuild)->Compare();
//   if (report->equal) (*rebuild)->Promote();
//
// Readers read the live generation until the promotion, and the new one from the next read on. A
// process that dies anywhere on the way leaves the live one as it is; what was half built is
// removed by the next rebuild.

#ifndef DAYBOOK_REBUILD_H_
#define DAYBOOK_REBUILD_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "daybook/projection.h"
#include "daybook/read_model.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

struct RebuildProgress {
  std::uint64_t generation = 0;
  Position scanned, target;
  std::uint64_t matched = 0;
  double events_per_second = 0;
  double seconds_left = 0;  // by the rate so far
};

struct RebuildOptions {
  // More than one needs Projection::rows_by_key.
  unsigned threads = 1;
  // Rows in memory before they are written, with what sorting them takes; transactions are of at
  // most 64 MiB each.
  std::size_t memory_bytes_max = std::size_t{128} << 20;
  std::uint64_t map_bytes = std::uint64_t{64} << 20;
  // Called about once a second, by the thread that calls Run.
  std::function<void(const RebuildProgress&)> on_progress;
  // Asked now and then, from any of the threads; where it says no the rebuild ends with kCancelled,
  // and Run goes on from there if it is called again.
  std::function<bool()> keep_going;
  NoticeHandler on_notice;
};

// A row that two generations do not have in common.
struct RowDifference {
  std::string table;
  std::string key;  // its bytes
  enum class Kind : std::uint8_t { kChanged, kOnlyLive, kOnlyNew };
  Kind kind = Kind::kChanged;
};

struct CompareReport {
  std::uint64_t live = 0, candidate = 0;  // generations
  Position live_position, candidate_position;
  // Both are at one position, have the same parked events, and every table has the same digest.
  bool equal = false;
  std::vector<TableSummary> live_tables, candidate_tables;
  std::vector<RowDifference> differences;  // the first thousand, by table and key
};

// A rebuild on its way; one in the world for each projection. Made by Projections::StartRebuild,
// which it must not outlive. Destroying it leaves what was built, for Compare and Promote of
// Projections, or for the next rebuild to remove. Not thread-safe, but for progress().
class Rebuild {
 public:
  ~Rebuild();
  Rebuild(const Rebuild&) = delete;
  Rebuild& operator=(const Rebuild&) = delete;

  // Builds up to the checkpoint of the live generation, or where there is none, or it is of another
  // history, up to the durable head; where the live one has gone on it can be called again, and
  // goes on too. It never passes the live one, so that no effect is lost between them. Nothing is
  // sent; of an event that is parked in the live one the effects are kept for the promotion. At an
  // event that the handler cannot handle it does what the projection says of poison; stopped
  // (kFailedPrecondition, PoisonOf) it cannot be promoted. The new generation is on the device on
  // return.
  absl::Status Run();
  [[nodiscard]] RebuildProgress progress() const;
  [[nodiscard]] std::uint64_t generation() const;

  // As Projections::Compare and Projections::Promote for this generation.
  [[nodiscard]] absl::StatusOr<CompareReport> Compare() const;
  absl::Status Promote();
  // Removes what was built.
  absl::Status Discard();

  class Impl;
  explicit Rebuild(std::unique_ptr<Impl> impl);  // for the library's own use

 private:
  std::unique_ptr<Impl> impl_;
};

struct ProjectionVerifyReport {
  std::uint64_t projections = 0, generations = 0, rows = 0;  // that were looked at
  std::vector<Finding> findings;                             // kind "projection"
  [[nodiscard]] bool ok() const { return findings.empty(); }
};

// Holds every generation of every projection of a store against its digests and the log: each row
// is read, each digest computed anew, and the checkpoint's incarnation and frame hash compared with
// the log's. With read rights only; not in a process that has the read models open (there
// Projections::Verify). A projection that has moved on meanwhile is looked at again. Findings are
// not an error. A store without projections has nothing to find.
absl::StatusOr<ProjectionVerifyReport> VerifyProjections(const Reader& reader);

}  // namespace daybook

#endif  // DAYBOOK_REBUILD_H_
