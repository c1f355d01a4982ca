#include "log/segment.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"
#include "log/event_codec.h"

namespace daybook {

const char* CheckSegmentHeader(const SegmentHeader& header, bool* newer) {
  *newer = false;
  if (header.magic != kSegmentMagic) return "it does not begin as a segment does";
  if (header.header_hash != HashOf(header)) return "the hash of its header is wrong";
  if (header.format_major != kFormatMajor ||
      (header.incompatible_flags & ~kKnownIncompatibleFlags) != 0) {
    *newer = true;
    return "it was written by a newer version of the format";
  }
  if (header.first_position == 0 || header.first_position > kCountMax) return "its first position";
  if (header.segment_bytes < kSegmentHeaderBytes || header.segment_bytes % kFrameAlignment != 0) {
    return "its size is none that a segment has";
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const LogSegment>> LogSegment::Open(
    const std::filesystem::path& store_directory, std::uint64_t first_position,
    const StoreIdentity& identity, FileAccess access) {
  std::string name = "log/" + SegmentFileName(first_position);
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(store_directory / name));
  const auto damaged = [&](const char* what) {
    return DataLossAt({name, 0, Position(first_position), Position(0)},
                      absl::StrCat("the segment cannot be opened: ", what));
  };
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size < kSegmentHeaderBytes) return damaged("it is shorter than its header");
  SegmentHeader header;
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  bool newer = false;
  if (const char* what = CheckSegmentHeader(header, &newer)) {
    if (!newer) return damaged(what);
    return absl::FailedPreconditionError(absl::StrCat(name, ": ", what, "; use a newer Daybook"));
  }
  if (header.first_position != first_position) return damaged("it is named by another position");
  if (!identity.Owns(header)) {
    return damaged("it belongs to another store or incarnation");
  }
  DAYBOOK_ASSIGN_OR_RETURN(FileBytes bytes,
                           FileBytes::Open(file, std::min(size, header.segment_bytes), access));
  return std::shared_ptr<const LogSegment>(
      new LogSegment(header, std::move(bytes), std::move(name)));
}

const char* CheckRecordHeader(std::span<const std::byte> segment, std::uint64_t offset,
                              std::uint64_t salt, const RecordHeader** header) {
  if (offset % 8 != 0 || offset > segment.size() ||
      segment.size() - offset < sizeof(RecordHeader)) {
    return "the event lies outside of its file";
  }
  const auto* found = reinterpret_cast<const RecordHeader*>(segment.data() + offset);
  if (found->header_hash != HashOf(*found, salt)) return "the hash of the event's header is wrong";
  if (found->header_length != sizeof(RecordHeader) || found->body_length % 8 != 0 ||
      segment.size() - offset - sizeof(RecordHeader) < found->body_length) {
    return "the event's lengths are wrong";
  }
  *header = found;
  return nullptr;
}

void FillFromHeader(const RecordHeader& header, EventView* event) {
  event->position = Position(header.position);
  event->version = Version(header.version);
  event->recorded_at = Timestamp(header.recorded_at);
  event->commit_first_position = Position(header.commit_first_position);
}

absl::Status LogSegment::Damaged(std::uint64_t offset, Position position, const char* what) const {
  return DataLossAt({name_, offset, position, position}, what);
}

absl::Status LogSegment::HeaderIn(std::span<const std::byte> bytes, std::uint64_t at,
                                  std::uint64_t offset, Position position,
                                  const RecordHeader** header) const {
  if (const char* what = CheckRecordHeader(bytes, at, header_.salt, header)) {
    return Damaged(offset, position, what);
  }
  if ((*header)->position != position.value()) {
    return Damaged(offset, position, "another event stands where this one should");
  }
  return absl::OkStatus();
}

absl::Status LogSegment::EventIn(std::span<const std::byte> bytes, std::uint64_t at,
                                 std::uint64_t offset, Position position, EventView* event) const {
  const RecordHeader* header = nullptr;
  DAYBOOK_RETURN_IF_ERROR(HeaderIn(bytes, at, offset, position, &header));
  const std::span<const std::byte> body =
      bytes.subspan(at + sizeof(RecordHeader), header->body_length);
  if (Hash64(body) != header->body_hash) {
    return Damaged(offset, position, "the hash of the event's body is wrong");
  }
  FillFromHeader(*header, event);
  if (const char* what = DecodeBody(body, event)) return Damaged(offset, position, what);
  return absl::OkStatus();
}

absl::Status LogSegment::ReadRecord(std::uint64_t offset, Position position, ReadBuffer* buffer,
                                    std::span<const std::byte>* record) const {
  if (buffer == nullptr) return absl::InternalError("a read without a buffer of an unmapped file");
  if (offset % 8 != 0) return Damaged(offset, position, "the event lies outside of its file");
  std::uint64_t length = sizeof(RecordHeader);
  const auto read = [&]() -> absl::StatusOr<const std::byte*> {
    auto bytes = buffer->Read(bytes_, offset, length);
    if (!absl::IsDataLoss(bytes.status())) return bytes;
    return DataLossAt({name_, offset, position, position}, ToStd(bytes.status().message()));
  };
  DAYBOOK_ASSIGN_OR_RETURN(const std::byte* bytes, read());
  RecordHeader header;
  std::memcpy(&header, bytes, sizeof header);
  // The length of a header that is no good is nothing to read by; the check that follows says so.
  if (header.header_hash == HashOf(header, header_.salt) &&
      header.body_length <= this->bytes().size() - offset - length) {
    length += header.body_length;
    DAYBOOK_ASSIGN_OR_RETURN(bytes, read());
  }
  *record = {bytes, static_cast<std::size_t>(length)};
  return absl::OkStatus();
}

// What the buffer has may be older than the file: what is no good is read once more.
absl::Status LogSegment::ReadUnmapped(std::uint64_t offset, Position position, ReadBuffer* buffer,
                                      const RecordUse& use) const {
  const auto attempt = [&]() -> absl::Status {
    std::span<const std::byte> record;
    DAYBOOK_RETURN_IF_ERROR(ReadRecord(offset, position, buffer, &record));
    return use(record);
  };
  absl::Status status = attempt();
  if (status.ok() || buffer == nullptr) return status;
  buffer->Distrust();
  return attempt();
}

absl::Status LogSegment::ReadHeader(std::uint64_t offset, Position position,
                                    const RecordHeader** header, ReadBuffer* buffer) const {
  if (is_mapped()) [[likely]]
    return HeaderIn(bytes(), offset, offset, position, header);
  return ReadUnmapped(offset, position, buffer, [&](std::span<const std::byte> record) {
    return HeaderIn(record, 0, offset, position, header);
  });
}

absl::Status LogSegment::ReadEvent(std::uint64_t offset, Position position, EventView* event,
                                   ReadBuffer* buffer) const {
  if (is_mapped()) [[likely]]
    return EventIn(bytes(), offset, offset, position, event);
  return ReadUnmapped(offset, position, buffer, [&](std::span<const std::byte> record) {
    return EventIn(record, 0, offset, position, event);
  });
}

absl::Status LogSegment::LoadUnmappedFrame(std::uint64_t offset) const {
  constexpr std::uint64_t kLoadedMax = std::uint64_t{1} << 20;
  if (loaded_ > kLoadedMax) Unload();
  loaded_ += sizeof(FrameHeader);
  DAYBOOK_RETURN_IF_ERROR(bytes_.Load(offset, sizeof(FrameHeader)));
  if (offset > bytes().size() || bytes().size() - offset < sizeof(FrameHeader)) {
    return absl::OkStatus();
  }
  FrameHeader header;
  std::memcpy(&header, bytes().data() + offset, sizeof header);
  if (header.magic != kFrameMagic || header.header_hash != HashOf(header, header_.salt) ||
      header.length <= sizeof header) {
    return absl::OkStatus();
  }
  loaded_ += header.length;
  return bytes_.Load(offset + sizeof header, header.length - sizeof header);
}

absl::Status LogSegment::LoadFrom(std::uint64_t offset) const {
  if (is_mapped() || offset >= bytes().size()) return absl::OkStatus();
  // Piece by piece: what cannot be read stays zero, and all else is there.
  constexpr std::uint64_t kPieceBytes = std::uint64_t{64} << 10;
  absl::Status status;
  for (std::uint64_t at = offset; at < bytes().size();) {
    const std::uint64_t n =
        std::min<std::uint64_t>(bytes().size() - at, kPieceBytes - at % kPieceBytes);
    status.Update(bytes_.Load(at, n));
    at += n;
  }
  loaded_ = bytes().size();
  return status;
}

void LogSegment::Unload() const {
  bytes_.Unload();
  loaded_ = 0;
}

}  // namespace daybook
