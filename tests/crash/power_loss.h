// A power loss: takes back, in a store that a process wrote to through the undoing disk
// (undo_disk.cc), what was not synced when the process was killed.
//
// The model is a device that keeps any version of each 512-byte sector that it had since the last
// sync of the file, any size between, and any set of names that hangs together: of the changes of
// one name the first ones. So a rename is kept or not, whole; and a folder is there if anything in
// it is.

#ifndef DAYBOOK_TESTS_CRASH_POWER_LOSS_H_
#define DAYBOOK_TESTS_CRASH_POWER_LOSS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace daybook::testing {

enum class Kept : std::uint8_t {
  kNothing,  // all that is not synced is gone
  kPrefix,   // what came before some moment
  kSectors,  // any sectors, any names
  kEnds,     // of each write its first or its last sector is missing
  kData,     // all data, no names
  kNames,    // all names, no data
  kAll,
};
inline constexpr int kKeptKinds = 7;

struct PowerLoss {
  std::uint64_t records = 0;         // that the log held
  std::uint64_t sectors = 0;         // unsynced
  std::uint64_t sectors_undone = 0;  // of them, brought to an older version
  std::uint64_t names = 0, names_undone = 0;
  std::uint64_t index_sectors = 0;  // of LMDB's, among the undone
};

class UndoLog {
 public:
  // `log` is beside the store, on the same file system.
  UndoLog(std::filesystem::path store, std::filesystem::path log);

  // What a process that goes through the undoing disk has in its environment.
  [[nodiscard]] std::vector<std::string> Environment() const;

  // After the process died: takes off a record that was cut off, so that the next process can go
  // on in the log.
  void Trim() const;
  // Takes back, and begins a new log. The same seed takes back the same. "" or what went wrong.
  std::string LosePower(Kept kept, std::uint64_t seed, PowerLoss* loss) const;
  // Everything is on the device.
  void Clear() const;

 private:
  std::filesystem::path store_, log_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_POWER_LOSS_H_
