// Readers against the durable watermark: threads with cursors and live tails here, and processes
// that follow the store from outside.

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "crash/history.h"
#include "crash/process.h"
#include "crash/tail.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

using Clock = Process::Clock;

constexpr std::size_t kWriters = 4;
constexpr int kReaderProcesses = 2;

// What went wrong in a thread: there is one line for each kind.
class Complaints {
 public:
  void Say(const std::string& what) {
    if (what.empty()) return;
    if (!any_.exchange(true)) first_ = what;  // read when the threads are joined
  }
  [[nodiscard]] std::string first() const { return any_ ? first_ : ""; }

 private:
  std::atomic<bool> any_ = false;
  std::string first_;
};

std::string AppendSome(Store* store, std::uint64_t seed, int commits, bool asynchronous) {
  std::mt19937_64 random(seed);
  Position last;
  for (int i = 0; i < commits; ++i) {
    Commit commit;
    const std::size_t count = 1 + random() % 4;
    for (std::size_t e = 0; e < count; ++e) {
      const PlannedEvent event(RandomId(&random), e, count);
      const auto added = commit.Add("s-" + std::to_string(random() % 5), event.AsNew());
      if (!added.ok()) return added.ToString();
    }
    const auto result = asynchronous && random() % 2 == 0 ? store->AppendAsync(std::move(commit))
                                                          : store->Append(commit);
    if (!result.ok()) return result.status().ToString();
    last = result->last_position;
  }
  const auto visible = store->WaitVisible(last, std::chrono::seconds(60));
  return visible.ok() ? "" : visible.status().ToString();
}

// Reads on and on: visible before durable, so that a watermark that moves in between does not
// matter. `bounded`: nothing may be visible that is not durable.
void Follow(const Reader* reader, bool bounded, bool waits, const std::atomic<bool>* done,
            Complaints* complaints, std::atomic<std::uint64_t>* looks) {
  std::uint64_t seen = 0;
  while (!*done && complaints->first().empty()) {
    if (waits) {
      static_cast<void>(reader->WaitVisible(Position(seen + 1), std::chrono::milliseconds(5)));
    }
    complaints->Say(ReadOn(*reader, &seen, nullptr));
    const std::uint64_t durable = reader->durable().value();
    if (bounded && seen > durable) {
      complaints->Say(std::to_string(seen) + " was read and " + std::to_string(durable) +
                      " is durable");
    }
    if (!waits && seen > 400) seen = 0;  // all of it again
    ++*looks;
  }
}

std::vector<std::unique_ptr<Process>> StartReaders(const std::filesystem::path& store) {
  std::vector<std::unique_ptr<Process>> readers;
  for (int i = 0; i < kReaderProcesses; ++i) {
    readers.push_back(std::make_unique<Process>(
        std::vector<std::string>{DAYBOOK_TAIL_READER, store.native(), std::to_string(i)}));
  }
  return readers;
}

// The last position that a reader process has told of.
std::uint64_t SeenBy(const Process& reader) {
  const std::string& said = reader.said();
  const std::size_t line = said.rfind("\nS ", said.rfind('\n') - 1);
  if (said.empty()) return 0;
  return std::strtoull(said.c_str() + (line == std::string::npos ? 2 : line + 3), nullptr, 10);
}
std::string Complaint(const Process& reader) {
  const std::size_t error = reader.said().find("E ");
  return error == std::string::npos ? "" : reader.said().substr(error);
}

// Waits until every reader process has seen up to `position`, and some time longer.
void AwaitSeen(const std::vector<std::unique_ptr<Process>>& readers, std::uint64_t position) {
  std::vector<Process*> all;
  for (const auto& reader : readers) all.push_back(reader.get());
  const auto there = [&] {
    return std::all_of(all.begin(), all.end(), [&](const Process* reader) {
      return reader->over() || SeenBy(*reader) >= position;
    });
  };
  Process::ListenToAll(all, Clock::now() + std::chrono::seconds(60), there);
  Process::ListenToAll(all, Clock::now() + std::chrono::milliseconds(3));
}

void RunWriters(Store* store, std::uint64_t seed, int commits, bool asynchronous,
                Complaints* complaints) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kWriters; ++i) {
    threads.emplace_back(
        [=] { complaints->Say(AppendSome(store, seed * 16 + i, commits, asynchronous)); });
  }
  for (std::thread& thread : threads) thread.join();
}

struct WatermarkTotals {
  std::uint64_t phases = 0, events = 0, held_back = 0, failed = 0;
  std::atomic<std::uint64_t> looks = 0;
};

// A watermark that moves only when this test moves it: the store syncs by itself only where a
// segment is full.
void RunPhases(std::uint64_t seed, int phases, WatermarkTotals* totals) {
  TempFolder folder;
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{128} << 10;
  options.durability = Durability::kBuffered;
  options.sync_interval = std::chrono::hours(1);
  const auto store = Store::Open(folder / "store", options);
  REQUIRE_OK(store);
  const auto reader = Reader::Open(folder / "store", {});
  REQUIRE_OK(reader);
  const auto processes = StartReaders(folder / "store");
  Complaints complaints;
  std::atomic<bool> done = false;
  std::vector<std::thread> followers;
  for (const bool waits : {false, true}) {
    followers.emplace_back(
        [&, waits] { Follow(store->get(), false, waits, &done, &complaints, &totals->looks); });
    followers.emplace_back(
        [&, waits] { Follow(reader->get(), true, waits, &done, &complaints, &totals->looks); });
  }
  std::string wrong;
  for (int phase = 0; phase < phases && wrong.empty(); ++phase) {
    RunWriters(store->get(), seed + static_cast<std::uint64_t>(phase), 6, true, &complaints);
    const std::uint64_t durable = (*store)->durable().value();
    AwaitSeen(processes, durable);
    totals->held_back += (*store)->visible().value() - durable;
    for (const auto& process : processes) {
      if (SeenBy(*process) > (*store)->durable().value()) {
        wrong = "a process saw " + std::to_string(SeenBy(*process)) + "; durable is " +
                std::to_string((*store)->durable().value());
      }
    }
    if ((*reader)->visible() > (*store)->durable()) wrong = "a reader sees past durable";
    if (const auto flushed = (*store)->Flush(); !flushed.ok()) wrong = flushed.ToString();
    const std::uint64_t all = (*store)->visible().value();
    AwaitSeen(processes, all);
    for (const auto& process : processes) {
      if (SeenBy(*process) < all) wrong = "a process does not see what is durable";
      if (const std::string what = Complaint(*process); !what.empty()) wrong = what;
    }
    ++totals->phases;
  }
  done = true;
  for (std::thread& follower : followers) follower.join();
  totals->events += (*store)->visible().value();
  totals->failed += wrong.empty() && complaints.first().empty() ? 0 : 1;
  CHECK(wrong == "");
  CHECK(complaints.first() == "");
}

// kSync: what is visible, to whom ever, is durable at every moment.
void RunSync(std::uint64_t seed, int commits, WatermarkTotals* totals) {
  TempFolder folder;
  const auto store = Store::Open(folder / "store", SmallSegments());
  REQUIRE_OK(store);
  const auto reader = Reader::Open(folder / "store", {});
  REQUIRE_OK(reader);
  const auto processes = StartReaders(folder / "store");
  Complaints complaints;
  std::atomic<bool> done = false;
  std::vector<std::thread> followers;
  for (const Reader* one :
       {static_cast<const Reader*>(store->get()), static_cast<const Reader*>(reader->get())}) {
    for (const bool waits : {false, true}) {
      followers.emplace_back(
          [&, one, waits] { Follow(one, true, waits, &done, &complaints, &totals->looks); });
    }
  }
  RunWriters(store->get(), seed, commits, true, &complaints);
  const absl::Status flushed = (*store)->Flush();
  const std::uint64_t all = (*store)->visible().value();
  AwaitSeen(processes, all);
  done = true;
  for (std::thread& follower : followers) follower.join();
  REQUIRE_OK(flushed);
  for (const auto& process : processes) {
    totals->failed += Complaint(*process).empty() && SeenBy(*process) == all ? 0 : 1;
    CHECK(Complaint(*process) == "");
    CHECK(SeenBy(*process) == all);
  }
  totals->failed += complaints.first().empty() ? 0 : 1;
  CHECK(complaints.first() == "");
  totals->events += all;
}

void Count(const char* suite, const WatermarkTotals& totals) {
  Counted("watermark." + std::string(suite))
      .Add("phases", totals.phases)
      .Add("events", totals.events)
      .Add("visible_and_not_durable", totals.held_back)
      .Add("looks_of_threads", totals.looks.load())
      .Add("reader_processes", kReaderProcesses)
      .Add("failed", totals.failed)
      .Print();
}

}  // namespace

TEST_CASE("no other process sees past the durable position", "[watermark]") {
  WatermarkTotals totals;
  RunPhases(Seed("daybook_concurrency_test '[watermark]'"), Cycles(60, 12), &totals);
  Count("buffered", totals);
  CHECK(totals.held_back > 0);
}

TEST_CASE("nobody sees past the durable position of a kSync store", "[watermark]") {
  WatermarkTotals totals;
  RunSync(Seed("daybook_concurrency_test '[watermark]'"), 10 * Cycles(60, 12), &totals);
  Count("sync", totals);
}

}  // namespace daybook::testing
