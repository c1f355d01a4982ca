// Rows in a file, sorted by key: what a rebuild puts aside when its memory is full. The file has no
// name; it is gone when the process is.
//
//   record: key bytes (2), row bytes (4; all ones: there is no row), key, row
//
// Keys are those of row_map.h.

#ifndef DAYBOOK_PROJECTIONS_SORTED_RUN_H_
#define DAYBOOK_PROJECTIONS_SORTED_RUN_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bloom.h"
#include "io/file.h"
#include "io/mapped_file.h"

namespace daybook {

// Something with rows in order of their keys. After a status that is not OK it is of no more use.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // Goes to the next row, at first to the first; false at the end.
  virtual absl::StatusOr<bool> Next() = 0;
  // Where Next() went; valid until the next call of it.
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::optional<std::string_view> row() const = 0;
};

// Immutable. Thread-safe.
class SortedRun {
 public:
  class Writer;

  struct Found {
    std::optional<std::string_view> row;  // as long as the run
  };
  // nullopt where the run knows nothing of the key.
  [[nodiscard]] std::optional<Found> Find(std::string_view key, std::uint64_t hash) const;
  // From the first key ≥ `from` on. The run must outlive it.
  [[nodiscard]] std::unique_ptr<RowSource> Read(std::string_view from) const;
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] std::size_t memory_bytes() const {
    return filter_.blocks().size_bytes() + index_.capacity() * sizeof index_[0];
  }

 private:
  class Source;
  SortedRun(BloomBuilder filter, std::vector<std::uint64_t> index, std::uint64_t rows,
            MappedFile file)
      : filter_(std::move(filter)), index_(std::move(index)), rows_(rows), file_(std::move(file)) {}
  // Where a record may be that has the first key ≥ `key`; it is there or behind.
  [[nodiscard]] std::uint64_t Before(std::string_view key) const;

  BloomBuilder filter_;
  std::vector<std::uint64_t> index_;  // where a record begins, every few thousand bytes
  std::uint64_t rows_;
  MappedFile file_;
};

class SortedRun::Writer {
 public:
  // Makes the file at `path` and takes its name away. `keys` is how many there will be, at most.
  static absl::StatusOr<std::unique_ptr<Writer>> Create(const std::filesystem::path& path,
                                                        std::uint64_t keys);
  // Keys come in ascending order.
  absl::Status Add(std::string_view key, std::optional<std::string_view> row);
  // The bytes are on the device: they are not left to the system as dirty pages.
  absl::StatusOr<std::unique_ptr<SortedRun>> Finish();

 private:
  Writer(File file, std::uint64_t keys) : file_(std::move(file)), filter_(keys) {}
  absl::Status Flush();

  File file_;
  BloomBuilder filter_;
  std::vector<std::uint64_t> index_;
  std::uint64_t rows_ = 0;
  std::uint64_t written_ = 0, synced_ = 0;
  std::string buffer_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_SORTED_RUN_H_
