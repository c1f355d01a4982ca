// Errors are absl::Status. The code says what the caller can do; typed details say what it was
// about.
//
//   kAborted             a version or a condition did not hold: load again, decide again (Conflict)
//   kAlreadyExists       an event id was used before with other content
//   kDataLoss            bytes are damaged (Damage); `daybook verify`, then `daybook repair`
//   kFailedPrecondition  poisoned, read-only, forked, or a newer format: not by retrying
//   kInvalidArgument     the caller's input
//   kNotFound            no such store or file
//   kPermissionDenied    the operating system refused
//   kResourceExhausted   the disk is full, or too much is staged: later, or after making room
//   kUnavailable         another process holds the lock
//   kUnknown             a sync failed: the outcome is not known; retry the same ids after a reopen
//   kInternal            a bug of Daybook

#ifndef DAYBOOK_ERROR_H_
#define DAYBOOK_ERROR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "daybook/append.h"
#include "daybook/values.h"

namespace daybook {

// Why an append conflicts: a stream's version, or (stream empty) an event that a query condition
// forbids.
struct Conflict {
  std::string stream;
  ExpectedVersion expected;
  Version actual;
  Position matched;  // of the event that the condition forbids; 0 for a conflict of versions
};

// Which bytes are damaged.
struct Damage {
  std::string file;  // relative to the store
  std::uint64_t offset = 0;
  Position first_position;  // 0 where it is not known
  Position last_position;
};

// The typed detail of a status, where it has one.
std::optional<Conflict> ConflictOf(const absl::Status& status);
std::optional<Damage> DamageOf(const absl::Status& status);

}  // namespace daybook

#endif  // DAYBOOK_ERROR_H_
