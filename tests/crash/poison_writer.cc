// Appends with several threads until a write or sync of the log fails, and tells what became of
// each append: daybook_poison_writer DIRECTORY sync|write|buffered N SEED [reopen]
//
//   A ...                     acknowledged, see AckLine
//   U stream id stream id ... a commit whose outcome is not known
//   P stream id stream id ... a commit that was refused
//   E ...                     something that must not be

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "crash/history.h"

namespace daybook::testing {
namespace {

void Say(const std::string& text) {
  if (write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(3);
}
[[noreturn]] void Fail(const std::string& what) {
  Say("E " + what + "\n");
  _exit(2);
}
void Expect(bool condition, const char* what) {
  if (!condition) Fail(what);
}

void FailLog(int syncs, int writes) {
  using Function = void (*)(int, int);
  const auto fail = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "daybook_fail_log"));
  Expect(fail != nullptr, "the failing disk is not preloaded");
  fail(syncs, writes);
}

struct Planned {
  std::vector<std::pair<std::string, EventId>> events;

  [[nodiscard]] Commit Make() const {
    Commit commit;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const PlannedEvent event(events[i].second, i, events.size());
      Expect(commit.Add(events[i].first, event.AsNew()).ok(), "Add");
    }
    return commit;
  }
  [[nodiscard]] std::string Line(char kind) const {
    std::string line(1, kind);
    for (const auto& [stream, id] : events) line += " " + stream + " " + id.ToString();
    return line + "\n";
  }
  [[nodiscard]] std::string Acks(const AppendResult& result) const {
    std::string lines;
    for (std::size_t i = 0; i < events.size(); ++i) {
      lines += AckLine(result.events[i], events[i].first);
    }
    return lines;
  }
};

Planned Plan(std::mt19937_64* random) {
  Planned planned;
  for (auto n = 1 + (*random)() % 4; n > 0; --n) {
    planned.events.emplace_back("s-" + std::to_string((*random)() % 6), RandomId(random));
  }
  return planned;
}

// Appends until the store refuses; what is not known in the end goes to `unknown`.
void AppendUntilRefused(Store* store, std::uint64_t seed, std::vector<Planned>* unknown) {
  std::mt19937_64 random(seed);
  for (;;) {
    const Planned planned = Plan(&random);
    Commit commit = planned.Make();
    const bool asynchronous = random() % 4 == 0;
    auto result = asynchronous ? store->AppendAsync(std::move(commit)) : store->Append(commit);
    absl::Status status = result.status();
    if (asynchronous && status.ok()) status = store->WaitDurable(result->last_position);
    if (status.ok()) {
      Say(planned.Acks(*result));
    } else if (absl::IsUnknown(status)) {
      Say(planned.Line('U'));
      unknown->push_back(planned);
    } else if (absl::IsFailedPrecondition(status)) {
      Say(planned.Line('P'));
      return;
    } else {
      Fail(status.ToString());
    }
  }
}

// What a poisoned store still does.
void CheckPoisoned(Store* store, const char* directory) {
  const Position durable = store->durable();
  Expect(store->visible() == durable, "a poisoned store shows what is not durable");
  auto cursor = store->Read({});
  Expect(cursor.ok(), "Read of a poisoned store");
  std::uint64_t events = 0;
  Expect(cursor
             ->ForEach([&events](const EventView&) {
               ++events;
               return absl::OkStatus();
             })
             .ok(),
         "ForEach of a poisoned store");
  Expect(events == durable.value(), "a poisoned store gives all that is durable");
  Expect(store->WaitDurable(durable).ok(), "WaitDurable of what is durable");
  const auto waited =
      store->WaitVisible(Position(durable.value() + 1), std::chrono::milliseconds(2000));
  Expect(absl::IsFailedPrecondition(waited.status()),
         "WaitVisible says that the store is poisoned");
  std::mt19937_64 random(1);
  Expect(absl::IsFailedPrecondition(store->AppendAsync(Plan(&random).Make()).status()),
         "AppendAsync to a poisoned store");
  const auto reader = Reader::Open(directory, {});
  Expect(reader.ok() && (*reader)->visible() == durable, "another reader sees what is durable");
}

void Reopen(const char* directory, const StoreOptions& options,
            const std::vector<Planned>& unknown) {
  const auto store = Store::Open(directory, options);
  if (!store.ok()) Fail(store.status().ToString());
  for (const Planned& planned : unknown) {
    Commit commit = planned.Make();
    const auto first = (*store)->Append(commit);
    if (!first.ok()) Fail("retry: " + first.status().ToString());
    const auto second = (*store)->Append(commit);
    Expect(second.ok() && second->duplicate && second->last_position == first->last_position,
           "the second retry is a duplicate of the first");
    Say(planned.Acks(*first));
  }
}

// Buffered: what was visible and not synced is visible no more.
void RunBuffered(Store* store, std::vector<Planned>* unknown) {
  std::mt19937_64 random(7);
  const auto append = [&] {
    unknown->push_back(Plan(&random));
    Commit commit = unknown->back().Make();
    const auto result = store->Append(commit);
    Expect(result.ok(), "a buffered append");
    return result->last_position;
  };
  append();
  Expect(store->Flush().ok(), "Flush");
  const Position durable = store->durable();
  FailLog(1, 0);
  const Position last = append();
  Expect(store->visible() == last && store->durable() == durable, "visible before durable");
  Expect(absl::IsUnknown(store->WaitDurable(last)), "WaitDurable after a failed sync");
  Expect(store->durable() == durable, "durable after a failed sync");
}

int Main(const char* directory, const std::string& mode, int n, std::uint64_t seed, bool reopen) {
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  std::atomic<int> errors = 0;
  options.on_notice = [&errors](const Notice& notice) {
    errors += notice.severity == Notice::Severity::kError ? 1 : 0;
  };
  if (mode == "buffered") {
    options.durability = Durability::kBuffered;
    options.sync_interval = std::chrono::hours(1);
  }
  std::vector<Planned> unknown;
  {
    const auto store = Store::Open(directory, options);
    if (!store.ok()) Fail(store.status().ToString());
    if (mode == "buffered") {
      RunBuffered(store->get(), &unknown);
    } else {
      FailLog(mode == "sync" ? n : 0, mode == "write" ? n : 0);
      std::vector<std::thread> threads;
      std::vector<std::vector<Planned>> of_thread(4);
      for (std::size_t i = 0; i < of_thread.size(); ++i) {
        threads.emplace_back([&, i] { AppendUntilRefused(store->get(), seed + i, &of_thread[i]); });
      }
      for (std::thread& thread : threads) thread.join();
      for (const auto& some : of_thread) unknown.insert(unknown.end(), some.begin(), some.end());
    }
    CheckPoisoned(store->get(), directory);
  }
  Expect(errors > 0, "the host is told that the store is poisoned");
  if (reopen) Reopen(directory, options, unknown);
  return 0;
}

}  // namespace
}  // namespace daybook::testing

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  return daybook::testing::Main(argv[1], argv[2], std::atoi(argv[3]),
                                std::strtoull(argv[4], nullptr, 10), argc > 5);
}
