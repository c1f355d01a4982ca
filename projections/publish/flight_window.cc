#include "projections/publish/flight_window.h"

namespace daybook {

void FlightWindow::Reset(std::uint64_t next_sequence) {
  flights_.clear();
  failures_.clear();
  first_ = next_sequence;
  on_way_ = bytes_ = 0;
}

std::uint64_t FlightWindow::Add(Position position, std::size_t bytes) {
  flights_.push_back({position, bytes, State::kOnWay});
  ++on_way_;
  bytes_ += bytes;
  return first_ + flights_.size() - 1;
}

bool FlightWindow::Settle(const SinkOutcome& outcome) {
  if (outcome.sequence < first_ || outcome.sequence - first_ >= flights_.size()) return false;
  Flight& flight = flights_[outcome.sequence - first_];
  if (flight.state != State::kOnWay) return false;
  --on_way_;
  if (outcome.outcome == Outcome::kDone || outcome.outcome == Outcome::kDuplicate) {
    flight.state = State::kDone;
    return true;
  }
  flight.state = State::kFailed;
  failures_.push_back({flight.position, outcome.outcome, outcome.status});
  return true;
}

std::optional<Position> FlightWindow::PopDone(std::size_t* events) {
  std::optional<Position> last;
  *events = 0;
  while (!flights_.empty() && flights_.front().state == State::kDone) {
    last = flights_.front().position;
    bytes_ -= flights_.front().bytes;
    flights_.pop_front();
    ++first_;
    ++*events;
  }
  return last;
}

void FlightWindow::GiveUp(std::set<std::uint64_t>* ahead) {
  for (const Flight& flight : flights_) {
    if (flight.state == State::kDone) ahead->insert(flight.position.value());
  }
  Reset(next_sequence());
}

}  // namespace daybook
