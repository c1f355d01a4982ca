// Folders of tables that can be derived again: opened with care, because LMDB believes its pages,
// and a damaged one can end the process; and thrown away rather than mended.

#ifndef DAYBOOK_KV_DERIVED_H_
#define DAYBOOK_KV_DERIVED_H_

#include <cstdint>
#include <filesystem>
#include <functional>
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

// The same for a folder that other processes may have open at this moment: nothing of it is
// emptied. Damaged, it is kDataLoss. With `create` it is made where it is missing, before others
// know of it; else that is kNotFound.
enum class IfMissing : std::uint8_t { kFail, kCreate };
absl::StatusOr<std::unique_ptr<Environment>> OpenShared(const std::filesystem::path& directory,
                                                        const EnvironmentOptions& options,
                                                        IfMissing if_missing);

// Runs `work` in a transaction and commits it; once more, from its begin, with a larger map where
// the map is full. All or nothing.
absl::Status WriteGrowing(Environment* environment, const std::filesystem::path& directory,
                          const std::function<absl::Status(WriteTransaction*)>& work);

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
