// How far a live projection is behind the writer: count by stream over many streams, in the process
// of the writer, beside appends that keep a rate. Prints one JSON object a run, and with --search
// the highest rate at which the lag stays under a second.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daybook/builtin_projection.h"
#include "daybook/projections.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "live_lag: %s\n", what.c_str());
  std::exit(1);
}

void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

struct Options {
  std::filesystem::path directory = "live_lag.tmp";
  double seconds = 10;
  double rate = 200'000;  // events a second
  std::uint64_t streams = 100'000;
  std::uint64_t in_commit = 1000;
  std::uint64_t data_bytes = 100;
  Durability durability = Durability::kSync;
  bool search = false;
};

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// Which positions were acknowledged, and when.
class Acknowledged {
 public:
  void Add(Position last) {
    const std::lock_guard lock(mutex_);
    commits_.push_back({last.value(), Clock::now()});
  }
  // The age of the oldest event behind `scanned` that was acknowledged; 0 where there is none.
  double AgeBehind(Position scanned) {
    const std::lock_guard lock(mutex_);
    while (next_ < commits_.size() && commits_[next_].last <= scanned.value()) ++next_;
    return next_ < commits_.size() ? Seconds(Clock::now() - commits_[next_].at) : 0;
  }

 private:
  struct One {
    std::uint64_t last;
    Clock::time_point at;
  };
  std::mutex mutex_;
  std::vector<One> commits_;
  std::size_t next_ = 0;
};

// Of the thread that runs the projection, in seconds; 0 where there is none.
double ProjectionCpuSeconds() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream stat(task.path() / "stat");
    const std::string line((std::istreambuf_iterator<char>(stat)), {});
    const std::size_t end = line.rfind(')');
    if (end == std::string::npos || line.find("(daybook-proj)") == std::string::npos) continue;
    unsigned long user = 0, system = 0;
    if (std::sscanf(line.c_str() + end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                    &user, &system) == 2) {
      return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
    }
  }
  return 0;
}

struct Outcome {
  double rate = 0;  // that was appended
  double lag_max = 0, lag_p99 = 0;
  double cpu_us_per_event = 0;  // of the projection's thread
  [[nodiscard]] bool held(double wanted) const { return lag_max < 1 && rate > 0.97 * wanted; }
};

class Appender {
 public:
  Appender(Store* store, const Options& options)
      : store_(store), options_(options), data_(options.data_bytes, 'x') {
    data_.replace(0, 6, "{\"a\":\"").replace(data_.size() - 2, 2, "\"}");
    for (std::uint64_t i = 0; i < options.streams; ++i) {
      names_.push_back("account-" + std::to_string(i));
    }
  }
  // Keeps the rate for so long; returns the one that it came to.
  double Run(double seconds, double rate, Acknowledged* acknowledged) {
    const Clock::time_point begin = Clock::now();
    std::uint64_t appended = 0;
    for (;;) {
      const double due = rate > 0 ? static_cast<double>(appended) / rate : 0;
      if (Seconds(Clock::now() - begin) >= seconds) break;
      if (due > seconds) break;
      std::this_thread::sleep_until(
          begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due)));
      AppendOne(acknowledged);
      appended += options_.in_commit;
    }
    return static_cast<double>(appended) / std::max(Seconds(Clock::now() - begin), 1e-9);
  }
  // Every stream once.
  void Fill(Acknowledged* acknowledged) {
    for (std::uint64_t i = 0; i < options_.streams; i += options_.in_commit) {
      AppendOne(acknowledged, static_cast<std::int64_t>(i));
    }
  }

 private:
  void AppendOne(Acknowledged* acknowledged, std::int64_t from = -1) {
    commit_.Clear();
    for (std::uint64_t i = 0; i < options_.in_commit; ++i) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;
      const std::uint64_t stream =
          from < 0 ? (random_ >> 33) : static_cast<std::uint64_t>(from) + i;
      Check(commit_.Add(names_[stream % names_.size()], {.type = "Paid", .data = AsBytes(data_)}));
    }
    const auto appended = store_->Append(commit_);
    Check(appended.status());
    acknowledged->Add(appended->last_position);
  }

  Store* const store_;
  const Options& options_;
  std::string data_;
  std::vector<std::string> names_;
  Commit commit_;
  std::uint64_t random_ = 1;
};

Outcome RunAt(const Options& options, double rate) {
  std::filesystem::remove_all(options.directory);
  auto store = Store::Open(options.directory, {.durability = options.durability});
  Check(store.status());
  auto projections = Projections::Open(**store, {});
  Check(projections.status());
  const auto builtin = BuiltinProjection::Make("count", "stream", "");
  Check(builtin.status());
  auto runner = (*projections)->Run(builtin->ToProjection("counts"), {});
  Check(runner.status());
  Acknowledged acknowledged;
  Appender appender(store->get(), options);
  appender.Fill(&acknowledged);
  Check((*runner)->RunUntilCaughtUp());
  Check((*runner)->Start());

  const double cpu_before = ProjectionCpuSeconds();
  const Position before = (*runner)->checkpoint();
  Outcome outcome;
  std::atomic<bool> done{false};
  std::thread thread([&] {
    outcome.rate = appender.Run(options.seconds, rate, &acknowledged);
    done = true;
  });
  std::vector<double> lags;
  while (!done) {
    lags.push_back(acknowledged.AgeBehind((*runner)->checkpoint()));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  thread.join();
  const auto events = static_cast<double>((*runner)->checkpoint().value() - before.value());
  outcome.cpu_us_per_event = (ProjectionCpuSeconds() - cpu_before) / std::max(events, 1.0) * 1e6;
  std::sort(lags.begin(), lags.end());
  if (!lags.empty()) {
    outcome.lag_max = lags.back();
    outcome.lag_p99 = lags[lags.size() * 99 / 100];
  }
  Check((*runner)->Stop(std::chrono::minutes(1)));
  runner->reset();
  projections->reset();
  store->reset();
  std::filesystem::remove_all(options.directory);
  std::printf(
      "{\"wanted\":%.0f,\"rate\":%.0f,\"seconds\":%.0f,\"streams\":%llu,\"lag_max_s\":%.3f,"
      "\"lag_p99_s\":%.3f,\"cpu_us_per_event\":%.3f,\"held\":%s}\n",
      rate, outcome.rate, options.seconds, static_cast<unsigned long long>(options.streams),
      outcome.lag_max, outcome.lag_p99, outcome.cpu_us_per_event,
      outcome.held(rate) ? "true" : "false");
  std::fflush(stdout);
  return outcome;
}

// Doubles the rate until it is not held, then looks between.
void Search(const Options& options) {
  double held = 0, rate = options.rate, not_held = 0;
  while (not_held == 0 || not_held / std::max(held, 1.0) > 1.1) {
    if (RunAt(options, rate).held(rate)) {
      held = rate;
    } else {
      not_held = rate;
    }
    if (not_held > 0 && not_held < 1000) break;
    rate = not_held == 0 ? 2 * held : (held + not_held) / 2;
  }
  std::printf("{\"highest_rate_held\":%.0f}\n", held);
}

Options Parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string flag = arguments[i];
    if (flag == "--search") {
      options.search = true;
    } else if (flag == "--buffered") {
      options.durability = Durability::kBuffered;
    } else if (i + 1 == count) {
      Die("usage: daybook_live_lag [--dir D] [--seconds S] [--rate R] [--streams N] [--commit N] "
          "[--buffered] [--search]");
    } else {
      const char* const value = arguments[++i];
      if (flag == "--dir")
        options.directory = value;
      else if (flag == "--seconds")
        options.seconds = std::atof(value);
      else if (flag == "--rate")
        options.rate = std::atof(value);
      else if (flag == "--streams")
        options.streams = std::strtoull(value, nullptr, 10);
      else if (flag == "--commit")
        options.in_commit = std::strtoull(value, nullptr, 10);
      else
        Die("there is no flag " + flag);
    }
  }
  return options;
}

int Main(int count, char** arguments) {
  const Options options = Parse(count, arguments);
  if (options.search) {
    Search(options);
  } else {
    RunAt(options, options.rate);
  }
  return 0;
}

}  // namespace
}  // namespace daybook::bench

int main(int count, char** arguments) { return daybook::bench::Main(count, arguments); }
