// Folders of tables that can be derived again: opened with care, because LMDB believes its pages,
// and a damaged one can end the process; and thrown away rather than mended.

#ifndef DAYBOOK_KV_DERIVED_H_
#define DAYBOOK_KV_DERIVED_H_

#include <filesystem>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/file.h"
#include "kv/environment.h"

namespace daybook {

// Opens the environment in `directory`, which is created where it is missing, after a look at every
// page of it that LMDB would follow: damaged, it is emptied first, and `*discarded` says so (it is
// never set to false). What is in it may still be of another store or format: that is for the
// caller to see, and to Discard. The caller holds a lock that keeps other processes away.
// kPermissionDenied, kUnavailable, kResourceExhausted.
absl::StatusOr<std::unique_ptr<Environment>> OpenDerived(const std::filesystem::path& directory,
                                                         const EnvironmentOptions& options,
                                                         bool* discarded);

// What LMDB says of a full disk, as such: where it says EIO and there is no room in `directory`,
// kResourceExhausted.
absl::Status ToldApart(const absl::Status& status, const std::filesystem::path& directory);

// Removes the tables in `directory` (and nothing else that is there). Not while they are open.
absl::Status DiscardDerived(const std::filesystem::path& directory);

// Takes the lock `LOCK` in `directory`, which is created where it is missing, for as long as the
// file lives: one in the world. kUnavailable where somebody has it, kPermissionDenied.
absl::StatusOr<File> LockDerived(const std::filesystem::path& directory);

}  // namespace daybook

#endif  // DAYBOOK_KV_DERIVED_H_
