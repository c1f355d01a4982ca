#include <lmdb.h>
#include <sqlite3.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#ifdef DAYBOOK_BENCH_ROCKSDB
#include <rocksdb/version.h>
#endif

#include <chrono>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

#include "compare/results.h"

namespace daybook::bench {
namespace {

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// The file system of the longest mount point that holds the directory.
std::string FileSystem(const std::filesystem::path& directory) {
  const std::string path = std::filesystem::canonical(directory).string() + "/";
  std::ifstream file("/proc/self/mounts");
  std::string device, point, type, options, rest, best, answer = "unknown";
  while (file >> device >> point >> type >> options && std::getline(file, rest)) {
    const std::string prefix = point.ends_with('/') ? point : point + "/";
    if (path.starts_with(prefix) && prefix.size() >= best.size()) {
      best = prefix;
      answer = type + " on " + device + " (" + options + ")";
    }
  }
  return answer;
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &utc);
  return text;
}

}  // namespace

MachineFacts DescribeMachine(const std::filesystem::path& directory) {
  struct ::utsname system {};
  ::uname(&system);
  struct ::sysinfo memory {};
  ::sysinfo(&memory);
  const std::uint64_t gib = memory.totalram * memory.mem_unit >> 30;
  MachineFacts facts = {
      {"date", Today()},
      {"processor",
       Processor() + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores"},
      {"memory", std::to_string(gib) + " GiB"},
      {"kernel", std::string(system.sysname) + " " + system.release},
      {"file system", FileSystem(directory)},
      {"SQLite", sqlite3_libversion()},
      {"LMDB", std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) + "." +
                   std::to_string(MDB_VERSION_PATCH)}};
#ifdef DAYBOOK_BENCH_ROCKSDB
  facts.emplace_back("RocksDB", std::to_string(ROCKSDB_MAJOR) + "." +
                                    std::to_string(ROCKSDB_MINOR) + "." +
                                    std::to_string(ROCKSDB_PATCH));
#endif
  return facts;
}

}  // namespace daybook::bench
