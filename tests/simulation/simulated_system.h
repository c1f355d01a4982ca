// io/system.h on a simulated disk: below the mounted folder, all calls that the store makes about
// files go to a Disk; what lies elsewhere, and below a folder named `index` (LMDB's, which calls
// libc itself), goes to the real system.

#ifndef DAYBOOK_TESTS_SIMULATION_SIMULATED_SYSTEM_H_
#define DAYBOOK_TESTS_SIMULATION_SIMULATED_SYSTEM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "simulation/disk.h"

namespace daybook::simulation {

enum class Call : std::uint8_t {
  kOpen,
  kCreate,  // Open that makes a file
  kRead,
  kWrite,
  kSyncData,
  kSync,
  kSyncFolder,
  kResize,
  kLookUp,  // Stat, Lstat, Fstat, Statfs
  kLock,
  kMap,
  kMakeFolder,
  kRename,
  kRemove,
  kList,
};
inline constexpr std::size_t kCalls = 15;
const char* NameOf(Call call);

// The n-th call of a kind from now on fails, and some after it.
struct Fault {
  enum class Effect : std::uint8_t {
    kError,       // nothing was done; a sync that fails marks all as clean
    kErrorAfter,  // a part was written, and then the error
    kShort,       // half of it was written, and that is no error
  };
  Call call = Call::kWrite;
  std::uint64_t n = 1;
  std::uint64_t times = 1;  // so many calls in a row
  int error = 0;
  Effect effect = Effect::kError;
};

// One at a time in the process. Thread-safe as the system's calls are; the methods here are called
// by one thread.
class Mount {
 public:
  // `root` is an absolute path. The disk's root folder appears there.
  Mount(std::string root, Disk disk);
  // No file may be open on it.
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  // Turns the log of operations on (it begins off), from here. `*base`, if not nullptr, gets the
  // disk as it is: what other threads do is either in it or in the log.
  void StartLog(Disk* base = nullptr);
  // What was done since. Ends the log.
  [[nodiscard]] std::vector<Op> TakeLog();
  [[nodiscard]] std::size_t log_size();
  void Mark(std::uint64_t number, std::uint64_t other, std::uint64_t third = 0);
  // Before each sync of a file, a mark of what this says, where it is more than was marked before
  // (its other number is 0). It may make no system call. nullptr ends it.
  void MarkAtSyncs(std::function<std::uint64_t()> number);
  // A copy of the disk as it is.
  [[nodiscard]] Disk disk();

  void SetFault(const std::optional<Fault>& fault);
  // How often the fault struck.
  [[nodiscard]] std::uint64_t struck();
  // Calls of each kind since the mount or the last SetFault.
  [[nodiscard]] std::array<std::uint64_t, kCalls> calls();
};

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_SIMULATED_SYSTEM_H_
