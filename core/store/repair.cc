#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "append/commit.h"
#include "base/status.h"
#include "daybook/store.h"
#include "io/directory.h"
#include "io/file.h"
#include "kv/derived.h"
#include "kv/lmdb_snapshot.h"
#include "store/opening.h"
#include "store/repair_files.h"
#include "store/repair_log.h"
#include "store/store_file.h"
#include "store/verify_check.h"
#include "store/verify_events.h"
#include "store/writer.h"

namespace daybook {
namespace {

constexpr int kRoundsMax = 1000;  // each mends something; no log has so much that is damaged
constexpr std::size_t kLossesInCommit = 1000;  // events

std::uint64_t LostPositions(const StoreCheck& check) {
  std::uint64_t lost = 0;
  for (const DamagedRange& range : check.walk.damage) {
    if (FindAccepted(check.losses, range) == nullptr) lost += range.lost_count();
  }
  return lost;
}

// What the segments say of an ancestor, for a STORE that is made anew.
void InheritFromSegments(const LogPicture& picture, StoreHeader* header) {
  if (picture.identity.inherited_upto == 0) return;
  const SegmentHeader* before = nullptr;
  for (const LogFile& file : picture.files) {
    if (!file.log) continue;
    const SegmentHeader& segment = file.log->header();
    if (segment.first_position > picture.identity.inherited_upto) {
      header->parent_position = segment.first_position - 1;
      break;
    }
    before = &segment;
  }
  if (before == nullptr) return;
  header->incompatible_flags |= kInheritedSegmentsFlag;
  header->parent_incarnation = before->incarnation;
}

// One call of Repair. The log comes before what is derived from it, since sidecars and index/ are
// witnesses of it: they go only when they are bad themselves.
class Repairer {
 public:
  Repairer(const std::filesystem::path& directory, const RepairOptions& options)
      : directory_(directory), options_(options) {}
  absl::StatusOr<RepairReport> Run();

 private:
  absl::Status Lock();
  absl::Status CheckAgain();
  absl::Status RepairStoreFile();
  absl::Status MendLog();
  absl::Status GiveUpLog();
  absl::Status RebuildDerived(bool with_missing);
  absl::Status DiscardSnapshots();
  absl::Status RewriteSidecars(const std::set<std::uint64_t>& first_positions);
  absl::Status RecordLosses();
  absl::Status Verdict() const;
  void Say(std::string_view what) const {
    Tell(options_.on_notice, Notice::Severity::kInfo, std::string(what));
  }

  const std::filesystem::path directory_;
  const RepairOptions& options_;
  std::optional<File> lock_;
  StoreCheck check_;
  std::optional<BackupSource> backup_;
  RepairReport report_;
  std::vector<const DamagedRange*> unmended_;  // of check_
};

absl::Status Repairer::Lock() {
  const std::filesystem::path path = directory_ / "LOCK";
  // A dry run makes nothing, not even the file to lock.
  if (options_.dry_run && !Directory::Exists(path)) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(File file,
                           options_.dry_run ? File::OpenRead(path) : File::OpenOrCreate(path));
  DAYBOOK_ASSIGN_OR_RETURN(const bool locked, file.TryLockExclusive());
  if (!locked) {
    return absl::UnavailableError(absl::StrCat("the store in ", directory_.string(),
                                               " is open in a process; close it before a repair"));
  }
  lock_.emplace(std::move(file));
  return absl::OkStatus();
}

absl::Status Repairer::CheckAgain() {
  // What a backup has was durable: where the log ends before that, it has lost something.
  DAYBOOK_ASSIGN_OR_RETURN(check_,
                           CheckStore(directory_, {}, backup_ ? backup_->witnessed_position() : 0));
  return absl::OkStatus();
}

// STORE by its one flipped bit, from the backup, or, giving up its lineage, from the segments,
// which name the store as well.
absl::Status Repairer::RepairStoreFile() {
  if (check_.store) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(directory_ / "STORE"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  Bytes bytes(std::min<std::uint64_t>(size, 4096));
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, bytes));
  StoreHeader header{};
  const auto read = [&] {
    std::copy_n(bytes.begin(), std::min(bytes.size(), sizeof header),
                std::as_writable_bytes(std::span(&header, 1)).begin());
    return header.magic == kStoreMagic && header.header_hash == HashOf(header) &&
           header.store_id == check_.picture.identity.store_id;
  };
  const char* how = "STORE is restored by its hash";
  if (bytes.size() < sizeof header ||
      (!read() && !FlipOneBit(std::span(bytes).first(sizeof header), read))) {
    if (backup_ && backup_->store() != nullptr) {
      header = *backup_->store();
      how = "STORE is restored from the backup";
    } else if (options_.accept_loss) {
      header = {};
      header.magic = kStoreMagic;
      header.format_major = kFormatMajor;
      header.format_minor = kFormatMinor;
      header.header_bytes = sizeof header;
      header.store_id = check_.picture.identity.store_id;
      header.incarnation = check_.picture.identity.incarnation;
      header.segment_bytes_max = StoreOptions{}.segment_bytes_max;
      InheritFromSegments(check_.picture, &header);
      header.header_hash = HashOf(header);
      how = "STORE is made anew from what the segments say of it";
    } else {
      return absl::OkStatus();
    }
  } else {
    read();
  }
  Say(how);
  if (options_.dry_run) {
    ++report_.quarantined;
    check_.store = header;
    check_.store_file = absl::OkStatus();
    return absl::OkStatus();
  }
  DAYBOOK_ASSIGN_OR_RETURN(const bool copied, Quarantine(directory_, "STORE", 0, bytes));
  report_.quarantined += copied ? 1 : 0;
  DAYBOOK_RETURN_IF_ERROR(
      Directory::WriteFileAtomically(directory_ / "STORE", std::as_bytes(std::span(&header, 1))));
  return CheckAgain();
}

absl::Status Repairer::MendLog() {
  const std::uint64_t lost = LostPositions(check_);
  for (int round = 0; round < kRoundsMax; ++round) {
    LogRepair repair(directory_, options_, check_, backup_, &report_);
    DAYBOOK_ASSIGN_OR_RETURN(const bool mended, repair.Mend());
    unmended_ = repair.unmended();
    if (!mended || options_.dry_run) break;
    DAYBOOK_RETURN_IF_ERROR(CheckAgain());
  }
  if (!options_.dry_run) report_.restored = lost - std::min(lost, LostPositions(check_));
  return absl::OkStatus();
}

absl::Status Repairer::GiveUpLog() {
  for (int round = 0; round < kRoundsMax; ++round) {
    LogRepair repair(directory_, options_, check_, backup_, &report_);
    DAYBOOK_ASSIGN_OR_RETURN(const bool changed, repair.GiveUp());
    if (!changed) return absl::OkStatus();
    DAYBOOK_RETURN_IF_ERROR(CheckAgain());
  }
  return absl::OkStatus();
}

absl::Status Repairer::RewriteSidecars(const std::set<std::uint64_t>& first_positions) {
  std::vector<Finding> ignored;
  SidecarCheck sidecars(directory_, check_.picture, &ignored);
  sidecars.Rewrite(first_positions);
  WalkVisitor visitor;
  visitor.events = true;
  bool wanted = false;
  visitor.on_segment = [&](const LogFile& file) {
    wanted = first_positions.contains(file.first_position);
    if (wanted) sidecars.BeginSegment(file);
  };
  visitor.on_event = [&](const LogSegment&, std::uint64_t offset, const RecordHeader& record,
                         const EventView& event) {
    if (wanted) sidecars.Add(offset, record, event);
  };
  visitor.on_lost = [&](PositionSpan lost) {
    if (wanted) sidecars.Lose(lost);
  };
  visitor.on_segment_end = [&](const LogFile& file, const SegmentEnd& end) {
    if (wanted) sidecars.EndSegment(file, end);
    wanted = false;
  };
  DAYBOOK_RETURN_IF_ERROR(WalkLog(check_.picture, visitor).status());
  report_.rebuilt += sidecars.rewritten();
  return sidecars.write_status();
}

// `with_missing`: sidecars of damaged segments are written where there is none, so that what is
// whole in them is found.
absl::Status Repairer::RebuildDerived(bool with_missing) {
  std::set<std::uint64_t> rewrite;
  for (const Finding& finding : check_.sidecars) {
    const std::string name = finding.file.substr(4);
    Say(finding.hint);
    if (options_.dry_run) {
      ++report_.rebuilt;
      continue;
    }
    // Replaced in one step where its segment is sealed; else there should be none.
    const std::size_t before = rewrite.size();
    for (std::size_t i = 0; i < check_.picture.files.size(); ++i) {
      const LogFile& file = check_.picture.files[i];
      const bool is_sealed = i + 1 < check_.picture.files.size() || check_.walk.ends[i].sealed;
      if (SidecarFileName(file.first_position) == name && is_sealed) {
        rewrite.insert(file.first_position);
      }
    }
    if (rewrite.size() != before) continue;
    DAYBOOK_RETURN_IF_ERROR(Directory::Remove(directory_ / "log" / name));
    ++report_.rebuilt;
  }
  for (std::size_t i = 0; with_missing && i + 1 < check_.picture.files.size(); ++i) {
    const LogFile& file = check_.picture.files[i];
    const std::string name = SidecarFileName(file.first_position);
    const auto& names = check_.picture.names;
    const bool is_there = std::binary_search(names.begin(), names.end(), name);
    if (check_.walk.ends[i].damaged && !is_there) rewrite.insert(file.first_position);
  }
  if (!rewrite.empty()) DAYBOOK_RETURN_IF_ERROR(RewriteSidecars(rewrite));
  DAYBOOK_RETURN_IF_ERROR(DiscardSnapshots());
  if (check_.index.empty()) return absl::OkStatus();
  Say(check_.index.front().hint);
  ++report_.rebuilt;
  return options_.dry_run ? absl::OkStatus() : DiscardDerived(directory_ / "index");
}

// Where their pages are damaged. Whether the states in whole ones are true is for `verify
// --snapshots` to say, which knows the folds.
absl::Status Repairer::DiscardSnapshots() {
  const std::filesystem::path folder = directory_ / "snapshots";
  if (!Directory::Exists(folder / "data.mdb")) return absl::OkStatus();
  std::optional<File> lock;
  if (!options_.dry_run) {
    absl::StatusOr<File> taken = LockDerived(folder);
    // Who has them open has looked at every page.
    if (absl::IsUnavailable(taken.status())) return absl::OkStatus();
    DAYBOOK_RETURN_IF_ERROR(taken.status());
    lock.emplace(*std::move(taken));
  }
  const absl::StatusOr<LmdbSnapshot> tables = LmdbSnapshot::Open(folder);
  const absl::Status status = tables.ok() ? tables->CheckPages() : tables.status();
  if (!absl::IsDataLoss(status)) return absl::OkStatus();
  Say(absl::StrCat("snapshots/ is damaged and is made empty: ", status.message()));
  ++report_.rebuilt;
  return options_.dry_run ? absl::OkStatus() : DiscardDerived(folder);
}

// The last step: before it the store opens already, and a repair that is run again finds the same
// losses.
absl::Status Repairer::RecordLosses() {
  LogRepair repair(directory_, options_, check_, backup_, &report_);
  std::vector<const DamagedRange*> losses;
  for (const DamagedRange* range : repair.Left()) {
    if (repair.CanGiveUp(*range)) losses.push_back(range);
  }
  if (losses.empty() || !check_.store) return absl::OkStatus();
  StoreOptions options;
  options.create = StoreOptions::Create::kNever;
  options.segment_bytes_max = check_.store->segment_bytes_max;
  options.accept_clock_behind = true;
  options.on_notice = options_.on_notice;
  // The lock goes on into the writer: nobody else comes in between.
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<WriterImpl> writer,
                           WriterImpl::Open(directory_, *check_.store, *std::move(lock_), options));
  Commit commit;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const DamagedRange& range = *losses[i];
    const std::string data = ToJson({range.file, range.named, range.positions, 0}, range.problem);
    DAYBOOK_RETURN_IF_ERROR(commit.impl().Add(
        kStoreStream, {.type = kLossAcceptedType, .data = AsBytes(data)}, SystemNames::kAllow));
    report_.lost += range.lost_count();
    if (commit.events() < kLossesInCommit && i + 1 < losses.size()) continue;
    DAYBOOK_RETURN_IF_ERROR(writer->appender().Append(&commit.impl(), {}).status());
    commit.Clear();
  }
  return absl::OkStatus();
}

// What needs a backup, or the word that it may be given up.
absl::Status Repairer::Verdict() const {
  if (!check_.store) {
    return DataLossAt({"STORE", 0, Position(0), Position(0)},
                      "STORE is damaged; give a backup, or accept_loss to make it anew");
  }
  if (check_.picture.files.empty()) {
    return DataLossAt({"log", 0, Position(1), Position(check_.picture.witnessed_position)},
                      "there is no segment, and no backup that has one");
  }
  RepairReport ignored;
  const LogRepair repair(directory_, options_, check_, backup_, &ignored);
  std::vector<const DamagedRange*> left = options_.dry_run ? unmended_ : repair.Left();
  std::erase_if(left, [&](const DamagedRange* range) {
    return options_.accept_loss && repair.CanGiveUp(*range);
  });
  if (left.empty()) {
    if (check_.events.empty()) return absl::OkStatus();
    const Finding& event = check_.events.front();
    return DataLossAt({event.file, event.offset, event.first_position, event.last_position},
                      event.hint);
  }
  const DamagedRange& first = *left.front();
  return DataLossAt(
      {first.file, first.named, Position(first.positions.first), Position(first.positions.last)},
      absl::StrCat(left.size(), left.size() == 1 ? " damaged place needs" : " damaged places need",
                   repair.CanGiveUp(first) ? " a backup, or accept_loss" : " a backup",
                   "; the first: ", first.problem));
}

absl::StatusOr<RepairReport> Repairer::Run() {
  // Nothing is made in a folder that is no store.
  if (const auto store = ReadStoreFile(directory_);
      !store.ok() && !absl::IsDataLoss(store.status())) {
    return store.status();
  }
  DAYBOOK_RETURN_IF_ERROR(Lock());
  DAYBOOK_RETURN_IF_ERROR(CheckAgain());
  DAYBOOK_ASSIGN_OR_RETURN(backup_,
                           BackupSource::Open(options_.from_backup, check_.picture.identity));
  if (backup_ && backup_->witnessed_position() > check_.picture.witnessed_position) {
    DAYBOOK_RETURN_IF_ERROR(CheckAgain());
  }
  DAYBOOK_RETURN_IF_ERROR(RepairStoreFile());
  DAYBOOK_RETURN_IF_ERROR(MendLog());
  if (options_.dry_run) {
    // What stands behind that which would be mended is not known before it is.
    DAYBOOK_RETURN_IF_ERROR(RebuildDerived(false));
    DAYBOOK_RETURN_IF_ERROR(Verdict());
    return report_;
  }
  if (options_.accept_loss) DAYBOOK_RETURN_IF_ERROR(GiveUpLog());
  DAYBOOK_RETURN_IF_ERROR(RebuildDerived(options_.accept_loss));
  if (options_.accept_loss) DAYBOOK_RETURN_IF_ERROR(RecordLosses());
  DAYBOOK_RETURN_IF_ERROR(Verdict());
  return report_;
}

}  // namespace

absl::StatusOr<RepairReport> Repair(const std::filesystem::path& directory,
                                    const RepairOptions& options) {
  return Repairer(directory, options).Run();
}

}  // namespace daybook
