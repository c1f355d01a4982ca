#include "io/directory.h"

#include <fcntl.h>
#include <linux/magic.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/status.h"
#include "io/file.h"
#include "io/os_error.h"
#include "io/system.h"

namespace daybook {
namespace {

using Path = Directory::Path;

// Those that <linux/magic.h> of all supported kernels names, and those that it does not (from
// statfs(2)).
constexpr std::array<std::uint32_t, 10> kNetworkFileSystems = {
    NFS_SUPER_MAGIC,     SMB_SUPER_MAGIC,  V9FS_MAGIC,          AFS_SUPER_MAGIC,
    AFS_FS_MAGIC,        CODA_SUPER_MAGIC, 0x00C36400 /*Ceph*/, 0xFF534D42 /*CIFS*/,
    0xFE534D42 /*SMB2*/, 0x0BD00BD0 /*Lustre*/};

Path FolderOf(const Path& path) {
  const Path parent = path.parent_path();
  return parent.empty() ? Path(".") : parent;
}

// False where there is nothing at `path`; links are not followed.
absl::StatusOr<bool> LookUp(const Path& path, struct stat* info) {
  if (system::Lstat(path.c_str(), info) == 0) return true;
  if (errno == ENOENT) return false;
  return OsError(errno, "look up", path);
}

absl::Status WriteNewFile(const Path& path, std::span<const std::byte> bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(path));
  DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, bytes));
  return file.Sync();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Directory::List(const Path& path) {
  std::vector<std::string> names;
  if (system::List(path.c_str(), &names) != 0) return OsError(errno, "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status Directory::Create(const Path& path) {
  constexpr mode_t kMode = 0755;
  if (system::Mkdir(path.c_str(), kMode) == 0) return absl::OkStatus();
  const int error = errno;
  struct stat info;
  if (error == EEXIST) {
    if (system::Stat(path.c_str(), &info) != 0) return OsError(errno, "look up", path);
    if (S_ISDIR(info.st_mode)) return absl::OkStatus();
  }
  return OsError(error, "create the folder", path);
}

absl::Status Directory::Rename(const Path& from, const Path& to) {
  if (system::Rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return OsError(errno, "rename to " + to.native(), from);
}

absl::Status Directory::RenameNoReplace(const Path& from, const Path& to) {
  if (system::RenameNoReplace(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EEXIST) return OsError(error, "rename " + from.native(), to);
  if (error != EINVAL && error != ENOSYS) return OsError(error, "rename to " + to.native(), from);
  // The file system does not know the flag. Look first: the lock on the store keeps other writers
  // out.
  struct stat info;
  DAYBOOK_ASSIGN_OR_RETURN(const bool exists, LookUp(to, &info));
  if (exists) return OsError(EEXIST, "rename " + from.native(), to);
  return Rename(from, to);
}

absl::Status Directory::Remove(const Path& path) {
  if (system::Remove(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return OsError(errno, "remove", path);
}

absl::Status Directory::Sync(const Path& path) {
  // Opened as a folder or not at all: to sync a file's data is another thing.
  const int fd = system::Open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return OsError(errno, "open the folder", path);
  const int error = system::Fsync(fd) == 0 ? 0 : errno;
  system::Close(fd);
  return error == 0 ? absl::OkStatus() : OsError(error, "sync the folder", path);
}

absl::Status Directory::SyncNameOf(const Path& path) {
  const Path name = path.has_filename() ? path : path.parent_path();  // "a/" is what "a" is
  const bool is_dots = name.filename() == "." || name.filename() == "..";
  return Sync(is_dots ? name / ".." : FolderOf(name));
}

bool Directory::Exists(const Path& path) {
  struct stat info;
  return system::Stat(path.c_str(), &info) == 0;
}

absl::StatusOr<bool> Directory::IsNetworkFileSystem(const Path& path) {
  struct statfs info;
  if (system::Statfs(path.c_str(), &info) != 0)
    return OsError(errno, "look up the file system", path);
  const auto type = static_cast<std::uint32_t>(info.f_type);
  return std::find(kNetworkFileSystems.begin(), kNetworkFileSystems.end(), type) !=
         kNetworkFileSystems.end();
}

absl::StatusOr<std::uint64_t> Directory::FileSize(const Path& path) {
  struct stat info;
  if (system::Stat(path.c_str(), &info) != 0) return OsError(errno, "look up the size", path);
  return static_cast<std::uint64_t>(info.st_size);
}

absl::StatusOr<std::uint64_t> Directory::FreeBytes(const Path& path) {
  struct statfs info;
  if (statfs(path.c_str(), &info) != 0) return OsError(errno, "look up the free room", path);
  return static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_bsize);
}

absl::StatusOr<std::uint64_t> Directory::TreeBytes(const Path& path) {
  struct stat info;
  DAYBOOK_ASSIGN_OR_RETURN(const bool exists, LookUp(path, &info));
  if (!exists) return std::uint64_t{0};
  if (S_ISREG(info.st_mode)) return static_cast<std::uint64_t>(info.st_size);
  if (!S_ISDIR(info.st_mode)) return std::uint64_t{0};
  const absl::StatusOr<std::vector<std::string>> names = List(path);
  if (absl::IsNotFound(names.status())) return std::uint64_t{0};
  if (!names.ok()) return names.status();
  std::uint64_t total = 0;
  for (const std::string& name : *names) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t bytes, TreeBytes(path / name));
    total += bytes;
  }
  return total;
}

absl::Status Directory::WriteFileAtomically(const Path& path, std::span<const std::byte> bytes) {
  Path aside = path;
  aside += ".tmp";
  DAYBOOK_RETURN_IF_ERROR(Remove(aside));  // what a writer left that died before the rename
  absl::Status written = WriteNewFile(aside, bytes);
  if (written.ok()) written = Rename(aside, path);
  if (!written.ok()) {
    Remove(aside).IgnoreError();  // room that a full disk needs; the first error is the one to tell
    return written;
  }
  return Sync(FolderOf(path));
}

}  // namespace daybook
