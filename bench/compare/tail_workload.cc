// W12: how long after the sync of an append a reader in another process that waits for it is awake.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kSettle = 50;  // first wakes that do not count

std::int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// When the last sync of this process ended; the writer appends from one thread.
std::atomic<std::int64_t> last_sync_ended{0};

// What the two processes share: when each position was seen, by the clock that both have.
class Sightings {
 public:
  explicit Sightings(std::uint64_t count)
      : bytes_((count + 1) * sizeof(std::atomic<std::int64_t>)),
        seen_(static_cast<std::atomic<std::int64_t>*>(
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (seen_ == MAP_FAILED) Die("W12: no shared memory");
  }
  ~Sightings() { munmap(seen_, bytes_); }
  Sightings(const Sightings&) = delete;
  Sightings& operator=(const Sightings&) = delete;
  std::atomic<std::int64_t>& At(std::uint64_t position) { return seen_[position]; }

 private:
  const std::size_t bytes_;
  std::atomic<std::int64_t>* const seen_;
};

// The other process: waits for each position, and notes when it saw it. Slot 0 says that it waits.
int Follow(const std::filesystem::path& directory, std::uint64_t count, Sightings* sightings) {
  const auto reader = Reader::Open(directory, {});
  if (!reader.ok()) return 1;
  for (std::uint64_t position = 1; position <= count; ++position) {
    sightings->At(0) = static_cast<std::int64_t>(position);
    const auto visible =
        (*reader)->WaitVisible(Position(position), std::chrono::milliseconds(20'000));
    if (!visible.ok()) return 2;
    sightings->At(position) = MonotonicNs();
  }
  return 0;
}

// Appends one event at a time, each once the reader waits again, and returns for each how long the
// reader took, in nanoseconds.
std::vector<std::int64_t> AppendAndMeasure(Store* store, std::uint64_t count,
                                           Sightings* sightings) {
  const Plan plan({.events = count});
  std::vector<std::int64_t> took;
  Commit commit;
  for (std::uint64_t position = 1; position <= count; ++position) {
    while (sightings->At(0) < static_cast<std::int64_t>(position)) std::this_thread::yield();
    // Long enough for it to have gone to sleep.
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    const Event event = plan.At(position - 1);
    commit.Clear();
    CheckDaybook(commit.Add(event.stream, {.type = event.type, .data = AsBytes(event.data)}));
    CheckDaybook(store->Append(commit).status());
    const std::int64_t synced = last_sync_ended;
    while (sightings->At(position) == 0) std::this_thread::yield();
    if (position > kSettle)
      took.push_back(std::max<std::int64_t>(sightings->At(position) - synced, 1));
  }
  return took;
}

// Wakes a second: one by the median time.
double WakesPerSecond(const RunOptions& options, std::uint64_t count) {
  const std::filesystem::path directory = FreshDirectory(options, "W12");
  CheckDaybook(Store::Open(directory, {}).status());
  Sightings sightings(count);
  const pid_t reader = fork();
  if (reader == 0) _exit(Follow(directory, count, &sightings));
  if (reader < 0) Die("W12: cannot fork");
  std::vector<std::int64_t> took;
  {
    auto store = Store::Open(directory, {});
    CheckDaybook(store.status());
    took = AppendAndMeasure(store->get(), count, &sightings);
  }
  int ended = 0;
  if (waitpid(reader, &ended, 0) != reader || ended != 0) Die("W12: the reader failed");
  std::sort(took.begin(), took.end());
  const auto at = [&took](double part) {
    return static_cast<double>(
               took[static_cast<std::size_t>(part * static_cast<double>(took.size() - 1))]) /
           1000;
  };
  std::fprintf(stderr, "W12: p50 %.1f us, p90 %.1f us, p99 %.1f us\n", at(0.5), at(0.9), at(0.99));
  return 1e6 / at(0.5);
}

}  // namespace

WorkloadResult RunW12(const RunOptions& options) {
  const std::uint64_t count = options.Scaled(5'000, kSettle + 20);
  const std::vector<Contestant> contestants = {
      {"Daybook, another process", [&] { return WakesPerSecond(options, count); }}};
  WorkloadResult result{
      .id = "W12",
      .title = "from durable append to a waiting reader process",
      .unit = "wakes/s, one by the median time",
      .durability = "every commit on the device (kSync); the clock starts when the sync returns",
      .data = std::to_string(count) +
              " appends of 1 event of 256 bytes, each with the reader asleep; 50 us are 20,000/s"};
  RunRounds(options, WarmUp::kNo, contestants, {{contestants[0].name, "", 20'000}}, &result);
  return result;
}

}  // namespace daybook::bench

// Stands before the C library's, so that the end of each sync is known.
extern "C" int fdatasync(int descriptor) {
  const auto result = static_cast<int>(syscall(SYS_fdatasync, descriptor));
  daybook::bench::last_sync_ended = daybook::bench::MonotonicNs();
  return result;
}
