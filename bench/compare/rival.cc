#include "compare/rival.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace daybook::bench {

void Die(std::string_view what) {
  std::fprintf(stderr, "daybook_compare: %.*s\n", static_cast<int>(what.size()), what.data());
  std::_Exit(1);
}

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void EventStore::Load(const Plan&) { Die("this contestant is not loaded in any workload"); }

Seen EventStore::ReadStream(std::string_view) {
  Die("this contestant reads no streams in any workload");
}

void EventStore::SumByStream() { Die("this contestant keeps no sums in any workload"); }

EventStore::Sums EventStore::ReadSums() { Die("this contestant keeps no sums in any workload"); }

#ifndef DAYBOOK_BENCH_ROCKSDB
bool HasRocksdb() { return false; }
std::unique_ptr<EventStore> OpenRocksdb(const std::filesystem::path&) {
  Die("this build does without RocksDB");
}
#endif

}  // namespace daybook::bench
