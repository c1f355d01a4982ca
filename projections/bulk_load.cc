#include "projections/bulk_load.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/merged_rows.h"
#include "projections/table_digest.h"

namespace daybook {
namespace {

// Of pages that a transaction changes. It may be a little more: a page for each level of a tree.
constexpr std::size_t kPortionBytesMax = std::size_t{32} << 20;
// What LMDB keeps beside key and row.
constexpr std::size_t kNodeBytes = 12;

// The rows of one transaction: copied, because where the map is full the transaction is done again.
class Portion {
 public:
  struct Row {
    std::size_t table;
    std::string_view key;
    std::optional<std::string_view> row;
  };

  void Add(std::string_view key, std::optional<std::string_view> row) {
    rows_.push_back({bytes_.size(), key.size(), row ? row->size() : kNoRow});
    bytes_.append(key).append(row.value_or(std::string_view()));
  }
  void Clear() {
    rows_.clear();
    bytes_.clear();
  }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
  [[nodiscard]] Row operator[](std::size_t index) const {
    const Place& place = rows_[index];
    const std::string_view all = bytes_;
    Row row{.table = static_cast<std::size_t>(all[place.begin]),
            .key = all.substr(place.begin + 1, place.key_bytes - 1),
            .row = std::nullopt};
    if (place.row_bytes != kNoRow) {
      row.row = all.substr(place.begin + place.key_bytes, place.row_bytes);
    }
    return row;
  }

 private:
  static constexpr std::size_t kNoRow = SIZE_MAX;
  struct Place {
    std::size_t begin, key_bytes, row_bytes;
  };
  std::vector<Place> rows_;
  std::string bytes_;
};

class Loader {
 public:
  explicit Loader(BulkLoad load) : load_(std::move(load)), rows_(std::move(load_.changes)) {
    for (const TableSummary& table : load_.checkpoint.tables) empty_.push_back(table.rows == 0);
    empty_.push_back(false);  // that of the effects
  }

  absl::Status Run() {
    DAYBOOK_ASSIGN_OR_RETURN(before_, load_.generation->ReadCheckpoint());
    std::size_t pages_bytes = 0;
    for (;;) {
      DAYBOOK_ASSIGN_OR_RETURN(const bool more, rows_.Next());
      if (!more) break;
      if (rows_.sources_of_key() > 1) return TwoThreads();
      const auto table = static_cast<std::size_t>(rows_.key()[0]);
      if (empty_[table] && !rows_.row()) continue;
      // Into a table with rows every change may be on a page of its own.
      const std::size_t row_bytes =
          rows_.key().size() + rows_.row().value_or(std::string_view()).size() + kNodeBytes;
      pages_bytes += empty_[table] ? row_bytes : row_bytes + kPageBytes;
      portion_.Add(rows_.key(), rows_.row());
      if (pages_bytes < kPortionBytesMax) continue;
      DAYBOOK_RETURN_IF_ERROR(WritePortion(false));
      pages_bytes = 0;
    }
    DAYBOOK_RETURN_IF_ERROR(WritePortion(true));
    // Without it a crash of the machine could undo the last transaction, and a promotion would then
    // point to a generation that is not built.
    return load_.generation->environment().Sync();
  }

 private:
  absl::Status TwoThreads() const {
    const auto table = static_cast<std::size_t>(rows_.key()[0]);
    return absl::FailedPreconditionError(absl::StrCat(
        "two threads of the rebuild have touched the row with key \"",
        absl::CHexEscape(ToAbsl(rows_.key().substr(1))), "\" of table '",
        load_.checkpoint.tables[table].name,
        "', so events of more than one key use it; rebuild on one thread, or do not say "
        "rows_by_key, or let Projection::key put those events together"));
  }

  absl::Status WritePortion(bool last) {
    Checkpoint next;
    const absl::Status written = load_.generation->Write([&](WriteTransaction& transaction) {
      next = load_.checkpoint;
      TableSummary of_effects;  // which nobody asks for
      for (std::size_t i = 0; i < portion_.size(); ++i) {
        const Portion::Row row = portion_[i];
        const TableHandle handle = load_.generation->table(row.table);
        TableSummary& summary =
            row.table < next.tables.size() ? next.tables[row.table] : of_effects;
        DAYBOOK_RETURN_IF_ERROR(empty_[row.table] ? Append(row, handle, &transaction, &summary)
                                                  : Change(row, handle, &transaction, &summary));
      }
      if (last) {
        DAYBOOK_RETURN_IF_ERROR(load_.finish(transaction));
        return load_.generation->WriteCheckpoint(next, &transaction);
      }
      // Between the portions the rows are of no one position: nobody may promote that.
      Checkpoint unfinished = before_;
      unfinished.built = false;
      return load_.generation->WriteCheckpoint(unfinished, &transaction);
    });
    DAYBOOK_RETURN_IF_ERROR(written);
    load_.checkpoint = std::move(next);
    portion_.Clear();
    return absl::OkStatus();
  }

  absl::Status Append(const Portion::Row& row, TableHandle handle, WriteTransaction* transaction,
                      TableSummary* summary) {
    ++summary->rows;
    AddRow(hash_(row.key, *row.row), &summary->digest);
    return transaction->Append(handle, row.key, *row.row);
  }

  absl::Status Change(const Portion::Row& row, TableHandle handle, WriteTransaction* transaction,
                      TableSummary* summary) {
    DAYBOOK_ASSIGN_OR_RETURN(const auto was, transaction->Get(handle, row.key));
    if (was == row.row) return absl::OkStatus();
    if (was) {
      --summary->rows;
      RemoveRow(hash_(row.key, *was), &summary->digest);
    }
    if (!row.row) return transaction->Delete(handle, row.key).status();
    ++summary->rows;
    AddRow(hash_(row.key, *row.row), &summary->digest);
    return transaction->Put(handle, row.key, *row.row);
  }

  BulkLoad load_;
  MergedRows rows_;
  Checkpoint before_;
  std::vector<bool> empty_;  // at the start
  Portion portion_;
  RowHasher hash_;
};

}  // namespace

absl::Status LoadInBulk(BulkLoad load) { return Loader(std::move(load)).Run(); }

}  // namespace daybook
