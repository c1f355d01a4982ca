#include "crash/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <random>
#include <utility>

#include "tests/catch.h"

namespace daybook::testing {

Process::Process(const std::vector<std::string>& command,
                 const std::vector<std::string>& environment) {
  // Everything is made before the fork: the test may have threads.
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::vector<char*> variables;
  for (const std::string& one : environment) variables.push_back(const_cast<char*>(one.c_str()));
  for (char** one = environ; *one != nullptr; ++one) variables.push_back(*one);
  variables.push_back(nullptr);
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execve(words[0], words.data(), variables.data());
    _exit(127);
  }
  close(ends[1]);
  said_end_ = ends[0];
}

Process::~Process() {
  if (pid_ > 0) kill(pid_, SIGKILL);
  Reap();
}

void Process::ReadSome() {
  std::array<char, 65536> buffer;
  const ssize_t got = read(said_end_, buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return;
  if (got > 0) {
    said_.append(buffer.data(), static_cast<std::size_t>(got));
    return;
  }
  close(std::exchange(said_end_, -1));
}

void Process::Reap() {
  if (said_end_ >= 0) close(std::exchange(said_end_, -1));
  if (pid_ > 0) waitpid(std::exchange(pid_, -1), &status_, 0);
}

void Process::Listen(Clock::time_point deadline, const std::function<bool()>& enough) {
  ListenToAll({this}, deadline, enough);
}

void Process::ListenToAll(const std::vector<Process*>& all, Clock::time_point deadline,
                          const std::function<bool()>& enough) {
  while (!enough || !enough()) {
    std::vector<pollfd> ready;
    std::vector<Process*> open;
    for (Process* one : all) {
      if (one->over()) continue;
      ready.push_back({one->said_end_, POLLIN, 0});
      open.push_back(one);
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
    if (left <= 0 || open.empty()) return;
    const timespec timeout{left / 1'000'000, left % 1'000'000 * 1000};
    if (ppoll(ready.data(), ready.size(), &timeout, nullptr) <= 0) continue;
    for (std::size_t i = 0; i < ready.size(); ++i) {
      if (ready[i].revents != 0) open[i]->ReadSome();
    }
  }
}

void Process::Kill() {
  if (pid_ > 0) kill(pid_, SIGKILL);
  Finish();
}

int Process::Finish() {
  while (!over()) ReadSome();
  Reap();
  return status_;
}

int Cycles(int full, int shortened) {
  if (const char* const given = getenv("DAYBOOK_CYCLES")) return atoi(given);
  return getenv("DAYBOOK_TEST_SHORT") != nullptr ? shortened : full;
}

std::uint64_t Seed(const std::string& test) {
  const char* const given = getenv("DAYBOOK_SEED");
  const std::uint64_t seed =
      given != nullptr ? strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "replay: DAYBOOK_SEED=" << seed << " " << test << std::endl;
  return seed;
}

}  // namespace daybook::testing
