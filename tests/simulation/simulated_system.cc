#include "simulation/simulated_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "io/system.h"

namespace daybook::simulation {
namespace {

constexpr int kFirstDescriptor = 1 << 20;

[[noreturn]] void Misuse(const char* what) {
  std::fprintf(stderr, "simulated system: %s\n", what);
  std::abort();
}

struct OpenFile {
  std::uint32_t inode = 0;
  bool is_folder = false;
  bool is_written = false;
  bool has_lock = false;
};
struct Mapping {
  std::uint32_t inode = 0;
  bool is_written = false;
};

// What a mounted disk needs beside its bytes.
struct State {
  std::string root;
  Disk disk;
  std::map<int, OpenFile> open;
  int next_descriptor = kFirstDescriptor;
  std::multimap<void*, Mapping> mappings;
  bool is_logging = false;
  std::vector<Op> log;
  std::uint32_t applied = 0;
  std::optional<Fault> fault;
  std::uint64_t struck = 0;
  std::array<std::uint64_t, kCalls> calls{};
  std::uint64_t marked = 0;
  std::function<std::uint64_t()> mark_at_syncs;
};

std::mutex mutex;
std::unique_ptr<State> state;  // of the mounted disk

// The path below the root, where it is the simulated disk's.
std::optional<std::string_view> Below(std::string_view path) {
  if (state == nullptr || !path.starts_with(state->root)) return std::nullopt;
  path.remove_prefix(state->root.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  if (path.find("/index/") != std::string_view::npos || path.ends_with("/index")) {
    return std::nullopt;
  }
  if (path.ends_with('/')) path.remove_suffix(1);  // "a/" is what "a" is
  return path;
}

int Fail(int error) {
  errno = error;
  return -1;
}

// Counts a call, and returns the fault that strikes it.
const Fault* Strike(Call call) {
  const std::uint64_t n = ++state->calls[static_cast<std::size_t>(call)];
  if (!state->fault || state->fault->call != call) return nullptr;
  if (n < state->fault->n || n - state->fault->n >= state->fault->times) return nullptr;
  ++state->struck;
  return &*state->fault;
}

void Do(Op op) {
  state->disk.Apply(op, state->applied++);
  if (state->is_logging) state->log.push_back(std::move(op));
}

// What was stored through mappings since the last look stands as a write from now on.
void NoticeMappedStores() {
  for (const auto& [address, mapping] : state->mappings) {
    if (!mapping.is_written) continue;
    const std::vector<std::byte>& shadow = state->disk.Shadow(mapping.inode);
    std::vector<std::byte> now(shadow.size());
    for (std::size_t at = 0; at < now.size(); at += 8) {
      auto* word = reinterpret_cast<std::uint64_t*>(static_cast<std::byte*>(address) + at);
      const std::uint64_t value = std::atomic_ref(*word).load(std::memory_order_relaxed);
      std::memcpy(now.data() + at, &value, sizeof value);
    }
    for (std::size_t at = 0; at < now.size(); at += kSectorBytes) {
      if (std::memcmp(now.data() + at, shadow.data() + at, kSectorBytes) == 0) continue;
      Op op{.kind = Op::Kind::kWrite, .inode = mapping.inode, .offset = at};
      op.bytes.assign(now.data() + at, now.data() + at + kSectorBytes);
      Do(std::move(op));
    }
  }
}

void MarkWhatIsSeen() {
  const std::uint64_t number = state->mark_at_syncs ? state->mark_at_syncs() : 0;
  if (number <= state->marked) return;
  state->marked = number;
  Do({.kind = Op::Kind::kMark, .offset = number});
}

OpenFile* FileOf(int fd) {
  if (fd < kFirstDescriptor) return nullptr;
  const auto found = state->open.find(fd);
  if (found == state->open.end()) Misuse("a descriptor that is not open");
  return &found->second;
}

// Folder and last name of a path; the folder is 0 where it does not exist.
std::pair<std::uint32_t, std::string> Split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return {state->disk.Find(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

int FillStat(std::uint32_t inode, struct stat* info) {
  *info = {};
  info->st_ino = inode;
  if (state->disk.IsFolder(inode)) {
    info->st_mode = S_IFDIR | 0755;
  } else {
    info->st_mode = S_IFREG | 0644;
    info->st_size = static_cast<off_t>(state->disk.Bytes(inode).size());
  }
  return 0;
}

int LookUp(std::string_view path, struct stat* info) {
  if (const Fault* fault = Strike(Call::kLookUp)) return Fail(fault->error);
  const std::uint32_t inode = state->disk.Find(path);
  return inode == 0 ? Fail(ENOENT) : FillStat(inode, info);
}

int OpenPath(std::string_view path, int flags) {
  std::uint32_t inode = state->disk.Find(path);
  const bool creates = inode == 0 && (flags & O_CREAT) != 0;
  if (const Fault* fault = Strike(creates ? Call::kCreate : Call::kOpen)) return Fail(fault->error);
  if (inode == 0 && !creates) return Fail(ENOENT);
  if (inode != 0 && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return Fail(EEXIST);
  const bool is_written = (flags & O_ACCMODE) != O_RDONLY;
  if (creates) {
    auto [folder, name] = Split(path);
    if (folder == 0) return Fail(ENOENT);
    inode = state->disk.NextInode();
    Do({.kind = Op::Kind::kCreateFile, .inode = inode, .folder = folder, .name = std::move(name)});
  }
  const bool is_folder = state->disk.IsFolder(inode);
  if (is_folder && is_written) return Fail(EISDIR);
  if (!is_folder && (flags & O_DIRECTORY) != 0) return Fail(ENOTDIR);
  const int fd = state->next_descriptor++;
  state->open[fd] = {inode, is_folder, is_written, false};
  return fd;
}

ssize_t WriteTo(std::uint32_t inode, const iovec* pieces, int count, off_t offset) {
  Op op{.kind = Op::Kind::kWrite, .inode = inode, .offset = static_cast<std::uint64_t>(offset)};
  for (int i = 0; i < count; ++i) {
    const auto* bytes = static_cast<const std::byte*>(pieces[i].iov_base);
    op.bytes.insert(op.bytes.end(), bytes, bytes + pieces[i].iov_len);
  }
  const Fault* fault = Strike(Call::kWrite);
  if (fault != nullptr) {
    if (fault->effect == Fault::Effect::kError) return Fail(fault->error);
    op.bytes.resize((op.bytes.size() + 1) / 2);
  }
  const auto written = static_cast<ssize_t>(op.bytes.size());
  if (written != 0) Do(std::move(op));
  if (fault != nullptr && fault->effect == Fault::Effect::kErrorAfter) return Fail(fault->error);
  return written;
}

int SyncFile(const OpenFile& file, Call call) {
  NoticeMappedStores();
  MarkWhatIsSeen();
  const Fault* fault = Strike(file.is_folder ? Call::kSyncFolder : call);
  if (fault == nullptr) {
    Do({.kind = file.is_folder ? Op::Kind::kSyncFolder : Op::Kind::kSync, .inode = file.inode});
    return 0;
  }
  if (!file.is_folder) Do({.kind = Op::Kind::kSyncFailed, .inode = file.inode});
  return Fail(fault->error);
}

int RenamePath(std::string_view from, std::string_view to, bool replaces) {
  NoticeMappedStores();
  if (const Fault* fault = Strike(Call::kRename)) return Fail(fault->error);
  const std::uint32_t inode = state->disk.Find(from);
  if (inode == 0) return Fail(ENOENT);
  if (!replaces && state->disk.Find(to) != 0) return Fail(EEXIST);
  auto [folder, name] = Split(from);
  auto [to_folder, to_name] = Split(to);
  if (to_folder == 0) return Fail(ENOENT);
  Do({.kind = Op::Kind::kRename,
      .inode = inode,
      .folder = folder,
      .to_folder = to_folder,
      .name = std::move(name),
      .to_name = std::move(to_name)});
  return 0;
}

int RemovePath(std::string_view path) {
  NoticeMappedStores();
  if (const Fault* fault = Strike(Call::kRemove)) return Fail(fault->error);
  const std::uint32_t inode = state->disk.Find(path);
  if (inode == 0) return Fail(ENOENT);
  if (state->disk.IsFolder(inode) && !state->disk.Names(inode).empty()) return Fail(ENOTEMPTY);
  auto [folder, name] = Split(path);
  Do({.kind = Op::Kind::kRemove, .inode = inode, .folder = folder, .name = std::move(name)});
  return 0;
}

void* MapFile(std::uint32_t inode, std::size_t bytes, bool is_written) {
  if (const Fault* fault = Strike(Call::kMap)) {
    errno = fault->error;
    return MAP_FAILED;
  }
  FileBytes& file = state->disk.Bytes(inode);
  if (bytes > file.size()) Misuse("a mapping beyond the end of its file");
  const bool was_written = std::any_of(
      state->mappings.begin(), state->mappings.end(),
      [inode](const auto& m) { return m.second.inode == inode && m.second.is_written; });
  if (!was_written) state->disk.SetMapped(inode, true, is_written);
  state->mappings.insert({file.data(), {inode, is_written}});
  return file.data();
}

void UnmapFile(std::multimap<void*, Mapping>::iterator mapping) {
  NoticeMappedStores();
  const std::uint32_t inode = mapping->second.inode;
  void* const address = mapping->first;
  state->mappings.erase(mapping);
  const auto [first, last] = state->mappings.equal_range(address);
  const bool is_written =
      std::any_of(first, last, [](const auto& m) { return m.second.is_written; });
  if (!is_written) state->disk.SetMapped(inode, first != last, false);
}

}  // namespace

const char* NameOf(Call call) {
  static constexpr std::array<const char*, kCalls> kNames = {
      "open",    "create", "read", "write", "sync_data", "sync",   "sync_folder", "resize",
      "look_up", "lock",   "map",  "mkdir", "rename",    "remove", "list"};
  return kNames[static_cast<std::size_t>(call)];
}

Mount::Mount(std::string root, Disk disk) {
  const std::lock_guard lock(mutex);
  if (state != nullptr) Misuse("two disks are mounted");
  state = std::make_unique<State>();
  state->root = std::move(root);
  state->disk = std::move(disk);
}

Mount::~Mount() {
  const std::lock_guard lock(mutex);
  if (!state->open.empty()) Misuse("a file is open while its disk is unmounted");
  if (!state->mappings.empty()) Misuse("a file is mapped while its disk is unmounted");
  state.reset();
}

void Mount::StartLog(Disk* base) {
  const std::lock_guard lock(mutex);
  NoticeMappedStores();
  if (base != nullptr) *base = state->disk;
  state->is_logging = true;
  state->log.clear();
}

std::vector<Op> Mount::TakeLog() {
  const std::lock_guard lock(mutex);
  NoticeMappedStores();
  state->is_logging = false;
  return std::move(state->log);
}

std::size_t Mount::log_size() {
  const std::lock_guard lock(mutex);
  return state->log.size();
}

void Mount::Mark(std::uint64_t number, std::uint64_t other, std::uint64_t third) {
  const std::lock_guard lock(mutex);
  NoticeMappedStores();
  state->marked = std::max(state->marked, number);
  Do({.kind = Op::Kind::kMark,
      .inode = static_cast<std::uint32_t>(third),
      .offset = number,
      .other = other});
}

void Mount::MarkAtSyncs(std::function<std::uint64_t()> number) {
  const std::lock_guard lock(mutex);
  state->mark_at_syncs = std::move(number);
}

Disk Mount::disk() {
  const std::lock_guard lock(mutex);
  NoticeMappedStores();
  return state->disk;
}

void Mount::SetFault(const std::optional<Fault>& fault) {
  const std::lock_guard lock(mutex);
  state->fault = fault;
  state->calls = {};
}

std::uint64_t Mount::struck() {
  const std::lock_guard lock(mutex);
  return state->struck;
}

std::array<std::uint64_t, kCalls> Mount::calls() {
  const std::lock_guard lock(mutex);
  return state->calls;
}

}  // namespace daybook::simulation

// The functions that core/io stands on.
namespace daybook::system {

using simulation::Below;
using simulation::Call;
using simulation::Fail;
using simulation::Fault;
using simulation::FileOf;
using simulation::OpenFile;
using simulation::state;
using simulation::Strike;
using Lock = std::unique_lock<std::mutex>;

int Open(const char* path, int flags, mode_t mode) {
  Lock lock(simulation::mutex);
  if (const auto below = Below(path)) {
    simulation::NoticeMappedStores();
    return simulation::OpenPath(*below, flags);
  }
  lock.unlock();
  return open(path, flags, mode);
}

int Close(int fd) {
  const Lock lock(simulation::mutex);
  if (FileOf(fd) == nullptr) return close(fd);
  state->open.erase(fd);
  return 0;
}

ssize_t Pread(int fd, void* out, std::size_t bytes, off_t offset) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  if (file == nullptr) return pread(fd, out, bytes, offset);
  const Fault* fault = Strike(Call::kRead);
  if (fault != nullptr && fault->effect != Fault::Effect::kShort) return Fail(fault->error);
  if (fault != nullptr) bytes = (bytes + 1) / 2;
  const simulation::FileBytes& content = state->disk.Bytes(file->inode);
  const auto at = static_cast<std::uint64_t>(offset);
  const std::uint64_t n = at >= content.size() ? 0 : std::min(bytes, content.size() - at);
  if (n != 0) std::memcpy(out, content.data() + at, n);
  return static_cast<ssize_t>(n);
}

ssize_t Pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  if (file == nullptr) return pwritev(fd, pieces, count, offset);
  if (!file->is_written) return Fail(EBADF);
  simulation::NoticeMappedStores();
  return simulation::WriteTo(file->inode, pieces, count, offset);
}

int Fdatasync(int fd) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  return file == nullptr ? fdatasync(fd) : simulation::SyncFile(*file, Call::kSyncData);
}

int Fsync(int fd) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  return file == nullptr ? fsync(fd) : simulation::SyncFile(*file, Call::kSync);
}

// Writes past the cache are like all others here: durable after a sync.
int GetFlags(int fd) {
  const Lock lock(simulation::mutex);
  return FileOf(fd) == nullptr ? fcntl(fd, F_GETFL) : O_RDWR;
}

int SetFlags(int fd, int flags) {
  const Lock lock(simulation::mutex);
  return FileOf(fd) == nullptr ? fcntl(fd, F_SETFL, flags) : 0;
}

int Fadvise(int fd, off_t offset, off_t bytes, int advice) {
  const Lock lock(simulation::mutex);
  return FileOf(fd) == nullptr ? posix_fadvise(fd, offset, bytes, advice) : 0;
}

// A hint. Whatever was written may be on the device at any time.
int SyncFileRange(int fd, off_t offset, off_t bytes, unsigned flags) {
  const Lock lock(simulation::mutex);
  return FileOf(fd) == nullptr ? sync_file_range(fd, offset, bytes, flags) : 0;
}

int Fstat(int fd, struct stat* info) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  if (file == nullptr) return fstat(fd, info);
  if (const Fault* fault = Strike(Call::kLookUp)) return Fail(fault->error);
  return simulation::FillStat(file->inode, info);
}

int Ftruncate(int fd, off_t bytes) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  if (file == nullptr) return ftruncate(fd, bytes);
  if (const Fault* fault = Strike(Call::kResize)) return Fail(fault->error);
  simulation::NoticeMappedStores();
  simulation::Do({.kind = simulation::Op::Kind::kResize,
                  .inode = file->inode,
                  .offset = static_cast<std::uint64_t>(bytes)});
  return 0;
}

int Flock(int fd, int operation) {
  const Lock lock(simulation::mutex);
  OpenFile* file = FileOf(fd);
  if (file == nullptr) return flock(fd, operation);
  if (const Fault* fault = Strike(Call::kLock)) return Fail(fault->error);
  for (const auto& [other_fd, other] : state->open) {
    if (other_fd != fd && other.inode == file->inode && other.has_lock) return Fail(EWOULDBLOCK);
  }
  file->has_lock = operation != LOCK_UN;
  return 0;
}

void* Mmap(std::size_t bytes, int protection, int fd) {
  const Lock lock(simulation::mutex);
  const OpenFile* file = FileOf(fd);
  if (file == nullptr) return mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  simulation::NoticeMappedStores();
  return simulation::MapFile(file->inode, bytes, (protection & PROT_WRITE) != 0);
}

int Munmap(void* address, std::size_t bytes) {
  const Lock lock(simulation::mutex);
  if (state != nullptr) {
    if (const auto found = state->mappings.find(address); found != state->mappings.end()) {
      // Those at one address are of one file: which of the readers goes does not matter, and a
      // writer is the last.
      auto best = found;
      for (auto it = found; it != state->mappings.end() && it->first == address; ++it) {
        if (!it->second.is_written) best = it;
      }
      simulation::UnmapFile(best);
      return 0;
    }
  }
  return munmap(address, bytes);
}

int Madvise(void* address, std::size_t bytes, int advice) {
  const Lock lock(simulation::mutex);
  if (state != nullptr) {
    const auto after = state->mappings.upper_bound(address);
    if (after != state->mappings.begin()) {
      const auto before = std::prev(after);
      const auto offset = static_cast<std::uint64_t>(static_cast<std::byte*>(address) -
                                                     static_cast<std::byte*>(before->first));
      if (offset < state->disk.Bytes(before->second.inode).size()) return 0;
    }
  }
  return madvise(address, bytes, advice);
}

int Stat(const char* path, struct stat* info) {
  const Lock lock(simulation::mutex);
  if (const auto below = Below(path)) return simulation::LookUp(*below, info);
  return stat(path, info);
}

int Lstat(const char* path, struct stat* info) {
  const Lock lock(simulation::mutex);
  if (const auto below = Below(path)) return simulation::LookUp(*below, info);
  return lstat(path, info);
}

int Statfs(const char* path, struct statfs* info) {
  const Lock lock(simulation::mutex);
  const auto below = Below(path);
  if (!below) return statfs(path, info);
  if (const Fault* fault = Strike(Call::kLookUp)) return Fail(fault->error);
  *info = {};
  info->f_type = EXT4_SUPER_MAGIC;
  return state->disk.Find(*below) == 0 ? Fail(ENOENT) : 0;
}

int Mkdir(const char* path, mode_t mode) {
  const Lock lock(simulation::mutex);
  const auto below = Below(path);
  if (!below) return mkdir(path, mode);
  simulation::NoticeMappedStores();
  if (const Fault* fault = Strike(Call::kMakeFolder)) return Fail(fault->error);
  if (state->disk.Find(*below) != 0) return Fail(EEXIST);
  auto [folder, name] = simulation::Split(*below);
  if (folder == 0) return Fail(ENOENT);
  simulation::Do({.kind = simulation::Op::Kind::kCreateFolder,
                  .inode = state->disk.NextInode(),
                  .folder = folder,
                  .name = std::move(name)});
  return 0;
}

int Rename(const char* from, const char* to) {
  const Lock lock(simulation::mutex);
  const auto below = Below(from);
  const auto below_to = Below(to);
  if (!below || !below_to) return rename(from, to);
  return simulation::RenamePath(*below, *below_to, true);
}

int RenameNoReplace(const char* from, const char* to) {
  const Lock lock(simulation::mutex);
  const auto below = Below(from);
  const auto below_to = Below(to);
  if (!below || !below_to) return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
  return simulation::RenamePath(*below, *below_to, false);
}

int Remove(const char* path) {
  const Lock lock(simulation::mutex);
  if (const auto below = Below(path)) return simulation::RemovePath(*below);
  return remove(path);
}

int List(const char* path, std::vector<std::string>* names) {
  const Lock lock(simulation::mutex);
  if (const auto below = Below(path)) {
    if (const Fault* fault = Strike(Call::kList)) return Fail(fault->error);
    const std::uint32_t folder = state->disk.Find(*below);
    if (folder == 0) return Fail(ENOENT);
    if (!state->disk.IsFolder(folder)) return Fail(ENOTDIR);
    *names = state->disk.Names(folder);
    return 0;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path), &closedir);
  if (folder == nullptr) return -1;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names->emplace_back(name);
  }
  return 0;
}

}  // namespace daybook::system
