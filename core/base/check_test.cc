#include "base/check.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("a check that holds does nothing, and evaluates its condition once") {
  int evaluated = 0;
  DAYBOOK_CHECK(++evaluated > 0);
  CHECK(evaluated == 1);
}

TEST_CASE("a check that fails says where and what on stderr and aborts, in every build") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // Catch2 has a handler of its own
    dup2(ends[1], STDERR_FILENO);
    DAYBOOK_CHECK(1 + 1 == 3);
    _exit(0);
  }
  close(ends[1]);
  std::string said(1000, '\0');
  const ssize_t bytes = read(ends[0], said.data(), said.size());
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  REQUIRE(bytes > 0);
  said.resize(static_cast<std::size_t>(bytes));
  CHECK_THAT(said, testing::HasText("check_test.cc:"));
  CHECK_THAT(said, testing::HasText("check failed: 1 + 1 == 3\n"));
}

}  // namespace
}  // namespace daybook
