#include "base/thread.h"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace daybook {
namespace {

// The one state of the process that the library keeps: a fork is a thing of the process.
std::atomic<std::uint64_t> fork_generation{0};

void CountFork() { fork_generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint64_t ForkGeneration() {
  // Registered by the first call; a fork before that has nothing of ours to inherit.
  [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, &CountFork);
  return fork_generation.load(std::memory_order_relaxed);
}

Thread::Thread(const std::string& name, std::function<void()> body)
    : fork_generation_(ForkGeneration()),
      thread_([short_name = name.substr(0, 15), body = std::move(body)] {
        pthread_setname_np(pthread_self(), short_name.c_str());
        body();
      }) {}

Thread::~Thread() { Join(); }

void Thread::Join() {
  if (!running_ || fork_generation_ != ForkGeneration()) return;
  thread_.join();
  std::destroy_at(&thread_);
  running_ = false;
}

}  // namespace daybook
