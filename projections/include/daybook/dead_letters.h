// Events that a projection could not handle and has parked. They are pointers: the events stay
// where they are, in the log.

#ifndef DAYBOOK_DEAD_LETTERS_H_
#define DAYBOOK_DEAD_LETTERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

struct ParkedEvent {
  Position position;
  bool failed = false;  // the handler failed at it; else it waits behind one where it did
};

// The parked events of one key, in order of position. The first is the one that failed.
struct ParkedKey {
  std::string key;
  std::vector<ParkedEvent> events;
  Timestamp parked_at;                            // when the first was parked
  std::uint32_t attempts = 0;                     // of the first
  std::optional<Timestamp> next_retry;            // absent: not by itself any more
  absl::StatusCode code = absl::StatusCode::kOk;  // of the last error
  std::string message;
};

struct RetryResult {
  std::uint64_t handled = 0;  // events that are parked no longer
  std::uint64_t skipped = 0;  // of those, passed over because they are to be skipped
  std::uint64_t parked = 0;   // events that still are
};

// The events that a projection is to pass over, by position, as the stream `$projection-NAME` says.
// Anybody with read rights may ask.
absl::StatusOr<std::vector<ProjectionSkip>> ProjectionSkips(const Reader& reader,
                                                            std::string_view name);

}  // namespace daybook

#endif  // DAYBOOK_DEAD_LETTERS_H_
