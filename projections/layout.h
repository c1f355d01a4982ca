// The names in `projections/` of a store, and the file CURRENT.
//
//   projections/<name>/LOCK            held by who runs the projection (kv/derived.h)
//   projections/<name>/CURRENT         which generation is the live one, and the floor of effects
//   projections/<name>/STATUS          replaced every second by the runner; never synced
//   projections/<name>/WAKE            io/wake_page.h with the store's incarnation as its id, the
//   live
//                                      generation as the run id, and the checkpoint as the position
//   projections/<name>/<n>/            generation n, an LMDB environment
//   projections/<name>/<n>/LOCK        held by the rebuild that builds it

#ifndef DAYBOOK_PROJECTIONS_LAYOUT_H_
#define DAYBOOK_PROJECTIONS_LAYOUT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/values.h"

namespace daybook {

absl::Status ValidateProjectionName(std::string_view name);

std::filesystem::path ProjectionFolder(const std::filesystem::path& store, std::string_view name);
std::filesystem::path GenerationFolder(const std::filesystem::path& projection,
                                       std::uint64_t generation);
// The generations that have a folder, ascending, whether they are whole or not.
absl::StatusOr<std::vector<std::uint64_t>> ListGenerations(const std::filesystem::path& projection);
// Removes the folder of a generation and all that is in it; fine where there is none. What a crash
// in between leaves has no data.mdb, or no name in CURRENT: it is removed again.
absl::Status RemoveGeneration(const std::filesystem::path& projection, std::uint64_t generation);

struct Current {
  std::uint64_t generation = 0;  // the live one
  std::optional<std::uint64_t> previous;
  // No effect of an event up to here is sent any more.
  Position effects_floor;
  friend bool operator==(const Current&, const Current&) = default;
};

// kNotFound where the projection was never run, kDataLoss.
absl::StatusOr<Current> ReadCurrent(const std::filesystem::path& projection);
// In one step: a process that dies in here leaves the old one or the new one. Durable on return.
absl::Status WriteCurrent(const std::filesystem::path& projection, const Current& current);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_LAYOUT_H_
