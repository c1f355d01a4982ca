// A broker that a test has in its hands, and a sink for it that keeps to the rules of
// daybook/sink.h and fails as it is told: what a publisher must survive, with all seeds.

#ifndef DAYBOOK_PUBLISH_BROKER_TESTING_H_
#define DAYBOOK_PUBLISH_BROKER_TESTING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daybook/publisher.h"
#include "daybook/sink.h"

namespace daybook::testing {

struct Stored {
  std::string dedupe_key;
  std::string stream;
  std::uint64_t position = 0;
  BrokerMark mark;
  friend bool operator==(const Stored&, const Stored&) = default;
};

// Lives longer than the sinks that send to it.
struct FakeBroker {
  // What it is like.
  bool knows = true;               // can be asked for its last event
  bool drops_repeats = false;      // and says kDuplicate
  std::set<std::uint64_t> poison;  // positions that it never takes
  double failing = 0;              // how likely an event ends its session
  double begin_failing = 0;
  std::size_t window = 64;   // SinkLimits::in_flight_events
  absl::Status begin_error;  // of every Begin()
  std::mt19937_64 random{1};

  std::vector<Stored> stored;
  std::function<void()> on_event;  // called before each event that is sent to it
  std::uint64_t sent = 0, begun = 0, marks = 0;
  std::size_t on_way_max = 0;

  [[nodiscard]] std::vector<std::uint64_t> positions() const;
};

std::unique_ptr<Sink> OpenFakeSink(FakeBroker* broker, std::string destination = "fake:one");

}  // namespace daybook::testing

#endif  // DAYBOOK_PUBLISH_BROKER_TESTING_H_
