#include "store/backup_manifest.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "io/directory.h"
#include "store/store_file.h"

namespace daybook {
namespace {

constexpr std::uint64_t kNameBytesLimit = 4096;

std::uint64_t HashOfHeader(const BackupHeader& header) {
  return Hash64(std::as_bytes(std::span(&header, 1)).first(offsetof(BackupHeader, header_hash)));
}

absl::Status Damaged(std::string_view what) {
  return DataLossAt({kManifestName, 0, Position(0), Position(0)}, what);
}

template <class T>
void Put(const T& value, std::vector<std::byte>* out) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out->insert(out->end(), bytes.begin(), bytes.end());
}

// Takes a structure off the front of `bytes`.
template <class T>
bool Take(std::span<const std::byte>* bytes, T* value) {
  if (bytes->size() < sizeof *value) return false;
  std::memcpy(value, bytes->data(), sizeof *value);
  *bytes = bytes->subspan(sizeof *value);
  return true;
}

// A name that leads nowhere but below the folder it is put in.
bool IsGoodName(std::string_view name) {
  return name.starts_with("publish/") && name.find('\0') == std::string_view::npos &&
         ("/" + std::string(name) + "/").find("/../") == std::string::npos;
}

absl::Status DecodeBody(std::span<const std::byte> body, BackupManifest* manifest) {
  const BackupHeader& header = manifest->header;
  if (header.segments > body.size() / sizeof(BackupSegment)) return Damaged("its counts are wrong");
  std::uint64_t next = 1;
  for (std::uint64_t i = 0; i < header.segments; ++i) {
    BackupSegment segment;
    Take(&body, &segment);
    if (segment.first_position != next || segment.next_position <= segment.first_position ||
        segment.length < kSegmentHeaderBytes || segment.last_frame_offset > segment.length) {
      return Damaged("its segments do not follow one another");
    }
    next = segment.next_position;
    manifest->segments.push_back(segment);
  }
  if (next != header.position + 1) return Damaged("its segments do not lead to its position");
  for (std::uint64_t i = 0; i < header.files; ++i) {
    BackupFile file;
    if (!Take(&body, &file) || file.name_bytes > kNameBytesLimit ||
        RoundUp(file.name_bytes, 8) > body.size()) {
      return Damaged("its list of files is wrong");
    }
    std::string name(reinterpret_cast<const char*>(body.data()), file.name_bytes);
    if (!IsGoodName(name)) return Damaged("the name of a file is wrong");
    manifest->files.push_back({std::move(name), file.bytes, file.content_hash});
    body = body.subspan(RoundUp(file.name_bytes, 8));
  }
  return body.empty() ? absl::OkStatus() : Damaged("it is longer than it must be");
}

}  // namespace

std::uint64_t BackupManifest::log_bytes() const {
  std::uint64_t bytes = 0;
  for (const BackupSegment& segment : segments) bytes += segment.length;
  return bytes;
}

std::vector<std::byte> Encode(BackupManifest manifest) {
  std::vector<std::byte> bytes(sizeof(BackupHeader));
  for (const BackupSegment& segment : manifest.segments) Put(segment, &bytes);
  for (const BackupManifest::NamedFile& file : manifest.files) {
    Put(BackupFile{file.bytes, file.content_hash, static_cast<std::uint32_t>(file.name.size()), 0},
        &bytes);
    const auto name = std::as_bytes(std::span(file.name));
    bytes.insert(bytes.end(), name.begin(), name.end());
    bytes.resize(RoundUp(bytes.size(), 8));
  }
  BackupHeader& header = manifest.header;
  header.magic = kManifestMagic;
  header.format = kManifestFormat;
  header.header_bytes = sizeof header;
  header.file_bytes = bytes.size();
  header.segments = manifest.segments.size();
  header.files = manifest.files.size();
  header.body_hash = Hash64(std::span(bytes).subspan(sizeof header));
  header.header_hash = HashOfHeader(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

absl::StatusOr<BackupManifest> DecodeManifest(std::span<const std::byte> bytes) {
  BackupManifest manifest;
  std::span<const std::byte> body = bytes;
  if (!Take(&body, &manifest.header)) return Damaged("it is shorter than it must be");
  const BackupHeader& header = manifest.header;
  if (header.magic != kManifestMagic) return Damaged("it does not begin as a manifest does");
  if (header.format != kManifestFormat) {
    return absl::FailedPreconditionError(absl::StrCat("the backup has format ", header.format,
                                                      ", this version knows ", kManifestFormat,
                                                      "; use a newer Daybook"));
  }
  if (header.header_hash != HashOfHeader(header) || header.header_bytes != sizeof header) {
    return Damaged("the hash of its header is wrong");
  }
  if (header.file_bytes != bytes.size()) return Damaged("it has another length than it says");
  if (header.body_hash != Hash64(body)) return Damaged("its hash is wrong");
  DAYBOOK_RETURN_IF_ERROR(CheckStoreHeader(header.store, kManifestName));
  DAYBOOK_RETURN_IF_ERROR(DecodeBody(body, &manifest));
  return manifest;
}

bool IsBackup(const std::filesystem::path& folder) {
  return Directory::Exists(folder / kManifestName);
}

absl::StatusOr<BackupManifest> ReadManifest(const std::filesystem::path& backup) {
  absl::StatusOr<File> file = File::OpenRead(backup / kManifestName);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(
        absl::StrCat("there is no backup in ", backup.string(), "; check the path"));
  }
  if (!file.ok()) return file.status();
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  std::vector<std::byte> bytes(size);
  DAYBOOK_RETURN_IF_ERROR(file->ReadAt(0, bytes));
  return DecodeManifest(bytes);
}

absl::Status WriteManifest(const std::filesystem::path& backup, BackupManifest manifest) {
  manifest.header.written_at = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count();
  return Directory::WriteFileAtomically(backup / kManifestName, Encode(std::move(manifest)));
}

absl::Status ForEachPiece(
    const File& file, std::uint64_t length,
    const std::function<absl::Status(std::uint64_t at, std::span<const std::byte> piece)>& use) {
  constexpr std::uint64_t kReadAtOnce = std::uint64_t{1} << 20;
  std::vector<std::byte> piece(std::min(length, kReadAtOnce));
  for (std::uint64_t at = 0; at < length; at += piece.size()) {
    const auto part = std::span(piece).first(std::min<std::uint64_t>(piece.size(), length - at));
    DAYBOOK_RETURN_IF_ERROR(file.ReadAt(at, part));
    DAYBOOK_RETURN_IF_ERROR(use(at, part));
  }
  return absl::OkStatus();
}

absl::Status DamagedBackup(const std::filesystem::path& backup, const BackupSegment& segment,
                           std::uint64_t offset, std::string_view what) {
  return DataLossAt({"log/" + SegmentFileName(segment.first_position), offset,
                     Position(segment.first_position), Position(segment.next_position - 1)},
                    "the backup in " + backup.string() + " is damaged: " + std::string(what));
}

absl::Status CheckBackupSegment(const std::filesystem::path& backup, const BackupSegment& segment,
                                bool all) {
  const auto damaged = [&](std::uint64_t offset, std::string_view what) {
    return DamagedBackup(backup, segment, offset, what);
  };
  const absl::StatusOr<File> file =
      File::OpenRead(backup / "log" / SegmentFileName(segment.first_position));
  if (absl::IsNotFound(file.status())) return damaged(0, "the file is missing");
  DAYBOOK_RETURN_IF_ERROR(file.status());
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size < segment.length) return damaged(size, "the file is shorter than its manifest says");
  SegmentHeader header;
  DAYBOOK_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.header_hash != segment.header_hash || HashOf(header) != header.header_hash) {
    return damaged(0, "the header of the segment is not what its manifest says");
  }
  if (segment.last_frame_offset != 0) {
    FrameHeader frame;
    if (segment.last_frame_offset + sizeof frame > segment.length) return damaged(0, "its length");
    DAYBOOK_RETURN_IF_ERROR(
        file->ReadAt(segment.last_frame_offset, std::as_writable_bytes(std::span(&frame, 1))));
    if (frame.header_hash != segment.last_frame_hash ||
        HashOf(frame, header.salt) != frame.header_hash) {
      return damaged(segment.last_frame_offset, "its last frame is not what its manifest says");
    }
  }
  if (!all) return absl::OkStatus();
  Hasher64 hasher;
  DAYBOOK_RETURN_IF_ERROR(ForEachPiece(*file, segment.length, [&](std::uint64_t, auto piece) {
    hasher.Update(piece);
    return absl::OkStatus();
  }));
  return hasher.Digest() == segment.content_hash ? absl::OkStatus() : damaged(0, kNotWhatWasCopied);
}

}  // namespace daybook
