// LMDB alone: events by position and an index by (stream, version), one write transaction a commit,
// default sync.

#include <lmdb.h>

#include <cstring>
#include <string>
#include <utility>

#include "compare/record.h"
#include "compare/rival.h"

namespace daybook::bench {
namespace {

constexpr std::size_t kMapBytes = std::size_t{64} << 30;  // address space only

void Check(int result, const char* what) {
  if (result != MDB_SUCCESS) Die(std::string("LMDB: ") + what + ": " + mdb_strerror(result));
}

MDB_val ValueOf(std::string* bytes) { return {bytes->size(), bytes->data()}; }

class LmdbStore : public EventStore {
 public:
  explicit LmdbStore(const std::string& directory) {
    Check(mdb_env_create(&environment_), "create");
    Check(mdb_env_set_mapsize(environment_, kMapBytes), "map size");
    Check(mdb_env_set_maxdbs(environment_, 2), "tables");
    Check(mdb_env_open(environment_, directory.c_str(), 0, 0644), "open");
    MDB_txn* transaction = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, 0, &transaction), "begin");
    Check(mdb_dbi_open(transaction, "events", MDB_CREATE | MDB_INTEGERKEY, &events_), "events");
    Check(mdb_dbi_open(transaction, "by_stream", MDB_CREATE, &by_stream_), "by_stream");
    Check(mdb_txn_commit(transaction), "commit");
  }
  ~LmdbStore() override { mdb_env_close(environment_); }

  std::unique_ptr<Appender> NewAppender() override { return std::make_unique<LmdbAppender>(this); }

  Seen ReadAll() override {
    Seen seen;
    MDB_txn* transaction = nullptr;
    MDB_cursor* cursor = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction), "begin");
    Check(mdb_cursor_open(transaction, events_, &cursor), "cursor");
    MDB_val key{}, value{};
    int result = MDB_SUCCESS;
    while ((result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
      AddRecord({static_cast<const char*>(value.mv_data), value.mv_size}, &seen);
    }
    if (result != MDB_NOTFOUND) Check(result, "next");
    mdb_cursor_close(cursor);
    mdb_txn_abort(transaction);
    return seen;
  }

 private:
  class LmdbAppender : public Appender {
   public:
    explicit LmdbAppender(LmdbStore* store) : store_(store) {}

    void Append(const Plan& plan, std::uint64_t commit) override {
      const std::int64_t recorded_at = Now();
      MDB_txn* transaction = nullptr;
      Check(mdb_txn_begin(store_->environment_, nullptr, 0, &transaction), "begin");
      for (std::uint64_t i = 0; i < plan.events_per_commit(); ++i) {
        Put(transaction, plan.At(commit * plan.events_per_commit() + i), recorded_at);
      }
      Check(mdb_txn_commit(transaction), "commit");
    }

   private:
    void Put(MDB_txn* transaction, const Event& event, std::int64_t recorded_at) {
      std::uint64_t position = ++store_->last_position_;
      MDB_val position_value{sizeof(position), &position};
      EncodeStreamKey(event, &key_);
      MDB_val key = ValueOf(&key_);
      Check(mdb_put(transaction, store_->by_stream_, &key, &position_value, MDB_NOOVERWRITE),
            "stream and version");
      EncodeRecord(event, recorded_at, &record_);
      MDB_val record = ValueOf(&record_);
      Check(mdb_put(transaction, store_->events_, &position_value, &record, MDB_APPEND), "event");
    }

    LmdbStore* store_;
    std::string key_, record_;
  };

  MDB_env* environment_ = nullptr;
  MDB_dbi events_ = 0, by_stream_ = 0;
  std::uint64_t last_position_ = 0;  // of this run: workloads append to new stores only
};

}  // namespace

std::unique_ptr<EventStore> OpenLmdb(const std::filesystem::path& directory) {
  return std::make_unique<LmdbStore>(directory.string());
}

}  // namespace daybook::bench
