// How a publisher does: for operators, for readers without write permission, and for Prometheus.

#ifndef DAYBOOK_PUBLISH_STATUS_H_
#define DAYBOOK_PUBLISH_STATUS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

enum class PublishState : std::uint8_t {
  kIdle,     // nobody publishes
  kRunning,  // sends, or waits for events
  kWaiting,  // after a failure, for the next attempt
  kPoison,   // stopped at an event
  kFailed,   // stopped by an error
};
// "idle", "running", "waiting", "poison", "failed".
std::string_view ToString(PublishState state);

struct PublishStatus {
  std::string name;
  std::string destination;  // Sink::destination
  std::string incarnation;
  PublishState state = PublishState::kIdle;
  // The cursor: everything up to here was acknowledged, parked or skipped, or is not meant.
  Position acknowledged;
  Position head;                    // the store's durable position
  std::uint64_t events_behind = 0;  // head - acknowledged
  double seconds_behind = 0;        // the age of the first event behind the cursor
  std::uint64_t parked = 0;         // dead letters, and events that wait behind them
  std::uint64_t parked_streams = 0;
  std::optional<Timestamp> oldest_parked;
  std::string replay;  // the id of the replay on its way; empty: none
  Position replayed;   // and how far it is

  // Since the publisher was started:
  std::uint64_t in_flight = 0;  // sent and not known to be acknowledged
  std::uint64_t sent = 0, done = 0;
  std::uint64_t duplicates = 0;  // that the broker said it had
  std::uint64_t resends = 0;     // sends of an event that was sent before
  std::uint64_t rewinds = 0;     // sessions that ended with a failure
  std::uint64_t sessions = 0;
  std::map<std::string, std::uint64_t> retries;  // failures by their kind: "UNAVAILABLE", ...
  std::uint64_t lost_by_broker = 0;  // events found gone that had been acknowledged, and sent again
  Timestamp heartbeat;               // when the publisher last said that it lives
  std::string error;                 // why it waits, or stopped
};

// What the publisher last wrote into STATUS, with the head as the reader sees it now. Needs read
// rights only. Where the heartbeat is older than ten seconds the state is kIdle, but one that
// stopped stays so. kNotFound where there is no such sink, kDataLoss.
absl::StatusOr<PublishStatus> ReadPublishStatus(const Reader& reader, std::string_view name);

// The names of the sinks that the store was published to, sorted.
absl::StatusOr<std::vector<std::string>> ListSinks(const Reader& reader);

// The text exposition format of Prometheus, 0.0.4: daybook_publish_*, with the label sink.
std::string PrometheusText(std::span<const PublishStatus> sinks);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_STATUS_H_
