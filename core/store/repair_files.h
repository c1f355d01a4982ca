// What a repair writes to a log: copies of damaged bytes in quarantine/, bytes in place of damaged
// ones, and new segment files. After each of these steps the repair can die and be run again.

#ifndef DAYBOOK_STORE_REPAIR_FILES_H_
#define DAYBOOK_STORE_REPAIR_FILES_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/format.h"
#include "log/segment.h"

namespace daybook {

// Copies `bytes`, which stand at `offset` of `file` ("log/..."), to quarantine/<file's
// name>.<offset>.<length>.<n>. Durable on return. False where there is nothing to copy, or the same
// bytes were copied before.
absl::StatusOr<bool> Quarantine(const std::filesystem::path& directory, const std::string& file,
                                std::uint64_t offset, std::span<const std::byte> bytes);

// Writes `bytes` at `offset` of `file` and syncs. Dying in it leaves the range damaged, to be
// mended again.
absl::Status WriteInPlace(const std::filesystem::path& directory, const std::string& file,
                          std::uint64_t offset, std::span<const std::byte> bytes);

// Makes `file` at least `bytes` long, with zeros, and syncs.
absl::Status Extend(const std::filesystem::path& directory, const std::string& file,
                    std::uint64_t bytes);

// Puts a segment that holds only its header in place, under the name of its first position; never
// over another file. Durable on return. Dying in it leaves log/spare, which is no part of the log.
enum class Fill : std::uint8_t {
  kZeros,  // events will be written to it: its blocks must exist
  kHole,   // nothing ever will
};
absl::Status CreateSegment(const std::filesystem::path& directory, const SegmentHeader& header,
                           Fill fill);

// Puts a copy of `source` in place as a segment that is missing, in the same way.
absl::Status CopySegment(const std::filesystem::path& directory, const LogSegment& source);

// A header for a segment that a repair makes: hash computed, salt new.
SegmentHeader MakeHeader(const StoreIdentity& identity, std::uint64_t first_position,
                         std::uint64_t segment_bytes);

}  // namespace daybook

#endif  // DAYBOOK_STORE_REPAIR_FILES_H_
