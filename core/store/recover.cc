#include "store/recover.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"
#include "store/opening.h"

namespace daybook {
namespace {

// Writes zeros over the bytes in [begin, end) that are not, piece by piece: blocks that are zero
// already are not touched.
absl::Status ZeroWhatIsNot(std::span<const std::byte> segment, std::uint64_t begin,
                           std::uint64_t end, File* file) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t next = std::min(end, RoundUp(at + 1, kZeros.size()));
    const auto piece = segment.subspan(at, next - at);
    if (std::any_of(piece.begin(), piece.end(), [](std::byte b) { return b != std::byte{0}; })) {
      DAYBOOK_RETURN_IF_ERROR(file->WriteAt(at, std::span(kZeros).first(piece.size())));
    }
    at = next;
  }
  return absl::OkStatus();
}

// Writes bytes over themselves: after a failed sync the page cache may show what the device never
// got.
absl::Status RewriteInPlace(std::uint64_t begin, std::uint64_t end, File* file) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(end - std::min(begin, end), 1 << 20));
  for (std::uint64_t at = begin; at < end; at += buffer.size()) {
    const auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), end - at));
    DAYBOOK_RETURN_IF_ERROR(file->ReadAt(at, piece));
    DAYBOOK_RETURN_IF_ERROR(file->WriteAt(at, piece));
  }
  return absl::OkStatus();
}

absl::Status Refuse(const LogSegment& segment, const FrameScanner& scanner, const Witness& witness,
                    const TailDecision& decision) {
  const std::uint64_t first = scanner.next_position();
  std::string what =
      absl::StrCat("the log is damaged here and is not cut short: ", Describe(decision.row));
  if (decision.row == TailRow::kWitness) {
    absl::StrAppend(&what, " (", witness.who, " has seen position ", witness.position,
                    ", the log ends at ", first - 1, ")");
  }
  return DataLossAt({segment.name(), scanner.offset(), Position(first),
                     Position(std::max(witness.position, first))},
                    what);
}

}  // namespace

TailEvidence GatherEvidence(const LogSegment& segment, const FrameScanner& scanner,
                            std::uint64_t witnessed_position) {
  TailEvidence evidence;
  evidence.bad_offset = scanner.offset();
  evidence.promised_upto = scanner.promised_upto();
  evidence.unsynced_max = segment.header().unsynced_max;
  evidence.sealed = scanner.sealed();
  evidence.file_is_short = segment.bytes().size() < segment.header().segment_bytes;
  evidence.last_position = scanner.next_position() - 1;
  evidence.witnessed_position = witnessed_position;
  ExamineTail(segment.bytes(), segment.header().salt, &evidence);
  return evidence;
}

absl::Status RecoverTail(const std::filesystem::path& directory, const CatchUp& catch_up,
                         const Witness& witness, const NoticeHandler& on_notice) {
  const LogSegment& segment = *catch_up.log();
  const FrameScanner& scanner = catch_up.scanner();
  const TailEvidence evidence = GatherEvidence(segment, scanner, witness.position);
  const TailDecision decision = DecideTail(evidence);
  if (decision.verdict == TailVerdict::kCorrupt) {
    return Refuse(segment, scanner, witness, decision);
  }
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenReadWrite(directory / segment.name()));
  if (decision.verdict == TailVerdict::kTorn) {
    Tell(on_notice, Notice::Severity::kWarning,
         absl::StrCat(segment.name(), ", offset ", evidence.bad_offset, ": ",
                      Describe(decision.row), "; ", evidence.nonzero_end - evidence.bad_offset,
                      " bytes after position ", evidence.last_position, " are cleared"));
    if (!IsSeeded(SeededBug::kTornTailKept)) {
      DAYBOOK_RETURN_IF_ERROR(
          ZeroWhatIsNot(segment.bytes(), evidence.bad_offset, evidence.nonzero_end, &file));
    }
  }
  const std::uint64_t proven = std::max(scanner.promised_upto(), kSegmentHeaderBytes);
  if (!IsSeeded(SeededBug::kPageCacheBelieved)) {
    DAYBOOK_RETURN_IF_ERROR(RewriteInPlace(proven, scanner.offset(), &file));
  }
  DAYBOOK_RETURN_IF_ERROR(file.SyncData());
  return Directory::Sync(directory / "log");
}

}  // namespace daybook
