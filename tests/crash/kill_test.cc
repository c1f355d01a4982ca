// A writer that is killed again and again, at any moment, in one store that lives on.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "crash/history.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Starts the writer, kills it `after` it has opened the store (or was started), and returns what it
// said.
std::string RunAndKill(const fs::path& store, std::uint64_t seed, std::chrono::microseconds after,
                       bool count_from_start) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const std::string number = std::to_string(seed);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl(DAYBOOK_CRASH_WRITER, DAYBOOK_CRASH_WRITER, store.c_str(), number.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string said;
  char buffer[65536];
  Clock::time_point deadline = Clock::now() + (count_from_start ? after : std::chrono::seconds(60));
  bool opened = count_from_start;
  bool killed = false;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{ends[0], POLLIN, 0};
    if (!killed && (left <= 0 || poll(&ready, 1, static_cast<int>(left)) == 0)) {
      kill(pid, SIGKILL);
      killed = true;
    }
    if (!killed && (ready.revents & (POLLIN | POLLHUP)) == 0) continue;
    const ssize_t got = read(ends[0], buffer, sizeof buffer);
    if (got <= 0) break;
    said.append(buffer, static_cast<std::size_t>(got));
    if (!opened) {
      opened = true;
      deadline = Clock::now() + after;
    }
  }
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  return said;
}

void DeleteDerived(const fs::path& store) {
  fs::remove_all(store / "index");
  for (const auto& file : fs::directory_iterator(store / "log")) {
    if (file.path().extension() == ".idx") fs::remove(file.path());
  }
}

void Acknowledge(const std::string& said, History* history) {
  std::size_t begin = 0;
  for (std::size_t end; (end = said.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = said.substr(begin, end - begin);
    if (line == "O") continue;
    REQUIRE(history->Acknowledge(line) == "");
  }
  // The end of a write that a kill cut off.
  REQUIRE((begin == said.size() || said[begin] != 'E'));
}

}  // namespace

TEST_CASE("what was acknowledged survives every kill of the writer", "[kill]") {
  const int kills = std::getenv("DAYBOOK_TEST_SHORT") != nullptr ? 40 : 200;
  const char* const given = std::getenv("DAYBOOK_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "DAYBOOK_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  TempFolder folder;
  const fs::path directory = folder / "store";
  History history;
  int verified = 0, rebuilt = 0, torn = 0, by_reader = 0;
  for (int kill = 0; kill < kills; ++kill) {
    const std::uint64_t run_seed = seed * 1000 + static_cast<std::uint64_t>(kill);
    CAPTURE(seed, kill);
    const auto after = std::chrono::microseconds(random() % 60000);
    Acknowledge(RunAndKill(directory, run_seed, after, kill > 0 && random() % 8 == 0), &history);
    if (kill == 0 && !fs::exists(directory / "STORE")) continue;

    const bool buffered = run_seed % 4 == 3;
    if (random() % 7 == 0) {
      DeleteDerived(directory);
      ++rebuilt;
    }
    if (kill % 10 == 9) {
      const auto report = Verify(directory, {});
      REQUIRE_OK(report);
      for (const Finding& finding : report->findings) {
        FAIL(finding.kind << " " << finding.file << " " << finding.offset << ": " << finding.hint);
      }
      ++verified;
    }
    if (!buffered && random() % 3 == 0) {
      // A reader sees at least what was acknowledged, and the next writer finds what the kill left.
      const auto reader = Reader::Open(directory, {});
      REQUIRE_OK(reader);
      REQUIRE(history.Check(**reader) == "");
      ++by_reader;
      continue;
    }
    StoreOptions options;
    options.segment_bytes_max = std::uint64_t{16 << 10} << (random() % 7);
    options.on_notice = [&torn](const Notice& notice) {
      torn += notice.message.find("are cleared") != std::string::npos ? 1 : 0;
    };
    const auto store = Store::Open(directory, options);
    REQUIRE_OK(store);
    REQUIRE(history.Check(**store) == "");
  }
  const auto store = Store::Open(directory, {});
  REQUIRE_OK(store);
  REQUIRE(history.Check(**store) == "");
  const auto stats = (*store)->Stats();
  REQUIRE_OK(stats);
  std::cout << "kills " << kills << ", acknowledged " << history.acknowledged() << ", found "
            << history.found() << ", unacknowledged kept " << history.unacknowledged()
            << ", torn tails " << torn << ", segments " << stats->segments << ", verified "
            << verified << ", rebuilt " << rebuilt << ", seen by a reader " << by_reader
            << std::endl;
  CHECK(history.acknowledged() > static_cast<std::uint64_t>(kills));
}

}  // namespace daybook::testing
