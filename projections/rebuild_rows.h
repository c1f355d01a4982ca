// The rows that one thread of a rebuild works on: in memory, in sorted runs once that is full, and
// below them what the generation had before.

#ifndef DAYBOOK_PROJECTIONS_REBUILD_ROWS_H_
#define DAYBOOK_PROJECTIONS_REBUILD_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/tables.h"
#include "kv/environment.h"
#include "projections/generation.h"
#include "projections/row_map.h"
#include "projections/sorted_run.h"

namespace daybook {

// Tables are numbered as in the generation. Not thread-safe. After an error of one of its reads
// nothing is lost: what was asked can be asked again.
class RebuildRows {
 public:
  struct Options {
    std::size_t memory_bytes_max = 0;  // at least a MiB is used
    std::filesystem::path run;         // runs get names that begin like this, for a moment
    // Other threads work on other rows of the same tables: what this one has looked at is kept too,
    // so that a row that two of them have touched is found.
    bool one_of_several = false;
  };
  RebuildRows(const Options& options, std::size_t tables);

  // Puts the rows of a generation below, until Clear().
  absl::Status ReadFrom(const Generation* generation);
  // Closes the view of the generation, which the next read opens again.
  void EndReads() { base_.reset(); }

  // As in TableReader and TableWriter.
  absl::StatusOr<std::optional<std::string_view>> Get(std::size_t table, std::string_view key);
  absl::Status Put(std::size_t table, std::string_view key, std::string_view row);
  absl::Status Delete(std::size_t table, std::string_view key);
  // kFailedPrecondition where this is one of several: no thread knows the rows of all keys.
  [[nodiscard]] absl::StatusOr<std::uint64_t> Count(std::size_t table) const;
  absl::Status Scan(std::size_t table, const KeyRange& range, const TableReader::Visit& visit);

  // A hint: the row with this text as its key (KeyCodec<std::string>) may be asked for, once as
  // many others were as kExpectAhead says.
  static constexpr std::size_t kExpectAhead = 8;
  void Expect(std::size_t table, std::string_view text);

  // What is written from here on can be undone.
  void BeginEvent() {
    undo_.clear();
    undo_bytes_.clear();
  }
  void UndoEvent();
  // Writes a run where memory is full. Not between BeginEvent() and UndoEvent().
  absl::Status SpillIfFull();

  // What has changed, and, where it is one of several, what was looked at; by key. Good until the
  // next change.
  [[nodiscard]] std::unique_ptr<RowSource> Changes() const;
  [[nodiscard]] std::uint64_t runs_written() const { return runs_written_; }
  // Forgets everything; the transaction on the generation ends.
  void Clear();

 private:
  struct Undo {
    RowEntry* entry;
    std::optional<std::uint32_t> row_bytes;  // of the row before, the last in undo_bytes_
  };
  struct Known {
    std::optional<std::string_view> row;
    bool saved = false;
  };
  struct ByKey {
    bool operator()(const RowEntry* a, const RowEntry* b) const { return a->key() < b->key(); }
  };
  class BaseSource;
  class OrderedSource;

  std::string_view FullKey(std::size_t table, std::string_view key);
  [[nodiscard]] bool IsLast(std::size_t table, std::string_view key) const;
  void ClearMap();
  absl::StatusOr<RowEntry*> Look(std::size_t table, std::string_view key);
  absl::StatusOr<Known> LookBelow(std::size_t table, std::string_view full, std::uint64_t hash);
  // Where there is a generation below.
  absl::Status OpenBase();
  void Remember(RowEntry* entry);
  absl::Status WriteRun(RowSource* source, std::uint64_t keys);
  [[nodiscard]] std::unique_ptr<RowSource> Runs(std::string_view from) const;

  const Options options_;
  RowMap map_;
  std::vector<std::unique_ptr<SortedRun>> runs_;  // newest first
  std::uint64_t runs_written_ = 0;
  std::size_t run_memory_bytes_ = 0;
  const Generation* generation_ = nullptr;
  std::optional<ReadTransaction> base_;
  std::vector<std::int64_t> counts_;
  // The entries by key, once somebody scans.
  std::optional<absl::btree_set<const RowEntry*, ByKey>> ordered_;
  std::vector<Undo> undo_;
  std::string undo_bytes_;
  std::string full_key_;
  RowEntry* last_ = nullptr;  // that was looked at: a handler mostly reads a row, then writes it
  std::array<std::uint64_t, kExpectAhead> expected_{};  // hashes, a ring
  std::size_t next_expected_ = 0;
  std::string expected_key_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_REBUILD_ROWS_H_
