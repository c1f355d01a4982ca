// A projection whose every event sends one effect, and what was sent.

#ifndef DAYBOOK_PROJECTIONS_EFFECTS_TESTING_H_
#define DAYBOOK_PROJECTIONS_EFFECTS_TESTING_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "projections/projection_testing.h"
#include "tests/catch.h"

namespace daybook::testing {

// What the effects of a projection said, in the order in which they were sent.
struct Sent {
  Mutex mutex;
  std::vector<std::uint64_t> positions DAYBOOK_GUARDED_BY(mutex);
  std::atomic<bool> away{false};  // the receiver cannot be reached

  std::vector<std::uint64_t> Get() {
    MutexLock lock(mutex);
    return positions;
  }
};

// Keeps chains, and emits the position of each event; `before` as for ChainProjection.
inline Projection WithEffects(Sent* sent, std::uint32_t revision = 1,
                              std::function<absl::Status(const EventView&)> before = {}) {
  Projection projection = ChainProjection("p");
  projection.revision = revision;
  projection.effects_from = EffectsFrom::kStart;
  projection.handler = [chain = projection.handler, before = std::move(before)](
                           const EventView& event, HandlerContext& context) {
    absl::Status status = chain(event, context);
    if (status.ok()) status = context.Emit(std::to_string(event.position.value()));
    if (!status.ok() || !before) return status;
    return before(event);  // after the effect, so that one that is not taken back shows
  };
  projection.on_effect = [sent](const Effect& effect) -> absl::Status {
    if (sent->away) return absl::UnavailableError("away");
    MutexLock lock(sent->mutex);
    sent->positions.push_back(effect.position.value());
    CHECK(effect.payload == std::to_string(effect.position.value()));
    return absl::OkStatus();
  };
  return projection;
}

inline std::vector<std::uint64_t> UpTo(std::uint64_t last) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 1; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

}  // namespace daybook::testing

#endif  // DAYBOOK_PROJECTIONS_EFFECTS_TESTING_H_
