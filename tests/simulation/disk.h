// A disk with a page cache and one file system on it, in memory: what a running system sees of it,
// what is on the device for sure, and everything that may be there after a crash.
//
// The semantics are those that POSIX and Linux file systems give, taken at their weakest:
//   - A write stands in the cache at once and on the device at any later moment, or never, sector
//     by sector (512 bytes) and in any order. What a sector holds after a crash is the cache's
//     content of it after some write, or, where the crash tears it, the bytes of one such content
//     up to some place and of the one before it from there (or the reverse). Bytes that a write did
//     not change never change: devices are taken to overwrite safely.
//   - fdatasync and fsync of a file put its data and size on the device, and not its name.
//   - A failed sync leaves each sector as it happened to arrive, and marks all as clean, as Linux
//     does: a later sync is no promise for them until they are written again. Size and names stay
//     dirty.
//   - Creations, renames and removals are on the device after fsync of their folder, and before it
//     any of them may be, in any order but one: two that touch the same name stay in theirs. A
//     rename is atomic, also where it replaces.

#ifndef DAYBOOK_TESTS_SIMULATION_DISK_H_
#define DAYBOOK_TESTS_SIMULATION_DISK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace daybook::simulation {

inline constexpr std::uint64_t kSectorBytes = 512;
using Random = std::mt19937_64;

// What changed the disk, and marks of whoever drives it.
struct Op {
  enum class Kind : std::uint8_t {
    kCreateFile,
    kCreateFolder,
    kWrite,
    kResize,
    kSync,        // a file
    kSyncFailed,  // a file
    kSyncFolder,
    kRename,
    kRemove,
    kMark,
  };
  Kind kind = Kind::kMark;
  std::uint32_t inode = 0;       // the file or folder itself; a number of kMark
  std::uint32_t folder = 0;      // that has the name
  std::uint32_t to_folder = 0;   // of a rename
  std::string name, to_name;     // in them
  std::uint64_t offset = 0;      // of kWrite; the size of kResize; a number of kMark
  std::uint64_t other = 0;       // another number of kMark; 0: as before
  std::vector<std::byte> bytes;  // of kWrite
};

// Which of what is not on the device for sure is there after a crash.
struct Choice {
  enum class Kind : std::uint8_t {
    kLost,         // nothing
    kKept,         // all
    kOneLost,      // all but what one operation did
    kOneKept,      // what one operation did
    kTorn,         // all, but of one write only some bytes in a row
    kReordered,    // some operations, each whole
    kSectors,      // some sectors, names and sizes
    kTornSectors,  // the same, with sectors torn in the middle
    kNamesLost,    // all data, and some names
    kSizesLost,    // all but the growth of files
    kKilled,       // no crash of the machine: the cache goes on
  };
  Kind kind = Kind::kLost;
  std::uint32_t op = 0;    // of kOneLost, kOneKept, kTorn
  std::uint64_t seed = 0;  // of what is random
};
inline constexpr std::size_t kChoiceKinds = 11;
const char* NameOf(Choice::Kind kind);

// Memory of a file: it keeps its address while it is mapped. Beyond the file's size it is zero.
class FileBytes {
 public:
  FileBytes() = default;
  FileBytes(const FileBytes& other);
  FileBytes& operator=(const FileBytes& other) = delete;
  FileBytes(FileBytes&& other) noexcept = default;
  FileBytes& operator=(FileBytes&& other) noexcept = default;

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Ends the process where a mapped file would have to move.
  void Resize(std::uint64_t bytes, bool is_mapped);

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::uint64_t size_ = 0, capacity_ = 0;
};

// Not thread-safe. A copy is a disk of its own.
class Disk {
 public:
  static constexpr std::uint32_t kRoot = 1;

  Disk();

  // What the running system sees. 0 where there is nothing; `path` is relative to the root.
  [[nodiscard]] std::uint32_t Find(std::string_view path) const;
  [[nodiscard]] std::uint32_t FindIn(std::uint32_t folder, std::string_view name) const;
  [[nodiscard]] bool IsFolder(std::uint32_t inode) const { return folders_.contains(inode); }
  [[nodiscard]] std::vector<std::string> Names(std::uint32_t folder) const;
  [[nodiscard]] FileBytes& Bytes(std::uint32_t file) { return files_.at(file).cache; }
  [[nodiscard]] const FileBytes& Bytes(std::uint32_t file) const { return files_.at(file).cache; }
  [[nodiscard]] std::uint32_t NextInode() const { return next_inode_; }

  // Number `index` is how choices and pending() name the operation. The operation must be possible.
  void Apply(const Op& op, std::uint32_t index);
  // A writer's mapping of the file: its bytes change without an operation, and Apply of a write
  // that tells of it finds in `before` what the page held before.
  void SetMapped(std::uint32_t file, bool is_mapped, bool is_written);
  [[nodiscard]] const std::vector<std::byte>& Shadow(std::uint32_t file) const {
    return files_.at(file).shadow;
  }

  // The operations whose effects are not on the device for sure, in their order.
  [[nodiscard]] std::vector<std::uint32_t> pending() const;
  // The disk after a crash: nothing on it is pending.
  [[nodiscard]] Disk Crash(const Choice& choice) const;
  // The same number for the same files with the same content and nothing pending.
  [[nodiscard]] std::uint64_t Hash() const;

  // For replaying: all of it as bytes.
  void Save(std::string* out) const;
  static Disk Load(std::string_view* in);

 private:
  struct Version {
    std::uint32_t op;
    std::array<std::byte, kSectorBytes> bytes;
  };
  // A sector of which it is not known what the device holds: one of these.
  struct Sector {
    std::vector<Version> versions;  // the first is what was there for sure
    bool dirty = false;             // the next sync writes the last of them
  };
  struct SizeVersion {
    std::uint32_t op;
    std::uint64_t bytes;
  };
  struct File {
    FileBytes cache;
    std::map<std::uint64_t, Sector> sectors;
    std::vector<SizeVersion> sizes;  // empty, or as the versions of a sector
    std::vector<std::byte> shadow;   // of a file that is mapped for writing
    bool is_mapped = false;
  };
  using Entry = std::pair<std::uint32_t, std::string>;  // a folder and a name in it
  struct NameChange {
    std::uint32_t op;
    std::vector<std::pair<Entry, std::uint32_t>> entries;  // 0: the name goes
  };
  class Chooser;

  void Write(File* file, std::uint64_t offset, std::span<const std::byte> bytes,
             std::uint32_t index);
  void SetSize(File* file, std::uint64_t bytes, std::uint32_t index);
  void ChangeNames(NameChange change);
  void SyncFolder(std::uint32_t folder);
  static FileBytes Settle(const File& file, Chooser* chooser);

  std::map<std::uint32_t, File> files_;
  std::set<std::uint32_t> folders_;
  std::map<Entry, std::uint32_t> names_;          // as the running system sees them
  std::map<Entry, std::uint32_t> durable_names_;  // as they are on the device for sure
  std::vector<NameChange> name_changes_;          // from the one to the other
  std::uint32_t next_inode_ = kRoot + 1;
};

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_DISK_H_
