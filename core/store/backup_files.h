// What a backup holds beside the log: files of the store that are not derived (publish/: how far
// the outside was told), each a small one that is replaced in one step.

#ifndef DAYBOOK_STORE_BACKUP_FILES_H_
#define DAYBOOK_STORE_BACKUP_FILES_H_

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/backup_manifest.h"

namespace daybook {

struct StoreFile {
  std::string name;  // relative to the store
  std::vector<std::byte> bytes;
};

// Reads them. Done before the log is looked at, so that what they say of a position is never ahead
// of the log in the backup.
absl::StatusOr<std::vector<StoreFile>> ReadStoreFiles(const std::filesystem::path& store);
// Writes them to files/<generation>/ of the backup and notes them in the manifest. Durable on
// return.
absl::Status CopyToBackup(const std::vector<StoreFile>& files, const std::filesystem::path& backup,
                          BackupManifest* manifest);
// And from there to a store that is being made.
absl::Status CopyFromBackup(const std::filesystem::path& backup, const BackupManifest& manifest,
                            const std::filesystem::path& store);
// kDataLoss names the file that is not what was copied.
absl::Status CheckBackupFiles(const std::filesystem::path& backup, const BackupManifest& manifest);
// Removes what earlier runs left that the manifest does not speak of, as far as that can be done.
void RemoveOldFiles(const std::filesystem::path& backup, const BackupManifest& manifest);

}  // namespace daybook

#endif  // DAYBOOK_STORE_BACKUP_FILES_H_
