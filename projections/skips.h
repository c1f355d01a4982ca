// Which events a projection is to pass over: what its stream `$projection-NAME` says.

#ifndef DAYBOOK_PROJECTIONS_SKIPS_H_
#define DAYBOOK_PROJECTIONS_SKIPS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

// Where a read that has come to `seen` found the log damaged; nullopt where `error` says something
// else.
std::optional<Position> UnreadableAfter(const absl::Status& error, Position seen);
// The same error, which also says how a projection gets past it.
absl::Status SayHowToPass(std::string_view projection, const absl::Status& error, Position at);

// Not thread-safe.
class SkipSet {
 public:
  explicit SkipSet(std::string_view projection) : projection_(projection) {}

  // Reads what has been decided since the last time, up to what is durable, and gives it.
  absl::StatusOr<std::vector<ProjectionSkip>> Refresh(const Reader& reader);
  [[nodiscard]] bool contains(Position position) const {
    return positions_.contains(position.value()) || (!stretches_.empty() && InStretch(position));
  }
  [[nodiscard]] bool empty() const { return positions_.empty() && stretches_.empty(); }
  // The last position of all that are to be skipped from this one on, which is one of them.
  [[nodiscard]] Position EndOf(Position position) const;

 private:
  [[nodiscard]] bool InStretch(Position position) const;

  std::string projection_;
  Version read_;  // of its stream, up to which it was read
  absl::flat_hash_set<std::uint64_t> positions_;
  std::map<std::uint64_t, std::uint64_t> stretches_;  // the end of each, by where it begins
};

// What a repair of this store gave up around a position; kFailedPrecondition where it did not.
struct LostStretch {
  Position first, last;
};
absl::StatusOr<LostStretch> FindLost(const Reader& reader, Position position);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_SKIPS_H_
