#include "projections/publish/broker_testing.h"

#include <algorithm>
#include <utility>

namespace daybook::testing {
namespace {

class FakeSink : public Sink {
 public:
  FakeSink(FakeBroker* broker, std::string destination)
      : broker_(*broker), destination_(std::move(destination)) {}

  std::string_view kind() const override { return "fake"; }
  std::string destination() const override { return destination_; }
  SinkLimits limits() const override {
    return {.in_flight_events = broker_.window, .in_flight_bytes = 1 << 20, .batch_events = 8};
  }

  absl::StatusOr<SessionBegun> Begin(const SessionStart& start) override {
    ++broker_.begun;
    outcomes_.clear();
    broken_ = false;
    incarnation_ = start.incarnation;
    if (!broker_.begin_error.ok()) return broker_.begin_error;
    if (Happens(broker_.begin_failing)) return absl::UnavailableError("no broker");
    SessionBegun begun;
    begun.knows = broker_.knows;
    if (broker_.knows && !broker_.stored.empty()) begun.last = broker_.stored.back().mark;
    return begun;
  }

  void Send(std::span<const OutgoingEvent> events) override {
    for (const OutgoingEvent& event : events) SendOne(event);
    broker_.on_way_max = std::max(broker_.on_way_max, outcomes_.size());
  }

  void Poll(std::chrono::milliseconds /*timeout*/, std::vector<SinkOutcome>* outcomes) override {
    // Acknowledgements come late, and in any order.
    const std::size_t count = outcomes_.empty() ? 0 : broker_.random() % (outcomes_.size() + 1);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = broker_.random() % std::min<std::size_t>(outcomes_.size(), 3);
      outcomes->push_back(outcomes_[at]);
      outcomes_.erase(outcomes_.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }

  void Settle(std::chrono::milliseconds /*timeout*/, std::vector<SinkOutcome>* outcomes) override {
    std::move(outcomes_.begin(), outcomes_.end(), std::back_inserter(*outcomes));
    outcomes_.clear();
  }

  absl::StatusOr<std::string> Mark() override { return std::to_string(++broker_.marks); }

 private:
  bool Happens(double likely) { return likely > 0 && uniform_(broker_.random) < likely; }

  void SendOne(const OutgoingEvent& event) {
    const std::uint64_t position = event.event->position.value();
    const auto answer = [&](Outcome outcome, absl::Status status) {
      outcomes_.push_back({event.sequence, outcome, std::move(status)});
    };
    if (broken_) return answer(Outcome::kRetry, absl::UnavailableError("not sent"));
    ++broker_.sent;
    if (broker_.on_event) broker_.on_event();
    if (broker_.poison.contains(position)) {
      broken_ = true;
      return answer(Outcome::kPoison, absl::OutOfRangeError("too large"));
    }
    const bool fails = Happens(broker_.failing);
    // A failure before the broker has it, or after.
    if (fails && broker_.random() % 2 == 0) {
      broken_ = true;
      return answer(Outcome::kRetry, absl::UnavailableError("connection cut"));
    }
    const bool is_repeat =
        broker_.drops_repeats &&
        std::any_of(broker_.stored.begin(), broker_.stored.end(),
                    [&](const Stored& one) { return one.dedupe_key == event.dedupe_key; });
    if (!is_repeat) Store(event);
    if (fails) {
      broken_ = true;
      return answer(Outcome::kRetry, absl::DeadlineExceededError("no answer"));
    }
    answer(is_repeat ? Outcome::kDuplicate : Outcome::kDone, absl::OkStatus());
  }

  void Store(const OutgoingEvent& event) {
    BrokerMark mark{incarnation_, event.line, std::nullopt, std::string(event.replay)};
    if (event.is_aside()) mark.aside = event.event->position;
    broker_.stored.push_back({std::string(event.dedupe_key), std::string(event.event->stream),
                              event.event->position.value(), std::move(mark)});
  }

  FakeBroker& broker_;
  const std::string destination_;
  std::uniform_real_distribution<double> uniform_{0, 1};
  std::string incarnation_;
  bool broken_ = false;
  std::vector<SinkOutcome> outcomes_;
};

}  // namespace

std::vector<std::uint64_t> FakeBroker::positions() const {
  std::vector<std::uint64_t> all;
  for (const Stored& one : stored) all.push_back(one.position);
  return all;
}

std::unique_ptr<Sink> OpenFakeSink(FakeBroker* broker, std::string destination) {
  return std::make_unique<FakeSink>(broker, std::move(destination));
}

}  // namespace daybook::testing
