#include "store/opening.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "log/frame.h"

namespace daybook {
namespace {

// What is wrong with the step from one segment to the next.
absl::Status CheckStep(const LogSegment* before, const LogSegment& segment) {
  const SegmentHeader& header = segment.header();
  const auto damaged = [&](const char* what) {
    return DataLossAt({segment.name(), 0, Position(header.first_position), Position(0)}, what);
  };
  if (before == nullptr) {
    return header.previous_first_position == 0 ? absl::OkStatus()
                                               : damaged("the segments before it are missing");
  }
  if (header.previous_first_position != before->first_position()) {
    return damaged("the segment before it is missing");
  }
  if (header.previous_length <= before->bytes().size()) return absl::OkStatus();
  // Not this one is damaged: it knows how long the other was.
  return DataLossAt({before->name(), before->bytes().size(), Position(before->first_position()),
                     Position(header.first_position - 1)},
                    "the file is shorter than it was when it was sealed");
}

}  // namespace

void Tell(const NoticeHandler& handler, Notice::Severity severity, std::string message) {
  if (handler) handler({severity, std::move(message)});
}

absl::StatusOr<std::vector<std::uint64_t>> ListSegments(const std::filesystem::path& directory) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           Directory::List(directory / "log"));
  std::vector<std::uint64_t> positions;
  for (const std::string& name : names) {
    if (const std::uint64_t position = FirstPositionOf(name)) positions.push_back(position);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

absl::StatusOr<std::vector<std::shared_ptr<const LogSegment>>> OpenSegments(
    const std::filesystem::path& directory, const StoreIdentity& identity, bool upto_damage,
    absl::Status* damage, FileAccess access) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> positions, ListSegments(directory));
  std::vector<std::shared_ptr<const LogSegment>> segments;
  absl::Status problem;
  if (positions.empty()) {
    problem = DataLossAt({"log", 0, Position(1), Position(0)}, "there is no segment");
  }
  for (const std::uint64_t position : positions) {
    auto segment = LogSegment::Open(directory, position, identity, access);
    problem = segment.status();
    if (problem.ok()) {
      problem = CheckStep(segments.empty() ? nullptr : segments.back().get(), **segment);
    }
    if (!problem.ok()) break;
    segments.push_back(*std::move(segment));
  }
  if (!problem.ok() && (!upto_damage || !absl::IsDataLoss(problem))) return problem;
  *damage = problem;
  return segments;
}

SidecarKey KeyFor(const StoreIdentity& identity, const LogSegment& segment,
                  const LogSegment& successor) {
  return {identity.store_id, identity.incarnation, segment.first_position(),
          successor.first_position() - segment.first_position(),
          successor.header().previous_frame_hash};
}

std::shared_ptr<const Sidecar> OpenSidecar(const std::filesystem::path& directory,
                                           const SidecarKey& key, std::string* why,
                                           FileAccess access) {
  auto sidecar = Sidecar::Open(directory / "log" / SidecarFileName(key.first_position), access);
  if (!sidecar.ok()) {
    if (!absl::IsNotFound(sidecar.status())) *why = std::string(sidecar.status().message());
    return nullptr;
  }
  if ((*sidecar)->key() != key) {
    *why = absl::StrCat(SidecarFileName(key.first_position), " is of another history");
    return nullptr;
  }
  return *std::move(sidecar);
}

std::optional<SealedEnd> FindSealedEnd(const std::filesystem::path& directory,
                                       const StoreIdentity& identity, const LogSegment& segment) {
  auto sidecar = Sidecar::Open(directory / "log" / SidecarFileName(segment.first_position()),
                               segment.access());
  if (!sidecar.ok()) return std::nullopt;
  const SidecarKey key = (*sidecar)->key();
  if (key.store_id != identity.store_id || key.incarnation != identity.incarnation ||
      key.first_position != segment.first_position() || key.events == 0 ||
      !(*sidecar)->VerifyAll().ok()) {
    return std::nullopt;
  }
  // From the last event the frames are walked to the seal: only watermarks can stand between.
  const std::uint64_t last = key.first_position + key.events - 1;
  const RecordHeader* record = nullptr;
  const std::uint64_t record_offset = (*sidecar)->links()[key.events - 1].offset();
  ReadBuffer buffer;
  if (!segment.ReadHeader(record_offset, Position(last), &record, &buffer).ok()) {
    return std::nullopt;
  }
  std::uint64_t offset =
      RoundUp(record_offset + sizeof(RecordHeader) + record->body_length, kFrameAlignment);
  const FrameHeader* frame = nullptr;
  bool newer = false;
  while (segment.LoadFrame(offset).ok() &&
         CheckFrameHeader(segment.bytes(), offset, segment.header().salt, &frame, &newer) ==
             nullptr &&
         !newer && frame->events == 0 && frame->first_position == last + 1) {
    offset += frame->length;
    if (frame->kind != static_cast<std::uint8_t>(FrameKind::kSeal)) continue;
    if (frame->header_hash != key.last_frame_hash) return std::nullopt;
    SealedEnd end;
    end.tail.segment = {segment.first_position(), segment.header().salt,
                        segment.header().segment_bytes};
    end.tail.offset = offset;
    end.tail.next_position = last + 1;
    end.tail.last_hash = frame->header_hash;
    end.tail.sealed = true;
    end.last_recorded_at = record->recorded_at;
    end.sidecar = *std::move(sidecar);
    return end;
  }
  return std::nullopt;
}

}  // namespace daybook
