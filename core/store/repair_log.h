// Mends what a StoreCheck found in a log, or gives it up.

#ifndef DAYBOOK_STORE_REPAIR_LOG_H_
#define DAYBOOK_STORE_REPAIR_LOG_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "log/segment.h"
#include "store/repair_bytes.h"
#include "store/verify_check.h"

namespace daybook {

// A backup of the store, or a copy of it or of a part of its files.
class BackupSource {
 public:
  // kFailedPrecondition where it is of another store, or of an incarnation that this one does not
  // stem from. Of an ancestor only the segments count that were taken over from it.
  static absl::StatusOr<std::optional<BackupSource>> Open(const std::filesystem::path& directory,
                                                          const StoreIdentity& identity);
  // STORE; nullptr where it is of an ancestor.
  [[nodiscard]] const StoreHeader* store() const { return is_ancestor_ ? nullptr : &store_; }
  // The last position that it saw as durable in this history; 0 where it does not say.
  [[nodiscard]] std::uint64_t witnessed_position() const;
  // nullptr where it has no whole segment of that name.
  [[nodiscard]] std::shared_ptr<const LogSegment> Segment(std::uint64_t first_position) const;
  [[nodiscard]] std::vector<std::uint64_t> Segments() const;

 private:
  std::filesystem::path directory_;
  StoreIdentity identity_;  // of the store that is repaired
  StoreHeader store_{};
  bool is_ancestor_ = false;
  std::uint64_t position_ = 0;
};

// One round: works on what one check found. In a dry run nothing is written, and the report says
// what would be.
class LogRepair {
 public:
  LogRepair(const std::filesystem::path& directory, const RepairOptions& options,
            const StoreCheck& check, const std::optional<BackupSource>& backup,
            RepairReport* report)
      : directory_(directory), options_(options), check_(check), backup_(backup), report_(report) {}

  // Brings back what can be brought back, and says whether anything was. Then the log is to be
  // checked again.
  absl::StatusOr<bool> Mend();

  // What Mend could not bring back.
  [[nodiscard]] const std::vector<const DamagedRange*>& unmended() const { return unmended_; }

  // Makes room for the loss of what is left, so that the store opens and no position is used twice
  // (see docs/format/recovery.md). True where anything was changed on disk.
  absl::StatusOr<bool> GiveUp();

  // What is left and neither mended nor given up before; of it, what never can be given up.
  [[nodiscard]] std::vector<const DamagedRange*> Left() const;
  [[nodiscard]] bool CanGiveUp(const DamagedRange& range) const;

 private:
  absl::StatusOr<bool> MendRange(const DamagedRange& range);
  absl::StatusOr<bool> MendZeros(const DamagedRange& range);
  absl::StatusOr<bool> MendHeader(const DamagedRange& range);
  absl::StatusOr<bool> MendFrames(const DamagedRange& range);
  absl::StatusOr<bool> MendMissing(const DamagedRange& range);
  absl::StatusOr<bool> MendLastMissing(const DamagedRange& range);
  absl::StatusOr<bool> CopyFromBackup(std::uint64_t first_position);
  // Copies the range to quarantine/, then writes `bytes` over it.
  absl::Status Replace(const DamagedRange& range, std::span<const std::byte> bytes,
                       std::string_view how);
  absl::Status MoveAside(const DamagedRange& range);

  absl::Status ReplaceHeader(const DamagedRange& range);
  absl::Status FillGap(const DamagedRange& range);
  absl::Status CloseLast();
  absl::Status ClearLast(const LogFile& file);
  [[nodiscard]] SegmentHeader Successor(const LogFile& file, const SegmentEnd& end,
                                        std::uint64_t first_position,
                                        std::uint64_t segment_bytes) const;
  [[nodiscard]] SegmentHeader ExpectedHeader(std::size_t index) const;
  [[nodiscard]] std::uint64_t LargestClaim(std::size_t index, std::uint64_t from) const;
  absl::StatusOr<Bytes> ReadFile(const std::string& file, std::uint64_t bytes_max) const;
  void Say(const DamagedRange& range, std::string_view how) const;

  const std::filesystem::path directory_;
  const RepairOptions& options_;
  const StoreCheck& check_;
  const std::optional<BackupSource>& backup_;
  RepairReport* const report_;
  std::vector<const DamagedRange*> unmended_;
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_REPAIR_LOG_H_
