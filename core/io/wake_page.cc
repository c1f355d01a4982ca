#include "io/wake_page.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "base/checksum.h"
#include "base/status.h"
#include "io/file.h"
#include "io/os_error.h"
#include "io/system.h"

namespace daybook {
namespace {

// What the hash covers, as the words that are loaded and stored at once.
struct HashedWords {
  std::uint64_t store_id[2];
  std::uint64_t run_id;
  std::uint64_t position;
};

// The page, as io/wake_page.h describes it.
struct WakePage {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t futex_word;
  HashedWords hashed;
  std::uint64_t hash;
  std::array<std::byte, 4040> zero;
};
static_assert(sizeof(WakePage) == kWakePageBytes);
static_assert(std::has_unique_object_representations_v<WakePage>);
static_assert(offsetof(WakePage, futex_word) == 12 && offsetof(WakePage, hashed) == 16 &&
              offsetof(WakePage, hash) == 48);
// Another process shares the words: they must be what the processor makes atomic, not what a lock
// of this one does.
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free &&
              std::atomic_ref<std::uint32_t>::is_always_lock_free);

constexpr std::array<char, 8> kMagic = {'D', 'B', 'W', 'A', 'K', 'E', '1', '\0'};
constexpr std::uint32_t kVersion = 1;

WakePage* PageAt(std::byte* page) { return reinterpret_cast<WakePage*>(page); }

// For loads alone: std::atomic_ref has no const form, and a load writes nothing.
WakePage* PageAt(std::span<const std::byte> page) {
  return reinterpret_cast<WakePage*>(const_cast<std::byte*>(page.data()));
}

std::uint64_t HashOf(const HashedWords& words) {
  return Hash64(std::as_bytes(std::span(&words, 1)));
}

HashedWords WordsOf(const WakeState& state) {
  HashedWords words{.store_id = {}, .run_id = state.run_id, .position = state.position.value()};
  static_assert(sizeof words.store_id == sizeof state.store_id);
  std::memcpy(words.store_id, state.store_id.data(), sizeof words.store_id);
  return words;
}

template <class T>
T Load(T& word) {
  return std::atomic_ref<T>(word).load(std::memory_order_acquire);
}

template <class T>
void Store(T& word, T value) {
  std::atomic_ref<T>(word).store(value, std::memory_order_release);
}

// Not private: the waiters are in other processes, on mappings of their own.
long Futex(std::uint32_t* word, int operation, std::uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, word, operation, value, timeout, nullptr, 0);
}

// The page in the file, with the futex word moved on so that waiters on an older run look again.
absl::Status WritePage(File& file, const WakeState& state) {
  WakePage page{};
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size >= sizeof page) {
    DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(&page, 1))));
  }
  const std::uint32_t futex_word = page.futex_word + 1;
  const HashedWords words = WordsOf(state);
  page = {.magic = kMagic,
          .version = kVersion,
          .futex_word = futex_word,
          .hashed = words,
          .hash = HashOf(words),
          .zero = {}};
  // Written, not only sized: a store through the mapping into a hole of the file is SIGBUS where
  // the disk is full. A reader sees the new page, or a mixture that its hash tells.
  return file.WriteAt(0, std::as_bytes(std::span(&page, 1)));
}

}  // namespace

absl::StatusOr<WakeWriter> WakeWriter::Create(const std::filesystem::path& path,
                                              const std::array<std::uint8_t, 16>& store_id,
                                              std::uint64_t run_id, Position position) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenOrCreate(path));
  const WakeState state{.store_id = store_id, .run_id = run_id, .position = position};
  DAYBOOK_RETURN_IF_ERROR(WritePage(file, state));
  void* page = system::Mmap(kWakePageBytes, PROT_READ | PROT_WRITE, file.fd());
  if (page == MAP_FAILED) return OsError(errno, "map for writing", path);
  WakeWriter writer(static_cast<std::byte*>(page), state);
  writer.Wake();
  return writer;
}

WakeWriter::WakeWriter(WakeWriter&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)), state_(other.state_) {}

WakeWriter& WakeWriter::operator=(WakeWriter&& other) noexcept {
  if (this != &other) {
    Unmap();
    page_ = std::exchange(other.page_, nullptr);
    state_ = other.state_;
  }
  return *this;
}

WakeWriter::~WakeWriter() { Unmap(); }

void WakeWriter::Unmap() noexcept {
  if (page_ != nullptr) system::Munmap(page_, kWakePageBytes);
  page_ = nullptr;
}

void WakeWriter::Publish(Position position) {
  state_.position = position;
  WakePage* page = PageAt(page_);
  // A death between the two leaves a page that says nothing: recovery and readers then do without
  // this witness.
  Store(page->hashed.position, position.value());
  Store(page->hash, HashOf(WordsOf(state_)));
  std::atomic_ref(page->futex_word).fetch_add(1, std::memory_order_seq_cst);
  Wake();
}

void WakeWriter::Wake() { Futex(&PageAt(page_)->futex_word, FUTEX_WAKE, INT_MAX, nullptr); }

absl::StatusOr<WakeReader> WakeReader::Open(const std::filesystem::path& path, FileAccess access) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenRead(path));
  DAYBOOK_ASSIGN_OR_RETURN(MappedFile page, MappedFile::MapRead(file, kWakePageBytes));
  std::optional<File> read;
  if (access == FileAccess::kRead) read.emplace(std::move(file));
  return WakeReader(std::move(page), std::move(read));
}

std::optional<WakeState> WakeReader::Load() const {
  constexpr int kTries = 200;
  constexpr int kTriesWithoutYield = 20;  // then let a writer run that lost the processor half-way
  WakePage copy{};
  WakePage* const page = file_ ? &copy : PageAt(page_.bytes());
  for (int i = 0; i < kTries; ++i) {
    if (file_ && !file_->ReadAt(0, std::as_writable_bytes(std::span(&copy, 1))).ok()) {
      return std::nullopt;
    }
    const HashedWords words{.store_id = {daybook::Load(page->hashed.store_id[0]),
                                         daybook::Load(page->hashed.store_id[1])},
                            .run_id = daybook::Load(page->hashed.run_id),
                            .position = daybook::Load(page->hashed.position)};
    if (daybook::Load(page->hash) == HashOf(words)) {
      if (page->magic != kMagic || daybook::Load(page->version) != kVersion) return std::nullopt;
      WakeState state{.store_id = {}, .run_id = words.run_id, .position = Position(words.position)};
      std::memcpy(state.store_id.data(), words.store_id, sizeof words.store_id);
      return state;
    }
    if (i >= kTriesWithoutYield) sched_yield();
  }
  return std::nullopt;
}

std::uint32_t WakeReader::futex_word() const {
  if (!file_) return daybook::Load(PageAt(page_.bytes())->futex_word);
  std::uint32_t word = 0;
  file_->ReadAt(offsetof(WakePage, futex_word), std::as_writable_bytes(std::span(&word, 1)))
      .IgnoreError();  // then the wait is a sleep
  return word;
}

void WakeReader::Wait(std::uint32_t last_futex_word, std::chrono::nanoseconds timeout) const {
  const auto left = std::max(timeout, std::chrono::nanoseconds(0));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec time{.tv_sec = static_cast<time_t>(seconds.count()),
                      .tv_nsec = static_cast<long>((left - seconds).count())};
  // Every outcome is the same to the caller: woken, changed before, timed out or interrupted, it
  // looks again.
  if (Futex(&PageAt(page_.bytes())->futex_word, FUTEX_WAIT, last_futex_word, &time) == 0 ||
      errno != EFAULT) {
    return;
  }
  // The device does not give the page: the kernel says so, where a load of ours would be a signal.
  const auto nap = std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds(100));
  const timespec sleep{.tv_sec = 0, .tv_nsec = static_cast<long>(nap.count())};
  nanosleep(&sleep, nullptr);
}

void WakeReader::WakeAll() const {
  Futex(&PageAt(page_.bytes())->futex_word, FUTEX_WAKE, INT_MAX, nullptr);
}

}  // namespace daybook
