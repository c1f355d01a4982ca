// The events that every contestant is given: planned ahead, outside the clock, and the same for
// all.

#ifndef DAYBOOK_BENCH_COMPARE_WORKLOAD_H_
#define DAYBOOK_BENCH_COMPARE_WORKLOAD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace daybook::bench {

inline constexpr std::uint64_t kStreams = 100'000;
inline constexpr std::size_t kPayloadBytes = 256;

// A number without pattern from a number (the finisher of SplitMix64; Steele, Lea, Flood 2014).
std::uint64_t Mix(std::uint64_t value);

// The name of stream number `index`, such as "account-9f3c0001e240": all different, in no order.
std::string StreamName(std::uint64_t index);

// One event as a contestant sees it. The views live as long as the plan.
struct Event {
  std::string_view stream;
  std::string_view type;
  std::string_view data;
  std::uint64_t version = 0;  // that it makes; the stream is expected at the one before
  bool first_of_stream_in_commit = false;
  std::array<std::uint8_t, 16> id{};
};

// What a read saw. The contestants must agree on it with the plan.
struct Seen {
  std::uint64_t events = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t sum = 0;  // of both ends of each payload, and of the versions

  void Add(std::uint64_t version, std::string_view data);
  friend bool operator==(const Seen&, const Seen&) = default;
};

// The number in a payload that a sum is about.
std::uint64_t AmountOf(std::string_view data);

// How streams follow each other.
enum class Order : std::uint8_t {
  kRandom,  // each event in a stream drawn anew
  kRounds,  // each stream once a round, in an order drawn anew for each round
};

struct PlanOptions {
  std::uint64_t events = 0;
  std::uint64_t events_per_commit = 1;
  std::uint64_t streams = kStreams;
  std::uint64_t first_stream = 0;  // plans of several threads share no stream
  Order order = Order::kRandom;
};

// Events in order, 36 bytes each, read one after another: the benchmark itself misses no cache
// where a contestant would pay for it.
class Plan {
 public:
  explicit Plan(const PlanOptions& options);

  [[nodiscard]] std::uint64_t events() const { return planned_.size(); }
  [[nodiscard]] std::uint64_t events_per_commit() const { return options_.events_per_commit; }
  [[nodiscard]] std::uint64_t commits() const { return events() / options_.events_per_commit; }
  [[nodiscard]] std::uint64_t streams() const { return options_.streams; }
  // Event number `index` from 0; commit c holds the events from c * events_per_commit().
  [[nodiscard]] Event At(std::uint64_t index) const;
  // What reading all of it must see.
  [[nodiscard]] Seen Expected() const;
  // The sum of AmountOf() by stream.
  [[nodiscard]] std::map<std::string, std::uint64_t, std::less<>> ExpectedSums() const;
  // The events' numbers in order of stream name and version.
  [[nodiscard]] std::vector<std::uint64_t> ByStream() const;

 private:
  struct Planned {
    std::array<char, 24> name;
    std::uint32_t version;
    std::uint16_t payload;
    std::uint8_t name_bytes;
    std::uint8_t type;
    bool first_of_stream_in_commit;
  };
  void PlanStreams(std::vector<std::uint32_t>* streams) const;

  PlanOptions options_;
  std::vector<std::string> payloads_;
  std::vector<Planned> planned_;
};

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_WORKLOAD_H_
