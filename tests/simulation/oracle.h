// What must hold of a store after any crash.

#ifndef DAYBOOK_TESTS_SIMULATION_ORACLE_H_
#define DAYBOOK_TESTS_SIMULATION_ORACLE_H_

#include <cstdint>
#include <string>

#include "simulation/recording.h"

namespace daybook::simulation {

// A disk as a crash left it, and what is known of what was appended before.
struct CrashState {
  Subject subject = Subject::kStore;
  Setting setting;
  Disk disk;
  std::string index;  // the data file of index/; empty: it is gone
  History history;
  std::uint64_t acknowledged = 0;  // so many events must be there
  std::uint64_t handed_over = 0;   // and no more than these
  std::uint64_t backed_up = 0;     // so many must be in the backup, or come whole out of it

  void Save(std::string* out) const;
  static CrashState Load(std::string_view* in);
};

struct CheckPlan {
  bool reads_first = false;  // a reader looks before anything is recovered
  bool verifies = false;     // all links are verified in the end
  bool reopens = false;      // the end is read through a second opening for writing
  std::uint64_t seed = 0;    // of what is appended
};

// Opens for writing what a crash left, reads, appends, closes, and reads again. "" or what is
// wrong:
//   - the opening is refused, or says that something is damaged;
//   - what is there is not a prefix of what was appended, ends within a commit, or lacks what was
//     acknowledged;
//   - a reader that looks before sees anything else, or damage;
//   - the store cannot go on.
// `*recovery` gets what all that did to the disk, as a recording of its own: a crash within it must
// hold at least what the recovered store showed as durable.
std::string CheckCrashState(const Bench& bench, CrashState state, const CheckPlan& plan,
                            const StoreOpener& opener, Recording* recovery);

// The same of any state that is opened as a store, whatever left it.
std::string CheckOpening(const Bench& bench, CrashState state, const CheckPlan& plan,
                         const StoreOpener& opener, Recording* recovery);

// The same of a repair that crashed: repaired again, the store is whole and holds all of the
// history.
std::string CheckRepairState(const Bench& bench, CrashState state, const CheckPlan& plan,
                             const StoreOpener& opener, Recording* again);

// Where a backup crashed: the backup verifies and holds what was there when the last Backup
// returned, or is none yet and says so; the store recovers, and the next Backup goes on, before or
// behind that, and becomes all of the store again when it is restored.
std::string CheckBackupState(const Bench& bench, CrashState state, const CheckPlan& plan,
                             const StoreOpener& opener, Recording* again);
// Where a restore crashed: the folder is a store that is whole, or none, and then the next Restore
// works, or names the folder as what is to be removed and works elsewhere. A store that was opened
// before Restore returned may go again by a power loss, until something is acknowledged in it.
std::string CheckRestoreState(const Bench& bench, CrashState state, const CheckPlan& plan,
                              const StoreOpener& opener, Recording* again);

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_ORACLE_H_
