// A store at work on a simulated disk, recorded: what it did to the disk, what was appended, and
// what it acknowledged when.

#ifndef DAYBOOK_TESTS_SIMULATION_RECORDING_H_
#define DAYBOOK_TESTS_SIMULATION_RECORDING_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daybook/store.h"
#include "simulation/disk.h"
#include "simulation/history.h"
#include "simulation/simulated_system.h"

namespace daybook::simulation {

using StoreOpener = std::function<absl::StatusOr<std::unique_ptr<Store>>(
    const std::filesystem::path&, const StoreOptions&)>;

// A folder in memory that a simulated disk is mounted over; LMDB's files are in it for real. Gone
// with the object.
class Bench {
 public:
  Bench();
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string store() const { return root_ + "/store"; }
  // The data file of index/; empty where there is none.
  [[nodiscard]] std::string Index() const;
  // index/ as it was, or empty.
  void SetIndex(const std::string& data) const;

 private:
  std::string root_;
};

struct Setting {
  std::uint64_t segment_bytes = 16 << 10;
  Durability durability = Durability::kSync;
  std::int64_t clock = 0;  // recorded times begin here
  // Options for a store with a clock of its own that goes on by a microsecond a call. What it
  // notices as errors goes to `errors`, if not nullptr.
  [[nodiscard]] StoreOptions Options(std::string* errors) const;
};

// index/ as it was when so many operations were done.
struct IndexCopy {
  std::uint64_t operations = 0;
  std::string data;
};

// What was at work.
enum class Subject : std::uint8_t { kStore, kRepair, kBackup, kRestore };

// A mark in the log (Op::offset, Op::other, and Op::inode): so many events are acknowledged or
// could be seen, so many were handed to the store, and so many are in a backup that is done.
struct Recording {
  std::string name;
  Subject subject = Subject::kStore;
  std::uint64_t seed = 0;
  Setting setting;
  Disk base;
  std::vector<Op> log;
  History history;
  std::vector<IndexCopy> indexes;  // ascending
};

// Drives a store on a mounted disk and keeps the log of acknowledgements.
class Driver {
 public:
  Driver(const Bench* bench, Mount* mount, Setting setting, std::uint64_t seed, StoreOpener opener);
  ~Driver();

  void Open();
  void Close();
  // A commit of so many events, and its acknowledgement where the store gives one at once.
  void Append(std::size_t events);
  void AppendAsync(std::size_t events);
  void Flush();
  void WaitIndexed();
  static void Idle(std::chrono::milliseconds time);

  // So many events are in a backup that is done, from here on.
  void SetBackedUp(std::uint64_t events);
  void set_shape(const History::Shape& shape) { shape_ = shape; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Store* store() { return store_.get(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // What was recorded since the mount.
  Recording Take(std::string name);

 private:
  void Failed(const std::string& what);
  void Mark();
  void KeepIndex();

  const Bench* const bench_;
  Mount* const mount_;
  const Setting setting_;
  const std::uint64_t seed_;
  const StoreOpener opener_;
  Random random_;
  History::Shape shape_;
  History history_;
  std::uint64_t acknowledged_ = 0, backed_up_ = 0;
  std::vector<IndexCopy> indexes_;
  std::unique_ptr<Store> store_;
  std::string errors_, problem_;
};

// Runs one of the workloads and records it; its `name` is empty and `*problem` says why where the
// store failed.
inline constexpr std::size_t kRepairWorkload = 7;
inline constexpr std::size_t kBackupWorkload = 8;
inline constexpr std::size_t kWorkloads = 9;
Recording RecordWorkload(std::size_t workload, std::uint64_t seed, const StoreOpener& opener,
                         std::string* problem);
const char* WorkloadName(std::size_t workload);
// A store, damaged so that it can be mended, and its repair.
Recording RecordRepair(std::uint64_t seed, const StoreOpener& opener, std::string* problem);
// Of a store, by the upper half of the seed: its first backup, or the next, while it is appended
// to, or the restore of that.
inline constexpr std::uint64_t kBackupParts = 3;
Recording RecordBackup(std::uint64_t seed, const StoreOpener& opener, std::string* problem);

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_RECORDING_H_
