#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "daybook/backup.h"
#include "io/directory.h"
#include "io/file.h"
#include "log/frame.h"
#include "log/segment_writer.h"
#include "store/backup_files.h"
#include "store/backup_manifest.h"
#include "store/store_file.h"
#include "store/verify_check.h"

namespace daybook {
namespace {

// What STORE will be. Renamed to that at the end: until then the folder is no store.
constexpr char kRestoring[] = "RESTORING";

absl::Status CheckTarget(const std::filesystem::path& store) {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(store));
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names, Directory::List(store));
  if (names.empty()) return absl::OkStatus();
  if (Directory::Exists(store / kRestoring) ||
      Directory::Exists(store / (std::string(kRestoring) + ".tmp"))) {
    return absl::InvalidArgumentError(
        absl::StrCat("a restore into ", store.string(),
                     " was interrupted, and nothing in it is in use; remove the folder and restore "
                     "again, or give another"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the folder ", store.string(), " is not empty; a restore needs an empty or a new one"));
}

// One call of Restore.
class RestoreRun {
 public:
  RestoreRun(const std::filesystem::path& backup, const std::filesystem::path& store,
             const RestoreOptions& options)
      : backup_(backup), store_(store), options_(options) {}
  absl::StatusOr<BackupReport> Run();

 private:
  void MakeHeader();
  absl::Status CopySegment(const BackupSegment& segment, bool is_last);
  absl::Status Seal(const BackupSegment& segment, const SegmentHeader& header, File* file) const;
  absl::Status CheckResult() const;
  void Progress(std::uint64_t bytes) {
    done_ += bytes;
    if (options_.on_progress) options_.on_progress(done_, total_);
  }

  const std::filesystem::path backup_;
  const std::filesystem::path store_;
  const RestoreOptions& options_;
  BackupManifest manifest_;
  StoreHeader header_{};
  std::uint64_t done_ = 0, total_ = 0;
};

// The same store, in a new incarnation that begins where the backup ends.
void RestoreRun::MakeHeader() {
  const StoreHeader& parent = manifest_.header.store;
  header_ = MakeStoreHeader(parent.segment_bytes_max);
  header_.store_id = parent.store_id;
  header_.parent_incarnation = parent.incarnation;
  header_.parent_position = manifest_.header.position;
  header_.parent_frame_hash = manifest_.header.position_frame_hash;
  if (!manifest_.segments.empty()) header_.incompatible_flags |= kInheritedSegmentsFlag;
  header_.header_hash = HashOf(header_);
}

// The last segment is the parent's too, and ends here: what is appended goes to one of the new
// incarnation.
absl::Status RestoreRun::Seal(const BackupSegment& segment, const SegmentHeader& header,
                              File* file) const {
  if (segment.last_frame_offset != 0) {
    FrameHeader last;
    DAYBOOK_RETURN_IF_ERROR(
        file->ReadAt(segment.last_frame_offset, std::as_writable_bytes(std::span(&last, 1))));
    if (last.kind == static_cast<std::uint8_t>(FrameKind::kSeal)) return absl::OkStatus();
  }
  if (header.segment_bytes - std::min(header.segment_bytes, segment.length) < sizeof(FrameHeader)) {
    return absl::InternalError("there is no room for the seal of the last segment");
  }
  FrameHeader seal =
      MakeFrameHeader(FrameKind::kSeal, segment.length, sizeof(FrameHeader), segment.next_position,
                      segment.length, segment.last_frame_hash);
  seal.header_hash = HashOf(seal, header.salt);
  return file->WriteAt(segment.length, std::as_bytes(std::span(&seal, 1)));
}

absl::Status RestoreRun::CopySegment(const BackupSegment& segment, bool is_last) {
  const std::string name = "log/" + SegmentFileName(segment.first_position);
  // Its length and its header, before its bytes are copied and compared.
  DAYBOOK_RETURN_IF_ERROR(CheckBackupSegment(backup_, segment, false));
  DAYBOOK_ASSIGN_OR_RETURN(const File from, File::OpenRead(backup_ / name));
  DAYBOOK_ASSIGN_OR_RETURN(File to, File::CreateNew(store_ / name));
  SegmentHeader header;
  DAYBOOK_RETURN_IF_ERROR(from.ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  Hasher64 hasher;
  const auto copy = [&](std::uint64_t at, std::span<const std::byte> piece) -> absl::Status {
    hasher.Update(piece);
    DAYBOOK_RETURN_IF_ERROR(to.WriteAt(at, piece));
    Progress(piece.size());
    return absl::OkStatus();
  };
  DAYBOOK_RETURN_IF_ERROR(ForEachPiece(from, segment.length, copy));
  if (hasher.Digest() != segment.content_hash) {
    return DamagedBackup(backup_, segment, 0, kNotWhatWasCopied);
  }
  if (is_last) DAYBOOK_RETURN_IF_ERROR(Seal(segment, header, &to));
  // Nothing is ever written to the rest: a hole will do.
  DAYBOOK_RETURN_IF_ERROR(to.Resize(header.segment_bytes));
  DAYBOOK_RETURN_IF_ERROR(to.Sync());
  to.DropCached();
  return absl::OkStatus();
}

// Everything that stands in the new folder, as if it were a store already.
absl::Status RestoreRun::CheckResult() const {
  VerifyOptions options;
  options.on_progress = [this](std::uint64_t done, std::uint64_t) {
    if (options_.on_progress) options_.on_progress(std::min(done_ + done, total_), total_);
  };
  DAYBOOK_ASSIGN_OR_RETURN(const StoreCheck check,
                           CheckStore(store_, options, manifest_.header.position, kRestoring));
  for (const Finding& finding : check.Findings()) {
    if (finding.kind == "lost") continue;  // given up in the original
    return DataLossAt({finding.file, finding.offset, finding.first_position, finding.last_position},
                      "what was restored does not verify: " + finding.hint);
  }
  if (check.walk.next_position != manifest_.header.position + 1) {
    return absl::DataLossError(absl::StrCat("what was restored ends at position ",
                                            check.walk.next_position - 1, ", the backup at ",
                                            manifest_.header.position));
  }
  return absl::OkStatus();
}

absl::StatusOr<BackupReport> RestoreRun::Run() {
  DAYBOOK_ASSIGN_OR_RETURN(manifest_, ReadManifest(backup_));
  if (manifest_.header.generation == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the backup in ", backup_.string(),
                     " was begun and never finished; run `daybook backup` again, or give another"));
  }
  DAYBOOK_RETURN_IF_ERROR(CheckTarget(store_));
  total_ = 2 * manifest_.log_bytes();  // copied, and read again
  MakeHeader();
  DAYBOOK_RETURN_IF_ERROR(
      Directory::WriteFileAtomically(store_ / kRestoring, std::as_bytes(std::span(&header_, 1))));
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(store_ / "log"));
  for (const BackupSegment& segment : manifest_.segments) {
    DAYBOOK_RETURN_IF_ERROR(CopySegment(segment, &segment == &manifest_.segments.back()));
  }
  if (manifest_.segments.empty()) {
    DAYBOOK_RETURN_IF_ERROR(CreateFirstSegment(store_, IdentityOf(header_),
                                               NextSegmentBytes(0, header_.segment_bytes_max))
                                .status());
  }
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(store_ / "log"));
  DAYBOOK_RETURN_IF_ERROR(CopyFromBackup(backup_, manifest_, store_));
  DAYBOOK_RETURN_IF_ERROR(CheckResult());
  // From the rename on somebody may open the store and append to it, also if this process dies: by
  // then it is durable by its name, as one that was created is.
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(store_));
  DAYBOOK_RETURN_IF_ERROR(Directory::SyncNameOf(store_));
  DAYBOOK_RETURN_IF_ERROR(Directory::RenameNoReplace(store_ / kRestoring, store_ / "STORE"));
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(store_));
  return BackupReport{.position = Position(manifest_.header.position),
                      .bytes = manifest_.log_bytes(),
                      .segments = manifest_.segments.size(),
                      .verified = true};
}

}  // namespace

absl::StatusOr<BackupReport> Restore(const std::filesystem::path& backup,
                                     const std::filesystem::path& store,
                                     const RestoreOptions& options) {
  return RestoreRun(backup, store, options).Run();
}

}  // namespace daybook
