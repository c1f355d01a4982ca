// SQLite as a good engineer would use it for events: prepared statements, one transaction a commit,
// WAL, full sync.
//
// Settings: a page cache of 1 GiB, 2 GiB mapped (the most that SQLite allows), checkpoints every 64
// MiB of WAL instead of every 4, so that random index pages are written back fewer times.

#include <sqlite3.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <utility>

#include "compare/rival.h"

namespace daybook::bench {
namespace {

constexpr char kTableByPosition[] =
    "CREATE TABLE IF NOT EXISTS events("
    " position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,"
    " type TEXT NOT NULL, id BLOB NOT NULL, recorded_at INTEGER NOT NULL, effective_at INTEGER,"
    " metadata TEXT, data BLOB NOT NULL)";
constexpr char kIndexByPosition[] =
    "CREATE UNIQUE INDEX IF NOT EXISTS by_stream ON events(stream, version)";
constexpr char kTableByStream[] =
    "CREATE TABLE IF NOT EXISTS events("
    " stream TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,"
    " type TEXT NOT NULL, id BLOB NOT NULL, recorded_at INTEGER NOT NULL, effective_at INTEGER,"
    " metadata TEXT, data BLOB NOT NULL, PRIMARY KEY(stream, version)) WITHOUT ROWID";
constexpr char kIndexByStream[] =
    "CREATE UNIQUE INDEX IF NOT EXISTS by_position ON events(position)";

constexpr char kInsert[] =
    "INSERT INTO events(position, stream, version, type, id, recorded_at, data)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr char kSelectAll[] =
    "SELECT version, data, position, stream, type, id, recorded_at FROM events ORDER BY position";
constexpr char kMakeSums[] =
    "DROP TABLE IF EXISTS sums;"
    "CREATE TABLE sums(stream TEXT PRIMARY KEY, total INTEGER NOT NULL) WITHOUT ROWID";
constexpr char kSelectAmounts[] = "SELECT stream, data FROM events ORDER BY position";
constexpr char kAddToSum[] =
    "INSERT INTO sums(stream, total) VALUES(?1, ?2)"
    " ON CONFLICT(stream) DO UPDATE SET total = total + excluded.total";
constexpr char kSelectSums[] = "SELECT stream, total FROM sums";
// A transaction of this many costs no more than a larger one.
constexpr std::uint64_t kSumsInTransaction = 100'000;
constexpr char kSelectStream[] =
    "SELECT version, data, position, stream, type, id, recorded_at FROM events"
    " WHERE stream = ?1 ORDER BY version";

class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) !=
        SQLITE_OK) {
      Die(std::string("SQLite: ") + sqlite3_errmsg(db));
    }
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void Bind(int column, std::string_view text) {
    sqlite3_bind_text(statement_, column, text.data(), static_cast<int>(text.size()),
                      SQLITE_STATIC);
  }
  void BindBlob(int column, const void* data, std::size_t bytes) {
    sqlite3_bind_blob(statement_, column, data, static_cast<int>(bytes), SQLITE_STATIC);
  }
  void Bind(int column, std::int64_t number) { sqlite3_bind_int64(statement_, column, number); }
  void BindNull(int column) { sqlite3_bind_null(statement_, column); }

  // Whether there is a row.
  bool Step() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) Die(std::string("SQLite: ") + sqlite3_errmsg(db_));
    sqlite3_reset(statement_);
    return false;
  }

  // Of the row that Step() is at; valid until the next.
  [[nodiscard]] std::string_view Text(int column) const {
    const void* const bytes = sqlite3_column_blob(statement_, column);
    return {static_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  [[nodiscard]] std::int64_t Number(int column) const {
    return sqlite3_column_int64(statement_, column);
  }

  // Reads all rows of a select, every column of each.
  Seen ReadRows() {
    Seen seen;
    while (Step()) {
      const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, 1));
      const int bytes = sqlite3_column_bytes(statement_, 1);
      seen.Add(static_cast<std::uint64_t>(sqlite3_column_int64(statement_, 0)),
               {data, static_cast<std::size_t>(bytes)});
      columns_seen_ = static_cast<std::uint64_t>(sqlite3_column_int64(statement_, 2)) +
                      static_cast<std::uint64_t>(*sqlite3_column_text(statement_, 3)) +
                      static_cast<std::uint64_t>(*sqlite3_column_text(statement_, 4)) +
                      *static_cast<const unsigned char*>(sqlite3_column_blob(statement_, 5)) +
                      static_cast<std::uint64_t>(sqlite3_column_int64(statement_, 6));
    }
    return seen;
  }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  volatile std::uint64_t columns_seen_ = 0;  // so that no column's read is optimized away
};

class Connection {
 public:
  explicit Connection(const std::string& file) {
    if (sqlite3_open_v2(file.c_str(), &db_,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK) {
      Die("SQLite: cannot open " + file);
    }
    // A sync takes about 100 µs: who finds the lock held comes back soon, not after SQLite's own 1
    // to 100 ms.
    sqlite3_busy_handler(
        db_,
        [](void*, int) {
          ::usleep(50);
          return 1;
        },
        nullptr);
    Run("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "PRAGMA wal_autocheckpoint=16384; PRAGMA cache_size=-1048576; PRAGMA mmap_size=2147418112");
  }
  ~Connection() { sqlite3_close_v2(db_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Run(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      Die(std::string("SQLite: ") + sqlite3_errmsg(db_) + " in " + sql);
    }
  }
  [[nodiscard]] sqlite3* get() const { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

// The statements of one connection that write.
class Writer {
 public:
  Writer(Connection* connection, SqliteLayout layout)
      : begin_(connection->get(), "BEGIN IMMEDIATE"),
        commit_(connection->get(), "COMMIT"),
        insert_(connection->get(), kInsert),
        layout_(layout) {}

  void Append(const Plan& plan, std::uint64_t commit, std::int64_t recorded_at) {
    const std::uint64_t events = plan.events_per_commit();
    if (events > 1) begin_.Step();  // one statement alone is a transaction by itself, and quicker
    for (std::uint64_t i = 0; i < events; ++i) {
      Insert(plan.At(commit * events + i), 0, recorded_at);
    }
    if (events > 1) commit_.Step();
  }

  // With position 0 it is the next.
  void Insert(const Event& event, std::int64_t position, std::int64_t recorded_at) {
    if (position == 0 && layout_ == SqliteLayout::kByStream) position = ++last_position_;
    if (position == 0) {
      insert_.BindNull(1);
    } else {
      insert_.Bind(1, position);
    }
    insert_.Bind(2, event.stream);
    insert_.Bind(3, static_cast<std::int64_t>(event.version));
    insert_.Bind(4, event.type);
    insert_.BindBlob(5, event.id.data(), event.id.size());
    insert_.Bind(6, recorded_at);
    insert_.BindBlob(7, event.data.data(), event.data.size());
    insert_.Step();
  }

 private:
  Statement begin_, commit_, insert_;
  SqliteLayout layout_;
  std::int64_t last_position_ = 0;  // the one writer of a WITHOUT ROWID table counts by itself
};

class SqliteStore : public EventStore {
 public:
  SqliteStore(std::string file, SqliteLayout layout, SqliteThreads threads)
      : file_(std::move(file)), layout_(layout), threads_(threads), connection_(file_) {
    connection_.Run(layout_ == SqliteLayout::kByPosition ? kTableByPosition : kTableByStream);
  }

  std::unique_ptr<Appender> NewAppender() override {
    MakeIndex();
    if (threads_ == SqliteThreads::kConnections) {
      return std::make_unique<OwnConnection>(file_, layout_);
    }
    if (!writer_) writer_ = std::make_unique<Writer>(&connection_, layout_);
    return std::make_unique<SharedConnection>(this);
  }

  // Rows in the order of the table's key, the index after them: both come out packed and in
  // sequence.
  void Load(const Plan& plan) override {
    connection_.Run(
        "PRAGMA journal_mode=DELETE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
    {
      Writer writer(&connection_, layout_);
      if (layout_ == SqliteLayout::kByPosition) {
        for (std::uint64_t i = 0; i < plan.events(); ++i) writer.Insert(plan.At(i), Position(i), 1);
      } else {
        for (const std::uint64_t i : plan.ByStream()) writer.Insert(plan.At(i), Position(i), 1);
      }
    }
    MakeIndex();
    connection_.Run("COMMIT; PRAGMA optimize; PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL");
  }

  Seen ReadAll() override {
    if (!select_all_) select_all_ = std::make_unique<Statement>(connection_.get(), kSelectAll);
    return select_all_->ReadRows();
  }

  void SumByStream() override {
    connection_.Run(kMakeSums);
    Statement select(connection_.get(), kSelectAmounts), add(connection_.get(), kAddToSum);
    connection_.Run("BEGIN");
    for (std::uint64_t events = 1; select.Step(); ++events) {
      add.Bind(1, select.Text(0));
      add.Bind(2, static_cast<std::int64_t>(AmountOf(select.Text(1))));
      add.Step();
      if (events % kSumsInTransaction == 0) connection_.Run("COMMIT; BEGIN");
    }
    connection_.Run("COMMIT");
  }

  Sums ReadSums() override {
    Sums sums;
    Statement select(connection_.get(), kSelectSums);
    while (select.Step()) {
      sums.emplace(select.Text(0), static_cast<std::uint64_t>(select.Number(1)));
    }
    return sums;
  }

  Seen ReadStream(std::string_view stream) override {
    if (!select_stream_) {
      select_stream_ = std::make_unique<Statement>(connection_.get(), kSelectStream);
    }
    select_stream_->Bind(1, stream);
    return select_stream_->ReadRows();
  }

 private:
  class SharedConnection : public Appender {
   public:
    explicit SharedConnection(SqliteStore* store) : store_(store) {}
    void Append(const Plan& plan, std::uint64_t commit) override {
      const std::lock_guard lock(store_->mutex_);
      store_->writer_->Append(plan, commit, Now());
    }

   private:
    SqliteStore* store_;
  };

  class OwnConnection : public Appender {
   public:
    OwnConnection(const std::string& file, SqliteLayout layout)
        : connection_(file), writer_(&connection_, layout) {}
    void Append(const Plan& plan, std::uint64_t commit) override {
      writer_.Append(plan, commit, Now());
    }

   private:
    Connection connection_;
    Writer writer_;
  };

  static std::int64_t Position(std::uint64_t index) { return static_cast<std::int64_t>(index) + 1; }
  void MakeIndex() {
    connection_.Run(layout_ == SqliteLayout::kByPosition ? kIndexByPosition : kIndexByStream);
  }

  std::string file_;
  SqliteLayout layout_;
  SqliteThreads threads_;
  Connection connection_;
  std::mutex mutex_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Statement> select_all_, select_stream_;
};

}  // namespace

std::unique_ptr<EventStore> OpenSqlite(const std::filesystem::path& directory, SqliteLayout layout,
                                       SqliteThreads threads) {
  return std::make_unique<SqliteStore>(directory / "events.sqlite", layout, threads);
}

std::unique_ptr<EventStore> OpenSqliteByPosition(const std::filesystem::path& directory) {
  return OpenSqlite(directory);
}

}  // namespace daybook::bench
