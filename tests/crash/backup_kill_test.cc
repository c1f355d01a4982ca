// Backups and restores that are killed at any moment, beside a writer that goes on.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "crash/process.h"
#include "daybook/backup.h"
#include "daybook/store.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

// The writer of kill_test, whose acknowledgements nobody reads here.
class Writer {
 public:
  Writer(const fs::path& store, std::uint64_t seed) {
    const std::string number = std::to_string(seed);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int nowhere = open("/dev/null", O_WRONLY);
      dup2(nowhere, STDOUT_FILENO);
      execl(DAYBOOK_CRASH_WRITER, DAYBOOK_CRASH_WRITER, store.c_str(), number.c_str(), nullptr);
      _exit(127);
    }
  }
  ~Writer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  void Pause() const { kill(pid_, SIGSTOP); }
  void GoOn() const { kill(pid_, SIGCONT); }

  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

 private:
  pid_t pid_;
};

// Runs the body in a process that is killed after a time; whether it came to its end before.
template <class Body>
bool RunAndKill(std::chrono::microseconds after, const Body& body) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) _exit(body() ? 0 : 1);
  std::this_thread::sleep_for(after);
  kill(pid, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  return WIFEXITED(status);
}

int Kills() { return Cycles(120, 30); }

// The first `events` of both stores are the same.
void CheckPrefix(const fs::path& restored, const fs::path& original, std::uint64_t events) {
  const auto a = Reader::Open(restored, {});
  const auto b = Reader::Open(original, {});
  REQUIRE_OK(a);
  REQUIRE_OK(b);
  REQUIRE((*a)->visible() == Position(events));
  auto left = (*a)->Read({});
  auto right = (*b)->Read({});
  REQUIRE_OK(left);
  REQUIRE_OK(right);
  for (std::uint64_t i = 0; i < events; ++i) {
    const auto x = left->Next();
    const auto y = right->Next();
    REQUIRE_OK(x);
    REQUIRE_OK(y);
    REQUIRE(((*x)->id == (*y)->id && (*x)->stream == (*y)->stream &&
             (*x)->version == (*y)->version && (*x)->recorded_at == (*y)->recorded_at &&
             AsText((*x)->data) == AsText((*y)->data)));
  }
}

}  // namespace

TEST_CASE("a backup that is killed stays what it was, and the next run goes on",
          "[backup][backup_kill]") {
  const std::uint64_t seed = Seed("daybook_crash_test '[backup]'");
  std::mt19937_64 random(seed);
  TempFolder folder;
  const fs::path store = folder / "store";
  const fs::path backup = folder / "backup";
  int finished = 0, grown = 0;
  std::uint64_t position = 0;
  std::uint64_t bound = 30000;  // µs; so that about a third of the runs come to their end
  std::optional<Writer> writer;
  for (int kill = 0; kill < Kills(); ++kill) {
    CAPTURE(seed, kill);
    // Sealing, and crashes of the writer too.
    if (kill % 10 == 0) {
      writer.reset();
      // By its seed: segments of 64 or 256 KiB, every append synced.
      writer.emplace(store, random() % 1000 * 28 + (kill % 20 == 0 ? 2 : 4));
      while (!fs::exists(store / "STORE")) usleep(1000);
    }
    const BackupOptions options{.fast = random() % 2 == 0,
                                .access = random() % 4 == 0 ? FileAccess::kRead : FileAccess::kMap,
                                .on_progress = {},
                                .on_notice = {}};
    const auto after = std::chrono::microseconds(random() % bound);
    writer->GoOn();
    const bool came_to_its_end = RunAndKill(after, [&] {
      const auto report = Backup(store, backup, options);
      // The writer may be killed, and its store not closed: the backup goes on from promises.
      if (!report.ok()) std::cerr << report.status().ToString() << std::endl;
      return report.ok();
    });
    writer->Pause();  // or the store outgrows the test
    finished += came_to_its_end;
    bound = came_to_its_end ? bound * 3 / 4 : std::min<std::uint64_t>(bound * 8 / 7, 200000);
    if (!fs::exists(backup / "MANIFEST")) continue;
    const auto verified = VerifyBackup(backup, {});
    REQUIRE_OK(verified);
    for (const Finding& finding : verified->findings) FAIL(finding.file << ": " << finding.hint);
    REQUIRE(verified->positions >= position);
    grown += verified->positions > position ? 1 : 0;
    position = verified->positions;
  }
  writer.reset();
  const auto last = Backup(store, backup, {});
  REQUIRE_OK(last);
  REQUIRE(last->position.value() >= position);
  REQUIRE_OK(Restore(backup, folder / "restored", {}));
  // A writer makes sure of the end of the log that the kill left; the backup is no longer than it.
  { REQUIRE_OK(Store::Open(store, {})); }
  CheckPrefix(folder / "restored", store, last->position.value());
  Counted("backup_kills")
      .Add("runs", Kills())
      .Add("killed", Kills() - finished)
      .Add("grown_by", grown)
      .Add("lost", 0)
      .Print();
  CHECK(grown > Kills() / 20);
  CHECK(finished < Kills());
}

TEST_CASE("a restore that is killed leaves no store, or all of it", "[backup][restore_kill]") {
  const std::uint64_t seed = Seed("daybook_crash_test '[backup]'");
  std::mt19937_64 random(seed);
  TempFolder folder;
  const fs::path backup = folder / "backup";
  {
    auto store = Store::Open(folder / "store", {.segment_bytes_max = 64 << 10});
    REQUIRE_OK(store);
    const std::string data(300, 'd');
    for (int i = 0; i < 500; ++i) {
      REQUIRE_OK((*store)->Append("s-" + std::to_string(i % 9), ExpectedVersion::Any(),
                                  {{.type = "T", .data = AsBytes(data)}}));
    }
  }
  REQUIRE_OK(Backup(folder / "store", backup, {}));
  int finished = 0, whole = 0;
  for (int kill = 0; kill < Kills(); ++kill) {
    CAPTURE(seed, kill);
    const fs::path target = folder / "target";
    fs::remove_all(target);
    const auto after = std::chrono::microseconds(random() % 20000);
    finished += RunAndKill(after, [&] { return Restore(backup, target, {}).ok(); });
    if (!fs::exists(target)) continue;
    if (fs::exists(target / "STORE")) {
      ++whole;
      const auto report = Verify(target, {});
      REQUIRE_OK(report);
      REQUIRE(report->ok());
      REQUIRE(report->positions == 500);
      continue;
    }
    REQUIRE(absl::IsNotFound(Reader::Open(target, {}).status()));
    if (fs::is_empty(target)) continue;
    REQUIRE(absl::IsInvalidArgument(Store::Open(target, {}).status()));
    const absl::Status again = Restore(backup, target, {}).status();
    REQUIRE(absl::IsInvalidArgument(again));
    REQUIRE_THAT(std::string(again.message()), HasText("remove the folder"));
  }
  Counted("restore_kills")
      .Add("runs", Kills())
      .Add("killed", Kills() - finished)
      .Add("whole", whole)
      .Add("lost", 0)
      .Print();
  CHECK(finished < Kills());
}

}  // namespace daybook::testing
