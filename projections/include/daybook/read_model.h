// Reading what a projection has made, in the process that runs it and in others.
//
//   auto model = projections->OpenModel("balances");
//   auto now = (*model)->Read();                                 // what there is
//   auto mine = (*model)->AtLeast(result.last_position, 1s);     // with what I have just appended
//   auto cents = kCents.Get(*mine, "account-42");

#ifndef DAYBOOK_READ_MODEL_H_
#define DAYBOOK_READ_MODEL_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/tables.h"
#include "daybook/values.h"

namespace daybook {

// 128 bits over the rows of a table, in any order: equal tables have equal digests, and a changed,
// a missing or an additional row changes it.
struct TableDigest {
  std::uint64_t low = 0, high = 0;
  [[nodiscard]] std::string ToString() const;  // 32 hexadecimal digits
  friend bool operator==(const TableDigest&, const TableDigest&) = default;
};

struct TableSummary {
  std::string name;
  std::uint64_t rows = 0;
  TableDigest digest;
};

// Since when a key is not up to date, because an event of it is parked.
struct StaleKey {
  Position since;  // of its first parked event
  Timestamp parked_at;
  std::uint64_t events = 0;  // parked
};

// A read model at one moment: all reads of it see the rows of one checkpoint. Used by one thread at
// a time; move-only. Keep it short: while it lives, what is overwritten meanwhile takes room, and
// the map of the read model cannot grow in this process. It must not outlive its ReadModel.
class ReadSnapshot : public TableReader {
 public:
  ReadSnapshot(ReadSnapshot&&) noexcept;
  ReadSnapshot& operator=(ReadSnapshot&&) noexcept;
  ~ReadSnapshot() override;

  [[nodiscard]] absl::StatusOr<std::optional<std::string_view>> GetBytes(
      std::string_view table, std::string_view key) const override;
  [[nodiscard]] absl::StatusOr<std::uint64_t> CountRows(std::string_view table) const override;
  absl::Status ScanBytes(std::string_view table, const KeyRange& range,
                         const Visit& visit) const override;

  // The checkpoint: every event up to here is in the rows, but for those of parked keys.
  [[nodiscard]] Position position() const;
  [[nodiscard]] std::uint64_t generation() const;
  [[nodiscard]] std::uint32_t revision() const;
  // nullopt where the key (as Projection::key gives it) is up to date.
  [[nodiscard]] absl::StatusOr<std::optional<StaleKey>> StaleSince(std::string_view key) const;
  // The tables with their digests, kept in the transaction of the rows; by name.
  [[nodiscard]] const std::vector<TableSummary>& tables() const;

  class Impl;
  explicit ReadSnapshot(std::unique_ptr<Impl> impl);  // for the library's own use

 private:
  std::unique_ptr<Impl> impl_;
};

struct ReadModelOptions {
  // The revision that the reader understands; kFailedPrecondition for any other.
  std::optional<std::uint32_t> revision;
};

// A projection's read model, whichever generation is the live one: after a promotion the next Read
// sees the new one. Thread-safe. Must not outlive the Projections that gave it.
class ReadModel {
 public:
  ~ReadModel();
  ReadModel(const ReadModel&) = delete;
  ReadModel& operator=(const ReadModel&) = delete;

  // The read model as it is now. kFailedPrecondition where it is of another incarnation, revision
  // or history than the store: the message says how to go on. kUnavailable (too many readers).
  [[nodiscard]] absl::StatusOr<ReadSnapshot> Read() const;
  // The same, once its checkpoint is at least `position`: with what AppendResult::last_position
  // says one reads one's own writes. Woken by the runner, in this process or another, not by a
  // timer. kDeadlineExceeded after `timeout`, with the checkpoint in the message.
  [[nodiscard]] absl::StatusOr<ReadSnapshot> AtLeast(Position position,
                                                     std::chrono::milliseconds timeout) const;

  class Impl;
  explicit ReadModel(std::unique_ptr<Impl> impl);  // for the library's own use

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_READ_MODEL_H_
