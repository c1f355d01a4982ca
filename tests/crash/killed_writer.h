// One life of a writer and its end, for the tests that kill processes.

#ifndef DAYBOOK_TESTS_CRASH_KILLED_WRITER_H_
#define DAYBOOK_TESTS_CRASH_KILLED_WRITER_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "crash/history.h"

namespace daybook::testing {

struct Life {
  std::uint64_t seed = 0;
  std::chrono::microseconds lasts{0};  // from the opening, if not `from_start`
  bool from_start = false;
  bool small_segments = false;
  bool durable = false;                  // see crash_writer.cc
  int readers = 0;                       // processes that follow it; every other one dies before it
  std::vector<std::string> environment;  // of the writer
};

// Runs a writer on the store, with readers, kills them, and tells `history` what they said. "" or
// what was wrong with that.
std::string LiveAndDie(const std::filesystem::path& store, const Life& life, History* history);

// What stood half-done in the store when its writer died, counted over many.
struct Moments {
  std::uint64_t preallocations = 0;  // a spare is there, whole or not
  std::uint64_t sidecars = 0;        // a sealed segment whose sidecar is not there yet
  std::uint64_t creations = 0;       // no STORE yet
  void Look(const std::filesystem::path& store);
};

// Deletes sidecars and index/.
void DeleteDerived(const std::filesystem::path& store);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_KILLED_WRITER_H_
