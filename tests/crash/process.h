// A program that a test runs, listens to, and kills.

#ifndef DAYBOOK_TESTS_CRASH_PROCESS_H_
#define DAYBOOK_TESTS_CRASH_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace daybook::testing {

// Its standard output comes through a pipe. Killed, if it still runs, and waited for at the end.
class Process {
 public:
  using Clock = std::chrono::steady_clock;

  // `environment` is added to that of the test: "NAME=value". Catch2 is told where it cannot start.
  explicit Process(const std::vector<std::string>& command,
                   const std::vector<std::string>& environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // What it has said up to now.
  [[nodiscard]] const std::string& said() const { return said_; }
  // Whether it is over: it has closed its output.
  [[nodiscard]] bool over() const { return said_end_ < 0; }

  // Listens until the deadline, or until `enough` says so (asked after everything that comes), or
  // until it is over.
  void Listen(Clock::time_point deadline, const std::function<bool()>& enough = nullptr);
  // The same for several at once; none may be left to block on its pipe.
  static void ListenToAll(const std::vector<Process*>& all, Clock::time_point deadline,
                          const std::function<bool()>& enough = nullptr);
  // SIGKILL, and the rest of what it said.
  void Kill();
  // Listens to its end; the status as waitpid gives it.
  int Finish();

 private:
  void ReadSome();
  void Reap();

  pid_t pid_ = -1;
  int said_end_ = -1;
  int status_ = 0;
  std::string said_;
};

// How often a test is to do its thing: DAYBOOK_CYCLES, or fewer in a short run.
int Cycles(int full, int shortened);
// DAYBOOK_SEED, or a random one; said on standard output as the line that replays it. `test` is
// how to call the test.
std::uint64_t Seed(const std::string& test);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_PROCESS_H_
