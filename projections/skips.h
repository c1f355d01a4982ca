// Which events a projection is to pass over: what its stream `$projection-NAME` says.

#ifndef DAYBOOK_PROJECTIONS_SKIPS_H_
#define DAYBOOK_PROJECTIONS_SKIPS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

// Not thread-safe.
class SkipSet {
 public:
  explicit SkipSet(std::string_view projection) : projection_(projection) {}

  // Reads what has been decided since the last time, up to what is durable; gives the positions.
  absl::StatusOr<std::vector<Position>> Refresh(const Reader& reader);
  [[nodiscard]] bool contains(Position position) const {
    return positions_.contains(position.value());
  }
  [[nodiscard]] bool empty() const { return positions_.empty(); }

 private:
  std::string projection_;
  Version read_;  // of its stream, up to which it was read
  absl::flat_hash_set<std::uint64_t> positions_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_SKIPS_H_
