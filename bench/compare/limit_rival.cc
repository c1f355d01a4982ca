// The limit: the same bytes in the same number of writes and syncs with nothing else, and for reads
// the same bytes through the hash with nothing else.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kFileBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kFillBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kFillSyncBytes = std::uint64_t{8} << 20;

void Check(bool good, const char* what) {
  if (!good) Die(std::string("limit: ") + what + ": " + std::strerror(errno));
}

void WriteAt(int file, const std::vector<char>& bytes, std::uint64_t offset) {
  Check(::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
            static_cast<ssize_t>(bytes.size()),
        "pwrite");
}

// Files of zeros. The first is there before the clock starts; from then on a second thread fills as
// many bytes as the writer uses up, so that the run pays for what a long run would.
class ZeroedFiles {
 public:
  explicit ZeroedFiles(std::filesystem::path directory) : directory_(std::move(directory)) {
    wanted_ = kFileBytes;
    std::thread(&ZeroedFiles::FillOne, this, 0).join();
  }
  ~ZeroedFiles() {
    for (const int file : files_) ::close(file);
  }
  ZeroedFiles(const ZeroedFiles&) = delete;
  ZeroedFiles& operator=(const ZeroedFiles&) = delete;

  void Start() {
    filler_ = std::thread([this] {
      for (std::uint64_t number = 1; FillOne(number); ++number) {
      }
    });
  }

  // File `number`, when it is whole.
  int File(std::uint64_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return filled_ >= (number + 1) * kFileBytes; });
    return files_[number];
  }
  // The writer has used up `bytes` in all.
  void Used(std::uint64_t bytes) {
    if (bytes < next_wake_ && bytes % kFileBytes != 0)
      return;  // a lock and a wake a commit would be felt
    next_wake_ = bytes + kFillBytes;
    const std::lock_guard lock(mutex_);
    wanted_ = kFileBytes + bytes;
    changed_.notify_all();
  }
  // Waits until as much was filled as was used.
  void Finish() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    filler_.join();
  }

 private:
  // Fills as the writer goes; false where the run ended first.
  bool FillOne(std::uint64_t number) {
    const std::vector<char> zeros(kFillBytes);
    const int file = ::open((directory_ / ("limit-" + std::to_string(number))).c_str(),
                            O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    Check(file >= 0, "open");
    {
      const std::lock_guard lock(mutex_);
      files_.push_back(file);
    }
    for (std::uint64_t offset = 0; offset < kFileBytes; offset += kFillBytes) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return filled_ + kFillBytes <= wanted_ || finished_; });
        if (filled_ + kFillBytes > wanted_) return false;
      }
      WriteAt(file, zeros, offset);
      if ((offset + kFillBytes) % kFillSyncBytes == 0) Check(::fdatasync(file) == 0, "fdatasync");
      const std::lock_guard lock(mutex_);
      filled_ += kFillBytes;
      changed_.notify_all();
    }
    return true;
  }

  const std::filesystem::path directory_;
  std::uint64_t next_wake_ = kFillBytes;  // of the writer's thread alone
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> files_;
  std::uint64_t filled_ = 0;
  std::uint64_t wanted_ = 0;
  bool finished_ = false;
  std::thread filler_;
};

std::vector<std::filesystem::path> LogFiles(const std::filesystem::path& store) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(store / "log")) {
    if (entry.path().extension() == ".log") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A file, mapped, without the zeros at its end.
class MappedLog {
 public:
  explicit MappedLog(const std::filesystem::path& path)
      : file_bytes_(std::filesystem::file_size(path)) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    Check(file >= 0, "open");
    void* map = ::mmap(nullptr, file_bytes_, PROT_READ, MAP_SHARED, file, 0);
    Check(map != MAP_FAILED, "mmap");
    ::close(file);
    map_ = static_cast<const char*>(map);
    used_ = file_bytes_;
    while (used_ > 0 && map_[used_ - 1] == 0) --used_;
  }
  ~MappedLog() { ::munmap(const_cast<char*>(map_), file_bytes_); }
  MappedLog(const MappedLog&) = delete;
  MappedLog& operator=(const MappedLog&) = delete;
  [[nodiscard]] std::string_view bytes() const { return {map_, used_}; }

 private:
  std::size_t file_bytes_;
  const char* map_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace

double SecondsToWrite(const std::filesystem::path& directory, std::uint64_t commits,
                      std::uint64_t bytes) {
  std::vector<char> data(bytes);
  for (std::uint64_t i = 0; i < bytes; ++i) data[i] = static_cast<char>(Mix(i));
  ZeroedFiles files(directory);
  SettleDisk(directory);

  const Stopwatch watch;
  files.Start();
  std::uint64_t number = 0, offset = 0;
  int file = files.File(0);
  for (std::uint64_t i = 0; i < commits; ++i) {
    if (offset + bytes > kFileBytes) {
      ++number;
      offset = 0;
      files.Used(number * kFileBytes);
      file = files.File(number);
    }
    WriteAt(file, data, offset);
    Check(::fdatasync(file) == 0, "fdatasync");
    offset += bytes;
    files.Used(number * kFileBytes + offset);
  }
  files.Finish();
  return watch.Seconds();
}

std::uint64_t LogBytes(const std::filesystem::path& store) {
  std::uint64_t bytes = 0;
  for (const auto& path : LogFiles(store)) bytes += MappedLog(path).bytes().size();
  return bytes;
}

struct LogHasher::Files {
  std::vector<std::unique_ptr<MappedLog>> logs;
};

LogHasher::LogHasher(const std::filesystem::path& store) : files_(std::make_unique<Files>()) {
  for (const auto& path : LogFiles(store))
    files_->logs.push_back(std::make_unique<MappedLog>(path));
}

LogHasher::~LogHasher() = default;

double LogHasher::SecondsToHash(std::uint64_t passes) const {
  volatile std::uint64_t sink = 0;
  const Stopwatch watch;
  for (std::uint64_t pass = 0; pass < passes; ++pass) {
    for (const auto& log : files_->logs) {
      sink = sink + XXH3_64bits(log->bytes().data(), log->bytes().size());
    }
  }
  return watch.Seconds();
}

}  // namespace daybook::bench
