// How a projection does: for operators, for readers without write permission, and for Prometheus.

#ifndef DAYBOOK_PROJECTION_STATUS_H_
#define DAYBOOK_PROJECTION_STATUS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/projection.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

enum class ProjectionState : std::uint8_t {
  kIdle,     // nobody runs it
  kRunning,  // a runner works on it, or waits for events
  kStuck,    // a call of the handler is past its deadline
  kPoison,   // stopped at an event that the handler cannot handle
  kWaiting,  // an error that passes (a full disk): tried again
  kFailed,   // stopped by another error
};
// "idle", "running", "stuck", "poison", "waiting", "failed".
std::string_view ToString(ProjectionState state);

struct ProjectionStatus {
  std::string name;
  std::uint32_t revision = 0;
  std::uint64_t generation = 0;           // the live one
  std::optional<std::uint64_t> previous;  // that a rollback goes to
  ProjectionState state = ProjectionState::kIdle;
  std::string definition;           // as in Projection
  std::string incarnation;          // of the store that the read model is of
  Position scanned;                 // the checkpoint: everything up to here was looked at
  std::uint64_t matched = 0;        // events that passed the filter
  Position head;                    // the store's durable position when this was made
  std::uint64_t events_behind = 0;  // head - scanned
  // How long ago the first event was recorded that was not scanned; 0 where there is none.
  double seconds_behind = 0;
  std::uint64_t parked = 0;           // events
  std::uint64_t parked_keys = 0;      // and the keys that they are of
  std::uint64_t effects_waiting = 0;  // kept, and not sent yet
  Position effects_floor;
  double events_per_second = 0;       // scanned, over the last ten seconds or so
  Timestamp heartbeat;                // when a runner last said that it lives
  std::optional<PoisonEvent> poison;  // where it stopped, or is stuck
  std::string error;                  // why it waits or failed
};

// What the runner last wrote into the file STATUS of a projection, with the head as the reader sees
// it now: needs read rights only. The runner replaces the file every second; where the heartbeat is
// older than ten seconds the state is kIdle, but a projection that stopped stays so. kNotFound
// where there is no such projection, kDataLoss.
absl::StatusOr<ProjectionStatus> ReadProjectionStatus(const Reader& reader, std::string_view name);

// The names of the projections that a store has a read model of, sorted.
absl::StatusOr<std::vector<std::string>> ListProjections(const Reader& reader);

// The text exposition format of Prometheus, 0.0.4: gauges and counters daybook_projection_*, with
// labels projection, revision and generation.
std::string PrometheusText(std::span<const ProjectionStatus> projections);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTION_STATUS_H_
