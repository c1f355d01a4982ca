#include "simulation/disk.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/checksum.h"

namespace daybook::simulation {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

std::span<const std::byte> AsBytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

const char* NameOf(Choice::Kind kind) {
  static constexpr std::array<const char*, kChoiceKinds> kNames = {
      "all_lost", "all_kept",     "one_lost",   "one_kept",   "torn",  "reordered",
      "sectors",  "torn_sectors", "names_lost", "sizes_lost", "killed"};
  return kNames[static_cast<std::size_t>(kind)];
}

void FileBytes::Free::operator()(std::byte* data) const { std::free(data); }

FileBytes::FileBytes(const FileBytes& other) {
  if (other.size_ == 0) return;
  Resize(other.size_, false);
  std::memcpy(data_.get(), other.data_.get(), size_);
}

void FileBytes::Resize(std::uint64_t bytes, bool is_mapped) {
  if (bytes > capacity_) {
    if (is_mapped) {
      std::fputs("simulated disk: a mapped file grows out of its memory\n", stderr);
      std::abort();
    }
    std::uint64_t capacity = kPageBytes;
    while (capacity < bytes) capacity *= 2;
    std::unique_ptr<std::byte, Free> data(
        static_cast<std::byte*>(std::aligned_alloc(kPageBytes, capacity)));
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    std::memset(data.get() + size_, 0, capacity - size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }
  if (bytes < size_) std::memset(data_.get() + bytes, 0, size_ - bytes);
  size_ = bytes;
}

// Answers for one crash.
class Disk::Chooser {
 public:
  explicit Chooser(const Choice& choice) : choice_(choice), random_(choice.seed) {
    // Few, half, or most are kept.
    static constexpr std::array<std::uint64_t, 3> kOfEight = {1, 4, 7};
    kept_of_eight_ = kOfEight[random_() % kOfEight.size()];
  }

  // Which of the versions is there; the first is the old one.
  template <class Versions>
  std::size_t Pick(const Versions& versions) {
    const std::size_t last = versions.size() - 1;
    switch (choice_.kind) {
      case Choice::Kind::kLost:
        return 0;
      case Choice::Kind::kOneLost:
        return versions[last].op == choice_.op ? last - 1 : last;
      case Choice::Kind::kOneKept:
        for (std::size_t i = last; i > 0; --i) {
          if (versions[i].op == choice_.op) return i;
        }
        return 0;
      case Choice::Kind::kReordered:
        for (std::size_t i = last; i > 0; --i) {
          if (KeepsOp(versions[i].op)) return i;
        }
        return 0;
      case Choice::Kind::kSectors:
      case Choice::Kind::kTornSectors:
        return Keeps() ? last - random_() % last : random_() % last;
      default:
        return last;
    }
  }
  template <class Sizes>
  std::size_t PickSize(const Sizes& sizes) {
    return choice_.kind == Choice::Kind::kSizesLost ? 0 : Pick(sizes);
  }

  // The range of the sector's bytes that are new, of those of version `picked`; the others are the
  // version's before it. `at` is where the sector stands in its file.
  std::pair<std::size_t, std::size_t> NewBytes(const Version& picked, std::uint64_t at) {
    std::pair<std::size_t, std::size_t> all = {0, kSectorBytes};
    if (choice_.kind == Choice::Kind::kTorn && picked.op == choice_.op) {
      const auto cut = [&](std::uint64_t x) {
        return static_cast<std::size_t>(std::clamp(x, at, at + kSectorBytes) - at);
      };
      return {cut(torn_begin_), cut(torn_end_)};
    }
    if (choice_.kind == Choice::Kind::kTornSectors && random_() % 4 == 0) {
      (random_() % 2 == 0 ? all.first : all.second) = random_() % kSectorBytes;
    }
    return all;
  }
  // Of the write that kTorn tears: from the first sector that it touches to the end of the last.
  void SetTorn(std::uint64_t begin, std::uint64_t end) {
    torn_begin_ = begin;
    torn_end_ = end;
    const std::uint64_t cut = begin + random_() % (end - begin);
    switch (random_() % 3) {
      case 0:
        torn_end_ = cut;
        break;
      case 1:
        torn_begin_ = cut;
        break;
      default:
        torn_begin_ = cut;
        torn_end_ = cut + random_() % (end - cut);
    }
  }

  bool KeepsName(std::uint32_t op) {
    switch (choice_.kind) {
      case Choice::Kind::kLost:
        return false;
      case Choice::Kind::kOneLost:
        return op != choice_.op;
      case Choice::Kind::kOneKept:
        return op == choice_.op;
      case Choice::Kind::kReordered:
        return KeepsOp(op);
      case Choice::Kind::kSectors:
      case Choice::Kind::kTornSectors:
      case Choice::Kind::kNamesLost:
        return Keeps();
      default:
        return true;
    }
  }
  [[nodiscard]] const Choice& choice() const { return choice_; }

 private:
  bool Keeps() { return random_() % 8 < kept_of_eight_; }
  // The same answer for all that one operation did.
  [[nodiscard]] bool KeepsOp(std::uint32_t op) const {
    return Random(choice_.seed + op)() % 8 < kept_of_eight_;
  }

  const Choice choice_;
  Random random_;
  std::uint64_t kept_of_eight_ = 4;
  std::uint64_t torn_begin_ = 0, torn_end_ = 0;
};

Disk::Disk() { folders_.insert(kRoot); }

std::uint32_t Disk::Find(std::string_view path) const {
  std::uint32_t inode = kRoot;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty()) continue;
    inode = FindIn(inode, name);
    if (inode == 0) return 0;
  }
  return inode;
}

std::uint32_t Disk::FindIn(std::uint32_t folder, std::string_view name) const {
  const auto found = names_.find({folder, std::string(name)});
  return found == names_.end() ? 0 : found->second;
}

std::vector<std::string> Disk::Names(std::uint32_t folder) const {
  std::vector<std::string> names;
  for (auto it = names_.lower_bound({folder, ""}); it != names_.end(); ++it) {
    if (it->first.first != folder) break;
    names.push_back(it->first.second);
  }
  return names;
}

void Disk::Apply(const Op& op, std::uint32_t index) {
  switch (op.kind) {
    case Op::Kind::kCreateFile:
    case Op::Kind::kCreateFolder:
      if (op.kind == Op::Kind::kCreateFile) {
        files_[op.inode];
      } else {
        folders_.insert(op.inode);
      }
      next_inode_ = std::max(next_inode_, op.inode + 1);
      return ChangeNames({index, {{{op.folder, op.name}, op.inode}}});
    case Op::Kind::kWrite:
      return Write(&files_.at(op.inode), op.offset, op.bytes, index);
    case Op::Kind::kResize:
      return SetSize(&files_.at(op.inode), op.offset, index);
    case Op::Kind::kSync: {
      File& file = files_.at(op.inode);
      std::erase_if(file.sectors, [](const auto& sector) { return sector.second.dirty; });
      file.sizes.clear();
      return;
    }
    case Op::Kind::kSyncFailed:
      for (auto& [at, sector] : files_.at(op.inode).sectors) sector.dirty = false;
      return;
    case Op::Kind::kSyncFolder:
      return SyncFolder(op.inode);
    case Op::Kind::kRename:
      return ChangeNames(
          {index, {{{op.folder, op.name}, 0}, {{op.to_folder, op.to_name}, op.inode}}});
    case Op::Kind::kRemove:
      return ChangeNames({index, {{{op.folder, op.name}, 0}}});
    case Op::Kind::kMark:
      return;
  }
}

void Disk::Write(File* file, std::uint64_t offset, std::span<const std::byte> bytes,
                 std::uint32_t index) {
  const std::uint64_t end = offset + bytes.size();
  if (end > file->cache.size()) SetSize(file, end, index);
  std::array<std::byte, kSectorBytes> old;
  for (std::uint64_t at = offset / kSectorBytes * kSectorBytes; at < end; at += kSectorBytes) {
    const std::uint64_t from = std::max(at, offset);
    const std::uint64_t upto = std::min(at + kSectorBytes, end);
    std::byte* const cache = file->cache.data() + at;  // the memory goes on to the page's end
    const std::byte* const before = file->shadow.empty() ? cache : file->shadow.data() + at;
    std::memcpy(old.data(), before, kSectorBytes);
    Sector& sector = file->sectors[at / kSectorBytes];
    if (sector.versions.empty()) sector.versions.push_back({0, old});
    sector.versions.push_back({index, old});
    std::memcpy(sector.versions.back().bytes.data() + (from - at), bytes.data() + (from - offset),
                upto - from);
    sector.dirty = true;
  }
  if (file->shadow.empty()) {
    std::memcpy(file->cache.data() + offset, bytes.data(), bytes.size());
  } else {
    std::memcpy(file->shadow.data() + offset, bytes.data(), bytes.size());
  }
}

void Disk::SetSize(File* file, std::uint64_t bytes, std::uint32_t index) {
  const std::uint64_t before = file->cache.size();
  if (bytes == before) return;
  if (bytes < before) {  // what is cut off reads as zeros if the file grows again
    Write(file, bytes, std::vector<std::byte>(before - bytes), index);
  }
  if (file->sizes.empty()) file->sizes.push_back({0, before});
  file->sizes.push_back({index, bytes});
  file->cache.Resize(bytes, file->is_mapped);
}

void Disk::SetMapped(std::uint32_t inode, bool is_mapped, bool is_written) {
  File& file = files_.at(inode);
  file.is_mapped = is_mapped;
  file.shadow.clear();
  if (is_written) {
    file.shadow.assign(
        file.cache.data(),
        file.cache.data() + (file.cache.size() + kSectorBytes - 1) / kSectorBytes * kSectorBytes);
  }
}

void Disk::ChangeNames(NameChange change) {
  for (const auto& [entry, inode] : change.entries) {
    if (inode == 0) {
      names_.erase(entry);
    } else {
      names_[entry] = inode;
    }
  }
  name_changes_.push_back(std::move(change));
}

void Disk::SyncFolder(std::uint32_t folder) {
  std::erase_if(name_changes_, [&](const NameChange& change) {
    const bool is_here = std::any_of(change.entries.begin(), change.entries.end(),
                                     [&](const auto& e) { return e.first.first == folder; });
    if (!is_here) return false;
    for (const auto& [entry, inode] : change.entries) {
      if (inode == 0) {
        durable_names_.erase(entry);
      } else {
        durable_names_[entry] = inode;
      }
    }
    return true;
  });
}

std::vector<std::uint32_t> Disk::pending() const {
  std::set<std::uint32_t> ops;
  for (const auto& [inode, file] : files_) {
    for (const auto& [at, sector] : file.sectors) {
      for (std::size_t i = 1; i < sector.versions.size(); ++i) ops.insert(sector.versions[i].op);
    }
    for (std::size_t i = 1; i < file.sizes.size(); ++i) ops.insert(file.sizes[i].op);
  }
  for (const NameChange& change : name_changes_) ops.insert(change.op);
  return {ops.begin(), ops.end()};
}

FileBytes Disk::Settle(const File& file, Chooser* chooser) {
  FileBytes bytes(file.cache);
  if (!file.sizes.empty()) {
    const std::uint64_t size = file.sizes[chooser->PickSize(file.sizes)].bytes;
    bytes.Resize(size, false);
  }
  if (chooser->choice().kind == Choice::Kind::kTorn) {
    std::uint64_t begin = UINT64_MAX;
    std::uint64_t end = 0;
    for (const auto& [number, sector] : file.sectors) {
      if (sector.versions.back().op != chooser->choice().op) continue;
      begin = std::min(begin, number * kSectorBytes);
      end = (number + 1) * kSectorBytes;
    }
    if (end != 0) chooser->SetTorn(begin, end);
  }
  for (const auto& [number, sector] : file.sectors) {
    const std::uint64_t at = number * kSectorBytes;
    const std::size_t picked = chooser->Pick(sector.versions);
    std::array<std::byte, kSectorBytes> content = sector.versions[picked].bytes;
    if (picked > 0) {
      const Version& before = sector.versions[picked - 1];
      const auto [from, upto] = chooser->NewBytes(sector.versions[picked], at);
      if (from < upto) {
        std::memcpy(content.data(), before.bytes.data(), from);
        std::memcpy(content.data() + upto, before.bytes.data() + upto, kSectorBytes - upto);
      } else {
        content = before.bytes;
      }
    }
    if (at >= bytes.size()) continue;
    std::memcpy(bytes.data() + at, content.data(),
                std::min<std::uint64_t>(kSectorBytes, bytes.size() - at));
  }
  return bytes;
}

Disk Disk::Crash(const Choice& choice) const {
  if (choice.kind == Choice::Kind::kKilled) return *this;
  Chooser chooser(choice);
  std::vector<bool> kept;
  for (const NameChange& change : name_changes_) kept.push_back(chooser.KeepsName(change.op));
  // What is kept of a name brings with it what happened to that name before.
  for (std::size_t i = kept.size(); i-- > 0;) {
    if (!kept[i]) continue;
    for (std::size_t j = 0; j < i; ++j) {
      for (const auto& mine : name_changes_[i].entries) {
        for (const auto& other : name_changes_[j].entries) {
          if (mine.first == other.first) kept[j] = true;
        }
      }
    }
  }
  Disk after;
  after.next_inode_ = next_inode_;
  std::map<Entry, std::uint32_t> names = durable_names_;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) continue;
    for (const auto& [entry, inode] : name_changes_[i].entries) {
      if (inode == 0) {
        names.erase(entry);
      } else {
        names[entry] = inode;
      }
    }
  }
  // A folder has a smaller number than what was made in it.
  for (const auto& [entry, inode] : names) {
    if (!after.folders_.contains(entry.first)) continue;
    after.names_[entry] = inode;
    if (folders_.contains(inode)) {
      after.folders_.insert(inode);
    } else if (!after.files_.contains(inode)) {
      after.files_[inode].cache = Settle(files_.at(inode), &chooser);
    }
  }
  after.durable_names_ = after.names_;
  return after;
}

std::uint64_t Disk::Hash() const {
  std::uint64_t hash = 1;
  const auto mix = [&hash](std::span<const std::byte> bytes) {
    hash = (hash ^ Hash64(bytes)) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29;
  };
  for (const auto& [entry, inode] : names_) {
    mix(AsBytesOf(entry.second));
    const auto file = files_.find(inode);
    if (file == files_.end()) continue;
    mix({file->second.cache.data(), file->second.cache.size()});
    for (const auto& [at, sector] : file->second.sectors) {
      for (const Version& version : sector.versions) mix(version.bytes);
    }
    hash += file->second.sizes.size();
  }
  return hash * 31 + name_changes_.size();
}

}  // namespace daybook::simulation
