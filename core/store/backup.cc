#include "daybook/backup.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"
#include "store/backup_copy.h"
#include "store/backup_files.h"
#include "store/backup_manifest.h"
#include "store/follower.h"
#include "store/opening.h"
#include "store/store_file.h"
#include "store/verify_check.h"

namespace daybook {
namespace {

using Logs = std::vector<std::shared_ptr<const LogSegment>>;

// One call of Backup.
class BackupRun {
 public:
  BackupRun(const std::filesystem::path& store, const std::filesystem::path& backup,
            const BackupOptions& options)
      : store_(store), backup_(backup), options_(options) {}
  absl::StatusOr<BackupReport> Run();

 private:
  absl::Status OpenTarget();
  absl::Status CheckIsOurs() const;
  absl::Status CheckManifest();
  absl::Status LookAtStore();
  absl::Status CheckHistory(const BackupSegment& segment) const;
  absl::Status CheckLosses();
  absl::Status CopySegments();
  absl::Status CopySegment(std::size_t index);
  void Progress(std::uint64_t bytes);

  const std::filesystem::path store_;
  const std::filesystem::path backup_;
  const BackupOptions& options_;
  std::optional<File> lock_;
  StoreHeader header_{};
  BackupManifest before_, now_;
  Logs logs_;
  std::uint64_t position_ = 0;  // durable: up to this one
  bool lossy_ = false;          // damage was found, and all of it was given up before
  std::uint64_t done_ = 0, total_ = 0;
  BackupReport report_;
};

void BackupRun::Progress(std::uint64_t bytes) {
  done_ = std::min(done_ + bytes, total_);
  if (options_.on_progress) options_.on_progress(done_, total_);
}

// A folder becomes a backup by a manifest that speaks of nothing yet, so that what a first run
// leaves that is cut off is known as its own.
absl::Status BackupRun::OpenTarget() {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(backup_));
  if (!IsBackup(backup_)) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names, Directory::List(backup_));
    for (const std::string& name : names) {
      if (name == "LOCK" || name == std::string(kManifestName) + ".tmp") continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "the folder ", backup_.string(),
          " holds other things and no backup; give an empty or a new folder, or that of a backup"));
    }
  }
  DAYBOOK_ASSIGN_OR_RETURN(File lock, File::OpenOrCreate(backup_ / "LOCK"));
  DAYBOOK_ASSIGN_OR_RETURN(const bool taken, lock.TryLockExclusive());
  if (!taken) {
    return absl::UnavailableError(absl::StrCat("another process is writing to the backup in ",
                                               backup_.string(), "; wait for it to end"));
  }
  lock_.emplace(std::move(lock));
  if (!IsBackup(backup_)) {
    before_.header.store = header_;
    DAYBOOK_RETURN_IF_ERROR(WriteManifest(backup_, before_));
  }
  DAYBOOK_ASSIGN_OR_RETURN(before_, ReadManifest(backup_));
  // Who renamed the manifest may have been killed before it was durable, and log/ without one is
  // nobody's.
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(backup_));
  if (!Directory::Exists(backup_ / "log")) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Create(backup_ / "log"));
    // Before a manifest speaks of what is in it.
    DAYBOOK_RETURN_IF_ERROR(Directory::Sync(backup_));
  }
  return Directory::SyncNameOf(backup_);
}

absl::Status BackupRun::CheckIsOurs() const {
  const StoreHeader& theirs = before_.header.store;
  if (theirs.store_id != header_.store_id) {
    return absl::FailedPreconditionError(
        absl::StrCat(backup_.string(), " is a backup of another store (", UuidText(theirs.store_id),
                     ", this one is ", UuidText(header_.store_id), "); give another folder"));
  }
  if (theirs.incarnation != header_.incarnation) {
    return absl::FailedPreconditionError(absl::StrCat(
        backup_.string(), " is a backup of incarnation ", UuidText(theirs.incarnation),
        " of the store up to position ", before_.header.position, ", this one is ",
        UuidText(header_.incarnation), ": a restore made another history of it; keep that backup, ",
        "and give another folder"));
  }
  return absl::OkStatus();
}

absl::Status BackupRun::CheckManifest() {
  DAYBOOK_RETURN_IF_ERROR(CheckIsOurs());
  for (const BackupSegment& segment : before_.segments) {
    DAYBOOK_RETURN_IF_ERROR(CheckBackupSegment(backup_, segment, !options_.fast));
    if (!options_.fast) Progress(segment.length);
  }
  return options_.fast ? absl::OkStatus() : CheckBackupFiles(backup_, before_);
}

// The segments, and how far they are durable.
absl::Status BackupRun::LookAtStore() {
  // First what was said, then what is there: it only grows.
  const std::uint64_t said = WitnessedByWake(store_, header_.store_id, options_.access);
  absl::Status damage;
  DAYBOOK_ASSIGN_OR_RETURN(
      logs_, OpenSegments(store_, IdentityOf(header_), false, &damage, options_.access));
  // What a backup has was durable, also where no promise in the log says so any more.
  position_ = std::max({said, before_.header.position, ProvenPosition(*logs_.back())});
  logs_.back()->Unload();
  return absl::OkStatus();
}

// The store has the frame with which the backup's part of a segment ends.
absl::Status BackupRun::CheckHistory(const BackupSegment& segment) const {
  const auto found = std::lower_bound(
      logs_.begin(), logs_.end(), segment.first_position,
      [](const auto& log, std::uint64_t position) { return log->first_position() < position; });
  const auto other = [&](const char* what) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the backup in ", backup_.string(), " is of a history that went another way: ", what, " (",
        SegmentFileName(segment.first_position), ", up to position ", segment.next_position - 1,
        "); keep it, and make a new backup in another folder"));
  };
  if (found == logs_.end() || (*found)->first_position() != segment.first_position) {
    return other("the store has no such segment");
  }
  const LogSegment& log = **found;
  if (log.header().header_hash != segment.header_hash) {
    return other("the segment is another one");
  }
  if (segment.last_frame_offset == 0) return absl::OkStatus();
  DAYBOOK_RETURN_IF_ERROR(log.LoadPart(segment.last_frame_offset, sizeof(FrameHeader)));
  FrameHeader frame{};
  if (segment.last_frame_offset + sizeof frame <= log.bytes().size()) {
    std::memcpy(&frame, log.bytes().data() + segment.last_frame_offset, sizeof frame);
  }
  const bool is_there = frame.header_hash == segment.last_frame_hash &&
                        HashOf(frame, log.header().salt) == frame.header_hash;
  if (is_there && &segment != &before_.segments.back()) return absl::OkStatus();
  if (is_there) {
    DAYBOOK_RETURN_IF_ERROR(log.LoadFrame(segment.last_frame_offset));
    const auto body =
        log.bytes().subspan(segment.last_frame_offset + sizeof frame, frame.length - sizeof frame);
    if (Hash64(body) == frame.body_hash) return absl::OkStatus();
  }
  if (is_there || frame.header_hash == 0 || HashOf(frame, log.header().salt) != frame.header_hash) {
    return DataLossAt({log.name(), segment.last_frame_offset, Position(segment.first_position),
                       Position(segment.next_position - 1)},
                      absl::StrCat("the store has lost what the backup in ", backup_.string(),
                                   " has; `daybook repair` with --from-backup brings it back"));
  }
  return other("another frame stands where it ends");
}

// Damage that no repair has given up is not copied: a backup is what a repair takes bytes from.
absl::Status BackupRun::CheckLosses() {
  if (lossy_) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(const StoreCheck check,
                           CheckStore(store_, {.fast = true, .access = options_.access}));
  for (const DamagedRange& range : check.walk.damage) {
    if (FindAccepted(check.losses, range) != nullptr) continue;
    return DataLossAt(
        {range.file, range.named, Position(range.positions.first), Position(range.positions.last)},
        absl::StrCat(range.problem, "; the backup stays as it was"));
  }
  lossy_ = true;
  return absl::OkStatus();
}

absl::Status BackupRun::CopySegment(std::size_t index) {
  const auto& log = logs_[index];
  const BackupSegment* before =
      index < before_.segments.size() ? &before_.segments[index] : nullptr;
  CopyGoal goal{.position = position_, .successor = nullptr, .lossy = false};
  if (index + 1 < logs_.size()) goal.successor = &logs_[index + 1]->header();
  const bool is_whole =
      before != nullptr && (goal.successor != nullptr
                                ? before->length == goal.successor->previous_length &&
                                      before->last_frame_hash == goal.successor->previous_frame_hash
                                : before->next_position > position_);
  if (is_whole) {
    now_.segments.push_back(*before);
    return absl::OkStatus();
  }
  for (;;) {
    SegmentCopy copy(backup_, log, before, goal);
    const auto copied = copy.Run([this](std::uint64_t bytes) { Progress(bytes); });
    const auto damage = DamageOf(copied.status());
    if (!copied.ok() && damage && !goal.lossy && goal.successor != nullptr) {
      DAYBOOK_RETURN_IF_ERROR(CheckLosses());
      goal.lossy = true;
      continue;
    }
    DAYBOOK_RETURN_IF_ERROR(copied.status());
    report_.bytes += copy.copied();
    now_.segments.push_back(*copied);
    if (copy.position_frame_hash() != 0) {
      now_.header.position_frame_hash = copy.position_frame_hash();
    }
    return absl::OkStatus();
  }
}

absl::Status BackupRun::CopySegments() {
  for (const BackupSegment& segment : before_.segments) {
    DAYBOOK_RETURN_IF_ERROR(CheckHistory(segment));
  }
  now_.header.store = header_;
  now_.header.position_frame_hash = before_.header.position_frame_hash;
  for (std::size_t i = 0; i < logs_.size() && logs_[i]->first_position() <= position_; ++i) {
    DAYBOOK_RETURN_IF_ERROR(CopySegment(i));
  }
  now_.header.position = now_.segments.empty() ? 0 : now_.segments.back().next_position - 1;
  return Directory::Sync(backup_ / "log");
}

absl::StatusOr<BackupReport> BackupRun::Run() {
  DAYBOOK_ASSIGN_OR_RETURN(header_, ReadStoreFile(store_));
  DAYBOOK_RETURN_IF_ERROR(OpenTarget());
  if (!options_.fast) total_ = before_.log_bytes();
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<StoreFile> files, ReadStoreFiles(store_));
  DAYBOOK_RETURN_IF_ERROR(LookAtStore());
  for (const auto& log : logs_) total_ += log->bytes().size();
  total_ -= std::min(total_, before_.log_bytes());
  DAYBOOK_RETURN_IF_ERROR(CheckManifest());
  DAYBOOK_RETURN_IF_ERROR(CopySegments());
  now_.header.generation = before_.header.generation + 1;
  DAYBOOK_RETURN_IF_ERROR(CopyToBackup(files, backup_, &now_));
  // Before this the backup is what it was; from here on it is what it has become.
  const bool same = now_.segments == before_.segments && now_.files.empty() &&
                    before_.files.empty() && before_.header.generation != 0;
  if (!same) DAYBOOK_RETURN_IF_ERROR(WriteManifest(backup_, now_));
  RemoveOldFiles(backup_, same ? before_ : now_);
  if (options_.on_progress) options_.on_progress(total_, total_);
  report_.position = Position(now_.header.position);
  report_.segments = now_.segments.size();
  report_.verified = !options_.fast;
  return report_;
}

Finding FindingOf(const absl::Status& status) {
  Finding finding{.kind = "backup", .file = {}, .offset = 0, .hint = std::string(status.message())};
  if (const auto damage = DamageOf(status)) {
    finding.file = damage->file;
    finding.offset = damage->offset;
    finding.first_position = damage->first_position;
    finding.last_position = damage->last_position;
  }
  finding.hint += "; make a new backup in another folder while the store is whole";
  return finding;
}

}  // namespace

absl::StatusOr<BackupReport> Backup(const std::filesystem::path& store,
                                    const std::filesystem::path& backup,
                                    const BackupOptions& options) {
  return BackupRun(store, backup, options).Run();
}

absl::StatusOr<VerifyReport> VerifyBackup(const std::filesystem::path& backup,
                                          const VerifyOptions& options) {
  VerifyReport report;
  const absl::StatusOr<BackupManifest> manifest = ReadManifest(backup);
  if (absl::IsDataLoss(manifest.status())) {
    report.findings.push_back(FindingOf(manifest.status()));
    return report;
  }
  DAYBOOK_RETURN_IF_ERROR(manifest.status());
  std::uint64_t done = 0;
  for (const BackupSegment& segment : manifest->segments) {
    const absl::Status status = CheckBackupSegment(backup, segment, !options.fast);
    if (status.ok()) {
      report.positions += segment.next_position - segment.first_position;
    } else if (absl::IsDataLoss(status)) {
      report.findings.push_back(FindingOf(status));
    } else {
      return status;
    }
    done += segment.length;
    if (options.on_progress) options.on_progress(done, manifest->log_bytes());
  }
  if (const absl::Status files = CheckBackupFiles(backup, *manifest); absl::IsDataLoss(files)) {
    report.findings.push_back(FindingOf(files));
  } else if (!files.ok()) {
    return files;
  }
  return report;
}

}  // namespace daybook
