// What the undoing disk (undo_disk.cc) notes of each change before it is made, and the power loss
// (power_loss.h) reads. A record stands in the log before its effect: a process that is killed
// between the two leaves a record that undoes nothing.

#ifndef DAYBOOK_TESTS_CRASH_UNDO_RECORD_H_
#define DAYBOOK_TESTS_CRASH_UNDO_RECORD_H_

#include <cstdint>

namespace daybook::testing {

inline constexpr std::uint64_t kSectorBytes = 512;

enum class UndoKind : std::uint32_t {
  kWrite = 1,     // bytes of a file, in whole sectors: what stood there before
  kResize,        // a file gets longer
  kDataSynced,    // everything of a file that was noted before `mark` is on the device
  kRangeSynced,   // so is a range of it, whatever came before
  kMake,          // a name (of a file or a folder) that was not there
  kRemove,        // a name; what it named is kept among the graves
  kRename,        // from one name to another; what that named before, too
  kFolderSynced,  // the names in a folder that were noted before `mark` are on the device
};

// Followed by the first name, the second name and the old bytes.
struct UndoRecord {
  UndoKind kind{};
  std::uint32_t first_name_bytes = 0;   // relative to the store
  std::uint32_t second_name_bytes = 0;  // the new name of kRename
  std::uint32_t old_bytes = 0;          // kWrite; fewer than `length` where the file was shorter
  std::uint64_t inode = 0;
  std::uint64_t replaced = 0;  // kRename: the inode that had the new name, or 0
  std::uint64_t offset = 0;    // kWrite, kRangeSynced
  std::uint64_t length = 0;    // kWrite, kRangeSynced
  std::uint64_t size = 0;      // kWrite, kResize: of the file before
  std::uint64_t mark = 0;      // kDataSynced, kFolderSynced: an offset in the log
};

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_UNDO_RECORD_H_
