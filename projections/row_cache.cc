#include "projections/row_cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/event.h"
#include "projections/key_order.h"

namespace daybook {
namespace {

// What a row takes beside its bytes: the object, its place in the map, and what malloc adds.
constexpr std::size_t kRowOverhead = sizeof(CachedRow) + 64;

absl::Status CheckKey(std::string_view key) {
  if (!key.empty() && key.size() <= kTableKeyBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a key has ", key.size(), " bytes; it must have 1 to ", kTableKeyBytesMax));
}

}  // namespace

std::size_t RowCache::HashKey::operator()(std::string_view key) const {
  return static_cast<std::size_t>(Hash64(AsBytes(key)));
}

RowCache::RowCache(std::shared_ptr<Generation> generation)
    : generation_(std::move(generation)), tables_(generation_->tables()) {}

absl::Status RowCache::Begin() {
  if (view_) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(ReadTransaction view, generation_->environment().BeginRead());
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    DAYBOOK_ASSIGN_OR_RETURN(tables_[i].pages, view.Pages(generation_->table(i)));
    DAYBOOK_ASSIGN_OR_RETURN(tables_[i].stored_rows, view.Count(generation_->table(i)));
  }
  view_.emplace(std::move(view));
  return absl::OkStatus();
}

void RowCache::End() { view_.reset(); }

void RowCache::Mark() {
  before_.clear();
  ++mark_;
}

void RowCache::Undo() {
  for (auto change = before_.rbegin(); change != before_.rend(); ++change) {
    RowTable& table = tables_[change->table];
    SetRow(change->table, change->row, change->exists, change->bytes);
    if (!change->changed) {
      change->row->changed = false;
      table.changed.pop_back();
    }
    change->row->mark = 0;
  }
  Mark();
}

absl::StatusOr<CachedRow*> RowCache::Find(std::size_t table, std::string_view key) {
  if (last_ != nullptr && last_table_ == table && last_->key == key) return last_;
  auto& rows = tables_[table].rows;
  last_table_ = table;
  const auto found = rows.find(key);
  if (found != rows.end()) return last_ = found->second.get();
  last_ = nullptr;
  DAYBOOK_RETURN_IF_ERROR(CheckKey(key));
  DAYBOOK_RETURN_IF_ERROR(Begin());
  DAYBOOK_ASSIGN_OR_RETURN(const auto stored, view_->Get(generation_->table(table), key));
  auto row = std::make_unique<CachedRow>();
  row->key = key;
  row->exists = stored.has_value();
  if (stored) row->row = *stored;
  memory_bytes_ += kRowOverhead + row->key.size() + row->row.size();
  CachedRow* const result = row.get();
  rows.emplace(std::string_view(result->key), std::move(row));
  return last_ = result;
}

absl::StatusOr<std::optional<std::string_view>> RowCache::Get(std::size_t table,
                                                              std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(const CachedRow* const row, Find(table, key));
  if (!row->exists) return std::optional<std::string_view>();
  return std::optional<std::string_view>(row->row);
}

void RowCache::Change(std::size_t table, CachedRow* row) {
  if (row->mark != mark_) {
    before_.push_back({table, row, row->row, row->exists, row->changed});
    row->mark = mark_;
  }
  if (row->changed) return;
  row->changed = true;
  row->stored = row->exists;
  if (row->exists) row->stored_hash = hash_(row->key, row->row);
  tables_[table].changed.push_back(row);
}

void RowCache::SetRow(std::size_t table, CachedRow* row, bool exists, std::string_view bytes) {
  RowTable& in = tables_[table];
  const auto new_bytes = [&] {
    return !row->stored && row->exists ? row->key.size() + row->row.size() : 0;
  };
  in.count_change += static_cast<int>(exists) - static_cast<int>(row->exists);
  in.new_bytes -= new_bytes();
  memory_bytes_ += bytes.size();
  memory_bytes_ -= row->row.size();
  row->exists = exists;
  row->row.assign(bytes);
  in.new_bytes += new_bytes();
}

absl::Status RowCache::Put(std::size_t table, std::string_view key, std::string_view bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(CachedRow* const row, Find(table, key));
  Change(table, row);
  SetRow(table, row, true, bytes);
  return absl::OkStatus();
}

absl::Status RowCache::Delete(std::size_t table, std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(CachedRow* const row, Find(table, key));
  if (!row->exists) return absl::OkStatus();
  Change(table, row);
  SetRow(table, row, false, {});
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> RowCache::Count(std::size_t table) {
  DAYBOOK_RETURN_IF_ERROR(Begin());
  return tables_[table].stored_rows + static_cast<std::uint64_t>(tables_[table].count_change);
}

absl::Status RowCache::Scan(std::size_t table, const KeyRange& range,
                            const TableReader::Visit& visit) {
  DAYBOOK_RETURN_IF_ERROR(Begin());
  const std::vector<const CachedRow*> changed = Changed(table);
  auto next = std::lower_bound(
      changed.begin(), changed.end(), range.first(),
      [](const CachedRow* row, const std::string& first) { return row->key < first; });
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, view_->OpenCursor(generation_->table(table)));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Seek(range.first()));
  for (std::uint64_t left = range.limit(); left > 0;) {
    const bool take_changed = next != changed.end() && (!more || (*next)->key <= cursor.key());
    if (!take_changed && !more) break;
    const std::string_view key = take_changed ? std::string_view((*next)->key) : cursor.key();
    if (!range.Reaches(key)) break;
    const bool same = take_changed && more && cursor.key() == key;
    const bool exists = !take_changed || (*next)->exists;
    if (exists) {
      --left;
      if (!visit(key, take_changed ? std::string_view((*next)->row) : cursor.value())) break;
    }
    if (take_changed) ++next;
    if (!take_changed || same) {
      DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
    }
  }
  return absl::OkStatus();
}

std::uint64_t RowCache::changed_bytes() const {
  std::uint64_t bytes = 0;
  for (const RowTable& table : tables_) {
    // A changed row copies the page it is on; new ones fill pages, mostly half.
    bytes += std::min<std::uint64_t>(table.changed.size(), table.pages) * kPageBytes +
             2 * table.new_bytes;
  }
  return bytes;
}

bool RowCache::changed() const {
  return std::any_of(tables_.begin(), tables_.end(),
                     [](const RowTable& table) { return !table.changed.empty(); });
}

std::vector<const CachedRow*> RowCache::Changed(std::size_t table) const {
  const std::vector<CachedRow*>& rows = tables_[table].changed;
  std::vector<const CachedRow*> changed(rows.begin(), rows.end());
  SortByKey(&changed, [](const CachedRow& row) { return std::string_view(row.key); });
  return changed;
}

absl::Status RowCache::Flush(WriteTransaction* transaction, Checkpoint* checkpoint) {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].changed.empty()) continue;
    TableSummary& summary = checkpoint->tables[i];
    for (const CachedRow* const row : Changed(i)) {
      const Digest128 hash = row->exists ? hash_(row->key, row->row) : Digest128{};
      if (row->stored && row->exists && hash == row->stored_hash) continue;
      if (row->stored) RemoveRow(row->stored_hash, &summary.digest);
      if (row->exists) AddRow(hash, &summary.digest);
      summary.rows +=
          static_cast<std::uint64_t>(row->exists) - static_cast<std::uint64_t>(row->stored);
      if (row->exists) {
        DAYBOOK_RETURN_IF_ERROR(transaction->Put(generation_->table(i), row->key, row->row));
      } else if (row->stored) {
        DAYBOOK_RETURN_IF_ERROR(transaction->Delete(generation_->table(i), row->key).status());
      }
    }
  }
  return absl::OkStatus();
}

void RowCache::Committed(std::size_t keep_bytes_max) {
  End();
  if (memory_bytes_ > keep_bytes_max) return Discard();
  Mark();
  for (RowTable& table : tables_) {
    for (CachedRow* const row : table.changed) row->changed = false;
    table.changed.clear();
    table.new_bytes = 0;
    table.count_change = 0;
  }
}

void RowCache::Discard() {
  End();
  Mark();
  last_ = nullptr;
  for (RowTable& table : tables_) table = {};
  memory_bytes_ = 0;
}

}  // namespace daybook
