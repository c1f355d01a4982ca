// A contestant: an event store behind one interface, be it Daybook, a rival, or nothing but the
// device.

#ifndef DAYBOOK_BENCH_COMPARE_RIVAL_H_
#define DAYBOOK_BENCH_COMPARE_RIVAL_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "compare/workload.h"

namespace daybook::bench {

// Ends the program: a benchmark that goes on after an error measures nothing.
[[noreturn]] void Die(std::string_view what);

// Nanoseconds since 1970, for contestants that stamp their commits.
std::int64_t Now();

// Appends for one thread.
class Appender {
 public:
  Appender() = default;
  virtual ~Appender() = default;
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  // Appends commit number `commit` of the plan: on the device on return.
  virtual void Append(const Plan& plan, std::uint64_t commit) = 0;
};

class EventStore {
 public:
  EventStore() = default;
  virtual ~EventStore() = default;
  EventStore(const EventStore&) = delete;
  EventStore& operator=(const EventStore&) = delete;

  // An appender for one thread; the store outlives it.
  virtual std::unique_ptr<Appender> NewAppender() = 0;
  // Fills the empty store with the plan in the contestant's quickest way, and in the layout that
  // reads best. Not measured; close and open it again before measuring reads.
  virtual void Load(const Plan& plan);
  // Reads every event in order of position.
  virtual Seen ReadAll() = 0;
  // Reads the events of one stream in order of version.
  virtual Seen ReadStream(std::string_view stream);

  using Sums = std::map<std::string, std::uint64_t, std::less<>>;
  // Reads every event in order of position and adds AmountOf() up by stream, event by event, into a
  // table of its own, which is emptied first; on the device on return.
  virtual void SumByStream();
  // What that table has.
  virtual Sums ReadSums();
};

// Each opens the store in `directory`, which exists; an empty one becomes a new store.
std::unique_ptr<EventStore> OpenDaybook(const std::filesystem::path& directory);
// Ends the program, with the message, where Daybook does not do what it was asked for.
void CheckDaybook(const absl::Status& status);

enum class SqliteLayout : std::uint8_t {
  kByPosition,  // rows by position, a unique index on (stream, version)
  kByStream,    // WITHOUT ROWID, rows by (stream, version), a unique index on position
};
enum class SqliteThreads : std::uint8_t {
  kMutex,        // one connection behind a mutex
  kConnections,  // one connection for each thread
};
std::unique_ptr<EventStore> OpenSqlite(const std::filesystem::path& directory,
                                       SqliteLayout layout = SqliteLayout::kByPosition,
                                       SqliteThreads threads = SqliteThreads::kMutex);
std::unique_ptr<EventStore> OpenSqliteByPosition(const std::filesystem::path& directory);

std::unique_ptr<EventStore> OpenLmdb(const std::filesystem::path& directory);

// Whether this build compares with RocksDB.
bool HasRocksdb();
std::unique_ptr<EventStore> OpenRocksdb(const std::filesystem::path& directory);

// The limit (limit_rival.cc): what the device and the processor give to anyone.

// Writes `commits` times `bytes` with a sync after each, on files of 256 MiB that a second thread
// fills with zeros ahead: over the run it fills as many bytes as are written. Seconds.
double SecondsToWrite(const std::filesystem::path& directory, std::uint64_t commits,
                      std::uint64_t bytes);

// The bytes of Daybook's log files in this store, without the zeros that wait for the next event.
std::uint64_t LogBytes(const std::filesystem::path& store);

// Hashes the bytes of those files `passes` times with XXH3, mapped. Seconds.
class LogHasher {
 public:
  explicit LogHasher(const std::filesystem::path& store);
  ~LogHasher();
  LogHasher(const LogHasher&) = delete;
  LogHasher& operator=(const LogHasher&) = delete;
  double SecondsToHash(std::uint64_t passes) const;

 private:
  struct Files;
  std::unique_ptr<Files> files_;
};

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_RIVAL_H_
