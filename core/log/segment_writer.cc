#include "log/segment_writer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "io/directory.h"
#include "log/frame.h"

namespace daybook {
namespace {

constexpr std::uint64_t kFirstSegmentBytes = std::uint64_t{1} << 20;

SegmentHeader MakeSegmentHeader(const StoreIdentity& identity, const SegmentPlan& plan,
                                const LogTail* previous) {
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.format_major = kFormatMajor;
  header.format_minor = kFormatMinor;
  header.header_bytes = sizeof(SegmentHeader);
  header.store_id = identity.store_id;
  header.incarnation = identity.incarnation;
  header.salt = plan.salt;
  header.first_position = plan.first_position;
  header.segment_bytes = plan.bytes;
  header.unsynced_max = kUnsyncedMax;
  if (previous != nullptr) {
    header.previous_first_position = previous->segment.first_position;
    header.previous_length = previous->offset;
    header.previous_frame_hash = previous->last_hash;
  }
  header.created_at = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  header.header_hash = HashOf(header);
  return header;
}

constexpr std::uint64_t kPageBytes = 4096;

// How many zeros behind a frame fill the page that it ends in, where nothing was written before: a
// page that is not in memory need not be read then. They stand there already.
std::uint64_t RestOfNewPage(std::uint64_t offset, std::uint64_t length, std::uint64_t file_bytes) {
  const std::uint64_t end = offset + length;
  const std::uint64_t page_end = std::min(RoundUp(end, kPageBytes), file_bytes);
  return RoundUp(offset, kPageBytes) < end ? page_end - end : 0;
}

std::span<const std::byte> BytesOf(const auto& object) {
  return std::as_bytes(std::span(&object, 1));
}

}  // namespace

std::uint64_t NextSegmentBytes(std::uint64_t bytes, std::uint64_t bytes_max) {
  if (bytes == 0) return std::min(kFirstSegmentBytes, bytes_max);
  // A segment made for one large commit does not make its successors large.
  if (bytes >= bytes_max) return bytes_max;
  return std::min(bytes * 4, bytes_max);
}

std::uint64_t SegmentBytesFor(std::uint64_t body_bytes) {
  return RoundUp(kSegmentHeaderBytes + FrameBytes(body_bytes) + 2 * sizeof(FrameHeader), 4096);
}

absl::StatusOr<LogTail> CreateFirstSegment(const std::filesystem::path& store_directory,
                                           const StoreIdentity& identity, std::uint64_t bytes) {
  const std::filesystem::path directory = store_directory / "log";
  const std::filesystem::path aside = directory / "spare";
  LogTail tail;
  std::random_device random;
  tail.segment = {1, std::uint64_t{random()} << 32 | random(), bytes};
  const SegmentHeader header = MakeSegmentHeader(identity, tail.segment, nullptr);
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(aside));
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(aside));
  DAYBOOK_RETURN_IF_ERROR(file.ZeroFill(0, bytes));
  DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, BytesOf(header)));
  DAYBOOK_RETURN_IF_ERROR(file.Sync());
  DAYBOOK_RETURN_IF_ERROR(Directory::RenameNoReplace(aside, directory / SegmentFileName(1)));
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(directory));
  tail.last_hash = header.header_hash;
  return tail;
}

absl::StatusOr<SegmentWriter> SegmentWriter::Open(const std::filesystem::path& store_directory,
                                                  const StoreIdentity& identity,
                                                  const LogTail& tail) {
  DAYBOOK_ASSIGN_OR_RETURN(
      File file,
      File::OpenReadWrite(store_directory / "log" / SegmentFileName(tail.segment.first_position)));
  return SegmentWriter(store_directory, identity, std::move(file), tail);
}

absl::Status SegmentWriter::WriteFrame(FrameKind kind, std::uint32_t commits, std::uint32_t events,
                                       std::span<const std::span<const std::byte>> pieces) {
  static constexpr std::array<std::byte, kPageBytes> kZeros{};
  DAYBOOK_CHECK(!tail_.sealed);
  std::vector<std::span<const std::byte>> all;
  all.reserve(pieces.size() + 3);
  all.emplace_back();
  std::uint64_t body_bytes = 0;
  for (const auto piece : pieces) {
    all.push_back(piece);
    body_bytes += piece.size();
  }
  const std::uint64_t length = FrameBytes(body_bytes);
  DAYBOOK_CHECK(tail_.offset + length <= tail_.segment.bytes);
  all.push_back(std::span(kZeros).first(length - sizeof(FrameHeader) - body_bytes));
  Hasher64 hasher;
  for (std::size_t i = 1; i < all.size(); ++i) hasher.Update(all[i]);
  all.push_back(std::span(kZeros).first(RestOfNewPage(tail_.offset, length, tail_.segment.bytes)));

  FrameHeader header = MakeFrameHeader(
      kind, tail_.offset, length, tail_.next_position,
      IsSeeded(SeededBug::kPromiseTooEarly) ? tail_.offset : durable_upto_, tail_.last_hash);
  header.commits = commits;
  header.events = events;
  header.body_hash = hasher.Digest();
  header.header_hash = HashOf(header, tail_.segment.salt);
  all.front() = BytesOf(header);
  DAYBOOK_RETURN_IF_ERROR(file_.WriteVectorAt(tail_.offset, all));
  tail_.offset += length;
  tail_.next_position += events;
  tail_.last_hash = header.header_hash;
  tail_.sealed = kind == FrameKind::kSeal;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Sync() {
  DAYBOOK_RETURN_IF_ERROR(file_.SyncData());
  durable_upto_ = tail_.offset;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Seal() {
  if (tail_.sealed) return absl::OkStatus();
  if (durable_upto_ != tail_.offset) DAYBOOK_RETURN_IF_ERROR(Sync());
  // Dying here leaves the segment without its seal: the next opening goes on in it.
  DAYBOOK_RETURN_IF_ERROR(WriteFrame(FrameKind::kSeal, 0, 0, {}));
  return Sync();
}

absl::Status SegmentWriter::Activate(const SegmentPlan& plan, SpareMaker* spare) {
  DAYBOOK_CHECK(plan.first_position == tail_.next_position);
  DAYBOOK_RETURN_IF_ERROR(Seal());
  // From here until the rename the segment is sealed and has no successor: the next opening makes
  // one when it is needed.
  SegmentHeader header = MakeSegmentHeader(identity_, plan, &tail_);
  // A segment without an event, too small for its first commit, gives its name and its place in the
  // chain to the new one. Readers that have it mapped find its seal and open the name again.
  const bool replaces = plan.first_position == tail_.segment.first_position;
  if (replaces) {
    SegmentHeader old;
    DAYBOOK_RETURN_IF_ERROR(file_.ReadAt(0, std::as_writable_bytes(std::span(&old, 1))));
    header.previous_first_position = old.previous_first_position;
    header.previous_length = old.previous_length;
    header.previous_frame_hash = old.previous_frame_hash;
    header.header_hash = HashOf(header);
  }
  DAYBOOK_ASSIGN_OR_RETURN(File file, spare->Open());
  DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, BytesOf(header)));
  if (!IsSeeded(SeededBug::kSegmentFileNotSynced)) DAYBOOK_RETURN_IF_ERROR(file.SyncData());
  const std::filesystem::path log = directory_ / "log";
  const std::filesystem::path name = log / SegmentFileName(plan.first_position);
  DAYBOOK_RETURN_IF_ERROR(replaces ? Directory::Rename(spare->path(), name)
                                   : Directory::RenameNoReplace(spare->path(), name));
  // Until the folder is synced a crash may bring back the old name; nothing has been acknowledged
  // in this segment yet.
  if (!IsSeeded(SeededBug::kSegmentFolderNotSynced)) DAYBOOK_RETURN_IF_ERROR(Directory::Sync(log));
  spare->Taken();
  DAYBOOK_ASSIGN_OR_RETURN(file_, File::OpenReadWrite(name));
  tail_.segment = plan;
  tail_.offset = kSegmentHeaderBytes;
  tail_.last_hash = header.header_hash;
  tail_.sealed = false;
  durable_upto_ = kSegmentHeaderBytes;
  return absl::OkStatus();
}

}  // namespace daybook
