// How far a generation is, of what, and what is in it: kept in the transaction of its rows.

#ifndef DAYBOOK_PROJECTIONS_CHECKPOINT_H_
#define DAYBOOK_PROJECTIONS_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/projection.h"
#include "daybook/read_model.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

struct Checkpoint {
  // Which history it is of: up to `position` it is the store's as long as this incarnation of the
  // store has this frame hash there (0 where the position is 0, or cannot be read).
  std::string incarnation;
  Position position;
  std::uint64_t frame_hash = 0;
  // Which code made it.
  std::uint32_t revision = 0;
  std::uint64_t fingerprint = 0;
  std::string definition;

  std::uint64_t matched = 0;
  std::uint64_t parked = 0;       // events
  std::uint64_t parked_keys = 0;  // and their keys
  // Not while a rebuild is at it: until then it cannot be promoted.
  bool built = true;
  std::vector<TableSummary> tables;  // by name
};

std::string EncodeCheckpoint(const Checkpoint& checkpoint);
absl::StatusOr<Checkpoint> DecodeCheckpoint(std::string_view bytes);

// Stands for all that a revision fixes: filter, tables, definition.
std::uint64_t FingerprintOf(const Projection& projection);

// That of a new generation of the projection: at position 0.
Checkpoint InitialCheckpoint(const Projection& projection, const Reader& reader);

// kFailedPrecondition where the generation is not of this store's history; the message says how to
// go on. Errors of the read that finds out.
absl::Status CheckHistory(const Reader& reader, std::string_view name,
                          const Checkpoint& checkpoint);
// kFailedPrecondition where it was made by another revision, filter, definition or other tables.
absl::Status CheckCode(const Projection& projection, const Checkpoint& checkpoint);

// Moves it to a position: looks up the frame hash there.
absl::Status MoveTo(const Reader& reader, Position position, Checkpoint* checkpoint);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_CHECKPOINT_H_
