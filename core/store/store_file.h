// The file STORE: who a store is.

#ifndef DAYBOOK_STORE_STORE_FILE_H_
#define DAYBOOK_STORE_STORE_FILE_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/format.h"
#include "log/segment.h"

namespace daybook {

// kNotFound where there is none; kDataLoss where it is damaged; kFailedPrecondition where the
// format is newer than this library.
absl::StatusOr<StoreHeader> ReadStoreFile(const std::filesystem::path& directory,
                                          const std::string& name = "STORE");

// What is wrong with a header that stands in `where`: kDataLoss, or kFailedPrecondition (newer).
absl::Status CheckStoreHeader(const StoreHeader& header, const std::string& where);

// A header with new ids, for a new store.
StoreHeader MakeStoreHeader(std::uint64_t segment_bytes_max);
// Writes STORE in one step. Durable on return.
absl::Status WriteStoreFile(const std::filesystem::path& directory, const StoreHeader& header);

inline StoreIdentity IdentityOf(const StoreHeader& header) {
  const bool inherits = (header.incompatible_flags & kInheritedSegmentsFlag) != 0;
  return {header.store_id, header.incarnation, inherits ? header.parent_position : 0};
}

// The 36-character form.
std::string UuidText(const Uuid& uuid);

}  // namespace daybook

#endif  // DAYBOOK_STORE_STORE_FILE_H_
