// What Daybook asks of folders and names. Stands on io/system.h; errors are as in io/file.h.

#ifndef DAYBOOK_IO_DIRECTORY_H_
#define DAYBOOK_IO_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

// Thread-safe: there is no state.
class Directory {
 public:
  using Path = std::filesystem::path;

  // The names in a folder, sorted bytewise, without "." and "..".
  static absl::StatusOr<std::vector<std::string>> List(const Path& path);
  // One folder with the rights 0755 less the umask; fine where it exists, kAlreadyExists where the
  // name is something else's. Its parent must exist.
  static absl::Status Create(const Path& path);
  // Renames in place of what stood at `to`, or (NoReplace) with kAlreadyExists. Atomic; durable
  // after Sync of the folder.
  static absl::Status Rename(const Path& from, const Path& to);
  static absl::Status RenameNoReplace(const Path& from, const Path& to);
  // Removes a file or an empty folder; fine where there is none. Durable after Sync of the folder.
  static absl::Status Remove(const Path& path);
  // Makes the names in a folder durable.
  static absl::Status Sync(const Path& path);
  // Makes the name of a folder durable: syncs the one above it.
  static absl::Status SyncNameOf(const Path& path);

  // False also where the name cannot be looked up.
  [[nodiscard]] static bool Exists(const Path& path);
  // Whether locks and syncs there are another machine's promise (NFS, SMB, AFS, Ceph, Lustre, 9p,
  // ...). What FUSE stands for cannot be known: it counts as local.
  static absl::StatusOr<bool> IsNetworkFileSystem(const Path& path);
  static absl::StatusOr<std::uint64_t> FileSize(const Path& path);
  // The room that is left on the file system of `path`.
  static absl::StatusOr<std::uint64_t> FreeBytes(const Path& path);
  // The sizes of all files at and below `path`, added; 0 where there is nothing. What vanishes
  // meanwhile does not count.
  static absl::StatusOr<std::uint64_t> TreeBytes(const Path& path);

  // The file is either as before or holds `bytes`, whatever happens: writes `path`.tmp, syncs it,
  // renames it, syncs the folder. Durable on return. One writer at a time.
  static absl::Status WriteFileAtomically(const Path& path, std::span<const std::byte> bytes);
};

}  // namespace daybook

#endif  // DAYBOOK_IO_DIRECTORY_H_
