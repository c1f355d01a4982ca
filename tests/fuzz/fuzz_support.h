// What the fuzzers share: counting how far inputs get, a store's folder in memory, and choices made
// from a seed.

#ifndef DAYBOOK_TESTS_FUZZ_FUZZ_SUPPORT_H_
#define DAYBOOK_TESTS_FUZZ_FUZZ_SUPPORT_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include "tests/temp_folder.h"

// libFuzzer's own mutation, for custom mutators.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// Ends the run where it does not hold: a finding.
#define DAYBOOK_FUZZ_CHECK(condition)                                                     \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace daybook::fuzzing {

// How many inputs got past the checksums. Printed at the end, for tests/fuzz/run.py.
class Tally {
 public:
  ~Tally() { std::fprintf(stderr, "tally: inputs %llu accepted %llu\n", inputs_, accepted_); }
  void Input() { ++inputs_; }
  void Accepted() { ++accepted_; }
  static Tally& Get() {
    static Tally tally;
    return tally;
  }

 private:
  unsigned long long inputs_ = 0, accepted_ = 0;
};

// A small generator: the same seed makes the same choices.
class Choices {
 public:
  explicit Choices(unsigned seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
  std::uint64_t Below(std::uint64_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % bound;
  }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }

 private:
  std::uint64_t state_;
};

// Writes a whole file. The folder is in memory where that can be.
inline void WriteFile(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    std::abort();
  }
  close(fd);
}

inline const testing::TempFolder& Folder() {
  static const bool set = [] {
    if (std::getenv("TMPDIR") == nullptr && std::filesystem::is_directory("/dev/shm")) {
      setenv("TMPDIR", "/dev/shm", 1);
    }
    return true;
  }();
  static_cast<void>(set);
  static const testing::TempFolder folder;
  return folder;
}

}  // namespace daybook::fuzzing

#endif  // DAYBOOK_TESTS_FUZZ_FUZZ_SUPPORT_H_
