// Appends with several threads, tells of each append on standard output, and goes on until it is
// killed: daybook_crash_writer DIRECTORY SEED [small] [durable]
//
// `small`: the smallest segments, so that one is nearly always being sealed, made or indexed.
// `durable`: an append to a buffered store is told of when it is on the device.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "crash/history.h"

namespace daybook::testing {
namespace {

// One write is not mixed with those of other threads as long as it is no longer than PIPE_BUF.
void Say(const std::string& text) {
  if (write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(3);
}

[[noreturn]] void Fail(const absl::Status& status) {
  Say("E " + status.ToString() + "\n");
  _exit(2);
}

struct PlannedCommit {
  Commit commit;
  std::vector<std::string> streams;  // of its events
};

class Writer {
 public:
  Writer(Store* store, std::uint64_t seed, int thread, bool durable)
      : store_(store),
        durable_(durable),
        random_(seed * 64 + static_cast<std::uint64_t>(thread)),
        own_("own-") {
    own_ += std::to_string(thread);
    const auto head = store->Head(own_);
    if (!head.ok()) Fail(head.status());
    own_version_ = head->version.value();
  }

  [[noreturn]] void Run() {
    for (;;) {
      if (random_() % 4 == 0) {
        AppendAsync();
        continue;
      }
      PlannedCommit planned = Plan();
      const auto result = store_->Append(planned.commit);
      if (!result.ok()) Fail(result.status());
      if (durable_) AwaitDevice(result->last_position);
      Acknowledge(planned, *result);
    }
  }

 private:
  PlannedCommit Plan() {
    PlannedCommit planned;
    const std::size_t events = 1 + random_() % (random_() % 16 == 0 ? 30 : 4);
    for (std::size_t i = 0; i < events; ++i) {
      // A stream of this thread's own, some that all share, and many short ones.
      const auto which = random_() % 8;
      const std::string stream = which == 0  ? own_
                                 : which < 6 ? "shared-" + std::to_string(random_() % 12)
                                             : "short-" + std::to_string(random_() % 5000);
      const PlannedEvent event(RandomId(&random_), i, events);
      if (stream == own_ && !planned.streams.empty() && random_() % 2 == 0) {
        // Expectations are stated before and after the events that they are about.
        Expect(&planned);
      }
      if (const auto added = planned.commit.Add(stream, event.AsNew()); !added.ok()) Fail(added);
      planned.streams.push_back(stream);
    }
    Expect(&planned);
    for (const std::string& stream : planned.streams) own_version_ += stream == own_ ? 1 : 0;
    return planned;
  }

  void Expect(PlannedCommit* planned) {
    const auto status =
        planned->commit.Expect(own_, ExpectedVersion::Exactly(Version(own_version_)));
    if (!status.ok()) Fail(status);
  }

  void AppendAsync() {
    std::vector<PlannedCommit> planned;
    std::vector<AppendResult> results;
    for (auto n = 1 + random_() % 4; n > 0; --n) {
      planned.push_back(Plan());
      auto result = store_->AppendAsync(std::move(planned.back().commit));
      if (!result.ok()) Fail(result.status());
      results.push_back(*std::move(result));
    }
    AwaitDevice(results.back().last_position);
    for (std::size_t i = 0; i < results.size(); ++i) Acknowledge(planned[i], results[i]);
  }

  void AwaitDevice(Position position) {
    const auto durable = store_->WaitDurable(position);
    if (!durable.ok()) Fail(durable);
  }

  static void Acknowledge(const PlannedCommit& planned, const AppendResult& result) {
    std::string lines;
    for (std::size_t i = 0; i < result.events.size(); ++i) {
      lines += AckLine(result.events[i], planned.streams[i]);
    }
    Say(lines);
  }

  Store* store_;
  bool durable_;
  std::mt19937_64 random_;
  std::string own_;
  std::uint64_t own_version_ = 0;
};

int Main(const char* directory, std::uint64_t seed, bool small, bool durable) {
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16 << 10} << (small ? 0 : seed % 7);
  if (seed % 4 == 3) {
    options.durability = Durability::kBuffered;
    options.sync_interval = std::chrono::milliseconds(5);
  }
  const auto store = Store::Open(directory, options);
  if (!store.ok()) Fail(store.status());
  Say("O\n");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { Writer(store->get(), seed, i, durable).Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace daybook::testing

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::vector<std::string_view> options(argv + 3, argv + argc);
  const auto has = [&options](std::string_view option) {
    return std::find(options.begin(), options.end(), option) != options.end();
  };
  return daybook::testing::Main(argv[1], std::strtoull(argv[2], nullptr, 10), has("small"),
                                has("durable"));
}
