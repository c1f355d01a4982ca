// Locks: a thin layer over the standard ones that tells clang's -Wthread-safety what guards what.
//
// The prebuilt absl::Mutex shows false races under ThreadSanitizer; the standard locks do not.

#ifndef DAYBOOK_BASE_MUTEX_H_
#define DAYBOOK_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>

#include "base/thread.h"
#include "base/thread_annotations.h"

namespace daybook {

class DAYBOOK_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() DAYBOOK_ACQUIRE() { mutex_.lock(); }
  void Unlock() DAYBOOK_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool TryLock() DAYBOOK_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a Mutex from here to the end of the scope. Unlock() and Lock() open a gap in between.
class DAYBOOK_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DAYBOOK_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() DAYBOOK_RELEASE() {
    if (held_) mutex_.Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void Unlock() DAYBOOK_RELEASE() {
    mutex_.Unlock();
    held_ = false;
  }
  void Lock() DAYBOOK_ACQUIRE() {
    mutex_.Lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// Waits for what a Mutex guards. Wakes up without a reason now and then: wait in a loop over the
// condition. In a forked child its destructor does nothing: it would wait for the threads that
// waited when the process forked, and they are not there.
class CondVar {
 public:
  CondVar() : fork_generation_(ForkGeneration()) { new (&condition_) std::condition_variable; }
  ~CondVar() {
    if (fork_generation_ == ForkGeneration()) std::destroy_at(&condition_);
  }
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void Wait(Mutex& mutex) DAYBOOK_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False where the time ran out.
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) DAYBOOK_REQUIRES(mutex) {
    return WaitUntil(mutex, std::chrono::steady_clock::now() + timeout);
  }
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline)
      DAYBOOK_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const std::cv_status status = condition_.wait_until(lock, deadline);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  const std::uint64_t fork_generation_;
  union {
    std::condition_variable condition_;
  };
};

// One writer or many readers.
class DAYBOOK_CAPABILITY("mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() DAYBOOK_ACQUIRE() { mutex_.lock(); }
  void Unlock() DAYBOOK_RELEASE() { mutex_.unlock(); }
  void ReaderLock() DAYBOOK_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void ReaderUnlock() DAYBOOK_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

// Hold a SharedMutex to the end of the scope, for reading or for writing.
class DAYBOOK_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) DAYBOOK_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.ReaderLock();
  }
  ~ReaderLock() DAYBOOK_RELEASE() { mutex_.ReaderUnlock(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class DAYBOOK_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) DAYBOOK_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~WriterLock() DAYBOOK_RELEASE() { mutex_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace daybook

#endif  // DAYBOOK_BASE_MUTEX_H_
