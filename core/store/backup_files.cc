#include "store/backup_files.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::vector<std::byte>> ReadAll(const fs::path& path) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(path));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  std::vector<std::byte> bytes(size);
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, bytes));
  return bytes;
}

// Writes root/name, and the folders that lead there, which are synced.
absl::Status WriteBelow(const fs::path& root, const fs::path& name,
                        std::span<const std::byte> bytes) {
  fs::path folder = root;
  for (const fs::path& part : name.parent_path()) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder / part));
    DAYBOOK_RETURN_IF_ERROR(Directory::Sync(folder));
    folder /= part;
  }
  return Directory::WriteFileAtomically(root / name, bytes);
}

// The files at and below root/name, by name.
absl::Status ListBelow(const fs::path& root, const fs::path& name,
                       std::vector<std::string>* files) {
  const absl::StatusOr<std::vector<std::string>> names = Directory::List(root / name);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (absl::IsFailedPrecondition(names.status())) {  // no folder
    files->push_back(name.generic_string());
    return absl::OkStatus();
  }
  DAYBOOK_RETURN_IF_ERROR(names.status());
  for (const std::string& below : *names) {
    if (below.ends_with(".tmp")) continue;  // of a write that is under way
    DAYBOOK_RETURN_IF_ERROR(ListBelow(root, name / below, files));
  }
  return absl::OkStatus();
}

void RemoveBelow(const fs::path& path) {
  if (const auto names = Directory::List(path); names.ok()) {
    for (const std::string& name : *names) RemoveBelow(path / name);
  }
  Directory::Remove(path).IgnoreError();
}

absl::StatusOr<std::vector<std::byte>> ReadChecked(const fs::path& backup,
                                                   const BackupManifest& manifest,
                                                   const BackupManifest::NamedFile& file) {
  const std::string name = manifest.FilesFolder() + "/" + file.name;
  auto bytes = ReadAll(backup / name);
  if (bytes.ok() && bytes->size() == file.bytes && Hash64(*bytes) == file.content_hash) {
    return bytes;
  }
  if (!bytes.ok() && !absl::IsNotFound(bytes.status())) return bytes.status();
  return DataLossAt(
      {name, 0, Position(0), Position(0)},
      absl::StrCat("the backup in ", backup.string(), " is damaged: not what was copied"));
}

}  // namespace

absl::StatusOr<std::vector<StoreFile>> ReadStoreFiles(const fs::path& store) {
  std::vector<std::string> names;
  DAYBOOK_RETURN_IF_ERROR(ListBelow(store, "publish", &names));
  std::vector<StoreFile> files;
  for (const std::string& name : names) {
    auto bytes = ReadAll(store / name);
    if (absl::IsNotFound(bytes.status())) continue;  // removed meanwhile
    DAYBOOK_RETURN_IF_ERROR(bytes.status());
    files.push_back({name, *std::move(bytes)});
  }
  return files;
}

absl::Status CopyToBackup(const std::vector<StoreFile>& files, const fs::path& backup,
                          BackupManifest* manifest) {
  for (const auto& [name, bytes] : files) {
    DAYBOOK_RETURN_IF_ERROR(WriteBelow(backup, fs::path(manifest->FilesFolder()) / name, bytes));
    manifest->files.push_back({name, bytes.size(), Hash64(bytes)});
    DAYBOOK_RETURN_IF_ERROR(ReadChecked(backup, *manifest, manifest->files.back()).status());
  }
  return absl::OkStatus();
}

absl::Status CopyFromBackup(const fs::path& backup, const BackupManifest& manifest,
                            const fs::path& store) {
  for (const BackupManifest::NamedFile& file : manifest.files) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                             ReadChecked(backup, manifest, file));
    DAYBOOK_RETURN_IF_ERROR(WriteBelow(store, file.name, bytes));
  }
  return absl::OkStatus();
}

absl::Status CheckBackupFiles(const fs::path& backup, const BackupManifest& manifest) {
  for (const BackupManifest::NamedFile& file : manifest.files) {
    DAYBOOK_RETURN_IF_ERROR(ReadChecked(backup, manifest, file).status());
  }
  return absl::OkStatus();
}

void RemoveOldFiles(const fs::path& backup, const BackupManifest& manifest) {
  const auto generations = Directory::List(backup / "files");
  if (!generations.ok()) return;
  for (const std::string& name : *generations) {
    if ("files/" + name != manifest.FilesFolder()) RemoveBelow(backup / "files" / name);
  }
}

}  // namespace daybook
