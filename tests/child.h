// A process of its own for a part of a test.

#ifndef DAYBOOK_TESTS_CHILD_H_
#define DAYBOOK_TESTS_CHILD_H_

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"

// In the body of a child: what must hold there. The child ends with the line that does not.
#define DAYBOOK_EXPECT(condition)                                                         \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      return ::absl::InternalError(std::string(__FILE__ ":") + std::to_string(__LINE__) + \
                                   ": " #condition);                                      \
    }                                                                                     \
  } while (false)
#define DAYBOOK_EXPECT_OK(expr)                                                                  \
  do {                                                                                           \
    if (const ::absl::Status status_of_it = ::daybook::testing::StatusOf(expr);                  \
        !status_of_it.ok()) {                                                                    \
      return ::absl::InternalError(std::string(__FILE__ ":") + std::to_string(__LINE__) + ": " + \
                                   status_of_it.ToString());                                     \
    }                                                                                            \
  } while (false)

namespace daybook::testing {

// Forks. The child runs the body and ends with the status that it returns; nothing else of the test
// runs in it. Where the parent has threads the body may not count on more than POSIX promises.
class Child {
 public:
  explicit Child(const std::function<absl::Status()>& body) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      const absl::Status status = body();
      const std::string text =
          std::to_string(static_cast<int>(status.code())) + " " + std::string(status.message());
      const bool told = write(ends[1], text.data(), text.size()) >= 0;
      _exit(told ? 0 : 1);
    }
    close(ends[1]);
    said_ = ends[0];
  }
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (said_ >= 0) close(said_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Waits for its end. kCancelled where it died before it could say anything.
  absl::Status Wait() {
    std::string text;
    char buffer[4096];
    for (;;) {
      const ssize_t got = read(said_, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    int ended = 0;
    waitpid(std::exchange(pid_, -1), &ended, 0);
    const std::size_t space = text.find(' ');
    if (space == std::string::npos) {
      return absl::CancelledError("the child died: " + std::to_string(ended));
    }
    return {static_cast<absl::StatusCode>(std::stoi(text)), text.substr(space + 1)};
  }

 private:
  pid_t pid_ = -1;
  int said_ = -1;
};

inline absl::Status InChild(const std::function<absl::Status()>& body) {
  Child child(body);
  return child.Wait();
}

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CHILD_H_
