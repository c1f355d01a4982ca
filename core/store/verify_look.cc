// Opening a log that may be damaged, and finding what is whole in a damaged range.

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/checksum.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"
#include "log/event_codec.h"
#include "store/opening.h"
#include "store/verify_walk.h"

namespace daybook {
namespace {

absl::StatusOr<LogFile> OpenFile(const std::filesystem::path& directory,
                                 std::uint64_t first_position, const StoreIdentity& identity,
                                 FileAccess access) {
  LogFile file;
  file.first_position = first_position;
  file.name = "log/" + SegmentFileName(first_position);
  DAYBOOK_ASSIGN_OR_RETURN(file.file_bytes, Directory::FileSize(directory / file.name));
  auto log = LogSegment::Open(directory, first_position, identity, access);
  if (log.ok()) {
    file.log = *std::move(log);
    return file;
  }
  if (!absl::IsDataLoss(log.status())) return log.status();
  file.problem =
      std::string(log.status().message().substr(0, log.status().message().find(": log/")));
  return file;
}

}  // namespace

std::uint64_t DamagedRange::lost_count() const {
  std::uint64_t count = 0;
  for (const PositionSpan& range : lost) count += range.count();
  return count;
}

bool IsAllZero(std::span<const std::byte> bytes) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kZeros.size());
    if (std::memcmp(bytes.data(), kZeros.data(), n) != 0) return false;
    bytes = bytes.subspan(n);
  }
  return true;
}

void SalvageRecords(std::span<const std::byte> segment, std::uint64_t begin, std::uint64_t end,
                    PositionSpan positions, std::optional<std::uint64_t> salt,
                    const RecordVisit& visit) {
  std::uint64_t next = positions.first;
  for (std::uint64_t at = RoundUp(begin, 8); at + sizeof(RecordHeader) <= end;) {
    const auto* record = reinterpret_cast<const RecordHeader*>(segment.data() + at);
    const bool plausible = record->header_length == sizeof(RecordHeader) &&
                           record->body_length % 8 == 0 &&
                           record->body_length <= end - at - sizeof(RecordHeader) &&
                           record->position >= next && record->position <= positions.last &&
                           (!salt || record->header_hash == HashOf(*record, *salt));
    if (!plausible) {
      at += 8;
      continue;
    }
    const auto body = segment.subspan(at + sizeof(RecordHeader), record->body_length);
    EventView event;
    FillFromHeader(*record, &event);
    if (Hash64(body) == record->body_hash && DecodeBody(body, &event) == nullptr) {
      visit(at, *record, event);
      next = record->position + 1;
    } else if (!salt) {
      at += 8;
      continue;
    }
    at += sizeof(RecordHeader) + record->body_length;
  }
}

absl::StatusOr<LogPicture> LookAtLog(const std::filesystem::path& directory,
                                     const StoreIdentity& identity, FileAccess access) {
  LogPicture picture;
  picture.identity = identity;
  picture.access = access;
  DAYBOOK_ASSIGN_OR_RETURN(picture.names, Directory::List(directory / "log"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> positions, ListSegments(directory));
  for (const std::uint64_t position : positions) {
    DAYBOOK_ASSIGN_OR_RETURN(LogFile file, OpenFile(directory, position, identity, access));
    picture.total_bytes += file.file_bytes;
    picture.files.push_back(std::move(file));
  }
  return picture;
}

absl::StatusOr<StoreIdentity> IdentityFromSegments(const std::filesystem::path& directory) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> positions, ListSegments(directory));
  std::vector<SegmentHeader> headers;
  std::vector<std::pair<Uuid, std::size_t>> votes;
  for (const std::uint64_t position : positions) {
    auto file = File::OpenRead(directory / "log" / SegmentFileName(position));
    if (!file.ok()) continue;
    SegmentHeader header;
    if (!file->ReadAt(0, std::as_writable_bytes(std::span(&header, 1))).ok()) continue;
    bool newer = false;
    if (CheckSegmentHeader(header, &newer) != nullptr) continue;
    headers.push_back(header);
    const auto found = std::find_if(votes.begin(), votes.end(), [&](const auto& vote) {
      return vote.first == header.store_id;
    });
    if (found != votes.end()) {
      ++found->second;
    } else {
      votes.emplace_back(header.store_id, 1);
    }
  }
  if (votes.empty()) {
    return DataLossAt({"STORE", 0, Position(0), Position(0)},
                      "neither STORE nor any segment says which store this is");
  }
  StoreIdentity identity;
  identity.store_id =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      })->first;
  std::erase_if(headers, [&](const auto& header) { return header.store_id != identity.store_id; });
  // The newest segment is of the store's own incarnation; those of others were taken over from an
  // ancestor, and stand before.
  identity.incarnation = headers.back().incarnation;
  for (const SegmentHeader& header : headers) {
    if (header.incarnation != identity.incarnation) identity.inherited_upto = header.first_position;
  }
  return identity;
}

}  // namespace daybook
