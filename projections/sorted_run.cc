#include "projections/sorted_run.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "daybook/event.h"
#include "io/directory.h"
#include "projections/row_map.h"

namespace daybook {
namespace {

constexpr std::uint32_t kNoRow = UINT32_MAX;
constexpr std::size_t kHeaderBytes = sizeof(std::uint16_t) + sizeof(std::uint32_t);
constexpr std::uint64_t kIndexEvery = 4096;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::uint64_t kSyncEvery = std::uint64_t{32} << 20;

struct RunRecord {
  std::string_view key;
  std::optional<std::string_view> row;
  std::uint64_t end;
};

RunRecord RecordAt(std::string_view bytes, std::uint64_t at) {
  std::uint16_t key_bytes = 0;
  std::uint32_t row_bytes = 0;
  std::memcpy(&key_bytes, bytes.data() + at, sizeof key_bytes);
  std::memcpy(&row_bytes, bytes.data() + at + sizeof key_bytes, sizeof row_bytes);
  RunRecord record;
  record.key = bytes.substr(at + kHeaderBytes, key_bytes);
  record.end = at + kHeaderBytes + key_bytes;
  if (row_bytes == kNoRow) return record;
  record.row = bytes.substr(record.end, row_bytes);
  record.end += row_bytes;
  return record;
}

}  // namespace

class SortedRun::Source : public RowSource {
 public:
  Source(std::string_view bytes, std::uint64_t at) : bytes_(bytes) { record_.end = at; }
  absl::StatusOr<bool> Next() override {
    if (record_.end >= bytes_.size()) return false;
    record_ = RecordAt(bytes_, record_.end);
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return record_.key; }
  [[nodiscard]] std::optional<std::string_view> row() const override { return record_.row; }

 private:
  std::string_view bytes_;
  RunRecord record_;
};

std::optional<SortedRun::Found> SortedRun::Find(std::string_view key, std::uint64_t hash) const {
  if (!BloomView(filter_.blocks()).MayContain(hash)) return std::nullopt;
  const std::string_view bytes = AsText(file_.bytes());
  for (std::uint64_t at = Before(key); at < bytes.size();) {
    const RunRecord record = RecordAt(bytes, at);
    if (record.key == key) return Found{record.row};
    if (record.key > key) break;
    at = record.end;
  }
  return std::nullopt;
}

std::unique_ptr<RowSource> SortedRun::Read(std::string_view from) const {
  const std::string_view bytes = AsText(file_.bytes());
  std::uint64_t at = Before(from);
  while (at < bytes.size()) {
    const RunRecord record = RecordAt(bytes, at);
    if (record.key >= from) break;
    at = record.end;
  }
  return std::make_unique<Source>(bytes, at);
}

std::uint64_t SortedRun::Before(std::string_view key) const {
  const std::string_view bytes = AsText(file_.bytes());
  const auto behind = std::partition_point(index_.begin(), index_.end(), [&](std::uint64_t at) {
    return RecordAt(bytes, at).key <= key;
  });
  return behind == index_.begin() ? 0 : *(behind - 1);
}

absl::StatusOr<std::unique_ptr<SortedRun::Writer>> SortedRun::Writer::Create(
    const std::filesystem::path& path, std::uint64_t keys) {
  // A process that dies in between leaves a name, which goes with its folder.
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(path));
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(path));
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(path));
  return std::unique_ptr<Writer>(new Writer(std::move(file), keys));
}

absl::Status SortedRun::Writer::Add(std::string_view key, std::optional<std::string_view> row) {
  const std::uint64_t at = written_ + buffer_.size();
  if (index_.empty() || at >= index_.back() + kIndexEvery) index_.push_back(at);
  const auto key_bytes = static_cast<std::uint16_t>(key.size());
  const std::uint32_t row_bytes = row ? static_cast<std::uint32_t>(row->size()) : kNoRow;
  buffer_.append(reinterpret_cast<const char*>(&key_bytes), sizeof key_bytes);
  buffer_.append(reinterpret_cast<const char*>(&row_bytes), sizeof row_bytes);
  buffer_.append(key).append(row.value_or(std::string_view()));
  filter_.Insert(RowMap::HashOf(key));
  ++rows_;
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status SortedRun::Writer::Flush() {
  DAYBOOK_RETURN_IF_ERROR(file_.WriteAt(written_, AsBytes(buffer_)));
  written_ += buffer_.size();
  buffer_.clear();
  if (written_ - synced_ < kSyncEvery) return absl::OkStatus();
  synced_ = written_;
  return file_.SyncData();
}

absl::StatusOr<std::unique_ptr<SortedRun>> SortedRun::Writer::Finish() {
  DAYBOOK_RETURN_IF_ERROR(Flush());
  DAYBOOK_RETURN_IF_ERROR(file_.SyncData());
  DAYBOOK_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::MapRead(file_, written_));
  return std::unique_ptr<SortedRun>(
      new SortedRun(std::move(filter_), std::move(index_), rows_, std::move(mapped)));
}

}  // namespace daybook
