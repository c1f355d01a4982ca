// The manifest of a backup: what is in it and how far it goes. docs/format/backup.md has its bytes.
//
//   manifest := BackupHeader, BackupSegment*, (BackupFile, name, zeros to a multiple of 8)*

#ifndef DAYBOOK_STORE_BACKUP_MANIFEST_H_
#define DAYBOOK_STORE_BACKUP_MANIFEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/file.h"
#include "log/format.h"
#include "log/segment.h"

namespace daybook {

inline constexpr char kManifestName[] = "MANIFEST";
inline constexpr std::array<char, 8> kManifestMagic = {'D', 'A', 'Y', 'B', 'K', 'U', 'P', '\0'};
inline constexpr std::uint32_t kManifestFormat = 1;

struct BackupHeader {
  std::array<char, 8> magic;   // "DAYBKUP\0"
  std::uint32_t format;        // 1
  std::uint32_t header_bytes;  // sizeof(BackupHeader)
  std::uint64_t file_bytes;    // of the manifest
  std::uint64_t segments;
  std::uint64_t files;
  std::uint64_t generation;  // how many runs came to their end; 0: none yet
  std::uint64_t position;    // the last one in it
  std::uint64_t
      position_frame_hash;  // header hash of the frame that holds it; 0 where there is none
  std::int64_t written_at;  // ns, UTC
  std::array<std::uint8_t, 168> reserved;
  std::uint64_t body_hash;    // of all bytes behind this header, seed 0
  StoreHeader store;          // STORE, as it stands in the store
  std::uint64_t header_hash;  // of all bytes before it, seed 0
};
static_assert(sizeof(BackupHeader) == 512 &&
              std::has_unique_object_representations_v<BackupHeader>);
static_assert(offsetof(BackupHeader, body_hash) == 240 && offsetof(BackupHeader, store) == 248 &&
              offsetof(BackupHeader, header_hash) == 504);

// log/<first_position>.log in the backup.
struct BackupSegment {
  std::uint64_t first_position;
  std::uint64_t next_position;      // behind the last one of it that is in the backup
  std::uint64_t length;             // bytes; the file may hold more, of a run that was cut off
  std::uint64_t header_hash;        // that stands in its header
  std::uint64_t last_frame_offset;  // 0 where it ends in damage that was given up
  std::uint64_t last_frame_hash;    // header hash of its last whole frame, or of the segment header
  std::uint64_t content_hash;       // of bytes 0 to length - 1, seed 0
  std::uint64_t reserved;
  friend bool operator==(const BackupSegment&, const BackupSegment&) = default;
};
static_assert(sizeof(BackupSegment) == 64 &&
              std::has_unique_object_representations_v<BackupSegment>);

// files/<generation>/<name>: a file that is neither log nor derived.
struct BackupFile {
  std::uint64_t bytes;
  std::uint64_t content_hash;  // seed 0
  std::uint32_t name_bytes;
  std::uint32_t reserved;
};
static_assert(sizeof(BackupFile) == 24 && std::has_unique_object_representations_v<BackupFile>);

struct BackupManifest {
  BackupHeader header{};
  std::vector<BackupSegment> segments;  // ascending
  struct NamedFile {
    std::string name;  // relative to the store: "publish/sink/cursor"
    std::uint64_t bytes = 0;
    std::uint64_t content_hash = 0;
  };
  std::vector<NamedFile> files;

  [[nodiscard]] std::uint64_t log_bytes() const;
  [[nodiscard]] std::string FilesFolder() const {
    return "files/" + std::to_string(header.generation);
  }
};

// The bytes, with counts and hashes filled in.
std::vector<std::byte> Encode(BackupManifest manifest);
// kDataLoss, or kFailedPrecondition where it is newer.
absl::StatusOr<BackupManifest> DecodeManifest(std::span<const std::byte> bytes);

// Whether the folder has a manifest, whole or not.
bool IsBackup(const std::filesystem::path& folder);
// kNotFound where there is none.
absl::StatusOr<BackupManifest> ReadManifest(const std::filesystem::path& backup);
// In one step. Durable on return. Dying in it leaves the one that was there.
absl::Status WriteManifest(const std::filesystem::path& backup, BackupManifest manifest);

// Gives the first `length` bytes of a file to `use`, one piece after another; ends with its first
// error.
absl::Status ForEachPiece(
    const File& file, std::uint64_t length,
    const std::function<absl::Status(std::uint64_t at, std::span<const std::byte> piece)>& use);

// kDataLoss: something about the file of a segment is not what the manifest says.
absl::Status DamagedBackup(const std::filesystem::path& backup, const BackupSegment& segment,
                           std::uint64_t offset, std::string_view what);
inline constexpr char kNotWhatWasCopied[] = "its bytes are not what was copied";

// Checks the file of a segment in a backup: its length, its header, its last frame, and (all) every
// byte. kDataLoss names the file, relative to the backup.
absl::Status CheckBackupSegment(const std::filesystem::path& backup, const BackupSegment& segment,
                                bool all);

}  // namespace daybook

#endif  // DAYBOOK_STORE_BACKUP_MANIFEST_H_
