#include "base/mutex.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "base/thread.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;

struct Guarded {
  Mutex mutex;
  CondVar changed;
  int value DAYBOOK_GUARDED_BY(mutex) = 0;
};

TEST_CASE("a mutex keeps threads apart") {
  Guarded guarded;
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(std::make_unique<Thread>("adds", [&guarded] {
        for (int i = 0; i < 10'000; ++i) {
          MutexLock lock(guarded.mutex);
          ++guarded.value;
        }
      }));
    }
  }
  MutexLock lock(guarded.mutex);
  CHECK(guarded.value == 40'000);
}

// Whether another thread could have taken it: the owner itself must not try.
bool IsFree(Mutex& mutex) {
  bool taken = false;
  Thread("tries", [&] {
    if (mutex.TryLock()) {
      taken = true;
      mutex.Unlock();
    }
  }).Join();
  return taken;
}

TEST_CASE("a MutexLock holds to the end of its scope, but for a gap that it opens") {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    CHECK_FALSE(IsFree(mutex));
    lock.Unlock();
    CHECK(IsFree(mutex));
    lock.Lock();
    CHECK_FALSE(IsFree(mutex));
  }
  CHECK(IsFree(mutex));
  {
    MutexLock lock(mutex);
    lock.Unlock();  // and the destructor does not unlock again
  }
  CHECK(IsFree(mutex));
}

TEST_CASE("a wait gives the mutex up, and has it again when it returns") {
  Guarded guarded;
  MutexLock lock(guarded.mutex);
  Thread setter("sets", [&] {
    MutexLock inner(guarded.mutex);
    guarded.value = 1;
    guarded.changed.NotifyAll();
  });
  while (guarded.value == 0) guarded.changed.Wait(guarded.mutex);
  CHECK(guarded.value == 1);
  CHECK_FALSE(IsFree(guarded.mutex));
}

TEST_CASE("a wait with a time ends with it and says so") {
  Guarded guarded;
  MutexLock lock(guarded.mutex);
  const auto start = std::chrono::steady_clock::now();
  while (guarded.changed.WaitFor(guarded.mutex, milliseconds(20))) {
  }
  CHECK(std::chrono::steady_clock::now() - start >= milliseconds(20));
  CHECK_FALSE(guarded.changed.WaitUntil(guarded.mutex, start));
  CHECK_FALSE(IsFree(guarded.mutex));
}

TEST_CASE("a wait with a time is woken before it") {
  Guarded guarded;
  MutexLock lock(guarded.mutex);
  const auto start = std::chrono::steady_clock::now();
  Thread setter("sets", [&] {
    MutexLock inner(guarded.mutex);
    guarded.value = 1;
    guarded.changed.NotifyOne();
  });
  while (guarded.value == 0) guarded.changed.WaitFor(guarded.mutex, std::chrono::seconds(60));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("a shared mutex has many readers at once, or one writer") {
  SharedMutex mutex;
  std::atomic<bool> second_reader = false, writer = false;
  {
    std::unique_ptr<Thread> writes;
    {
      ReaderLock lock(mutex);
      Thread("reads", [&] {
        ReaderLock inner(mutex);
        second_reader = true;
      }).Join();
      CHECK(second_reader);
      writes = std::make_unique<Thread>("writes", [&] {
        WriterLock inner(mutex);
        writer = true;
      });
      const auto end = std::chrono::steady_clock::now() + milliseconds(20);
      while (std::chrono::steady_clock::now() < end && !writer) {
      }
      CHECK_FALSE(writer);
    }
  }
  CHECK(writer);
}

TEST_CASE("a forked child destroys what a thread of the parent waits on") {
  auto guarded = std::make_unique<Guarded>();
  bool waits = false, stop = false;
  Thread thread("waits", [&] {
    MutexLock lock(guarded->mutex);
    waits = true;
    while (!stop) guarded->changed.Wait(guarded->mutex);
  });
  for (bool ready = false; !ready;) {
    // Seen with the mutex, the thread is in Wait(): there alone it gives the mutex away.
    MutexLock lock(guarded->mutex);
    ready = waits;
  }
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // ends a child that waits for what will not come
    guarded.reset();
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  MutexLock lock(guarded->mutex);
  stop = true;
  guarded->changed.NotifyAll();
}

}  // namespace
}  // namespace daybook
