// RocksDB: events by position and an index by (stream, version), one WriteBatch a commit,
// sync=true.
//
// It is not asked whether the expected version holds: a blind write, which favours it.

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include <string>
#include <vector>

#include "compare/record.h"
#include "compare/rival.h"

namespace daybook::bench {
namespace {

void Check(const rocksdb::Status& status) {
  if (!status.ok()) Die("RocksDB: " + status.ToString());
}

rocksdb::ColumnFamilyOptions TableOptions(std::size_t block_bytes) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = std::size_t{128} << 20;
  options.memtable_prefix_bloom_size_ratio =
      0.02;  // that a key is not there is asked of each event
  options.memtable_whole_key_filtering = true;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = block_bytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksdbStore : public EventStore {
 public:
  explicit RocksdbStore(const std::string& directory) {
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.max_background_jobs = 2;
    options.recycle_log_file_num = 4;  // a log written over needs no new blocks at each sync
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    Check(rocksdb::DB::Open(options, directory,
                            {{rocksdb::kDefaultColumnFamilyName, TableOptions(32 << 10)},
                             {"by_stream", TableOptions(4 << 10)}},
                            &handles, &db_));
    events_ = handles[0];
    by_stream_ = handles[1];
  }
  ~RocksdbStore() override {
    Check(db_->DestroyColumnFamilyHandle(events_));
    Check(db_->DestroyColumnFamilyHandle(by_stream_));
    Check(db_->Close());
    delete db_;
  }

  std::unique_ptr<Appender> NewAppender() override {
    return std::make_unique<RocksdbAppender>(this, /*sync=*/true);
  }

  void Load(const Plan& plan) override {
    RocksdbAppender appender(this, /*sync=*/false);
    for (std::uint64_t i = 0; i < plan.commits(); ++i) appender.Append(plan, i);
    for (rocksdb::ColumnFamilyHandle* table : {events_, by_stream_}) {
      Check(db_->Flush({}, table));
      Check(db_->CompactRange({}, table, nullptr, nullptr));
    }
  }

  // Blocks are verified as they are read, as Daybook's events are; a block kept in a cache would be
  // verified once.
  Seen ReadAll() override {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    options.readahead_size = std::size_t{2} << 20;
    Seen seen;
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options, events_));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      AddRecord({iterator->value().data(), iterator->value().size()}, &seen);
    }
    Check(iterator->status());
    return seen;
  }

 private:
  class RocksdbAppender : public Appender {
   public:
    RocksdbAppender(RocksdbStore* store, bool sync) : store_(store) { options_.sync = sync; }

    void Append(const Plan& plan, std::uint64_t commit) override {
      const std::int64_t recorded_at = Now();
      batch_.Clear();
      CheckVersions(plan, commit);
      for (std::uint64_t i = 0; i < plan.events_per_commit(); ++i) {
        const Event event = plan.At(commit * plan.events_per_commit() + i);
        position_.clear();
        AppendBigEndian(++store_->last_position_, &position_);
        EncodeStreamKey(event, &key_);
        EncodeRecord(event, recorded_at, &record_);
        Check(batch_.Put(store_->events_, position_, record_));
        Check(batch_.Put(store_->by_stream_, key_, position_));
      }
      Check(store_->db_->Write(options_, &batch_));
    }

   private:
    // What the unique index of the other stores does: an event of this version would be a conflict.
    // There is one writer, or else this and the write would have to be one transaction.
    void CheckVersions(const Plan& plan, std::uint64_t commit) {
      const std::size_t count = plan.events_per_commit();
      keys_.resize(count);
      slices_.resize(count);
      found_.resize(count);
      statuses_.resize(count);
      for (std::size_t i = 0; i < count; ++i) {
        EncodeStreamKey(plan.At(commit * count + i), &keys_[i]);
        slices_[i] = keys_[i];
      }
      store_->db_->MultiGet({}, store_->by_stream_, count, slices_.data(), found_.data(),
                            statuses_.data());
      for (std::size_t i = 0; i < count; ++i) {
        if (!statuses_[i].IsNotFound()) Die("RocksDB: a version that is there already");
        found_[i].Reset();
      }
    }

    RocksdbStore* store_;
    rocksdb::WriteOptions options_;
    std::vector<std::string> keys_;
    std::vector<rocksdb::Slice> slices_;
    std::vector<rocksdb::PinnableSlice> found_;
    std::vector<rocksdb::Status> statuses_;
    rocksdb::WriteBatch batch_;
    std::string position_, key_, record_;
  };

  rocksdb::DB* db_ = nullptr;
  rocksdb::ColumnFamilyHandle* events_ = nullptr;
  rocksdb::ColumnFamilyHandle* by_stream_ = nullptr;
  std::uint64_t last_position_ = 0;  // of this run: workloads append to new stores only
};

}  // namespace

bool HasRocksdb() { return true; }

std::unique_ptr<EventStore> OpenRocksdb(const std::filesystem::path& directory) {
  return std::make_unique<RocksdbStore>(directory.string());
}

}  // namespace daybook::bench
