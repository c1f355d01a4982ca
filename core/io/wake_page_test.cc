#include "io/wake_page.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/thread.h"
#include "io/file.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::TempFolder;

constexpr std::array<std::uint8_t, 16> kStore = {1, 2,  3,  4,  5,  6,  7,  8,
                                                 9, 10, 11, 12, 13, 14, 15, 16};

WakeWriter Writer(const std::filesystem::path& path, std::uint64_t run_id, std::uint64_t position) {
  auto writer = WakeWriter::Create(path, kStore, run_id, Position(position));
  REQUIRE_OK(writer);
  return *std::move(writer);
}

WakeReader Reader(const std::filesystem::path& path) {
  auto reader = WakeReader::Open(path);
  REQUIRE_OK(reader);
  return *std::move(reader);
}

std::string PageBytes(const std::filesystem::path& path) {
  std::string page(kWakePageBytes, '?');
  REQUIRE_OK(File::OpenRead(path)->ReadAt(0, std::as_writable_bytes(std::span(page))));
  return page;
}

void Overwrite(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) {
  REQUIRE_OK(File::OpenReadWrite(path)->WriteAt(
      offset, std::as_bytes(std::span(bytes.data(), bytes.size()))));
}

TEST_CASE("a reader sees what the writer published last") {
  TempFolder folder;
  const auto path = folder / "WAKE";
  WakeWriter writer = Writer(path, 7, 100);
  const WakeReader reader = Reader(path);
  CHECK(reader.Load() == WakeState{.store_id = kStore, .run_id = 7, .position = Position(100)});
  const std::uint32_t word = reader.futex_word();
  writer.Publish(Position(101));
  CHECK(reader.Load() == WakeState{.store_id = kStore, .run_id = 7, .position = Position(101)});
  CHECK(reader.futex_word() == word + 1);
}

TEST_CASE("the page is as its header says, byte for byte") {
  TempFolder folder;
  const auto path = folder / "WAKE";
  Writer(path, 0x1122334455667788, 5).Publish(Position(0x0102030405060708));
  std::string expected =
      std::string("DBWAKE1\0", 8) + std::string("\1\0\0\0", 4) + std::string("\2\0\0\0", 4);
  std::string hashed(kStore.begin(), kStore.end());
  hashed += "\x88\x77\x66\x55\x44\x33\x22\x11";
  hashed += "\x08\x07\x06\x05\x04\x03\x02\x01";
  std::uint64_t hash = Hash64(std::as_bytes(std::span(hashed)));
  expected += hashed;
  for (int i = 0; i < 8; ++i, hash >>= 8) expected += static_cast<char>(hash & 0xFF);
  expected.resize(kWakePageBytes, '\0');
  CHECK((PageBytes(path) == expected));
}

TEST_CASE("the file is one page that has its room on the disk, so that no later store can fail") {
  TempFolder folder;
  const auto path = folder / "WAKE";
  const WakeWriter writer = Writer(path, 1, 0);
  struct stat info;
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK(info.st_size == kWakePageBytes);
  REQUIRE_OK(File::OpenReadWrite(path)->Sync());
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK(info.st_blocks > 0);
}

TEST_CASE("a new run takes the file over, and readers that have it mapped go on with it") {
  TempFolder folder;
  const auto path = folder / "WAKE";
  auto first = std::make_unique<WakeWriter>(Writer(path, 1, 10));
  const WakeReader reader = Reader(path);
  const std::uint32_t word = reader.futex_word();
  first.reset();
  CHECK(reader.Load()->position == Position(10));  // what the last run left stays readable
  WakeWriter second = Writer(path, 2, 9);
  CHECK(reader.Load() == WakeState{.store_id = kStore, .run_id = 2, .position = Position(9)});
  CHECK(reader.futex_word() != word);
  second.Publish(Position(11));
  CHECK(reader.Load()->position == Position(11));
}

TEST_CASE("a file that is too short, or full of something else, is taken over as well") {
  TempFolder folder;
  const auto path = folder / "WAKE";
  REQUIRE_OK(File::CreateNew(path)->WriteAt(0, std::as_bytes(std::span("short", 5))));
  CHECK(WakeReader::Open(path).status().code() == absl::StatusCode::kDataLoss);
  Writer(path, 1, 3);
  CHECK(Reader(path).Load()->position == Position(3));
  Overwrite(path, 0, std::string(kWakePageBytes, 'x'));
  CHECK_FALSE(Reader(path).Load().has_value());
  Writer(path, 2, 4);
  CHECK(Reader(path).Load()->position == Position(4));
  CHECK(PageBytes(path).substr(56).find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("no file is kNotFound, and reading makes none") {
  TempFolder folder;
  CHECK(WakeReader::Open(folder / "WAKE").status().code() == absl::StatusCode::kNotFound);
  CHECK(File::OpenRead(folder / "WAKE").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a page with any of its 56 bytes changed says nothing, but for the futex word") {
  TempFolder folder;
  const auto path = folder / "WAKE";
  const WakeWriter writer = Writer(path, 7, 100);
  const WakeReader reader = Reader(path);
  const std::string good = PageBytes(path);
  for (std::size_t at = 0; at < 56; ++at) {
    const bool futex_word = at >= 12 && at < 16;
    Overwrite(path, at, std::string(1, static_cast<char>(good[at] ^ 0x10)));
    INFO("byte " << at);
    CHECK(reader.Load().has_value() == futex_word);
    Overwrite(path, at, good.substr(at, 1));
  }
  CHECK(reader.Load().has_value());
}

TEST_CASE("a wait ends with its time where nothing is published") {
  TempFolder folder;
  const WakeWriter writer = Writer(folder / "WAKE", 1, 0);
  const WakeReader reader = Reader(folder / "WAKE");
  const auto start = steady_clock::now();
  reader.Wait(reader.futex_word(), milliseconds(30));
  CHECK(steady_clock::now() - start >= milliseconds(29));
  reader.Wait(reader.futex_word(), milliseconds(0));
  reader.Wait(reader.futex_word(), milliseconds(-5));
  CHECK(steady_clock::now() - start < seconds(20));
}

TEST_CASE("a wait for a word that is old already does not wait") {
  TempFolder folder;
  WakeWriter writer = Writer(folder / "WAKE", 1, 0);
  const WakeReader reader = Reader(folder / "WAKE");
  const std::uint32_t word = reader.futex_word();
  writer.Publish(Position(1));
  const auto start = steady_clock::now();
  reader.Wait(word, seconds(60));
  CHECK(steady_clock::now() - start < seconds(30));
}

// Waits for a position as a user of the page does; false where it does not come.
bool Reaches(const WakeReader& reader, Position position) {
  const auto deadline = steady_clock::now() + seconds(60);
  while (steady_clock::now() < deadline) {
    const std::uint32_t word = reader.futex_word();
    const auto state = reader.Load();
    if (state && state->position >= position) return true;
    reader.Wait(word, seconds(60));
  }
  return false;
}

TEST_CASE("another process, with the right to read alone, is woken by each publication") {
  TempFolder folder;
  const auto path = folder / "WAKE", back = folder / "BACK";
  constexpr std::uint64_t kTurns = 200;
  WakeWriter writer = Writer(path, 1, 0);
  Writer(back, 2, 0);
  const pid_t child = fork();
  if (child == 0) {
    auto reader = WakeReader::Open(path);
    auto answers = WakeWriter::Create(back, kStore, 3, Position(0));
    if (!reader.ok() || !answers.ok()) _exit(1);
    for (std::uint64_t i = 1; i <= kTurns; ++i) {
      if (!Reaches(*reader, Position(i))) _exit(2);
      answers->Publish(Position(i));
    }
    _exit(0);
  }
  const WakeReader answers = Reader(back);
  const auto start = steady_clock::now();
  bool all = true;
  for (std::uint64_t i = 1; i <= kTurns && all; ++i) {
    writer.Publish(Position(i));
    all = Reaches(answers, Position(i));
  }
  CHECK(all);
  CHECK(steady_clock::now() - start < seconds(50));  // one missed wake alone is a wait of 60 s
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("readers never see a position that was not published, nor one go back") {
  TempFolder folder;
  WakeWriter writer = Writer(folder / "WAKE", 1, 0);
  constexpr std::uint64_t kLast = 30'000;
  std::atomic<int> wrong = 0, seen = 0;
  {
    const auto read = [&] {
      const WakeReader reader = WakeReader::Open(folder / "WAKE").value();
      Position last;
      while (last < Position(kLast * 3)) {
        const auto state = reader.Load();
        if (!state) continue;  // torn for long: seen as such, which is the point
        if (state->position < last || state->position.value() % 3 != 0) ++wrong;
        last = state->position;
        ++seen;
      }
    };
    Thread first("reads", read), second("reads", read);
    for (std::uint64_t i = 1; i <= kLast; ++i) writer.Publish(Position(i * 3));
  }
  CHECK(wrong == 0);
  CHECK(seen > 0);
}

TEST_CASE("a writer that moves goes on publishing") {
  TempFolder folder;
  WakeWriter writer = Writer(folder / "WAKE", 1, 0);
  const WakeReader reader = Reader(folder / "WAKE");
  WakeWriter moved = std::move(writer);
  moved.Publish(Position(1));
  CHECK(reader.Load()->position == Position(1));
  WakeWriter other = Writer(folder / "OTHER", 1, 0);
  other = std::move(moved);
  other.Publish(Position(2));
  CHECK(reader.Load()->position == Position(2));
}

}  // namespace
}  // namespace daybook
