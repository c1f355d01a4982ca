#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "daybook/event.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::HasText;
using testing::TempFolder;

std::string Content(const File& file) {
  const auto size = file.Size();
  REQUIRE_OK(size);
  std::string text(*size, '?');
  REQUIRE_OK(file.ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST_CASE("what is written at an offset is read there, and a gap reads as zeros") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  REQUIRE_OK(file->WriteAt(2, AsBytes("cd")));
  REQUIRE_OK(file->WriteAt(6, AsBytes("g")));
  CHECK(*file->Size() == 7);
  CHECK(Content(*file) == std::string("\0\0cd\0\0g", 7));
  REQUIRE_OK(file->WriteAt(0, AsBytes("ab")));
  REQUIRE_OK(file->WriteAt(7, {}));
  CHECK(Content(*file) == std::string("abcd\0\0g", 7));
  CHECK_OK(file->SyncData());
  CHECK_OK(file->Sync());
}

TEST_CASE("a read is exact: a file that ends early is kDataLoss and says where") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "short");
  REQUIRE_OK(file);
  REQUIRE_OK(file->WriteAt(0, AsBytes("abc")));
  std::array<std::byte, 4> four{};
  const absl::Status status = file->ReadAt(0, four);
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(Message(status), HasText("short: the file ends early, at 3"));
  CHECK(file->ReadAt(3, std::span(four).first(1)).code() == absl::StatusCode::kDataLoss);
  CHECK(file->ReadAt(100, four).code() == absl::StatusCode::kDataLoss);
  CHECK_OK(file->ReadAt(3, {}));
  CHECK_OK(file->ReadAt(0, std::span(four).first(3)));
  CHECK(AsText(std::span(four).first(3)) == "abc");
}

TEST_CASE("the ways to open differ in what they want to find") {
  TempFolder folder;
  const auto path = folder / "f";
  CHECK(File::OpenRead(path).status().code() == absl::StatusCode::kNotFound);
  CHECK(File::OpenReadWrite(path).status().code() == absl::StatusCode::kNotFound);
  CHECK_THAT(Message(File::OpenRead(path).status()), HasText(path.native()));
  {
    auto created = File::OpenOrCreate(path);
    REQUIRE_OK(created);
    REQUIRE_OK(created->WriteAt(0, AsBytes("kept")));
    CHECK(created->path() == path);
  }
  CHECK(File::CreateNew(path).status().code() == absl::StatusCode::kAlreadyExists);
  CHECK(Content(*File::OpenOrCreate(path)) == "kept");
  CHECK(Content(*File::OpenReadWrite(path)) == "kept");
  auto read_only = File::OpenRead(path);
  REQUIRE_OK(read_only);
  CHECK(Content(*read_only) == "kept");
  CHECK_FALSE(read_only->WriteAt(0, AsBytes("x")).ok());
  CHECK(Content(*read_only) == "kept");
  CHECK(File::CreateNew(folder / "no" / "f").status().code() == absl::StatusCode::kNotFound);
  CHECK(File::OpenRead(path / "f").status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE(
    "a new file is for its owner to write and for all to read, and exec does not inherit it") {
  TempFolder folder;
  const mode_t mask = umask(0);
  auto file = File::CreateNew(folder / "f");
  umask(mask);
  REQUIRE_OK(file);
  struct stat info;
  REQUIRE(fstat(file->fd(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0644);
  CHECK((fcntl(file->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("pieces are written one behind the other, however many, empty ones too") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  std::vector<std::string> texts;
  std::string expected = "head";
  for (std::size_t i = 0; i < 3 * IOV_MAX + 5; ++i) {
    texts.emplace_back(i % 7, static_cast<char>('a' + i % 26));
    expected += texts.back();
  }
  std::vector<std::span<const std::byte>> pieces;
  for (const std::string& text : texts) pieces.push_back(AsBytes(text));
  REQUIRE_OK(file->WriteAt(0, AsBytes("head")));
  REQUIRE_OK(file->WriteVectorAt(4, pieces));
  CHECK(Content(*file) == expected);
  CHECK_OK(file->WriteVectorAt(0, {}));
  const std::array<std::span<const std::byte>, 2> empty{};
  CHECK_OK(file->WriteVectorAt(0, empty));
  CHECK(Content(*file) == expected);
}

// Limits the size of files that this process may write, so that the kernel cuts a write short.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*old_handler_)(int) = nullptr;
  rlimit old_limit_{};
};

TEST_CASE("a write that the kernel cuts short goes on where it stopped, until an error ends it") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  const std::array<std::string, 3> texts = {std::string(3000, 'a'), std::string(3000, 'b'),
                                            std::string(3000, 'c')};
  const std::array<std::span<const std::byte>, 3> pieces = {AsBytes(texts[0]), AsBytes(texts[1]),
                                                            AsBytes(texts[2])};
  absl::Status status;
  {
    FileSizeLimit limit(5000);  // in the middle of the second piece
    status = file->WriteVectorAt(0, pieces);
  }
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(Message(status), HasText("File too large"));
  CHECK(Content(*file) == texts[0] + std::string(2000, 'b'));
}

TEST_CASE("a full disk is kResourceExhausted and says to make room") {
  auto full = File::OpenReadWrite("/dev/full");
  if (!full.ok()) DAYBOOK_SKIP("no /dev/full");
  for (const absl::Status& status : {full->WriteAt(0, AsBytes("x")), full->ZeroFill(0, 10)}) {
    CHECK(status.code() == absl::StatusCode::kResourceExhausted);
    CHECK_THAT(Message(status), HasText("write: /dev/full: No space left on device; make room"));
  }
}

TEST_CASE("an I/O error of a read is kDataLoss, and no end of the file") {
  auto memory = File::OpenRead("/proc/self/mem");  // where nothing is mapped, reading is EIO
  if (!memory.ok()) DAYBOOK_SKIP("no /proc/self/mem");
  std::array<std::byte, 1> byte{};
  const absl::Status status = memory->ReadAt(0, byte);
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(Message(status), HasText("Input/output error"));
}

TEST_CASE("a sync that fails says so") {
  auto null = File::OpenRead("/dev/null");
  REQUIRE_OK(null);
  CHECK_THAT(Message(null->SyncData()), HasText("sync data: /dev/null: "));
  CHECK_THAT(Message(null->Sync()), HasText("sync: /dev/null: "));
  CHECK_FALSE(null->SyncData().ok());
}

TEST_CASE("zeros are written over what was there, to the byte, and take room on the disk") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  constexpr std::uint64_t kBytes = (std::uint64_t{3} << 20) + 17;
  REQUIRE_OK(file->WriteAt(0, AsBytes(std::string(1000, 'x'))));
  REQUIRE_OK(file->WriteAt(100 + kBytes, AsBytes("end")));
  REQUIRE_OK(file->ZeroFill(100, kBytes));
  const std::string expected = std::string(100, 'x') + std::string(kBytes, '\0') + "end";
  CHECK((Content(*file) == expected));  // in brackets: no 3 MiB in a failure's message
  REQUIRE_OK(file->Sync());
  struct stat info;
  REQUIRE(fstat(file->fd(), &info) == 0);
  CHECK(static_cast<std::uint64_t>(info.st_blocks) * 512 >= kBytes);
  CHECK_OK(file->ZeroFill(0, 0));
}

TEST_CASE("whole pages of zeros are written over what was there, and the file goes on as before") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  constexpr std::uint64_t kBytes = (std::uint64_t{2} << 20) + 8192;
  REQUIRE_OK(file->WriteAt(0, AsBytes(std::string(kBytes + 5000, 'x'))));
  const int flags = fcntl(file->fd(), F_GETFL);
  REQUIRE_OK(file->ZeroFill(4096, kBytes - 4096));
  CHECK(fcntl(file->fd(), F_GETFL) == flags);
  REQUIRE_OK(file->WriteAt(kBytes - 1, AsBytes("y")));
  const std::string expected =
      std::string(4096, 'x') + std::string(kBytes - 4097, '\0') + "y" + std::string(5000, 'x');
  CHECK((Content(*file) == expected));
}

TEST_CASE("filling with zeros asks before each MiB whether to go on") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  int asked = 0;
  const absl::Status status =
      file->ZeroFill(0, std::uint64_t{10} << 20, [&asked] { return ++asked <= 2; });
  CHECK(status.code() == absl::StatusCode::kCancelled);
  CHECK(asked == 3);
  CHECK(*file->Size() == std::uint64_t{2} << 20);
}

TEST_CASE("a file is shortened or lengthened with zeros") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  REQUIRE_OK(file->WriteAt(0, AsBytes("abcdef")));
  REQUIRE_OK(file->Resize(3));
  CHECK(Content(*file) == "abc");
  REQUIRE_OK(file->Resize(5));
  CHECK(Content(*file) == std::string("abc\0\0", 5));
}

TEST_CASE("a lock has one holder, also within a process, until its File is gone") {
  TempFolder folder;
  auto first = File::OpenOrCreate(folder / "LOCK");
  auto second = File::OpenOrCreate(folder / "LOCK");
  REQUIRE_OK(first);
  REQUIRE_OK(second);
  CHECK(*first->TryLockExclusive());
  CHECK(*first->TryLockExclusive());  // by its holder: it has it
  CHECK_FALSE(*second->TryLockExclusive());
  {
    const File holder = *std::move(first);  // the lock moves along
    CHECK_FALSE(*second->TryLockExclusive());
  }
  CHECK(*second->TryLockExclusive());
}

TEST_CASE("a File closes what it held when it is assigned to, and once") {
  TempFolder folder;
  auto a = File::CreateNew(folder / "a");
  auto b = File::CreateNew(folder / "b");
  REQUIRE_OK(a);
  REQUIRE_OK(b);
  const int fd_a = a->fd(), fd_b = b->fd();
  *a = *std::move(b);
  CHECK(a->fd() == fd_b);
  CHECK(a->path() == folder / "b");
  CHECK(fcntl(fd_a, F_GETFD) == -1);
  CHECK(fcntl(fd_b, F_GETFD) != -1);
  File& self = *a;
  *a = std::move(self);
  CHECK(a->fd() == fd_b);
  CHECK_OK(a->WriteAt(0, AsBytes("still open")));
}

TEST_CASE("threads write to different places of one File at the same time") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  constexpr std::size_t kThreads = 4, kWrites = 200, kBytes = 64;
  std::array<absl::Status, kThreads> failed;
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.push_back(std::make_unique<Thread>("writes", [&, t] {
        const std::string text(kBytes, static_cast<char>('a' + t));
        for (std::size_t i = 0; i < kWrites; ++i) {
          failed[t].Update(file->WriteAt((i * kThreads + t) * kBytes, AsBytes(text)));
        }
      }));
    }
  }
  for (const absl::Status& status : failed) CHECK_OK(status);
  const std::string content = Content(*file);
  REQUIRE(content.size() == kThreads * kWrites * kBytes);
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] != static_cast<char>('a' + i / kBytes % kThreads)) FAIL("at " << i);
  }
}

}  // namespace
}  // namespace daybook
