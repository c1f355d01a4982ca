#include "kv/environment.h"

#include <lmdb.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread.h"

namespace daybook {
namespace {

constexpr unsigned kReadersMax =
    1024;  // of all processes; a slot takes a cache line of the lock file
constexpr char kMapFull[] = "daybook/map-full";
constexpr char kCutShort[] = "daybook/io-error";
constexpr std::uint64_t kMapBytesMin = std::uint64_t{64} << 10;

static_assert(kKeyBytesMax == 511, "what LMDB is built with, checked again when it is opened");
static_assert(kLockFileBytes >= (kReadersMax + 64) * 64, "the readers and the header of LMDB");

MDB_val ToVal(std::string_view bytes) {
  // LMDB only reads what the pointer is given for here; its struct has no const.
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view ToView(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case EIO:
      return absl::StatusCode::kDataLoss;
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
    case EMFILE:
    case ENFILE:
    case MDB_READERS_FULL:
    case MDB_MAP_RESIZED:
      return absl::StatusCode::kUnavailable;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

const char* AdviceFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kResourceExhausted:
      return "make room on the disk";
    case absl::StatusCode::kDataLoss:
      return "delete the folder if it can be derived again, and look at the disk";
    case absl::StatusCode::kUnavailable:
      return "make room (memory, open files, readers) and try again";
    case absl::StatusCode::kNotFound:
      return "check the path";
    case absl::StatusCode::kPermissionDenied:
      return "check the rights of the folder and its files";
    default:
      return "this is a bug of Daybook";
  }
}

absl::Status KvError(int error, std::string_view what, const std::filesystem::path& directory) {
  const absl::StatusCode code = CodeOf(error);
  const bool map_full = error == MDB_MAP_FULL;
  absl::Status status(
      code, absl::StrCat(ToAbsl(what), ": ", directory.native(), ": ", mdb_strerror(error), "; ",
                         map_full ? "grow the map" : AdviceFor(code)));
  if (map_full) status.SetPayload(kMapFull, absl::Cord());
  if (error == EIO) status.SetPayload(kCutShort, absl::Cord());
  return status;
}

absl::Status CheckKey(std::string_view key) {
  if (!key.empty() && key.size() <= kKeyBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("key: ", key.size(), " bytes; a key has 1 to ", kKeyBytesMax));
}

absl::Status OverError() {
  return absl::FailedPreconditionError("the transaction is over; begin another");
}

MDB_txn* Txn(void* transaction) { return static_cast<MDB_txn*>(transaction); }

}  // namespace

bool MayBeCutShort(const absl::Status& status) { return status.GetPayload(kCutShort).has_value(); }
bool IsMapFull(const absl::Status& status) { return status.GetPayload(kMapFull).has_value(); }

class Environment::Impl {
 public:
  Impl(MDB_env* env, std::filesystem::path directory)
      : env_(env), directory_(std::move(directory)) {}
  ~Impl() {
    // A child that closed what it inherited would take the parent's readers out of the shared
    // table.
    if (!inherited()) mdb_env_close(env_);
  }

  [[nodiscard]] MDB_env* env() const { return env_; }
  [[nodiscard]] bool inherited() const { return fork_generation_ != ForkGeneration(); }
  [[nodiscard]] absl::Status Error(int error, std::string_view what) const {
    return KvError(error, what, directory_);
  }

  absl::StatusOr<MDB_txn*> Begin(unsigned flags) {
    if (inherited()) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory_.native(), ": opened before a fork; open it in the child"));
    }
    constexpr int kTries = 3;
    int error = MDB_MAP_RESIZED;
    for (int i = 0; i < kTries && error == MDB_MAP_RESIZED; ++i) {
      if (i > 0) DAYBOOK_RETURN_IF_ERROR(TakeOverMapSize());
      Enter();
      MDB_txn* transaction = nullptr;
      error = mdb_txn_begin(env_, nullptr, flags, &transaction);
      if (error == MDB_SUCCESS) return transaction;
      Leave();
    }
    return Error(error, "begin a transaction");
  }

  // A transaction that Begin gave is over.
  void Leave() {
    MutexLock lock(mutex_);
    if (--open_transactions_ == 0) all_closed_.NotifyAll();
  }

  absl::Status Grow(std::chrono::milliseconds timeout) {
    MutexLock lock(mutex_);
    DAYBOOK_RETURN_IF_ERROR(WaitUntilAllClosed(timeout));
    const int error = mdb_env_set_mapsize(env_, static_cast<std::size_t>(map_bytes() * 2));
    return error == MDB_SUCCESS ? absl::OkStatus() : Error(error, "grow the map");
  }

  [[nodiscard]] std::uint64_t map_bytes() const {
    MDB_envinfo info;
    mdb_env_info(env_, &info);
    return info.me_mapsize;
  }

 private:
  void Enter() {
    MutexLock lock(mutex_);  // waits while the map is moved
    ++open_transactions_;
  }

  // Another process has grown the map; 0 stands for the size that it left in the file.
  absl::Status TakeOverMapSize() {
    MutexLock lock(mutex_);
    DAYBOOK_RETURN_IF_ERROR(WaitUntilAllClosed(std::chrono::seconds(10)));
    const int error = mdb_env_set_mapsize(env_, 0);
    return error == MDB_SUCCESS ? absl::OkStatus() : Error(error, "take over a grown map");
  }

  absl::Status WaitUntilAllClosed(std::chrono::milliseconds timeout) DAYBOOK_REQUIRES(mutex_) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (open_transactions_ > 0) {
      if (!all_closed_.WaitUntil(mutex_, deadline) && open_transactions_ > 0) {
        return absl::UnavailableError(absl::StrCat("grow the map: ", directory_.native(), ": ",
                                                   open_transactions_,
                                                   " transactions are open; end them first"));
      }
    }
    return absl::OkStatus();
  }

  MDB_env* const env_;
  const std::filesystem::path directory_;
  const std::uint64_t fork_generation_ = ForkGeneration();
  Mutex mutex_;
  CondVar all_closed_;
  int open_transactions_ DAYBOOK_GUARDED_BY(mutex_) = 0;
};

Environment::Environment(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Environment::~Environment() = default;

absl::StatusOr<std::unique_ptr<Environment>> Environment::Open(
    const std::filesystem::path& directory, const EnvironmentOptions& options) {
  MDB_env* env = nullptr;
  if (const int error = mdb_env_create(&env); error != MDB_SUCCESS) {
    return KvError(error, "open the tables", directory);
  }
  // From here on closed with the rest, whatever happens.
  auto impl = std::make_unique<Impl>(env, directory);
  const std::uint64_t map_bytes =
      (std::max(options.map_bytes, kMapBytesMin) + kMapBytesMin - 1) / kMapBytesMin * kMapBytesMin;
  int error = mdb_env_set_mapsize(env, static_cast<std::size_t>(map_bytes));
  if (error == MDB_SUCCESS) error = mdb_env_set_maxdbs(env, options.max_tables);
  if (error == MDB_SUCCESS) error = mdb_env_set_maxreaders(env, kReadersMax);
  // NOTLS: a read transaction belongs to no thread.
  const unsigned flags = MDB_NOTLS | (options.no_meta_sync ? MDB_NOMETASYNC : 0u);
  if (error == MDB_SUCCESS) error = mdb_env_open(env, directory.c_str(), flags, 0644);
  // Readers of processes that were killed hold pages until somebody looks.
  if (error == MDB_SUCCESS) error = mdb_reader_check(env, nullptr);
  if (error != MDB_SUCCESS) return KvError(error, "open the tables", directory);
  DAYBOOK_CHECK(mdb_env_get_maxkeysize(env) >= static_cast<int>(kKeyBytesMax));
  return std::unique_ptr<Environment>(new Environment(std::move(impl)));
}

std::uint64_t Environment::pages_end() const {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(impl_->env(), &info);
  mdb_env_stat(impl_->env(), &stat);
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

absl::StatusOr<TableHandle> Environment::OpenTable(std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(WriteTransaction transaction, BeginWrite());
  MDB_dbi handle = 0;
  const int error =
      mdb_dbi_open(Txn(transaction.transaction_), std::string(name).c_str(), MDB_CREATE, &handle);
  if (error != MDB_SUCCESS) return impl_->Error(error, absl::StrCat("open table ", ToAbsl(name)));
  DAYBOOK_RETURN_IF_ERROR(transaction.Commit());
  return TableHandle(handle);
}

absl::StatusOr<TableHandle> Environment::FindTable(std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(ReadTransaction transaction, BeginRead());
  MDB_dbi handle = 0;
  int error = mdb_dbi_open(Txn(transaction.transaction_), std::string(name).c_str(), 0, &handle);
  // The handle is this transaction's alone until that ends well.
  if (error == MDB_SUCCESS) error = transaction.End();
  if (error == MDB_NOTFOUND) {
    return absl::NotFoundError(absl::StrCat("there is no table ", ToAbsl(name)));
  }
  if (error != MDB_SUCCESS) return impl_->Error(error, absl::StrCat("find table ", ToAbsl(name)));
  return TableHandle(handle);
}

absl::StatusOr<ReadTransaction> Environment::BeginRead() {
  DAYBOOK_ASSIGN_OR_RETURN(MDB_txn * transaction, impl_->Begin(MDB_RDONLY));
  return ReadTransaction(this, transaction);
}

absl::StatusOr<WriteTransaction> Environment::BeginWrite() {
  DAYBOOK_ASSIGN_OR_RETURN(MDB_txn * transaction, impl_->Begin(0));
  return WriteTransaction(this, transaction);
}

absl::Status Environment::GrowMap(std::chrono::milliseconds timeout) {
  return impl_->Grow(timeout);
}

std::uint64_t Environment::map_bytes() const { return impl_->map_bytes(); }

absl::Status Environment::Sync() {
  const int error = mdb_env_sync(impl_->env(), 1);
  return error == MDB_SUCCESS ? absl::OkStatus() : impl_->Error(error, "sync the tables");
}

Transaction::Transaction(Transaction&& other) noexcept
    : environment_(other.environment_), transaction_(std::exchange(other.transaction_, nullptr)) {}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this != &other) {
    Abort();
    environment_ = other.environment_;
    transaction_ = std::exchange(other.transaction_, nullptr);
  }
  return *this;
}

Transaction::~Transaction() { Abort(); }

void Transaction::Abort() noexcept {
  if (transaction_ == nullptr || environment_->impl_->inherited()) return;
  mdb_txn_abort(Txn(std::exchange(transaction_, nullptr)));
  environment_->impl_->Leave();
}

absl::StatusOr<std::optional<std::string_view>> Transaction::Get(TableHandle table,
                                                                 std::string_view key) const {
  if (transaction_ == nullptr) return OverError();
  DAYBOOK_RETURN_IF_ERROR(CheckKey(key));
  MDB_val name = ToVal(key), value{};
  const int error = mdb_get(Txn(transaction_), table.handle_, &name, &value);
  if (error == MDB_NOTFOUND) return std::optional<std::string_view>();
  if (error != MDB_SUCCESS) return environment_->impl_->Error(error, "get");
  return std::optional<std::string_view>(ToView(value));
}

absl::StatusOr<TableCursor> Transaction::OpenCursor(TableHandle table) const {
  if (transaction_ == nullptr) return OverError();
  MDB_cursor* cursor = nullptr;
  const int error = mdb_cursor_open(Txn(transaction_), table.handle_, &cursor);
  if (error != MDB_SUCCESS) return environment_->impl_->Error(error, "open a cursor");
  return TableCursor(environment_, cursor);
}

absl::StatusOr<std::uint64_t> Transaction::Count(TableHandle table) const {
  if (transaction_ == nullptr) return OverError();
  MDB_stat stat;
  const int error = mdb_stat(Txn(transaction_), table.handle_, &stat);
  if (error != MDB_SUCCESS) return environment_->impl_->Error(error, "count");
  return std::uint64_t{stat.ms_entries};
}

absl::StatusOr<std::uint64_t> Transaction::Pages(TableHandle table) const {
  if (transaction_ == nullptr) return OverError();
  MDB_stat stat;
  const int error = mdb_stat(Txn(transaction_), table.handle_, &stat);
  if (error != MDB_SUCCESS) return environment_->impl_->Error(error, "count pages");
  return std::uint64_t{stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages};
}

int Transaction::End() {
  const int error = mdb_txn_commit(Txn(std::exchange(transaction_, nullptr)));
  environment_->impl_->Leave();
  return error;
}

int WriteTransaction::PutBytes(TableHandle table, std::string_view key, std::string_view value,
                               unsigned flags) {
  MDB_val name = ToVal(key), bytes = ToVal(value);
  return mdb_put(Txn(transaction_), table.handle_, &name, &bytes, flags);
}

absl::Status WriteTransaction::Put(TableHandle table, std::string_view key,
                                   std::string_view value) {
  if (transaction_ == nullptr) return OverError();
  DAYBOOK_RETURN_IF_ERROR(CheckKey(key));
  const int error = PutBytes(table, key, value, 0);
  return error == MDB_SUCCESS ? absl::OkStatus() : environment_->impl_->Error(error, "put");
}

absl::Status WriteTransaction::Append(TableHandle table, std::string_view key,
                                      std::string_view value) {
  if (transaction_ == nullptr) return OverError();
  DAYBOOK_RETURN_IF_ERROR(CheckKey(key));
  const int error = PutBytes(table, key, value, MDB_APPEND);
  if (error == MDB_KEYEXIST) {
    return absl::InvalidArgumentError("append: the key is not greater than those before it");
  }
  return error == MDB_SUCCESS ? absl::OkStatus() : environment_->impl_->Error(error, "append");
}

absl::StatusOr<bool> WriteTransaction::Delete(TableHandle table, std::string_view key) {
  if (transaction_ == nullptr) return OverError();
  DAYBOOK_RETURN_IF_ERROR(CheckKey(key));
  MDB_val name = ToVal(key);
  const int error = mdb_del(Txn(transaction_), table.handle_, &name, nullptr);
  if (error == MDB_NOTFOUND) return false;
  if (error != MDB_SUCCESS) return environment_->impl_->Error(error, "delete");
  return true;
}

absl::Status WriteTransaction::Commit() {
  if (transaction_ == nullptr) return OverError();
  if (environment_->impl_->inherited()) {
    return absl::FailedPreconditionError("the transaction was begun before a fork");
  }
  // A process that dies in here leaves the state before or the state after: LMDB switches between
  // two roots.
  const int error = End();
  return error == MDB_SUCCESS ? absl::OkStatus() : environment_->impl_->Error(error, "commit");
}

TableCursor::TableCursor(TableCursor&& other) noexcept
    : environment_(other.environment_),
      cursor_(std::exchange(other.cursor_, nullptr)),
      key_(other.key_),
      value_(other.value_) {}

TableCursor& TableCursor::operator=(TableCursor&& other) noexcept {
  if (this != &other) {
    Close();
    environment_ = other.environment_;
    cursor_ = std::exchange(other.cursor_, nullptr);
    key_ = other.key_;
    value_ = other.value_;
  }
  return *this;
}

TableCursor::~TableCursor() { Close(); }

void TableCursor::Close() noexcept {
  if (cursor_ != nullptr)
    mdb_cursor_close(static_cast<MDB_cursor*>(std::exchange(cursor_, nullptr)));
}

absl::StatusOr<bool> TableCursor::Seek(std::string_view key) {
  return Get(key.empty() ? MDB_FIRST : MDB_SET_RANGE, key);
}

absl::StatusOr<bool> TableCursor::SeekBack(std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(const bool found, Get(MDB_SET_RANGE, key));
  if (!found) return Get(MDB_LAST, {});
  return key_ == key ? true : Get(MDB_PREV, {});
}

absl::StatusOr<bool> TableCursor::Next() { return Get(MDB_NEXT, {}); }
absl::StatusOr<bool> TableCursor::Previous() { return Get(MDB_PREV, {}); }

absl::StatusOr<bool> TableCursor::Get(int operation, std::string_view key) {
  MDB_val name = ToVal(key), value{};
  const int error = mdb_cursor_get(static_cast<MDB_cursor*>(cursor_), &name, &value,
                                   static_cast<MDB_cursor_op>(operation));
  if (error == MDB_NOTFOUND) return false;
  if (error != MDB_SUCCESS) return environment_->impl_->Error(error, "walk");
  key_ = ToView(name);
  value_ = ToView(value);
  return true;
}

}  // namespace daybook
