// What an operator waits for: the recovery of a full segment after a kill, and `verify --fast`
// beside the speed at which its hash can go over the same mapped bytes.

#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/checksum.h"
#include "daybook/store.h"
#include "io/directory.h"
#include "io/file.h"
#include "io/mapped_file.h"

namespace daybook::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSegmentBytes = std::uint64_t{256} << 20;

// A store whose one segment is nearly full, left by a process that did not close it.
class KilledStore {
 public:
  explicit KilledStore(std::uint64_t log_bytes) {
    std::string folder = (fs::current_path() / "daybook-trust-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) return;
    directory_ = folder;
    good_ = InChild([&] { return Fill(log_bytes); }) >= 0;
  }
  ~KilledStore() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  KilledStore(const KilledStore&) = delete;
  KilledStore& operator=(const KilledStore&) = delete;

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] const fs::path& directory() const { return directory_; }

  // The seconds that an opening for writing takes, in a process that ends without closing.
  double Open() {
    return InChild([&] {
      const auto begin = std::chrono::steady_clock::now();
      const auto store = Store::Open(directory_, {});
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      return store.ok() ? took.count() : -1.0;
    });
  }

 private:
  // What `body` says, which is negative where it failed; the process ends inside of it, so that
  // nothing is closed.
  template <class Body>
  static double InChild(const Body& body) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
      const double result = body();
      const bool told = write(ends[1], &result, sizeof result) == sizeof result;
      _exit(told ? 0 : 1);
    }
    close(ends[1]);
    double result = -1;
    if (read(ends[0], &result, sizeof result) != sizeof result) result = -1;
    close(ends[0]);
    waitpid(child, nullptr, 0);
    return result;
  }
  double Fill(std::uint64_t log_bytes) const {
    auto store = Store::Open(directory_, {.segment_bytes_max = kSegmentBytes});
    if (!store.ok()) return -1;
    const std::string data = "{\"amount\":\"" + std::string(243, '7') + "\"}";
    std::uint64_t bytes = 0;
    Commit commit;
    for (int i = 0; bytes < log_bytes; ++i) {
      commit.Clear();
      for (int k = 0; k < 1000; ++k) {
        const std::string stream = "account-" + std::to_string((i * 7919 + k * 104729) % 100'000);
        if (!commit.Add(stream, {.type = "Deposited", .data = AsBytes(data)}).ok()) return -1;
      }
      bytes += commit.encoded_bytes();
      if (!(*store)->Append(commit).ok()) return -1;
    }
    static_cast<void>(store->release());  // nothing is closed
    return 0;
  }

  fs::path directory_;
  bool good_ = false;
};

// The log grows 1, 4, 16, 64, 256 MiB: so many MiB leave the last segment nearly full.
constexpr std::int64_t kIntoTheLast = 85 + 250;
constexpr std::int64_t kSmall = 4;  // whether it runs at all

std::uint64_t LogBytes(const benchmark::State& state) {
  return static_cast<std::uint64_t>(state.range(0)) << 20;
}

void RecoverFullSegment(benchmark::State& state) {
  KilledStore store(LogBytes(state));
  if (!store.good()) return state.SkipWithError("the store could not be made");
  for (auto _ : state) {
    const double seconds = store.Open();
    if (seconds < 0) return state.SkipWithError("the store does not open");
    state.SetIterationTime(seconds);
  }
}
BENCHMARK(RecoverFullSegment)
    ->Arg(kSmall)
    ->Arg(kIntoTheLast)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

// One round of each: the ratio is `of_hash`, the rates are bytes a second.
void VerifyFastBesideHash(benchmark::State& state) {
  KilledStore store(LogBytes(state));
  if (!store.good() || store.Open() < 0) return state.SkipWithError("the store could not be made");
  double verify_seconds = 0, hash_seconds = 0;
  std::uint64_t bytes = 0;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  for (auto _ : state) {
    const auto begin = now();
    const auto report = Verify(store.directory(), {.fast = true});
    const auto between = now();
    if (!report.ok() || !report->ok()) return state.SkipWithError("verify found something");
    bytes = 0;
    const auto names = Directory::List(store.directory() / "log");
    if (!names.ok()) return state.SkipWithError("no log");
    for (const std::string& name : *names) {
      if (!name.ends_with(".log")) continue;
      const auto file = File::OpenRead(store.directory() / "log" / name);
      const auto map = MappedFile::MapRead(*file, *file->Size());
      benchmark::DoNotOptimize(Hash64(map->bytes()));
      bytes += map->bytes().size();
    }
    const auto end = now();
    verify_seconds += std::chrono::duration<double>(between - begin).count();
    hash_seconds += std::chrono::duration<double>(end - between).count();
  }
  state.counters["of_hash"] = hash_seconds / verify_seconds;
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}
BENCHMARK(VerifyFastBesideHash)
    ->Arg(kSmall)
    ->Arg(kIntoTheLast)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

}  // namespace
}  // namespace daybook::bench
