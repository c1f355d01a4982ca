// A segment of the log, open for reading: the mapped file behind a verified header.

#ifndef DAYBOOK_LOG_SEGMENT_H_
#define DAYBOOK_LOG_SEGMENT_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "io/mapped_file.h"
#include "log/format.h"

namespace daybook {

// Whose file it is: every file of a store names both.
struct StoreIdentity {
  Uuid store_id{};
  Uuid incarnation{};
  friend bool operator==(const StoreIdentity&, const StoreIdentity&) = default;
};

// Immutable and thread-safe. The bytes of an active segment change behind the mapping, but only
// beyond the frames that have been published.
class LogSegment {
 public:
  // Opens log/<first_position>.log of a store. kNotFound; kDataLoss where the header is damaged or
  // the file is not of this store; kFailedPrecondition where the format is newer. A file that is
  // shorter than its header says is opened as far as it goes: `bytes()` is then shorter than
  // `header().segment_bytes`.
  static absl::StatusOr<std::shared_ptr<const LogSegment>> Open(
      const std::filesystem::path& store_directory, std::uint64_t first_position,
      const StoreIdentity& identity);

  [[nodiscard]] const SegmentHeader& header() const { return header_; }
  [[nodiscard]] std::uint64_t first_position() const { return header_.first_position; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return map_.bytes(); }
  // Relative to the store: "log/00000000000000000001.log".
  [[nodiscard]] const std::string& name() const { return name_; }

  // The record header at `offset`, verified to be that of `position`. kDataLoss with file, offset
  // and position.
  absl::Status ReadHeader(std::uint64_t offset, Position position,
                          const RecordHeader** header) const;
  // The event at `offset`, header and body verified and decoded. kDataLoss as above.
  absl::Status ReadEvent(std::uint64_t offset, Position position, EventView* event) const;

 private:
  LogSegment(SegmentHeader header, MappedFile map, std::string name)
      : header_(header), map_(std::move(map)), name_(std::move(name)) {}
  absl::Status Damaged(std::uint64_t offset, Position position, const char* what) const;

  SegmentHeader header_;
  MappedFile map_;
  std::string name_;
};

// What is wrong with a segment header, or nullptr. `newer` is set where it is of a newer format,
// which is no damage.
const char* CheckSegmentHeader(const SegmentHeader& header, bool* newer);

// Fills the fields of `event` that come from the record header.
void FillFromHeader(const RecordHeader& header, EventView* event);

// What is wrong with the record at `offset` of `segment`, or nullptr; the header is returned where
// it is good.
const char* CheckRecordHeader(std::span<const std::byte> segment, std::uint64_t offset,
                              std::uint64_t salt, const RecordHeader** header);

}  // namespace daybook

#endif  // DAYBOOK_LOG_SEGMENT_H_
