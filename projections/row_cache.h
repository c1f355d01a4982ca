// The rows that a batch reads and changes: over the tables of a generation, in memory until the
// batch is committed.
//
// A handler reads at the last commit and sees its own changes; nothing is written before Flush, so
// that a handler may take its time without holding LMDB's writer lock, and a transaction that did
// not fit can be done again. Rows go in sorted, each page once. Between batches what was read
// stays, since nobody else changes the tables.

#ifndef DAYBOOK_PROJECTIONS_ROW_CACHE_H_
#define DAYBOOK_PROJECTIONS_ROW_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/checksum.h"
#include "daybook/tables.h"
#include "kv/environment.h"
#include "projections/checkpoint.h"
#include "projections/generation.h"
#include "projections/table_digest.h"

namespace daybook {

struct CachedRow {
  std::string key, row;
  bool exists = false;
  bool changed = false;  // not in the tables yet
  // What the tables have, once it is changed.
  bool stored = false;
  Digest128 stored_hash;
  std::uint64_t mark = 0;  // the last Mark() under which it was changed
};

// Not thread-safe. The tables are named by their index in the generation.
class RowCache {
 public:
  explicit RowCache(std::shared_ptr<Generation> generation);

  // Opens the view of the last commit that reads go to. Done by the first read where it was not.
  absl::Status Begin();
  // Closes it: before the map is to grow, and while nothing is done.
  void End();

  // What follows can be undone, up to here. One mark at a time.
  void Mark();
  void Undo();

  // Valid until the next call.
  absl::StatusOr<std::optional<std::string_view>> Get(std::size_t table, std::string_view key);
  absl::Status Put(std::size_t table, std::string_view key, std::string_view bytes);
  absl::Status Delete(std::size_t table, std::string_view key);
  absl::StatusOr<std::uint64_t> Count(std::size_t table);
  // `visit` may not use the cache.
  absl::Status Scan(std::size_t table, const KeyRange& range, const TableReader::Visit& visit);

  // About as many bytes as a transaction with what is changed will write.
  [[nodiscard]] std::uint64_t changed_bytes() const;
  // Of memory.
  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }
  [[nodiscard]] bool changed() const;

  // Writes what is changed, and brings rows and digests of `checkpoint` up to date. May be done
  // again in another transaction with the checkpoint as it was.
  absl::Status Flush(WriteTransaction* transaction, Checkpoint* checkpoint);
  // The transaction of the last Flush was committed: nothing is changed any more. Keeps rows in
  // memory up to `keep_bytes_max`, else none.
  void Committed(std::size_t keep_bytes_max);
  // Forgets everything.
  void Discard();

  // The rows of a table that are changed, in order of their keys.
  [[nodiscard]] std::vector<const CachedRow*> Changed(std::size_t table) const;

 private:
  struct HashKey {
    std::size_t operator()(std::string_view key) const;
  };
  struct RowTable {
    // The keys are those of the rows, which do not move.
    absl::flat_hash_map<std::string_view, std::unique_ptr<CachedRow>, HashKey, std::equal_to<>>
        rows;
    std::vector<CachedRow*> changed;  // in the order in which they were changed first
    std::uint64_t new_bytes = 0;      // of rows that are changed and were not stored
    std::int64_t count_change = 0;
    std::uint64_t pages = 0;  // of the table in the view
    std::uint64_t stored_rows = 0;
  };
  struct Before {
    std::size_t table;
    CachedRow* row;
    std::string bytes;
    bool exists, changed;
  };

  absl::StatusOr<CachedRow*> Find(std::size_t table, std::string_view key);
  // Notes how the row was, for Undo, and that it is changed now.
  void Change(std::size_t table, CachedRow* row);
  void SetRow(std::size_t table, CachedRow* row, bool exists, std::string_view bytes);

  const std::shared_ptr<Generation> generation_;
  std::optional<ReadTransaction> view_;
  std::vector<RowTable> tables_;
  std::vector<Before> before_;
  std::uint64_t mark_ = 1;
  // What was found last: a row that is read is mostly written next.
  CachedRow* last_ = nullptr;
  std::size_t last_table_ = 0;
  std::size_t memory_bytes_ = 0;
  RowHasher hash_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_ROW_CACHE_H_
