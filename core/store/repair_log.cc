#include "store/repair_log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"
#include "log/frame.h"
#include "log/segment_writer.h"
#include "store/backup_manifest.h"
#include "store/opening.h"
#include "store/repair_files.h"
#include "store/store_file.h"

namespace daybook {
namespace {

using What = DamagedRange::What;

// How many events, lost or not, the index of a segment of this size has room for.
constexpr std::uint64_t EventsThatFit(std::uint64_t segment_bytes) {
  return segment_bytes / kRecordBytesMin;
}

// The smallest segment whose index has room for so many.
constexpr std::uint64_t BytesThatFit(std::uint64_t events) {
  return RoundUp(std::max(kSegmentBytesMin, (events + 1) * kRecordBytesMin), 4096);
}

std::span<const std::byte> AsSpan(const SegmentHeader& header) {
  return std::as_bytes(std::span(&header, 1));
}

}  // namespace

absl::StatusOr<std::optional<BackupSource>> BackupSource::Open(
    const std::filesystem::path& directory, const StoreIdentity& identity) {
  if (directory.empty()) return std::optional<BackupSource>();
  BackupSource source;
  if (IsBackup(directory)) {
    DAYBOOK_ASSIGN_OR_RETURN(const BackupManifest manifest, ReadManifest(directory));
    source.store_ = manifest.header.store;
    source.position_ = manifest.header.position;
  } else {
    DAYBOOK_ASSIGN_OR_RETURN(source.store_, ReadStoreFile(directory));
  }
  const StoreHeader& store = source.store_;
  source.is_ancestor_ = IdentityOf(store) != identity;
  if (source.is_ancestor_ &&
      (store.store_id != identity.store_id || identity.inherited_upto == 0)) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory.string(), " is a copy of another store, or of another history of it (",
        UuidText(store.store_id), ", ", UuidText(store.incarnation), "); give a copy of this one"));
  }
  source.directory_ = directory;
  source.identity_ = identity;
  return std::optional<BackupSource>(std::move(source));
}

std::uint64_t BackupSource::witnessed_position() const {
  return is_ancestor_ ? std::min(position_, identity_.inherited_upto) : position_;
}

std::shared_ptr<const LogSegment> BackupSource::Segment(std::uint64_t first_position) const {
  auto segment = LogSegment::Open(directory_, first_position, identity_);
  return segment.ok() ? *std::move(segment) : nullptr;
}

std::vector<std::uint64_t> BackupSource::Segments() const {
  auto segments = ListSegments(directory_);
  return segments.ok() ? *std::move(segments) : std::vector<std::uint64_t>();
}

void LogRepair::Say(const DamagedRange& range, std::string_view how) const {
  Tell(options_.on_notice, Notice::Severity::kInfo,
       absl::StrCat(range.file, ", offset ", range.named, ": ", range.problem, "; ", ToAbsl(how),
                    options_.dry_run ? " (dry run: nothing is written)" : ""));
}

absl::StatusOr<Bytes> LogRepair::ReadFile(const std::string& file, std::uint64_t bytes_max) const {
  DAYBOOK_ASSIGN_OR_RETURN(const File in, File::OpenRead(directory_ / file));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, in.Size());
  Bytes bytes(std::min(size, bytes_max));
  DAYBOOK_RETURN_IF_ERROR(in.ReadAt(0, bytes));
  return bytes;
}

absl::Status LogRepair::MoveAside(const DamagedRange& range) {
  if (range.what == What::kMissing) return absl::OkStatus();
  std::span<const std::byte> bytes;
  Bytes head;
  if (const auto& log = check_.picture.files[range.index].log) {
    bytes = log->bytes();
  } else {
    DAYBOOK_ASSIGN_OR_RETURN(head, ReadFile(range.file, kSegmentHeaderBytes));
    bytes = head;
  }
  if (range.offset >= bytes.size()) return absl::OkStatus();
  bytes = bytes.subspan(range.offset,
                        std::min<std::uint64_t>(range.length, bytes.size() - range.offset));
  if (options_.dry_run) {
    report_->quarantined += IsAllZero(bytes) ? 0 : 1;
    return absl::OkStatus();
  }
  DAYBOOK_ASSIGN_OR_RETURN(const bool copied,
                           Quarantine(directory_, range.file, range.offset, bytes));
  report_->quarantined += copied ? 1 : 0;
  return absl::OkStatus();
}

absl::Status LogRepair::Replace(const DamagedRange& range, std::span<const std::byte> bytes,
                                std::string_view how) {
  Say(range, how);
  if (options_.dry_run) return absl::OkStatus();
  return WriteInPlace(directory_, range.file, range.offset, bytes);
}

std::vector<const DamagedRange*> LogRepair::Left() const {
  std::vector<const DamagedRange*> left;
  for (const DamagedRange& range : check_.walk.damage) {
    if (FindAccepted(check_.losses, range) == nullptr) left.push_back(&range);
  }
  return left;
}

absl::StatusOr<bool> LogRepair::Mend() {
  bool mended = false;
  if (check_.picture.files.empty() && backup_) {
    for (const std::uint64_t position : backup_->Segments()) {
      DAYBOOK_ASSIGN_OR_RETURN(const bool copied, CopyFromBackup(position));
      mended = mended || copied;
    }
    return mended;
  }
  for (const DamagedRange* range : Left()) {
    DAYBOOK_RETURN_IF_ERROR(MoveAside(*range));
    DAYBOOK_ASSIGN_OR_RETURN(const bool done, MendRange(*range));
    mended = mended || done;
    if (!done) unmended_.push_back(range);
    if (done && options_.dry_run) report_->restored += range->lost_count();
    if (!done && options_.dry_run && options_.accept_loss && CanGiveUp(*range)) {
      report_->lost += range->lost_count();
    }
  }
  return mended;
}

absl::StatusOr<bool> LogRepair::MendRange(const DamagedRange& range) {
  switch (range.what) {
    case What::kZeros:
      return MendZeros(range);
    case What::kHeader:
      return MendHeader(range);
    case What::kMissing:
      return MendMissing(range);
    case What::kFrames:
    case What::kBody:
    case What::kChain:
    case What::kTail:
      return MendFrames(range);
    case What::kContent:
      return false;
  }
  return false;
}

// What is zero by the format needs no witness.
absl::StatusOr<bool> LogRepair::MendZeros(const DamagedRange& range) {
  const LogSegment& log = *check_.picture.files[range.index].log;
  if (log.bytes().size() < log.header().segment_bytes) {
    Say(range, "made as long as it was, with zeros");
    if (options_.dry_run) return true;
    DAYBOOK_RETURN_IF_ERROR(Extend(directory_, range.file, log.header().segment_bytes));
  }
  auto there = log.bytes().subspan(range.offset);
  while (!there.empty() && there.back() == std::byte{0}) there = there.first(there.size() - 1);
  if (!there.empty()) {
    const Bytes zeros(std::min<std::uint64_t>(range.length, there.size()));
    DAYBOOK_RETURN_IF_ERROR(Replace(range, zeros, "zeros are written there again"));
  }
  return true;
}

SegmentHeader LogRepair::ExpectedHeader(std::size_t index) const {
  const LogFile& file = check_.picture.files[index];
  SegmentHeader header = MakeHeader(check_.picture.identity, file.first_position, file.file_bytes);
  if (file.first_position <= check_.picture.identity.inherited_upto) {
    // An ancestor's: its neighbours say which.
    for (const std::size_t near : {index - 1, index + 1}) {
      if (near >= check_.picture.files.size() || !check_.picture.files[near].log) continue;
      header.incarnation = check_.picture.files[near].log->header().incarnation;
      break;
    }
  }
  if (index == 0) return header;
  header.previous_first_position = check_.picture.files[index - 1].first_position;
  header.previous_length = check_.walk.ends[index - 1].length;
  header.previous_frame_hash = check_.walk.ends[index - 1].last_hash;
  return header;
}

absl::StatusOr<bool> LogRepair::MendHeader(const DamagedRange& range) {
  DAYBOOK_ASSIGN_OR_RETURN(const Bytes bytes, ReadFile(range.file, UINT64_MAX));
  const LogFile& file = check_.picture.files[range.index];
  const auto is_ours = [&](const SegmentHeader& header) {
    bool newer = false;
    return CheckSegmentHeader(header, &newer) == nullptr &&
           header.first_position == file.first_position && check_.picture.identity.Owns(header);
  };
  if (backup_) {
    const auto copy = backup_->Segment(file.first_position);
    // The first frame names the header that it follows; where it is whole it decides.
    const FrameHeader* first = nullptr;
    bool newer = false;
    const bool fits = copy && (CheckFrameHeader(bytes, kSegmentHeaderBytes, copy->header().salt,
                                                &first, &newer) != nullptr ||
                               first->previous_hash == copy->header().header_hash);
    if (fits && copy->bytes().size() >= kSegmentHeaderBytes) {
      DAYBOOK_RETURN_IF_ERROR(Replace(range, copy->bytes().first(kSegmentHeaderBytes),
                                      "its header is restored from the backup"));
      return true;
    }
  }
  const std::optional<SegmentHeader> header = FixSegmentHeader(bytes, ExpectedHeader(range.index));
  if (!header || !is_ours(*header)) return false;
  DAYBOOK_RETURN_IF_ERROR(Replace(range, AsSpan(*header), "its header is restored by its hash"));
  return true;
}

absl::StatusOr<bool> LogRepair::MendFrames(const DamagedRange& range) {
  const LogSegment& log = *check_.picture.files[range.index].log;
  const std::uint64_t salt = log.header().salt;
  if (backup_) {
    if (const auto copy = backup_->Segment(log.first_position());
        copy && copy->header().salt == salt && copy->bytes().size() > range.offset) {
      auto bytes = copy->bytes().subspan(range.offset);
      if (range.what != What::kTail)
        bytes = bytes.first(std::min<std::uint64_t>(bytes.size(), range.length));
      const std::uint64_t proven = ProvenBytes(range, salt, bytes);
      if (proven != 0) {
        DAYBOOK_RETURN_IF_ERROR(Replace(range, bytes.first(proven), "restored from the backup"));
        return true;
      }
      // The copy ends here too, and nobody saw a later position: only zeros were cut off.
      const bool only_cut = range.what == What::kTail && range.positions.first == 0 &&
                            log.bytes().size() < log.header().segment_bytes &&
                            range.offset + bytes.size() == log.header().segment_bytes &&
                            IsAllZero(bytes);
      if (only_cut) return MendZeros(range);
    }
    if (range.what == What::kTail) {
      DAYBOOK_ASSIGN_OR_RETURN(const bool done, MendLastMissing(range));
      if (done) return true;
    }
  }
  const std::optional<Bytes> fixed = FixFrame(range, log.bytes(), salt);
  if (!fixed) return false;
  DAYBOOK_RETURN_IF_ERROR(Replace(range, *fixed, "restored by its hashes"));
  return true;
}

absl::StatusOr<bool> LogRepair::CopyFromBackup(std::uint64_t first_position) {
  const std::string name = "log/" + SegmentFileName(first_position);
  if (Directory::Exists(directory_ / name)) return false;
  const auto copy = backup_->Segment(first_position);
  if (!copy || copy->bytes().size() < kSegmentHeaderBytes) return false;
  Tell(options_.on_notice, Notice::Severity::kInfo, name + " is restored from the backup");
  if (options_.dry_run) return true;
  DAYBOOK_RETURN_IF_ERROR(CopySegment(directory_, *copy));
  return true;
}

absl::StatusOr<bool> LogRepair::MendMissing(const DamagedRange& range) {
  if (!backup_) return false;
  bool mended = false;
  for (const std::uint64_t position : backup_->Segments()) {
    if (position < range.positions.first || position > range.positions.last) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const bool copied, CopyFromBackup(position));
    mended = mended || copied;
  }
  return mended;
}

// The segment behind the last that is there.
absl::StatusOr<bool> LogRepair::MendLastMissing(const DamagedRange& range) {
  const auto copy = backup_->Segment(range.next_position);
  if (!copy || copy->header().previous_frame_hash != range.hash_before ||
      copy->header().previous_length != range.offset) {
    return false;
  }
  return CopyFromBackup(range.next_position);
}

bool LogRepair::CanGiveUp(const DamagedRange& range) const {
  if (range.what == What::kContent) return false;  // it can be read: there is nothing to give up
  if (range.what == What::kMissing) return range.positions.first != 0;
  if (range.what != What::kHeader) return true;
  // A whole file of another store or place must be moved away by hand, not written over.
  const auto bytes = ReadFile(range.file, sizeof(SegmentHeader));
  if (!bytes.ok() || bytes->size() < sizeof(SegmentHeader)) return bytes.ok();
  SegmentHeader header;
  std::copy(bytes->begin(), bytes->end(), std::as_writable_bytes(std::span(&header, 1)).begin());
  bool newer = false;
  return CheckSegmentHeader(header, &newer) != nullptr && !newer;
}

// The largest position that a record from `from` on has, be its frame whole or not: no number is
// used twice.
std::uint64_t LogRepair::LargestClaim(std::size_t index, std::uint64_t from) const {
  const LogFile& file = check_.picture.files[index];
  std::uint64_t largest = 0;
  const auto see = [&](std::uint64_t, const RecordHeader& record, const EventView&) {
    largest = record.position;
  };
  const PositionSpan all{file.first_position, file.first_position + EventsThatFit(file.file_bytes)};
  if (file.log) {
    SalvageRecords(file.log->bytes(), from, file.log->bytes().size(), all, file.log->header().salt,
                   see);
  } else if (const auto bytes = ReadFile(file.name, UINT64_MAX); bytes.ok()) {
    SalvageRecords(*bytes, from, bytes->size(), all, std::nullopt, see);
  }
  return largest;
}

SegmentHeader LogRepair::Successor(const LogFile& file, const SegmentEnd& end,
                                   std::uint64_t first_position,
                                   std::uint64_t segment_bytes) const {
  SegmentHeader header = MakeHeader(check_.picture.identity, first_position, segment_bytes);
  header.previous_first_position = file.first_position;
  header.previous_length = end.length;
  header.previous_frame_hash = end.last_hash;
  header.header_hash = HashOf(header);
  return header;
}

absl::StatusOr<bool> LogRepair::GiveUp() {
  bool changed = false;
  bool close_last = false;
  for (const DamagedRange* range : Left()) {
    if (!CanGiveUp(*range)) continue;
    Say(*range, "given up");
    if (options_.dry_run) continue;
    const bool in_last = range->index + 1 == check_.picture.files.size();
    if (range->what == What::kMissing) {
      DAYBOOK_RETURN_IF_ERROR(FillGap(*range));
      changed = true;
    } else if (range->what == What::kHeader) {
      DAYBOOK_RETURN_IF_ERROR(ReplaceHeader(*range));
      changed = true;
    } else if (in_last) {
      close_last = true;
    } else if (const auto& log = check_.picture.files[range->index].log;
               log->bytes().size() < log->header().segment_bytes) {
      DAYBOOK_RETURN_IF_ERROR(Extend(directory_, range->file, log->header().segment_bytes));
      changed = true;
    }
  }
  if (close_last) DAYBOOK_RETURN_IF_ERROR(CloseLast());
  return changed || close_last;
}

// The last segment ends where it is damaged, as it is. The log goes on in a new one, whose first
// position is one past the largest that anybody saw, and which names the last whole frame before
// the damage. Dying before the rename leaves all as it was.
absl::Status LogRepair::CloseLast() {
  const LogFile& file = check_.picture.files.back();
  SegmentEnd end = check_.walk.ends.back();
  const std::uint64_t segment_bytes = file.log->header().segment_bytes;
  if (file.log->bytes().size() < segment_bytes) {
    DAYBOOK_RETURN_IF_ERROR(Extend(directory_, file.name, segment_bytes));
  }
  const std::uint64_t last =
      std::max({check_.picture.witnessed_position, end.next_position - 1,
                LargestClaim(check_.picture.files.size() - 1, kSegmentHeaderBytes)});
  if (last < file.first_position) return ClearLast(file);
  const std::uint64_t next_bytes = NextSegmentBytes(
      segment_bytes, check_.store ? check_.store->segment_bytes_max : segment_bytes);
  if (last + 1 - file.first_position <= EventsThatFit(segment_bytes)) {
    return CreateSegment(directory_, Successor(file, end, last + 1, next_bytes), Fill::kZeros);
  }
  // More than fits: whole segments are missing. An empty one stands for them.
  const std::uint64_t first = std::max(end.next_position, file.first_position + 1);
  const SegmentHeader gap = Successor(file, end, first, BytesThatFit(last + 1 - first));
  DAYBOOK_RETURN_IF_ERROR(CreateSegment(directory_, gap, Fill::kHole));
  LogFile gap_file;
  gap_file.first_position = first;
  end.length = kSegmentHeaderBytes;
  end.last_hash = gap.header_hash;
  return CreateSegment(directory_, Successor(gap_file, end, last + 1, next_bytes), Fill::kZeros);
}

// No event was ever in it: what stands there is nothing but marks of how far it was durable.
absl::Status LogRepair::ClearLast(const LogFile& file) {
  const auto bytes = file.log->bytes().subspan(kSegmentHeaderBytes);
  DAYBOOK_RETURN_IF_ERROR(Quarantine(directory_, file.name, kSegmentHeaderBytes, bytes).status());
  return WriteInPlace(directory_, file.name, kSegmentHeaderBytes, Bytes(bytes.size()));
}

// A header with a new salt: the frames behind it are lost, since what proves them went with the old
// one.
absl::Status LogRepair::ReplaceHeader(const DamagedRange& range) {
  const std::size_t index = range.index;
  const LogFile& file = check_.picture.files[index];
  const bool is_last = index + 1 == check_.picture.files.size();
  const std::uint64_t last = is_last ? std::max(check_.picture.witnessed_position,
                                                LargestClaim(index, kSegmentHeaderBytes))
                                     : check_.picture.files[index + 1].first_position - 1;
  SegmentHeader header = ExpectedHeader(index);
  const std::uint64_t events = last < file.first_position ? 0 : last + 1 - file.first_position;
  header.segment_bytes = std::max(RoundUp(file.file_bytes, 4096), BytesThatFit(events));
  if (!is_last && check_.picture.files[index + 1].log) {
    header.segment_bytes =
        std::max(header.segment_bytes,
                 RoundUp(check_.picture.files[index + 1].log->header().previous_length, 4096));
  }
  header.header_hash = HashOf(header);
  if (is_last && events != 0) {
    // First the one behind it: without it the frames here would look like a torn end.
    SegmentEnd end;
    end.last_hash = header.header_hash;
    DAYBOOK_RETURN_IF_ERROR(CreateSegment(
        directory_,
        Successor(
            file, end, last + 1,
            NextSegmentBytes(header.segment_bytes, check_.store ? check_.store->segment_bytes_max
                                                                : header.segment_bytes)),
        Fill::kZeros));
  }
  DAYBOOK_RETURN_IF_ERROR(Extend(directory_, file.name, header.segment_bytes));
  Bytes bytes(kSegmentHeaderBytes);
  std::copy(AsSpan(header).begin(), AsSpan(header).end(), bytes.begin());
  return WriteInPlace(directory_, file.name, 0, bytes);
}

// Empty segments in the place of missing ones, so that the numbering goes on over them. The last of
// them has the name that the segment behind the gap gives to its predecessor.
absl::Status LogRepair::FillGap(const DamagedRange& range) {
  const std::size_t index = range.index;
  const SegmentHeader& behind = check_.picture.files[index].log->header();
  const std::uint64_t named = behind.previous_first_position;
  LogFile before;
  SegmentEnd end;
  end.length = 0;
  if (index > 0) {
    before = check_.picture.files[index - 1];
    end = check_.walk.ends[index - 1];
  }
  std::vector<std::uint64_t> firsts{range.positions.first};
  if (named > range.positions.first && named < behind.first_position) firsts.push_back(named);
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    const std::uint64_t next = i + 1 < firsts.size() ? firsts[i + 1] : behind.first_position;
    const std::uint64_t bytes =
        std::max(BytesThatFit(next - firsts[i]), RoundUp(behind.previous_length, 4096));
    const SegmentHeader header = Successor(before, end, firsts[i], bytes);
    DAYBOOK_RETURN_IF_ERROR(CreateSegment(directory_, header, Fill::kHole));
    before.first_position = firsts[i];
    end.length = kSegmentHeaderBytes;
    end.last_hash = header.header_hash;
  }
  return absl::OkStatus();
}

}  // namespace daybook
