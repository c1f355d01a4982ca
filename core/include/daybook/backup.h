// Backups: copies of a store's log that are taken while it runs, grow by what was appended since,
// and become a store again by `Restore`. docs/operations.md says how to run them,
// docs/format/backup.md what stands in them.

#ifndef DAYBOOK_BACKUP_H_
#define DAYBOOK_BACKUP_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

struct BackupOptions {
  // Checks of the backup that is there only what the new part stands on: the manifest, every
  // file's length, the last frame of each segment, and the whole of the one that goes on. Else all
  // of its bytes are read and checked.
  bool fast = false;
  // How the store is read. kRead where its device may fail: an error of the device is then
  // kDataLoss, and never a signal.
  FileAccess access = FileAccess::kMap;
  // Called now and then with the bytes done and the bytes in all.
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress;
  NoticeHandler on_notice;
};

struct BackupReport {
  Position position;           // the last one in the backup
  std::uint64_t bytes = 0;     // of the log, that this call copied
  std::uint64_t segments = 0;  // in the backup
  bool verified = false;       // every byte of it was read and checked, by this call
};

// Brings the backup in `backup` up to what is durable in the store: makes it in a missing or empty
// folder, or adds what was appended since. Needs read rights to the store only, runs beside a
// writer in this or another process, and takes no lock of it. What it writes is whole frames,
// synced, read back and checked before the manifest, which is replaced last, in one step, speaks of
// them: whenever this call dies, and on a full disk, the backup is what it was, and the next call
// goes on. Durable on return.
//
// kNotFound (no store), kInvalidArgument (`backup` holds other things), kFailedPrecondition (it is
// a backup of another store, of another incarnation, or of a history that went another way; or of
// a newer format), kDataLoss (bytes of the store or of the backup are damaged: DamageOf says which
// file), kUnavailable (another process is writing to the backup), kResourceExhausted (it is full).
absl::StatusOr<BackupReport> Backup(const std::filesystem::path& store,
                                    const std::filesystem::path& backup,
                                    const BackupOptions& options);

// Checks every byte of a backup, or (fast) what BackupOptions::fast says. Findings are not an
// error. kNotFound where there is no backup. `Verify` of the folder of a backup does the same.
absl::StatusOr<VerifyReport> VerifyBackup(const std::filesystem::path& backup,
                                          const VerifyOptions& options);

struct RestoreOptions {
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress;
  NoticeHandler on_notice;
};

// Makes a store of a backup, in a missing or an empty folder. The store has the same store id and
// the same events, and a new incarnation whose parent is the one that was backed up: what the
// original still does, if it lives, is another history from here on. All is verified, as it stands
// in the new folder, before the file STORE appears there; until then the folder does not open.
//
// kNotFound (no backup), kInvalidArgument (`store` is not empty: also where an earlier restore was
// interrupted; remove it then), kDataLoss (the backup is damaged), kFailedPrecondition (it was
// never finished, or is of a newer format), kResourceExhausted (no room).
absl::StatusOr<BackupReport> Restore(const std::filesystem::path& backup,
                                     const std::filesystem::path& store,
                                     const RestoreOptions& options);

}  // namespace daybook

#endif  // DAYBOOK_BACKUP_H_
