// A reader that maps nothing: the same answers, and errors of the device as statuses.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "log/format.h"
#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/corruption/small_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

const ReaderOptions kUnmapped{
    .access = FileAccess::kRead, .accept_network_file_system = true, .on_notice = {}};

void DeleteDerived(const fs::path& store) {
  fs::remove_all(store / "index");
  fs::remove(store / "WAKE");
  for (const fs::path& file : FilesOf(store, ".idx")) fs::remove(file);
}

}  // namespace

TEST_CASE("a reader without mappings gives every answer that one with them gives") {
  const SmallStore store;
  if (GENERATE(true, false)) DeleteDerived(store.path());
  const auto mapped = Reader::Open(store.path(), {});
  const auto read = Reader::Open(store.path(), kUnmapped);
  REQUIRE_OK(mapped);
  REQUIRE_OK(read);
  CHECK(AllAnswers(**read).value() == AllAnswers(**mapped).value());
  ReadOptions one_at_a_time;
  one_at_a_time.views = Views::kUntilNext;
  CHECK(ReadAll(**read, one_at_a_time).value() == ReadAll(**mapped).value());
  const auto report = Verify(store.path(), {.access = FileAccess::kRead});
  REQUIRE_OK(report);
  CHECK(report->ok());
  CHECK(report->positions == 150);
}

TEST_CASE("without mappings views live as long as their cursor or handle") {
  const SmallStore store({.events = 2000, .segment_bytes = 1 << 20});
  const auto read = Reader::Open(store.path(), kUnmapped);
  REQUIRE_OK(read);
  auto cursor = (*read)->Read({});
  REQUIRE_OK(cursor);
  std::vector<EventView> views;
  for (;;) {
    const auto event = cursor->Next();
    REQUIRE_OK(event);
    if (*event == nullptr) break;
    views.push_back(**event);
  }
  REQUIRE(views.size() >= 2000);
  const auto mapped = Reader::Open(store.path(), {});
  const auto expected = ReadAll(**mapped).value();
  for (std::size_t i = 0; i < views.size(); ++i) REQUIRE(Describe(views[i]) == expected[i]);
  const auto handle = (*read)->EventAt(Position(7));
  REQUIRE_OK(handle);
  for (std::uint64_t p = 100; p < 200; ++p) REQUIRE_OK((*read)->EventAt(Position(p)));
  CHECK(Describe(**handle) == expected[6]);
}

TEST_CASE("a reader without mappings follows a writer through its sealings") {
  const TempFolder folder;
  auto store = Store::Open(folder / "s", {.segment_bytes_max = 16 << 10});
  REQUIRE_OK(store);
  const auto read = Reader::Open(folder / "s", kUnmapped);
  REQUIRE_OK(read);
  std::atomic<bool> failed = false;
  std::thread writer([&] {
    for (int i = 0; i < 400; ++i) {
      if (!AppendText(store->get(), "a-" + std::to_string(i % 7), std::string(150, 'x')).ok()) {
        failed = true;
      }
    }
  });
  for (std::uint64_t position = 1; position <= 400; ++position) {
    REQUIRE_OK((*read)->WaitVisible(Position(position), std::chrono::seconds(20)));
    const auto event = (*read)->EventAt(Position(position));
    REQUIRE_OK(event);
    REQUIRE((*event)->data.size() == 150);
  }
  writer.join();
  CHECK_FALSE(failed);
  CHECK(AllAnswers(**read).value() == AllAnswers(**store).value());
}

TEST_CASE("a segment that is shortened behind a reader's back is kDataLoss, and no signal") {
  const SmallStore store;
  const auto read = Reader::Open(store.path(), kUnmapped);
  REQUIRE_OK(read);
  REQUIRE_OK((*read)->EventAt(Position(150)));
  const std::string& file = store.segments()[1];
  const std::uint64_t first = FirstPositionOf(fs::path(file).filename().string());
  store.Truncate(file, kSegmentHeaderBytes);
  const auto event = (*read)->EventAt(Position(first + 3));
  REQUIRE(absl::IsDataLoss(event.status()));
  const auto damage = DamageOf(event.status());
  REQUIRE(damage);
  CHECK(damage->file == file);
  CHECK(damage->first_position == Position(first + 3));
  // Others go on, also in the same cursor where damage is skipped.
  REQUIRE_OK((*read)->EventAt(Position(first - 1)));
  auto cursor = (*read)->Read({.on_damage = OnDamage::kSkip});
  REQUIRE_OK(cursor);
  std::uint64_t events = 0;
  REQUIRE_OK(cursor->ForEach([&](const EventView&) {
    ++events;
    return absl::OkStatus();
  }));
  CHECK(cursor->damaged() > 10);
  CHECK(events + cursor->damaged() == 150);
  const auto report = Verify(store.path(), {.access = FileAccess::kRead});
  REQUIRE_OK(report);
  CHECK_FALSE(report->ok());
}

TEST_CASE("with mappings the same is the signal that the documentation warns of") {
  const SmallStore store;
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGBUS, SIG_DFL);  // the test's own handler would print
    const auto read = Reader::Open(store.path(), {});
    store.Truncate(store.segments()[1], kSegmentHeaderBytes);
    const std::uint64_t first = FirstPositionOf(fs::path(store.segments()[1]).filename().string());
    static_cast<void>((*read)->EventAt(Position(first + 3)));
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  // Where a sanitizer takes the signal the process ends otherwise, but it ends.
  CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) != 0));
}

TEST_CASE("a sidecar and the WAKE page that go bad under a reader without mappings do no harm") {
  const SmallStore store;
  const auto read = Reader::Open(store.path(), kUnmapped);
  REQUIRE_OK(read);
  for (const fs::path& file : FilesOf(store.path(), ".idx")) fs::resize_file(file, 64);
  fs::resize_file(store.path() / "WAKE", 0);
  CHECK((*read)->visible() == Position(150));
  CHECK(absl::IsDeadlineExceeded(
      (*read)->WaitVisible(Position(151), std::chrono::milliseconds(50)).status()));
  CHECK(ReadAll(**read).value().size() == 150);
}

}  // namespace daybook::testing
