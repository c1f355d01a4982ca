#include "workload.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "ledger.h"

namespace ledger {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Cents kOpeningCents = 100'00;
// One transfer in two pays one of a few shops: those are the accounts over which threads race.
constexpr std::uint64_t kShops = 4;
constexpr std::uint64_t kOneInPaysShop = 2;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

absl::Status IssueToAll(Ledger* ledger, const WorkloadOptions& options, WorkloadResult* result) {
  std::vector<std::string> batch;
  for (std::uint64_t number = 0; number < options.accounts; ++number) {
    batch.push_back(AccountName(number));
    if (batch.size() < options.batch && number + 1 < options.accounts) continue;
    const absl::Status issued = ledger->Issue(batch, kOpeningCents);
    if (!issued.ok()) return issued;
    result->events += batch.size() + 1;
    ++result->commits;
    batch.clear();
  }
  return absl::OkStatus();
}

// What the threads share.
struct Day {
  std::uint64_t transfers_wanted = 0;
  std::uint64_t accounts = 0;
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> conflicts{0};
  std::mutex mutex;
  std::condition_variable changed;
  absl::Status failure;  // the first one; under the mutex, as is the next
  std::uint64_t threads_running = 0;
};

absl::Status Work(Ledger* ledger, std::uint64_t seed, Day* day) {
  std::mt19937_64 random(seed);
  const std::uint64_t shops = std::min(kShops, day->accounts - 1);
  while (day->begun.fetch_add(1, std::memory_order_relaxed) < day->transfers_wanted) {
    for (bool done = false; !done;) {
      const std::uint64_t from = random() % day->accounts;
      std::uint64_t to = random() % (random() % kOneInPaysShop == 0 ? shops : day->accounts);
      if (to == from) to = (to + 1) % day->accounts;
      const Cents cents = 1 + static_cast<Cents>(random() % 20'00);
      const auto moved = ledger->Transfer(AccountName(from), AccountName(to), cents);
      if (!moved.ok()) return moved.status();
      day->conflicts.fetch_add(moved->conflicts, std::memory_order_relaxed);
      done = moved->done;
      if (!done) day->refused.fetch_add(1, std::memory_order_relaxed);
    }
  }
  return absl::OkStatus();
}

void RunWorker(Ledger* ledger, std::uint64_t seed, Day* day) {
  const absl::Status status = Work(ledger, seed, day);
  if (!status.ok()) day->begun.store(day->transfers_wanted);  // the others stop too
  const std::lock_guard lock(day->mutex);
  if (day->failure.ok()) day->failure = status;
  --day->threads_running;
  day->changed.notify_all();
}

// Waits for the workers and says how far they are.
absl::Status Watch(Day* day, Clock::time_point start) {
  std::unique_lock lock(day->mutex);
  while (!day->changed.wait_for(lock, std::chrono::seconds(1),
                                [&] { return day->threads_running == 0; })) {
    const std::uint64_t done = std::min(day->begun.load(), day->transfers_wanted);
    const double share = static_cast<double>(done) / static_cast<double>(day->transfers_wanted);
    std::fprintf(stderr, "ledger: %3.0f %% of %llu transfers, %.0f/s, %llu conflicts\n",
                 100 * share, static_cast<unsigned long long>(day->transfers_wanted),
                 static_cast<double>(done) / SecondsSince(start),
                 static_cast<unsigned long long>(day->conflicts.load()));
  }
  return day->failure;
}

}  // namespace

std::string AccountName(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return "account-" + std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits;
}

absl::StatusOr<WorkloadResult> RunWorkload(daybook::Store* store, const WorkloadOptions& options) {
  const Clock::time_point start = Clock::now();
  Ledger ledger(store);
  WorkloadResult result;
  absl::Status status = IssueToAll(&ledger, options, &result);
  if (!status.ok()) return status;

  Day day;
  day.accounts = options.accounts;
  day.transfers_wanted = (options.events - std::min(options.events, result.events)) / 2;
  day.threads_running = options.threads;
  std::vector<std::jthread> threads;
  for (std::uint64_t seed = 1; seed <= options.threads; ++seed) {
    threads.emplace_back(RunWorker, &ledger, seed, &day);
  }
  status = Watch(&day, start);
  threads.clear();  // joins
  if (status.ok()) status = store->Flush();
  if (!status.ok()) return status;

  result.events += 2 * day.transfers_wanted;
  result.commits += day.transfers_wanted;
  result.refused = day.refused;
  result.conflicts = day.conflicts;
  result.seconds = SecondsSince(start);
  return result;
}

}  // namespace ledger
