// Opening the log: which segments there are, how they hang together, and where the last one ends.
// Changes nothing on disk; what a writer has to mend is done by recover.h.

#ifndef DAYBOOK_STORE_OPENING_H_
#define DAYBOOK_STORE_OPENING_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "index/sidecar.h"
#include "log/segment.h"
#include "log/segment_writer.h"

namespace daybook {

// The first positions of the segments in log/, ascending.
absl::StatusOr<std::vector<std::uint64_t>> ListSegments(const std::filesystem::path& directory);

// Opens every segment and checks that each names its predecessor. kDataLoss names the segment that
// is missing, damaged or foreign; with `upto_damage` (readers) what comes before it is returned
// instead, and the damage in `*damage`.
absl::StatusOr<std::vector<std::shared_ptr<const LogSegment>>> OpenSegments(
    const std::filesystem::path& directory, const StoreIdentity& identity, bool upto_damage,
    absl::Status* damage, FileAccess access = FileAccess::kMap);

// What the sidecar of a segment must say. `successor` is the next segment, whose header names the
// last frame.
SidecarKey KeyFor(const StoreIdentity& identity, const LogSegment& segment,
                  const LogSegment& successor);

// The sidecar of a segment if there is one and its header is good and fits `key`; nullptr
// otherwise, with why in `*why` (empty: there is none).
std::shared_ptr<const Sidecar> OpenSidecar(const std::filesystem::path& directory,
                                           const SidecarKey& key, std::string* why,
                                           FileAccess access = FileAccess::kMap);

// The end of the last segment where its sidecar and its seal prove that it is sealed, so that it
// need not be scanned.
struct SealedEnd {
  LogTail tail;
  std::int64_t last_recorded_at = 0;
  std::shared_ptr<const Sidecar> sidecar;
};
std::optional<SealedEnd> FindSealedEnd(const std::filesystem::path& directory,
                                       const StoreIdentity& identity, const LogSegment& segment);

// Reports through a handler that may be empty.
void Tell(const NoticeHandler& handler, Notice::Severity severity, std::string message);

}  // namespace daybook

#endif  // DAYBOOK_STORE_OPENING_H_
