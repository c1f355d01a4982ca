#include "base/thread.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

std::string NameOfThisThread() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

TEST_CASE("a thread runs under its name, of which the kernel keeps 15 bytes") {
  std::string name, long_name;
  {
    Thread thread("daybook-log", [&] { name = NameOfThisThread(); });
  }
  {
    Thread thread("daybook-spare-maker", [&] { long_name = NameOfThisThread(); });
  }
  CHECK(name == "daybook-log");
  CHECK(long_name == "daybook-spare-m");
}

TEST_CASE("the destructor waits for the end of the function, and a second join does nothing") {
  std::atomic<bool> stop = false, ended = false;
  {
    Thread thread("waits", [&] {
      while (!stop) usleep(100);
      usleep(10'000);
      ended = true;
    });
    stop = true;
  }
  CHECK(ended);
  Thread thread("joined", [] {});
  thread.Join();
  thread.Join();
}

TEST_CASE("a forked child knows that it is one, and leaves the parent's threads alone") {
  const std::uint64_t generation = ForkGeneration();
  std::atomic<bool> stop = false;
  auto thread = std::make_unique<Thread>("stays", [&] {
    while (!stop) usleep(100);
  });
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);       // ends a child that waits for what will not come
    thread.reset();  // the thread is not in this process: nothing to wait for
    _exit(ForkGeneration() > generation ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(ForkGeneration() == generation);
  stop = true;
}

}  // namespace
}  // namespace daybook
