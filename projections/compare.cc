#include "projections/compare.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "projections/parking.h"

namespace daybook {
namespace {

constexpr std::size_t kDifferencesMax = 1000;

// A generation at one moment.
struct Side {
  const Generation* generation;
  ReadTransaction view;
  Checkpoint checkpoint;

  static absl::StatusOr<Side> Of(const Generation& generation) {
    DAYBOOK_ASSIGN_OR_RETURN(ReadTransaction view, generation.environment().BeginRead());
    DAYBOOK_ASSIGN_OR_RETURN(Checkpoint checkpoint, generation.ReadCheckpoint(view));
    return Side{&generation, std::move(view), std::move(checkpoint)};
  }
  [[nodiscard]] const TableSummary* Find(std::string_view table) const {
    const auto found = std::find_if(checkpoint.tables.begin(), checkpoint.tables.end(),
                                    [&](const TableSummary& t) { return t.name == table; });
    return found == checkpoint.tables.end() ? nullptr : &*found;
  }
};

// The rows of a table of one side; none where it has no such table.
class Rows {
 public:
  absl::Status Open(const Side& side, std::string_view table) {
    if (side.Find(table) == nullptr) return absl::OkStatus();
    DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, side.generation->IndexOf(table));
    DAYBOOK_ASSIGN_OR_RETURN(cursor_, side.view.OpenCursor(side.generation->table(index)));
    return Next();
  }
  absl::Status Next() {
    DAYBOOK_ASSIGN_OR_RETURN(more_, cursor_->Next());
    return absl::OkStatus();
  }
  [[nodiscard]] bool more() const { return more_; }
  [[nodiscard]] std::string_view key() const { return cursor_->key(); }
  [[nodiscard]] std::string_view row() const { return cursor_->value(); }

 private:
  std::optional<TableCursor> cursor_;
  bool more_ = false;
};

absl::Status ListDifferences(const Side& live, const Side& candidate, const std::string& table,
                             std::vector<RowDifference>* differences) {
  Rows old_rows, new_rows;
  DAYBOOK_RETURN_IF_ERROR(old_rows.Open(live, table));
  DAYBOOK_RETURN_IF_ERROR(new_rows.Open(candidate, table));
  while ((old_rows.more() || new_rows.more()) && differences->size() < kDifferencesMax) {
    const bool take_old = old_rows.more() && (!new_rows.more() || old_rows.key() <= new_rows.key());
    const bool take_new = new_rows.more() && (!old_rows.more() || new_rows.key() <= old_rows.key());
    if (!take_old || !take_new || old_rows.row() != new_rows.row()) {
      differences->push_back({.table = table,
                              .key = std::string(take_old ? old_rows.key() : new_rows.key()),
                              .kind = take_old && take_new ? RowDifference::Kind::kChanged
                                      : take_old           ? RowDifference::Kind::kOnlyLive
                                                           : RowDifference::Kind::kOnlyNew});
    }
    if (take_old) DAYBOOK_RETURN_IF_ERROR(old_rows.Next());
    if (take_new) DAYBOOK_RETURN_IF_ERROR(new_rows.Next());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CompareReport> CompareGenerations(const Generation& live,
                                                 const Generation& candidate) {
  DAYBOOK_ASSIGN_OR_RETURN(const Side old_side, Side::Of(live));
  DAYBOOK_ASSIGN_OR_RETURN(const Side new_side, Side::Of(candidate));
  CompareReport report;
  report.live = live.number();
  report.candidate = candidate.number();
  report.live_position = old_side.checkpoint.position;
  report.candidate_position = new_side.checkpoint.position;
  report.live_tables = old_side.checkpoint.tables;
  report.candidate_tables = new_side.checkpoint.tables;
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t old_parked,
                           HashParked(old_side.view, live.parked()));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t new_parked,
                           HashParked(new_side.view, candidate.parked()));
  report.equal =
      old_side.checkpoint.position == new_side.checkpoint.position && old_parked == new_parked;
  std::set<std::string> tables;
  for (const TableSummary& table : report.live_tables) tables.insert(table.name);
  for (const TableSummary& table : report.candidate_tables) tables.insert(table.name);
  for (const std::string& table : tables) {
    const TableSummary* const before = old_side.Find(table);
    const TableSummary* const after = new_side.Find(table);
    const bool same = before != nullptr && after != nullptr && before->rows == after->rows &&
                      before->digest == after->digest;
    if (same) continue;
    report.equal = false;
    DAYBOOK_RETURN_IF_ERROR(ListDifferences(old_side, new_side, table, &report.differences));
  }
  return report;
}

}  // namespace daybook
