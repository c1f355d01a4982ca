// Follows a store from a process of its own and tells of each event that it sees, until it is
// killed: daybook_tail_reader DIRECTORY SEED
//
//   S position id     an event, in order of position
//   E ...             something that must not be: a gap, half a commit, a failed read
//
// Every now and then it opens the store again and reads all of it.

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "crash/tail.h"

namespace daybook::testing {
namespace {

void Say(const std::string& text) {
  // Longer ones than a pipe takes at once may come in pieces; there is one thread only.
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (written <= 0) _exit(3);
    done += static_cast<std::size_t>(written);
  }
}
[[noreturn]] void Fail(const std::string& what) {
  Say("E " + what + "\n");
  _exit(2);
}

std::unique_ptr<Reader> Open(const char* directory) {
  for (int i = 0; i < 5000; ++i) {
    auto reader = Reader::Open(directory, {});
    if (reader.ok()) return *std::move(reader);
    // The store is only just being made.
    if (!absl::IsNotFound(reader.status())) Fail("open: " + reader.status().ToString());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Fail("there is no store");
}

int Main(const char* directory, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::unique_ptr<Reader> reader = Open(directory);
  for (std::uint64_t seen = 0;;) {
    std::string lines;
    if (const std::string what = ReadOn(*reader, &seen, &lines); !what.empty()) Fail(what);
    Say(lines);
    const auto visible = reader->WaitVisible(Position(seen + 1), std::chrono::milliseconds(50));
    if (!visible.ok() && !absl::IsDeadlineExceeded(visible.status())) {
      Fail("wait: " + visible.status().ToString());
    }
    if (random() % 16 != 0) continue;
    reader = Open(directory);
    std::uint64_t again = 0;
    if (const std::string what = ReadOn(*reader, &again, nullptr); !what.empty()) Fail(what);
    if (again < seen) {
      Fail("opened again it ends at " + std::to_string(again) + ", before " + std::to_string(seen));
    }
  }
}

}  // namespace
}  // namespace daybook::testing

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return daybook::testing::Main(argv[1], std::strtoull(argv[2], nullptr, 10));
}
