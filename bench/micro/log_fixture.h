// A closed store in a temporary folder, for the parts that need real segments and sidecars.

#ifndef DAYBOOK_BENCH_MICRO_LOG_FIXTURE_H_
#define DAYBOOK_BENCH_MICRO_LOG_FIXTURE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "index/sidecar.h"
#include "log/segment.h"
#include "read/segments.h"

namespace daybook::bench {

inline constexpr std::uint64_t kFixtureEvents = 200'000;
inline constexpr std::uint64_t kFixtureStreams =
    1'000;  // beside the long one, which has every second event

// Name of stream `number` of the fixture; 0 is the long one.
std::string FixtureStream(std::uint64_t number);

class LogFixture {
 public:
  // Writes the store; ends the program where that fails.
  LogFixture();
  ~LogFixture();
  LogFixture(const LogFixture&) = delete;
  LogFixture& operator=(const LogFixture&) = delete;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  // The sealed segments, with their verified sidecars, as far as they have one each without a gap.
  [[nodiscard]] const SegmentList& segments() const { return segments_; }
  [[nodiscard]] const std::vector<std::shared_ptr<const Sidecar>>& sidecars() const {
    return sidecars_;
  }
  // The last event of the long stream among them.
  [[nodiscard]] std::uint64_t last_of_long_stream() const { return last_of_long_stream_; }

 private:
  void Write() const;
  void OpenSegments();

  std::filesystem::path directory_;
  SegmentList segments_;
  std::vector<std::shared_ptr<const Sidecar>> sidecars_;
  std::uint64_t last_of_long_stream_ = 0;
};

// The one that all benchmarks share, written at first use.
const LogFixture& SharedLog();

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_MICRO_LOG_FIXTURE_H_
