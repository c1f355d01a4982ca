// How a store is opened, and what it reports to its host.

#ifndef DAYBOOK_OPTIONS_H_
#define DAYBOOK_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daybook/values.h"

namespace daybook {

// A thing that the host may want to log or to count. Daybook itself writes nothing anywhere but in
// the store.
struct Notice {
  enum class Severity : std::uint8_t { kInfo, kWarning, kError };
  Severity severity = Severity::kInfo;
  std::string message;  // what, where, and what to do; never the payload of an event
};
// Called from any thread, also from the store's own; must not call the store.
using NoticeHandler = std::function<void(const Notice&)>;

struct StoreOptions {
  enum class Create : std::uint8_t { kIfMissing, kNever, kMustNotExist };
  Create create = Create::kIfMissing;
  Durability durability = Durability::kSync;
  // In a kBuffered store: how long an append may wait for the device.
  std::chrono::milliseconds sync_interval{100};
  // The largest size of a segment file; 16 KiB to 4 GiB. New stores grow up to it: 1, 4, 16, 64
  // MiB, ...
  std::uint64_t segment_bytes_max = std::uint64_t{256} << 20;
  // How many heads of streams are kept in memory beyond those that must be.
  std::uint64_t cached_heads_max = 200'000;
  // Opens although the clock is more than 24 hours behind the last event.
  bool accept_clock_behind = false;
  // Opens although the file system is a network one, whose locks and syncs are not to be trusted.
  bool accept_network_file_system = false;
  // The source of recorded_at; the system's clock if empty. Must be thread-safe.
  std::function<Timestamp()> clock;
  NoticeHandler on_notice;
};

// How the bytes of the log are read.
enum class FileAccess : std::uint8_t {
  // Mapped: the fastest, and no memory of the process's own. Where the device cannot give a page,
  // or somebody shortens a file, the process gets SIGBUS.
  kMap,
  // Read with pread into memory: slower, and an error of the device is a status, never a signal.
  kRead,
};

struct ReaderOptions {
  FileAccess access = FileAccess::kMap;
  bool accept_network_file_system = true;
  NoticeHandler on_notice;
};

}  // namespace daybook

#endif  // DAYBOOK_OPTIONS_H_
