// A segment of the log, open for reading: the mapped file behind a verified header.

#ifndef DAYBOOK_LOG_SEGMENT_H_
#define DAYBOOK_LOG_SEGMENT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "io/file_bytes.h"
#include "io/read_buffer.h"
#include "log/format.h"

namespace daybook {

// Whose file it is: every file of a store names both.
struct StoreIdentity {
  Uuid store_id{};
  Uuid incarnation{};
  // Segments that begin at or before this position were taken over from an ancestor by a restore,
  // and name its incarnation. That they are the right ones is said by the chain of frame hashes.
  std::uint64_t inherited_upto = 0;

  [[nodiscard]] bool Owns(const SegmentHeader& header) const {
    return header.store_id == store_id &&
           (header.incarnation == incarnation || header.first_position <= inherited_upto);
  }
  friend bool operator==(const StoreIdentity& a, const StoreIdentity& b) {
    return a.store_id == b.store_id && a.incarnation == b.incarnation;
  }
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
      const StoreIdentity& identity, FileAccess access = FileAccess::kMap);

  [[nodiscard]] const SegmentHeader& header() const { return header_; }
  [[nodiscard]] std::uint64_t first_position() const { return header_.first_position; }
  // Where the file is not mapped: zeros, but for what was loaded.
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_.bytes(); }
  [[nodiscard]] bool is_mapped() const { return bytes_.is_mapped(); }
  [[nodiscard]] FileAccess access() const {
    return is_mapped() ? FileAccess::kMap : FileAccess::kRead;
  }
  // Relative to the store: "log/00000000000000000001.log".
  [[nodiscard]] const std::string& name() const { return name_; }

  // For those who walk through bytes(), one at a time: has the frame that begins at `offset`, a
  // part, or all from `offset` on loaded where the file is not mapped. An error says that the
  // device did not give it; then zeros stand there.
  absl::Status LoadFrame(std::uint64_t offset) const {
    return is_mapped() ? absl::OkStatus() : LoadUnmappedFrame(offset);
  }
  absl::Status LoadPart(std::uint64_t offset, std::uint64_t length) const {
    return bytes_.Load(offset, length);
  }
  absl::Status LoadFrom(std::uint64_t offset) const;
  // Gives back the memory of what was loaded.
  void Unload() const;

  // The record header at `offset`, verified to be that of `position`. kDataLoss with file, offset
  // and position. Where the file is not mapped it is read into the buffer, and stands there for as
  // long as that keeps it; a mapped one needs none. Thread-safe, each caller with its own buffer.
  absl::Status ReadHeader(std::uint64_t offset, Position position, const RecordHeader** header,
                          ReadBuffer* buffer = nullptr) const;
  // The event at `offset`, header and body verified and decoded. kDataLoss as above.
  absl::Status ReadEvent(std::uint64_t offset, Position position, EventView* event,
                         ReadBuffer* buffer = nullptr) const;

  // The header of the frame that holds the record of `position` at `offset`: found by going
  // backwards from there, since a header is valid only where it stands. Whose body is good it does
  // not say. kDataLoss where there is none.
  absl::StatusOr<FrameHeader> FrameOf(std::uint64_t offset, Position position) const;

 private:
  LogSegment(SegmentHeader header, FileBytes bytes, std::string name)
      : header_(header), bytes_(std::move(bytes)), name_(std::move(name)) {}
  absl::Status LoadUnmappedFrame(std::uint64_t offset) const;
  // The bytes of the record, in the buffer.
  absl::Status ReadRecord(std::uint64_t offset, Position position, ReadBuffer* buffer,
                          std::span<const std::byte>* record) const;
  // Gives the bytes of the record to `use`.
  using RecordUse = std::function<absl::Status(std::span<const std::byte> record)>;
  absl::Status ReadUnmapped(std::uint64_t offset, Position position, ReadBuffer* buffer,
                            const RecordUse& use) const;
  // The same as the public ones, on `bytes`, in which the record stands at `at`.
  absl::Status HeaderIn(std::span<const std::byte> bytes, std::uint64_t at, std::uint64_t offset,
                        Position position, const RecordHeader** header) const;
  absl::Status EventIn(std::span<const std::byte> bytes, std::uint64_t at, std::uint64_t offset,
                       Position position, EventView* event) const;
  absl::Status Damaged(std::uint64_t offset, Position position, const char* what) const;

  SegmentHeader header_;
  FileBytes bytes_;
  std::string name_;
  mutable std::uint64_t loaded_ = 0;  // bytes since the last Unload
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
