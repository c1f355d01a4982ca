#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace daybook::cli {
namespace {

// A signal handler can reach nothing but globals.
volatile sig_atomic_t interrupted = 0;
std::array<int, 2> interrupt_pipe = {-1, -1};

extern "C" void OnInterrupt(int) {
  const int saved_errno = errno;
  interrupted = 1;
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(interrupt_pipe[1], &byte, 1);
  errno = saved_errno;
}

}  // namespace

void InstallSignalHandlers() {
  if (pipe2(interrupt_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) interrupt_pipe = {-1, -1};
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  action.sa_handler = OnInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one kills
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

int InterruptDescriptor() { return interrupt_pipe[0]; }

}  // namespace daybook::cli
