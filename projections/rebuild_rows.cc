#include "projections/rebuild_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/merged_rows.h"

namespace daybook {
namespace {

constexpr std::size_t kMemoryBytesMin = std::size_t{1} << 20;
constexpr std::size_t kRunsMax = 8;

// The entries that are not known elsewhere.
class MemorySource : public RowSource {
 public:
  explicit MemorySource(std::vector<const RowEntry*> entries) : entries_(std::move(entries)) {}
  absl::StatusOr<bool> Next() override {
    while (next_ < entries_.size() && entries_[next_]->saved()) ++next_;
    if (next_ == entries_.size()) return false;
    ++next_;
    // Entries lie where chance put them: the one that comes soon is asked for now.
    if (next_ + 8 < entries_.size()) __builtin_prefetch(entries_[next_ + 8]);
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return entries_[next_ - 1]->key(); }
  [[nodiscard]] std::optional<std::string_view> row() const override {
    return entries_[next_ - 1]->row();
  }

 private:
  std::vector<const RowEntry*> entries_;
  std::size_t next_ = 0;
};

}  // namespace

// A table of the generation.
class RebuildRows::BaseSource : public RowSource {
 public:
  BaseSource(TableCursor cursor, std::string_view from)
      : cursor_(std::move(cursor)), key_(from.substr(0, 1)), from_(from.substr(1)) {}
  absl::StatusOr<bool> Next() override {
    DAYBOOK_ASSIGN_OR_RETURN(const bool found, begun_ ? cursor_.Next() : cursor_.Seek(from_));
    begun_ = true;
    if (!found) return false;
    key_.resize(1);
    key_.append(cursor_.key());
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return key_; }
  [[nodiscard]] std::optional<std::string_view> row() const override { return cursor_.value(); }

 private:
  TableCursor cursor_;
  std::string key_, from_;
  bool begun_ = false;
};

// The rows in memory, by key, from one on.
class RebuildRows::OrderedSource : public RowSource {
 public:
  using Set = absl::btree_set<const RowEntry*, ByKey>;
  OrderedSource(Set::const_iterator at, Set::const_iterator end) : at_(at), end_(end) {}
  absl::StatusOr<bool> Next() override {
    if (begun_) ++at_;
    begun_ = true;
    return at_ != end_;
  }
  [[nodiscard]] std::string_view key() const override { return (*at_)->key(); }
  [[nodiscard]] std::optional<std::string_view> row() const override { return (*at_)->row(); }

 private:
  Set::const_iterator at_, end_;
  bool begun_ = false;
};

RebuildRows::RebuildRows(const Options& options, std::size_t tables)
    : options_(options), counts_(tables) {}

absl::Status RebuildRows::ReadFrom(const Generation* generation) {
  generation_ = generation;
  DAYBOOK_RETURN_IF_ERROR(OpenBase());
  for (std::size_t table = 0; table < counts_.size(); ++table) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t rows, base_->Count(generation->table(table)));
    counts_[table] += static_cast<std::int64_t>(rows);
  }
  return absl::OkStatus();
}

absl::Status RebuildRows::OpenBase() {
  if (base_) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(base_, generation_->environment().BeginRead());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string_view>> RebuildRows::Get(std::size_t table,
                                                                 std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(const RowEntry* const entry, Look(table, key));
  return entry->row();
}

absl::Status RebuildRows::Put(std::size_t table, std::string_view key, std::string_view row) {
  DAYBOOK_ASSIGN_OR_RETURN(RowEntry* const entry, Look(table, key));
  Remember(entry);
  if (!entry->has_row()) ++counts_[table];
  map_.SetRow(entry, row);
  return absl::OkStatus();
}

absl::Status RebuildRows::Delete(std::size_t table, std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(RowEntry* const entry, Look(table, key));
  if (!entry->has_row()) return absl::OkStatus();
  Remember(entry);
  --counts_[table];
  RowMap::SetNone(entry);
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> RebuildRows::Count(std::size_t table) const {
  if (options_.one_of_several) {
    return absl::FailedPreconditionError(
        "the handler counts the rows of all keys, which no thread of a rebuild on several knows; "
        "rebuild on one, and do not say rows_by_key");
  }
  return static_cast<std::uint64_t>(counts_[table]);
}

absl::Status RebuildRows::Scan(std::size_t table, const KeyRange& range,
                               const TableReader::Visit& visit) {
  if (!ordered_) {
    ordered_.emplace();
    for (const RowEntry* entry : map_.Sorted()) ordered_->insert(ordered_->end(), entry);
  }
  const std::string from(FullKey(table, range.first()));
  // A set of entries is asked for an entry, so the key is made one for as long as that takes.
  RowMap probe_map;
  const RowEntry* const probe = probe_map.Insert(from, 0);
  std::vector<std::unique_ptr<RowSource>> sources;
  sources.push_back(std::make_unique<OrderedSource>(ordered_->lower_bound(probe), ordered_->end()));
  if (!runs_.empty()) sources.push_back(Runs(from));
  if (generation_ != nullptr) {
    DAYBOOK_RETURN_IF_ERROR(OpenBase());
    DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, base_->OpenCursor(generation_->table(table)));
    sources.push_back(std::make_unique<BaseSource>(std::move(cursor), from));
  }
  MergedRows rows(std::move(sources));
  for (std::uint64_t left = range.limit(); left > 0;) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more || rows.key()[0] != from[0] || !range.Reaches(rows.key().substr(1))) break;
    if (!rows.row()) continue;
    --left;
    if (!visit(rows.key().substr(1), *rows.row())) break;
  }
  return absl::OkStatus();
}

void RebuildRows::UndoEvent() {
  for (; !undo_.empty(); undo_.pop_back()) {
    const Undo& undo = undo_.back();
    const auto table = static_cast<std::size_t>(undo.entry->key()[0]);
    if (undo.entry->has_row()) --counts_[table];
    if (!undo.row_bytes) {
      RowMap::SetNone(undo.entry);
      continue;
    }
    ++counts_[table];
    const std::size_t begin = undo_bytes_.size() - *undo.row_bytes;
    map_.SetRow(undo.entry, std::string_view(undo_bytes_).substr(begin));
    undo_bytes_.resize(begin);
  }
}

absl::Status RebuildRows::SpillIfFull() {
  const std::size_t bytes_max =
      options_.memory_bytes_max - std::min(options_.memory_bytes_max, run_memory_bytes_);
  if (map_.bytes() <= std::max(bytes_max, kMemoryBytesMin)) return absl::OkStatus();
  // Until the run is whole, memory has everything: after an error nothing is lost.
  MemorySource memory(map_.Sorted());
  DAYBOOK_RETURN_IF_ERROR(WriteRun(&memory, map_.size()));
  ClearMap();
  if (ordered_) ordered_->clear();
  if (runs_.size() < kRunsMax) return absl::OkStatus();
  std::uint64_t keys = 0;
  for (const auto& run : runs_) keys += run->rows();
  const std::unique_ptr<RowSource> all = Runs({});
  DAYBOOK_RETURN_IF_ERROR(WriteRun(all.get(), keys));
  runs_.resize(1);
  run_memory_bytes_ = runs_.front()->memory_bytes();
  return absl::OkStatus();
}

std::unique_ptr<RowSource> RebuildRows::Changes() const {
  auto memory = std::make_unique<MemorySource>(map_.Sorted());
  if (runs_.empty()) return memory;
  std::vector<std::unique_ptr<RowSource>> sources;
  sources.push_back(std::move(memory));
  sources.push_back(Runs({}));
  return std::make_unique<MergedRows>(std::move(sources));
}

void RebuildRows::Clear() {
  ClearMap();
  runs_.clear();
  run_memory_bytes_ = 0;
  base_.reset();
  generation_ = nullptr;
  counts_.assign(counts_.size(), 0);
  ordered_.reset();
  BeginEvent();
}

void RebuildRows::ClearMap() {
  map_.Clear();
  last_ = nullptr;
}

void RebuildRows::Expect(std::size_t table, std::string_view text) {
  expected_key_.assign(1, static_cast<char>(table)).append(text).append(2, '\0');
  const std::uint64_t hash = RowMap::HashOf(expected_key_);
  map_.PrefetchSlot(hash);
  expected_[next_expected_++ % kExpectAhead] = hash;
  map_.PrefetchEntry(expected_[(next_expected_ + kExpectAhead / 2) % kExpectAhead]);
}

bool RebuildRows::IsLast(std::size_t table, std::string_view key) const {
  if (last_ == nullptr) return false;
  const std::string_view full = last_->key();
  return full.substr(1) == key && static_cast<std::size_t>(full[0]) == table;
}

std::string_view RebuildRows::FullKey(std::size_t table, std::string_view key) {
  full_key_.assign(1, static_cast<char>(table));
  return full_key_.append(key);
}

absl::StatusOr<RowEntry*> RebuildRows::Look(std::size_t table, std::string_view key) {
  if (IsLast(table, key)) return last_;
  const std::string_view full = FullKey(table, key);
  const std::uint64_t hash = RowMap::HashOf(full);
  if (RowEntry* const entry = map_.Find(full, hash)) return last_ = entry;
  if (key.empty() || key.size() > kTableKeyBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a key of a table has 1 to ", kTableKeyBytesMax,
                                                   " bytes; this one has ", key.size()));
  }
  DAYBOOK_ASSIGN_OR_RETURN(const Known known, LookBelow(table, full, hash));
  RowEntry* const entry = map_.Insert(full, hash);
  if (known.row) map_.SetRow(entry, *known.row);
  if (known.saved) entry->set_saved();
  if (ordered_) ordered_->insert(entry);
  return last_ = entry;
}

absl::StatusOr<RebuildRows::Known> RebuildRows::LookBelow(std::size_t table, std::string_view full,
                                                          std::uint64_t hash) {
  for (const std::unique_ptr<SortedRun>& run : runs_) {
    if (const std::optional<SortedRun::Found> found = run->Find(full, hash)) {
      return Known{.row = found->row, .saved = true};
    }
  }
  Known known{.row = std::nullopt, .saved = !options_.one_of_several};
  if (generation_ != nullptr) {
    DAYBOOK_RETURN_IF_ERROR(OpenBase());
    DAYBOOK_ASSIGN_OR_RETURN(known.row, base_->Get(generation_->table(table), full.substr(1)));
  }
  return known;
}

void RebuildRows::Remember(RowEntry* entry) {
  const std::optional<std::string_view> row = entry->row();
  if (row) undo_bytes_.append(*row);
  undo_.push_back(
      {entry, row ? std::optional(static_cast<std::uint32_t>(row->size())) : std::nullopt});
}

absl::Status RebuildRows::WriteRun(RowSource* source, std::uint64_t keys) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::unique_ptr<SortedRun::Writer> writer,
                           SortedRun::Writer::Create(options_.run, keys));
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool more, source->Next());
    if (!more) break;
    DAYBOOK_RETURN_IF_ERROR(writer->Add(source->key(), source->row()));
  }
  DAYBOOK_ASSIGN_OR_RETURN(std::unique_ptr<SortedRun> run, writer->Finish());
  ++runs_written_;
  run_memory_bytes_ += run->memory_bytes();
  runs_.insert(runs_.begin(), std::move(run));
  return absl::OkStatus();
}

std::unique_ptr<RowSource> RebuildRows::Runs(std::string_view from) const {
  std::vector<std::unique_ptr<RowSource>> sources;
  sources.reserve(runs_.size());
  for (const std::unique_ptr<SortedRun>& run : runs_) sources.push_back(run->Read(from));
  return std::make_unique<MergedRows>(std::move(sources));
}

}  // namespace daybook
