#include "crash/power_loss.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "crash/undo_record.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

struct Entry {
  UndoRecord record;
  std::uint64_t at = 0;  // in the log
  std::string first, second, old;

  [[nodiscard]] bool IsName() const {
    return record.kind == UndoKind::kMake || record.kind == UndoKind::kRemove ||
           record.kind == UndoKind::kRename;
  }
};

std::string FolderOf(const std::string& name) { return fs::path(name).parent_path().native(); }

// The whole records of a log; `*end` is where they end.
std::vector<Entry> ReadLog(const fs::path& path, std::uint64_t* end) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<Entry> entries;
  std::uint64_t at = 0;
  while (bytes.size() - at >= sizeof(UndoRecord)) {
    Entry entry;
    std::memcpy(&entry.record, bytes.data() + at, sizeof entry.record);
    entry.at = at;
    const UndoRecord& r = entry.record;
    std::uint64_t next = at + sizeof r;
    const std::uint64_t length =
        std::uint64_t{r.first_name_bytes} + r.second_name_bytes + r.old_bytes;
    if (bytes.size() - next < length) break;
    entry.first = bytes.substr(next, r.first_name_bytes);
    next += r.first_name_bytes;
    entry.second = bytes.substr(next, r.second_name_bytes);
    next += r.second_name_bytes;
    entry.old = bytes.substr(next, r.old_bytes);
    at = next + r.old_bytes;
    entries.push_back(std::move(entry));
  }
  *end = at;
  return entries;
}

std::optional<std::uint64_t> InodeOf(const fs::path& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_ino;
}

// What is not synced, in order.
struct Pending {
  std::vector<const Entry*> names;
  std::map<std::uint64_t, std::vector<const Entry*>> data;  // by inode
  // Of sectors that were synced by themselves: up to where in the log.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> synced_sectors;
};

Pending FindPending(const std::vector<Entry>& entries) {
  Pending pending;
  for (const Entry& entry : entries) {
    const UndoRecord& r = entry.record;
    switch (r.kind) {
      case UndoKind::kWrite:
      case UndoKind::kResize:
        pending.data[r.inode].push_back(&entry);
        break;
      case UndoKind::kDataSynced:
        std::erase_if(pending.data[r.inode], [&r](const Entry* e) { return e->at < r.mark; });
        break;
      case UndoKind::kRangeSynced:
        for (std::uint64_t s = r.offset / kSectorBytes; s * kSectorBytes < r.offset + r.length;
             ++s) {
          pending.synced_sectors[{r.inode, s}] = entry.at;
        }
        break;
      case UndoKind::kMake:
      case UndoKind::kRemove:
      case UndoKind::kRename:
        pending.names.push_back(&entry);
        break;
      case UndoKind::kFolderSynced:
        std::erase_if(pending.names, [&](const Entry* e) {
          return e->at < r.mark &&
                 FolderOf(e->second.empty() ? e->first : e->second) == entry.first;
        });
        break;
    }
  }
  return pending;
}

// Decides what a device kept.
class Device {
 public:
  Device(Kept kept, std::uint64_t seed, std::uint64_t log_end)
      : kept_(kept), random_(seed), cut_(random_() % (log_end + 1)) {}

  // Which of the versions 0 (the oldest) to `writes.size()` (that of now) of a sector.
  std::size_t Version(std::uint64_t sector, const std::vector<const Entry*>& writes) {
    const auto before_cut = static_cast<std::size_t>(
        std::count_if(writes.begin(), writes.end(), [this](auto* e) { return e->at < cut_; }));
    switch (kept_) {
      case Kept::kNothing:
      case Kept::kNames:
        return 0;
      case Kept::kPrefix:
        return before_cut;
      case Kept::kSectors:
        return random_() % (writes.size() + 1);
      case Kept::kEnds:
        return VersionWithoutEnds(sector, writes);
      case Kept::kData:
      case Kept::kAll:
        return writes.size();
    }
    return 0;
  }
  bool KeepsName(const Entry& entry) {
    switch (kept_) {
      case Kept::kNothing:
      case Kept::kData:
        return false;
      case Kept::kPrefix:
        return entry.at < cut_;
      case Kept::kSectors:
      case Kept::kEnds:
        return random_() % 2 == 0;
      case Kept::kNames:
      case Kept::kAll:
        return true;
    }
    return false;
  }
  // Whether a file that got longer has its new size although what was written there is gone.
  bool KeepsSize() { return kept_ == Kept::kAll || random_() % 2 == 0; }

 private:
  std::size_t VersionWithoutEnds(std::uint64_t sector, const std::vector<const Entry*>& writes) {
    const UndoRecord& last = writes.back()->record;
    const std::uint64_t first_sector = last.offset / kSectorBytes;
    const std::uint64_t last_sector = (last.offset + last.length) / kSectorBytes - 1;
    if (writes.back() != decided_) {
      decided_ = writes.back();
      without_first_ = random_() % 2 == 0;
    }
    const bool missing = sector == (without_first_ ? first_sector : last_sector);
    return missing ? writes.size() - 1 : writes.size();
  }

  Kept kept_;
  std::mt19937_64 random_;
  std::uint64_t cut_;
  const Entry* decided_ = nullptr;
  bool without_first_ = false;
};

// The writes that are pending for one sector.
std::map<std::uint64_t, std::vector<const Entry*>> BySector(const Pending& pending,
                                                            std::uint64_t inode,
                                                            const std::vector<const Entry*>& all) {
  std::map<std::uint64_t, std::vector<const Entry*>> sectors;
  for (const Entry* entry : all) {
    const UndoRecord& r = entry->record;
    for (std::uint64_t s = r.offset / kSectorBytes; s * kSectorBytes < r.offset + r.length; ++s) {
      const auto synced = pending.synced_sectors.find({inode, s});
      if (synced != pending.synced_sectors.end() && entry->at < synced->second) continue;
      sectors[s].push_back(entry);
    }
  }
  return sectors;
}

std::string UndoFile(const fs::path& path, std::uint64_t inode, const Pending& pending,
                     const std::vector<const Entry*>& all, Device* device, PowerLoss* loss) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) return "cannot open " + path.native();
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::uint64_t end = std::min(all.front()->record.size, size);  // the least that is kept
  for (const auto& [sector, writes] : BySector(pending, inode, all)) {
    ++loss->sectors;
    const std::uint64_t offset = sector * kSectorBytes;
    const std::size_t version = device->Version(sector, writes);
    const std::uint64_t sector_end = std::min(offset + kSectorBytes, size);
    if (version != 0) end = std::max(end, sector_end);
    if (version == writes.size() || offset >= size) continue;
    ++loss->sectors_undone;
    if (path.native().find("/index/") != std::string::npos) ++loss->index_sectors;
    const Entry& from = *writes[version];
    std::string old(sector_end - offset, '\0');
    const std::uint64_t at = offset - from.record.offset;
    if (at < from.old.size()) {
      const std::string_view there = std::string_view(from.old).substr(at, old.size());
      std::copy(there.begin(), there.end(), old.begin());
    }
    if (pwrite(fd, old.data(), old.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(old.size())) {
      return "cannot write " + path.native();
    }
  }
  if (end < size && !device->KeepsSize() && ftruncate(fd, static_cast<off_t>(end)) != 0) {
    return "cannot cut " + path.native();
  }
  close(fd);
  return "";
}

std::string UndoName(const fs::path& store, const fs::path& graves, const Entry& entry) {
  const UndoRecord& r = entry.record;
  const fs::path name = store / entry.first;
  const auto raise = [&graves](std::uint64_t inode, const fs::path& to) {
    return link((graves / std::to_string(inode)).c_str(), to.c_str()) == 0;
  };
  if (r.kind == UndoKind::kMake) {
    fs::remove_all(name);
    return "";
  }
  if (r.kind == UndoKind::kRemove) {
    if (InodeOf(name) == r.inode) return "";  // killed before the effect
    // A folder that was removed once it was empty is there again with what was in it.
    std::error_code ignored;
    fs::create_directories(name.parent_path(), ignored);
    return raise(r.inode, name) ? "" : "cannot bring back " + name.native();
  }
  const fs::path to = store / entry.second;
  if (InodeOf(to) != r.inode) return "";  // killed before the effect, or it failed
  if (rename(to.c_str(), name.c_str()) != 0) return "cannot rename back " + to.native();
  return r.replaced == 0 || raise(r.replaced, to) ? "" : "cannot bring back " + to.native();
}

// Takes back names, the last ones first. One that is kept keeps all before it that it hangs on.
std::string UndoNames(const fs::path& store, const fs::path& graves, const Pending& pending,
                      Device* device, PowerLoss* loss) {
  std::set<std::string> kept;
  for (auto it = pending.names.rbegin(); it != pending.names.rend(); ++it) {
    const Entry& entry = **it;
    ++loss->names;
    const bool needed = kept.contains(entry.first) || kept.contains(entry.second);
    if (needed || device->KeepsName(entry)) {
      for (const std::string& name : {entry.first, entry.second}) {
        if (name.empty()) continue;
        kept.insert(name);
        kept.insert(FolderOf(name));
      }
      kept.erase("");
      continue;
    }
    ++loss->names_undone;
    if (std::string what = UndoName(store, graves, entry); !what.empty()) return what;
  }
  return "";
}

}  // namespace

UndoLog::UndoLog(fs::path store, fs::path log) : store_(std::move(store)), log_(std::move(log)) {}

std::vector<std::string> UndoLog::Environment() const {
  return {"DAYBOOK_UNDO_STORE=" + store_.native(), "DAYBOOK_UNDO_LOG=" + log_.native()};
}

void UndoLog::Trim() const {
  if (!fs::exists(log_)) return;
  std::uint64_t end = 0;
  ReadLog(log_, &end);
  fs::resize_file(log_, end);
}

void UndoLog::Clear() const {
  fs::remove(log_);
  fs::remove_all(log_.native() + ".graves");
}

std::string UndoLog::LosePower(Kept kept, std::uint64_t seed, PowerLoss* loss) const {
  std::uint64_t end = 0;
  const std::vector<Entry> entries = ReadLog(log_, &end);
  const Pending pending = FindPending(entries);
  const fs::path graves = log_.native() + ".graves";
  Device device(kept, seed, end);
  loss->records += entries.size();
  std::map<std::uint64_t, fs::path> paths;
  for (const fs::path& folder : {graves, store_}) {
    if (!fs::exists(folder)) continue;
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
      if (const auto inode = InodeOf(file.path()); inode && file.is_regular_file()) {
        paths[*inode] = file.path();
      }
    }
  }
  for (const auto& [inode, all] : pending.data) {
    const auto path = paths.find(inode);
    if (path == paths.end() || all.empty()) continue;
    std::string what = UndoFile(path->second, inode, pending, all, &device, loss);
    if (!what.empty()) return what;
  }
  std::string what = UndoNames(store_, graves, pending, &device, loss);
  Clear();
  return what;
}

}  // namespace daybook::testing
