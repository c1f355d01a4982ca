// Threads with a name and an owner, and whether a fork has left them behind.

#ifndef DAYBOOK_BASE_THREAD_H_
#define DAYBOOK_BASE_THREAD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

namespace daybook {

// A number that fork() increases in the child. An object that remembers it when it is made knows, a
// load later, whether it was inherited. Costs no system call; sees fork(), but not a bare clone().
// Thread-safe.
[[nodiscard]] std::uint64_t ForkGeneration();

// Runs a function in a thread of its own from construction on. The destructor joins it, so whoever
// owns the Thread tells the function to end first. In a forked child, where the thread does not
// exist, it does nothing.
class Thread {
 public:
  // The kernel shows the first 15 bytes of `name`. Throws std::system_error where the system has no
  // more threads.
  Thread(const std::string& name, std::function<void()> body);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Waits for the end of the function. Not from two threads at once.
  void Join();

 private:
  std::uint64_t fork_generation_;
  bool running_ = true;
  union {
    std::thread
        thread_;  // destroyed by hand: in a forked child it can be neither joined nor destroyed
  };
};

}  // namespace daybook

#endif  // DAYBOOK_BASE_THREAD_H_
