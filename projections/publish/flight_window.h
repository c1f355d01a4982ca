// What is on its way to a sink: the events of a session that were sent, in order, and what became
// of each.

#ifndef DAYBOOK_PUBLISH_FLIGHT_WINDOW_H_
#define DAYBOOK_PUBLISH_FLIGHT_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "daybook/sink.h"
#include "daybook/values.h"

namespace daybook {

// Not thread-safe.
class FlightWindow {
 public:
  struct Failure {
    Position position;
    Outcome outcome = Outcome::kRetry;
    absl::Status status;
  };

  // Empty, with the sequence that the next event gets.
  void Reset(std::uint64_t next_sequence);

  // An event is sent; gives its sequence.
  std::uint64_t Add(Position position, std::size_t bytes);
  // What is heard of one. False where nothing of that sequence is on its way.
  bool Settle(const SinkOutcome& outcome);

  [[nodiscard]] bool empty() const { return flights_.empty(); }
  // Sent, and nothing heard of yet.
  [[nodiscard]] std::size_t on_way() const { return on_way_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return flights_.size(); }
  [[nodiscard]] std::uint64_t next_sequence() const { return first_ + flights_.size(); }
  [[nodiscard]] const std::vector<Failure>& failures() const { return failures_; }

  // Takes off the events at the front that are done; gives the last of them.
  std::optional<Position> PopDone(std::size_t* events);
  // The first one that is not done.
  [[nodiscard]] Position front() const { return flights_.front().position; }
  // Gives up what is not done; what is done behind it goes into `*ahead`.
  void GiveUp(std::set<std::uint64_t>* ahead);

 private:
  enum class State : std::uint8_t { kOnWay, kDone, kFailed };
  struct Flight {
    Position position;
    std::size_t bytes = 0;
    State state = State::kOnWay;
  };
  std::deque<Flight> flights_;
  std::uint64_t first_ = 0;  // the sequence of the front
  std::size_t on_way_ = 0, bytes_ = 0;
  std::vector<Failure> failures_;
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_FLIGHT_WINDOW_H_
