// A disk that fills up, page by page: whatever step is the first that has no room (the next
// segment, a sidecar, LMDB's pages, STORE, an import), the error is the documented one, what was
// acknowledged is there, reads go on, and so does the store when there is room again.

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "crash/killed_writer.h"
#include "crash/process.h"
#include "daybook/store.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/small_disk.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

struct Totals {
  std::uint64_t disks = 0, refused = 0, acknowledged = 0;
  std::uint64_t no_segment = 0, no_sidecar = 0, no_lmdb = 0, indexed_again = 0;
};

void Count(const char* suite, const Totals& totals) {
  Counted("full_disk." + std::string(suite))
      .Add("full_disks", totals.disks)
      .Add("refused", totals.refused)
      .Add("acknowledged", totals.acknowledged)
      .Add("in_preallocation", totals.no_segment)
      .Add("in_a_sidecar", totals.no_sidecar)
      .Add("in_lmdb", totals.no_lmdb)
      .Add("indexed_when_there_was_room", totals.indexed_again)
      .Add("lost", 0)
      .Print();
}

absl::Status CheckVerified(const fs::path& store) {
  const auto report = Verify(store, {});
  DAYBOOK_EXPECT_OK(report);
  for (const Finding& finding : report->findings) {
    return absl::InternalError(finding.file + ": " + finding.hint);
  }
  return absl::OkStatus();
}

// The events are 1 to `events`, each with its number at the beginning of its data.
absl::Status CheckEvents(const Reader& reader, std::uint64_t events) {
  auto cursor = reader.Read({});
  DAYBOOK_EXPECT_OK(cursor);
  std::uint64_t count = 0;
  DAYBOOK_EXPECT_OK(cursor->ForEach([&count](const EventView& event) {
    const std::uint64_t number =
        std::strtoull(std::string(AsText(event.data)).c_str(), nullptr, 10);
    return number == ++count && event.position == Position(count)
               ? absl::OkStatus()
               : absl::InternalError("event " + std::to_string(number));
  }));
  DAYBOOK_EXPECT(count == events);
  return absl::OkStatus();
}

// Appends events, each to a stream of its own, so that each segment has many heads for LMDB.
class Appender {
 public:
  explicit Appender(Store* store) : store_(store) {}
  absl::Status Append(int count, std::uint64_t* events) const {
    for (int i = 0; i < count; ++i) {
      const std::string data = std::to_string(*events + 1) + " " + std::string(150, 'x');
      NewEvent event;
      event.type = "Happened";
      event.data = AsBytes(data);
      const auto result = store_->Append("stream-" + std::to_string(*events + 1),
                                         ExpectedVersion::NoStream(), {event});
      if (!result.ok()) return result.status();
      ++*events;
    }
    return absl::OkStatus();
  }

 private:
  Store* store_;
};

// What the store told its host of, and could not do.
struct Notices {
  bool sidecar = false, lmdb = false, again = false;

  StoreOptions Options() {
    StoreOptions options = SmallSegments();
    options.on_notice = [this](const Notice& notice) {
      const auto has = [&notice](const char* text) {
        return notice.message.find(text) != std::string::npos;
      };
      if (has("stays indexed in memory")) (has(".idx") ? sidecar : lmdb) = true;
      if (has("indexed again")) again = true;
    };
    return options;
  }
};

// One store that meets a disk with so many free pages.
absl::Status FillUp(const fs::path& disk, std::uint64_t pages, Totals* totals) {
  const fs::path path = disk / "store";
  fs::remove_all(path);
  Notices notices;
  std::uint64_t events = 0;
  {
    const auto store = Store::Open(path, notices.Options());
    DAYBOOK_EXPECT_OK(store);
    const Appender appender(store->get());
    DAYBOOK_EXPECT_OK(appender.Append(90, &events));
    DAYBOOK_EXPECT_OK((*store)->WaitIndexed());
    FillDisk(disk, pages);
    const absl::Status full = appender.Append(3000, &events);
    DAYBOOK_EXPECT(absl::IsResourceExhausted(full));
    ++totals->refused;
    totals->no_segment += full.message().find("log/spare") != std::string::npos ? 1 : 0;
    const absl::Status indexed = (*store)->WaitIndexed();
    DAYBOOK_EXPECT(indexed.ok() || absl::IsResourceExhausted(indexed));
    DAYBOOK_EXPECT(absl::IsResourceExhausted(appender.Append(100, &events)));
    DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
    DAYBOOK_EXPECT((*store)->Head("stream-100")->version ==
                   Version((*store)->visible() >= Position(100) ? 1 : 0));
    const auto reader = Reader::Open(path, {});
    DAYBOOK_EXPECT_OK(reader);
    DAYBOOK_EXPECT_OK(CheckEvents(**reader, events));

    MakeRoom(disk);
    DAYBOOK_EXPECT_OK(appender.Append(200, &events));
    DAYBOOK_EXPECT_OK((*store)->WaitIndexed());
    DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
  }
  totals->no_sidecar += notices.sidecar ? 1 : 0;
  totals->no_lmdb += notices.lmdb ? 1 : 0;
  totals->indexed_again += notices.again ? 1 : 0;
  DAYBOOK_EXPECT(notices.again == (notices.sidecar || notices.lmdb));
  ++totals->disks;
  totals->acknowledged += events;
  return CheckVerified(path);
}

// A creation, or an opening without index/ and sidecars.
absl::Status OpenOnFullDisk(const fs::path& disk, std::uint64_t pages, bool create,
                            Totals* totals) {
  const fs::path path = disk / "store";
  fs::remove_all(path);
  std::uint64_t events = 0;
  if (!create) {
    const auto store = Store::Open(path, SmallSegments());
    DAYBOOK_EXPECT_OK(store);
    DAYBOOK_EXPECT_OK(Appender(store->get()).Append(150, &events));
  }
  if (!create) DeleteDerived(path);
  FillDisk(disk, pages);
  {
    const auto store = Store::Open(path, SmallSegments());
    DAYBOOK_EXPECT(store.ok() || absl::IsResourceExhausted(store.status()));
    totals->refused += store.ok() ? 0 : 1;
    if (store.ok()) DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
    const auto reader = Reader::Open(path, {});
    DAYBOOK_EXPECT(reader.ok() || (create && absl::IsNotFound(reader.status())));
    if (reader.ok()) DAYBOOK_EXPECT_OK(CheckEvents(**reader, events));
  }
  MakeRoom(disk);
  {
    const auto store = Store::Open(path, SmallSegments());
    DAYBOOK_EXPECT_OK(store);
    DAYBOOK_EXPECT_OK(Appender(store->get()).Append(100, &events));
    DAYBOOK_EXPECT_OK((*store)->WaitIndexed());
    DAYBOOK_EXPECT_OK(CheckEvents(**store, events));
  }
  ++totals->disks;
  totals->acknowledged += events;
  return CheckVerified(path);
}

#ifdef DAYBOOK_COMMAND
constexpr int kLines = 400;

int RunImport(const fs::path& disk) {
  const std::string command = std::string(DAYBOOK_COMMAND) + " import --batch 7 " +
                              (disk / "store").native() + " " + (disk / "lines").native() + " > " +
                              (disk / "said").native() + " 2>&1";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void WriteLines(const fs::path& file) {
  std::ofstream lines(file);
  for (int i = 1; i <= kLines; ++i) {
    lines << R"({"stream":"s-)" << i % 60 << R"(","type":"T","data":)" << i
          << R"(,"metadata":{"actor":")" << std::string(150, 'x') << "\"}}\n";
  }
}

absl::Status Import(const fs::path& disk, std::uint64_t pages, Totals* totals) {
  const fs::path path = disk / "store";
  fs::remove_all(path);
  // The command's own first segment would not fit. Every third time it has to create the store.
  if (pages % 9 != 0) DAYBOOK_EXPECT_OK(Store::Open(path, SmallSegments()));
  // Room for the output, which is on the same disk.
  std::ofstream(disk / "said") << std::string(8192, ' ');
  FillDisk(disk, pages);
  const int code = RunImport(disk);
  constexpr int kNoRoom = 6;
  DAYBOOK_EXPECT(code == 0 || code == kNoRoom);
  totals->refused += code == 0 ? 0 : 1;
  std::uint64_t imported = 0;
  if (const auto reader = Reader::Open(path, {}); reader.ok()) {
    imported = (*reader)->visible().value();
    DAYBOOK_EXPECT_OK(CheckEvents(**reader, imported));
  } else {
    DAYBOOK_EXPECT(code != 0 && absl::IsNotFound(reader.status()));
  }
  DAYBOOK_EXPECT(code != 0 || imported == kLines);
  MakeRoom(disk);
  // What is there already is known by its lines.
  DAYBOOK_EXPECT(RunImport(disk) == 0);
  const auto reader = Reader::Open(path, {});
  DAYBOOK_EXPECT_OK(reader);
  DAYBOOK_EXPECT_OK(CheckEvents(**reader, kLines));
  ++totals->disks;
  totals->acknowledged += imported;
  return CheckVerified(path);
}
#endif

// Runs `body` on a disk with no free page, with one, and so on; `step` pages apart.
void Sweep(const char* suite, const std::string& disk_bytes, int pages, int step,
           const std::function<absl::Status(const fs::path&, std::uint64_t, Totals*)>& body) {
  RunOnDisk(disk_bytes, [&](const fs::path& disk) -> absl::Status {
    Totals totals;
    for (int free = 0; free < pages; free += step) {
      const absl::Status status = body(disk, static_cast<std::uint64_t>(free), &totals);
      if (!status.ok()) {
        return absl::InternalError(std::to_string(free) +
                                   " pages free: " + std::string(status.message()));
      }
    }
    Count(suite, totals);
    return absl::OkStatus();
  });
}

}  // namespace

TEST_CASE("a disk that fills up while segments are made, sealed and indexed", "[full_disk]") {
  Sweep("append", "2m", Cycles(60, 30), 1, FillUp);
}

TEST_CASE("a disk that fills up while a store is created", "[full_disk]") {
  Sweep("create", "2m", 60, 1, [](const fs::path& disk, std::uint64_t pages, Totals* totals) {
    return OpenOnFullDisk(disk, pages, true, totals);
  });
}

TEST_CASE("a disk that fills up while an index is rebuilt", "[full_disk]") {
  Sweep("rebuild", "2m", 60, 1, [](const fs::path& disk, std::uint64_t pages, Totals* totals) {
    return OpenOnFullDisk(disk, pages, false, totals);
  });
}

#ifdef DAYBOOK_COMMAND
TEST_CASE("a disk that fills up while the command imports", "[full_disk]") {
  Sweep("import", "12m", 120, 3, [](const fs::path& disk, std::uint64_t pages, Totals* totals) {
    if (!fs::exists(disk / "lines")) WriteLines(disk / "lines");
    return Import(disk, pages, totals);
  });
}
#endif

}  // namespace daybook::testing
