// Sorted tables of keys and values in a folder, with transactions: a thin layer over LMDB, of which
// nothing shows here.
//
// Codes: kResourceExhausted means that there is no room: in the map (IsMapFull says so: abort the
// transaction, GrowMap(), do it again) or on the disk (make room and do it again). Too many readers
// or no memory is kUnavailable. kDataLoss means that the files are damaged or could not be read or
// written; what is derived can then be deleted and rebuilt. kInvalidArgument is a key that is empty
// or too long. Other errors are as in io/file.h, or kInternal.
//
// A folder may be open once in a process. It must be on a local file system. After a fork, the
// child may destroy what it inherited, and nothing else.

#ifndef DAYBOOK_KV_ENVIRONMENT_H_
#define DAYBOOK_KV_ENVIRONMENT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

inline constexpr std::size_t kKeyBytesMax = 511;

// The lock file, lock.mdb, is written through a mapping: where it is a hole and the disk is full
// the process dies of SIGBUS. Who opens the folder first takes care of so many bytes, of any
// content.
inline constexpr std::uint64_t kLockFileBytes = std::uint64_t{72} << 10;

struct EnvironmentOptions {
  std::uint64_t map_bytes = std::uint64_t{64}
                            << 20;  // address space, not disk; GrowMap() makes more
  unsigned max_tables = 16;
  // Leaves the sync of the last page of a commit to the next one: a machine crash may undo the last
  // transaction, but not damage the rest. For what can be derived again.
  bool no_meta_sync = false;
};

// Whether a kResourceExhausted of this module is about the map and not about the disk.
bool IsMapFull(const absl::Status& status);
// Whether a kDataLoss may mean a full disk: LMDB says EIO where a write was cut short.
bool MayBeCutShort(const absl::Status& status);

// A table of an Environment: a small value, good as long as the Environment is.
class TableHandle {
 public:
  TableHandle() = default;

 private:
  friend class Environment;
  friend class Transaction;
  friend class WriteTransaction;
  explicit TableHandle(unsigned handle) : handle_(handle) {}
  unsigned handle_ = 0;
};

class Environment;

// Walks a table in the order of its keys, compared bytewise. Must be destroyed before its
// transaction ends. Move-only.
class TableCursor {
 public:
  TableCursor(TableCursor&& other) noexcept;
  TableCursor& operator=(TableCursor&& other) noexcept;
  ~TableCursor();

  // Goes to the first entry with a key ≥ `key` (an empty key: to the first of all); false where
  // there is none.
  absl::StatusOr<bool> Seek(std::string_view key);
  // Goes to the last entry with a key ≤ `key`, which is not empty; false where there is none.
  absl::StatusOr<bool> SeekBack(std::string_view key);
  // Goes to the next entry; false at the end. Before any Seek: to the first.
  absl::StatusOr<bool> Next();
  // Goes to the entry before; false at the begin.
  absl::StatusOr<bool> Previous();

  // The entry where the last call that said true went. Valid until the transaction ends, or in a
  // write transaction until its next Put or Delete.
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  friend class Transaction;
  TableCursor(Environment* environment, void* cursor)
      : environment_(environment), cursor_(cursor) {}
  absl::StatusOr<bool> Get(int operation, std::string_view key);
  void Close() noexcept;

  Environment* environment_;
  void* cursor_;
  std::string_view key_, value_;
};

// What reading and writing transactions share. Destroying one aborts it, unless it was committed.
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();

  // The value, valid until the transaction ends, or in a write transaction until its next Put or
  // Delete. Its address is not aligned: copy to aligned words what needs them.
  [[nodiscard]] absl::StatusOr<std::optional<std::string_view>> Get(TableHandle table,
                                                                    std::string_view key) const;
  [[nodiscard]] absl::StatusOr<TableCursor> OpenCursor(TableHandle table) const;
  // The number of entries, and of pages of the tree that holds them; cost nothing.
  [[nodiscard]] absl::StatusOr<std::uint64_t> Count(TableHandle table) const;
  [[nodiscard]] absl::StatusOr<std::uint64_t> Pages(TableHandle table) const;

 protected:
  friend class Environment;
  Transaction(Environment* environment, void* transaction)
      : environment_(environment), transaction_(transaction) {}
  void Abort() noexcept;
  // Ends it well; what LMDB says of it.
  int End();

  Environment* environment_;
  void* transaction_;
};

// A consistent view of the last commit before it began. Used by one thread at a time, of any. While
// it lives, pages that later commits free cannot be reused: keep it short.
class ReadTransaction : public Transaction {
 private:
  friend class Environment;
  using Transaction::Transaction;
};

// All or nothing. Used by the thread that began it, one at a time in the world: a second waits. A
// thread with a write transaction open must not begin another. After an error from Put or Delete
// nothing but abort is left.
class WriteTransaction : public Transaction {
 public:
  // Replaces what was there. Values may be as large as the map allows.
  absl::Status Put(TableHandle table, std::string_view key, std::string_view value);
  // The same for a key that is greater than every other one: quick, and leaves full pages behind.
  // kInvalidArgument where it is not greater.
  absl::Status Append(TableHandle table, std::string_view key, std::string_view value);
  // False where there was nothing.
  absl::StatusOr<bool> Delete(TableHandle table, std::string_view key);
  // On the device on return (but see no_meta_sync). The transaction is over, whatever the outcome.
  absl::Status Commit();

 private:
  friend class Environment;
  using Transaction::Transaction;
  int PutBytes(TableHandle table, std::string_view key, std::string_view value, unsigned flags);
};

// An open folder. Thread-safe.
class Environment {
 public:
  // Creates the files where they are missing; the folder must exist.
  static absl::StatusOr<std::unique_ptr<Environment>> Open(const std::filesystem::path& directory,
                                                           const EnvironmentOptions& options);
  // No transaction may be open.
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Opens a table, created where it is missing, in a write transaction of its own: not while this
  // thread has one.
  absl::StatusOr<TableHandle> OpenTable(std::string_view name);
  // Opens a table that is there, without writing; kNotFound where there is none. Not while another
  // thread opens a table.
  absl::StatusOr<TableHandle> FindTable(std::string_view name);

  absl::StatusOr<ReadTransaction> BeginRead();
  absl::StatusOr<WriteTransaction> BeginWrite();

  // Doubles the map. Waits until no transaction of this process is open (this thread must have
  // none); kUnavailable after `timeout`.
  absl::Status GrowMap(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  [[nodiscard]] std::uint64_t map_bytes() const;
  // Where the last page that the environment knows of ends in data.mdb. A file that is shorter was
  // cut off, and a look at what is missing would kill the process with SIGBUS.
  [[nodiscard]] std::uint64_t pages_end() const;

  // Puts on the device what no_meta_sync left for later.
  absl::Status Sync();

 private:
  friend class Transaction;
  friend class WriteTransaction;
  friend class TableCursor;
  class Impl;
  explicit Environment(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_KV_ENVIRONMENT_H_
