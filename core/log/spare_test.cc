// The spare: made ahead, claimed once, and never half there.

#include "log/spare.h"

#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "daybook/event.h"
#include "io/directory.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::TempFolder;

constexpr std::uint64_t kKiB = 1024;

// Waits for what another thread does.
template <class Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

bool IsZeros(const std::filesystem::path& path, std::uint64_t bytes) {
  const auto file = File::OpenRead(path);
  if (!file.ok() || *file->Size() != bytes) return false;
  std::vector<std::byte> content(bytes, std::byte{1});
  return file->ReadAt(0, content).ok() && content == std::vector<std::byte>(bytes);
}

TEST_CASE("a spare that was asked for becomes ready in the background, full of zeros") {
  TempFolder folder;
  SpareMaker spare(folder.path());
  CHECK_FALSE(spare.ready());
  CHECK_FALSE(spare.Claim(0));
  spare.Request(100 * kKiB);
  REQUIRE(Eventually([&] { return spare.ready().has_value(); }));
  CHECK(spare.ready() == 100 * kKiB);
  CHECK(IsZeros(spare.path(), 100 * kKiB));
}

TEST_CASE("a second request changes nothing while a spare is there") {
  TempFolder folder;
  SpareMaker spare(folder.path());
  REQUIRE_OK(spare.WaitReady(16 * kKiB));
  spare.Request(64 * kKiB);
  REQUIRE_OK(spare.WaitReady(8 * kKiB));
  CHECK(spare.ready() == 16 * kKiB);
}

TEST_CASE("a spare that is too small is replaced by one that is not") {
  TempFolder folder;
  SpareMaker spare(folder.path());
  REQUIRE_OK(spare.WaitReady(16 * kKiB));
  REQUIRE_OK(spare.WaitReady(48 * kKiB));
  CHECK(spare.ready() == 48 * kKiB);
  CHECK(IsZeros(spare.path(), 48 * kKiB));
}

TEST_CASE("what an earlier process left as a spare is replaced, with what it held") {
  TempFolder folder;
  REQUIRE_OK(File::CreateNew(folder / "spare")->WriteAt(20 * kKiB, AsBytes("left")));
  SpareMaker spare(folder.path());
  CHECK_FALSE(spare.ready());
  REQUIRE_OK(spare.WaitReady(16 * kKiB));
  CHECK(IsZeros(spare.path(), 16 * kKiB));
}

TEST_CASE("a spare is claimed once, and only where it is large enough") {
  TempFolder folder;
  SpareMaker spare(folder.path());
  REQUIRE_OK(spare.WaitReady(16 * kKiB));
  CHECK_FALSE(spare.Claim(16 * kKiB + 1));
  CHECK(spare.ready() == 16 * kKiB);
  CHECK(spare.Claim(4 * kKiB) == 16 * kKiB);
  CHECK_FALSE(spare.Claim(4 * kKiB));
  CHECK_FALSE(spare.ready());
  // While it is claimed nothing touches it; what is asked for meanwhile is made when it is taken.
  spare.Request(64 * kKiB);
  CHECK_OK(spare.Open());
  CHECK(IsZeros(spare.path(), 16 * kKiB));
  REQUIRE_OK(Directory::Rename(spare.path(), folder / "taken"));
  spare.Taken();
  REQUIRE_OK(spare.WaitReady(32 * kKiB));
  CHECK(spare.Claim(0) == 64 * kKiB);
}

TEST_CASE("who needs a spare while another is claimed waits until it was taken") {
  TempFolder folder;
  SpareMaker spare(folder.path());
  REQUIRE_OK(spare.WaitReady(16 * kKiB));
  REQUIRE(spare.Claim(16 * kKiB));
  std::atomic<bool> taken{false};
  std::atomic<bool> was_taken_before_ready{false};
  absl::Status status;
  std::thread waiter([&] {
    status = spare.WaitReady(32 * kKiB);
    was_taken_before_ready = taken.load();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(IsZeros(spare.path(), 16 * kKiB));
  taken = true;
  spare.Taken();
  waiter.join();
  CHECK_OK(status);
  CHECK(was_taken_before_ready);
  CHECK(spare.ready() == 32 * kKiB);
}

// A claim that came between a look and a remaking once got the file while zeros were written to it:
// what was put into it was lost.
TEST_CASE("what is written to a claimed spare stays, whatever others wait for") {
  TempFolder folder;
  SpareMaker spare(folder.path());
  std::atomic<bool> stop{false};
  std::thread greedy([&] {
    for (std::uint64_t n = 2; !stop; ++n) static_cast<void>(spare.WaitReady(n % 8 * 16 * kKiB));
  });
  int lost = 0;
  for (int claims = 0; claims < 200;) {
    static_cast<void>(spare.WaitReady(8 * kKiB));
    const std::optional<std::uint64_t> bytes = spare.Claim(8 * kKiB);
    if (!bytes) continue;
    ++claims;
    auto file = spare.Open();
    REQUIRE_OK(file);
    REQUIRE_OK(file->WriteAt(0, AsBytes("header")));
    std::this_thread::yield();
    std::vector<std::byte> read(6);
    REQUIRE_OK(file->ReadAt(0, read));
    lost += AsText(read) != "header" || *file->Size() != *bytes;
    REQUIRE_OK(Directory::Rename(spare.path(), folder / "taken"));
    spare.Taken();
  }
  stop = true;
  greedy.join();
  CHECK(lost == 0);
}

TEST_CASE("the end does not wait for a spare in the making, and leaves nothing of it") {
  TempFolder folder;
  const auto begin = std::chrono::steady_clock::now();
  {
    SpareMaker spare(folder.path());
    spare.Request(std::uint64_t{64} << 30);
    REQUIRE(Eventually([&] { return Directory::Exists(spare.path()); }));
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
  CHECK_FALSE(Directory::Exists(folder / "spare"));
}

// A file system of its own.
class Mount {
 public:
  explicit Mount(const std::filesystem::path& path) : path_(path) {
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~Mount() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::filesystem::path path_;
  bool mounted_;
};

TEST_CASE("a full disk is kResourceExhausted, leaves no file, and is no obstacle later") {
  if (geteuid() != 0) DAYBOOK_SKIP("mounting a small tmpfs needs root");
  TempFolder folder;
  const Mount disk(folder.path());
  if (!disk.mounted()) DAYBOOK_SKIP("a tmpfs cannot be mounted here");
  SpareMaker spare(folder.path());
  REQUIRE_OK(File::CreateNew(folder / "other")->ZeroFill(0, 700 * kKiB));
  CHECK(spare.WaitReady(512 * kKiB).code() == absl::StatusCode::kResourceExhausted);
  CHECK_FALSE(spare.ready());
  CHECK_FALSE(spare.Claim(0));
  CHECK_FALSE(Directory::Exists(spare.path()));
  // The room was given back, so something smaller goes.
  REQUIRE_OK(spare.WaitReady(128 * kKiB));
  // A failure says nothing of the next time.
  CHECK(spare.WaitReady(512 * kKiB).code() == absl::StatusCode::kResourceExhausted);
  REQUIRE_OK(Directory::Remove(folder / "other"));
  REQUIRE_OK(spare.WaitReady(512 * kKiB));
  CHECK(spare.Claim(512 * kKiB) == 512 * kKiB);
}

TEST_CASE("a request that failed in the background is tried again by the next") {
  if (geteuid() != 0) DAYBOOK_SKIP("mounting a small tmpfs needs root");
  TempFolder folder;
  const Mount disk(folder.path());
  if (!disk.mounted()) DAYBOOK_SKIP("a tmpfs cannot be mounted here");
  SpareMaker spare(folder.path());
  spare.Request(2048 * kKiB);
  // Nobody is told; a request while it is in the making counts for nothing, so one is repeated.
  REQUIRE(Eventually([&] {
    spare.Request(64 * kKiB);
    return spare.ready().has_value();
  }));
  CHECK(spare.ready() == 64 * kKiB);
}

}  // namespace
}  // namespace daybook
