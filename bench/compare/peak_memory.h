// How much memory a run takes.

#ifndef DAYBOOK_BENCH_COMPARE_PEAK_MEMORY_H_
#define DAYBOOK_BENCH_COMPARE_PEAK_MEMORY_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

namespace daybook::bench {

// The most memory that the process has of its own (RssAnon) while this lives.
class PeakRssAnon {
 public:
  PeakRssAnon() : thread_([this] { Watch(); }) {}
  std::uint64_t StopKib() {
    stop_ = true;
    thread_.join();
    return peak_;
  }

 private:
  void Watch() {
    while (!stop_) {
      std::ifstream in("/proc/self/status");
      for (std::string word; in >> word;) {
        std::uint64_t kib = 0;
        if (word == "RssAnon:" && in >> kib) peak_ = std::max(peak_, kib);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  std::uint64_t peak_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_PEAK_MEMORY_H_
