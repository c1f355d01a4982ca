// Opening: what is refused, what is left behind, what is taken up again.

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "log/format.h"
#include "log/segment_writer.h"
#include "store/store_file.h"
#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

void Touch(const fs::path& file) { std::ofstream(file) << "something"; }

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000'000;

}  // namespace

TEST_CASE("a store is created, closed and opened again") {
  TempFolder folder;
  const fs::path path = folder / "store";
  CHECK(absl::IsNotFound(Store::Open(path, {.create = StoreOptions::Create::kNever}).status()));
  CHECK(!fs::exists(path));
  CHECK(absl::IsNotFound(Reader::Open(path, {}).status()));
  std::string id;
  {
    const auto store = Store::Open(path, {.create = StoreOptions::Create::kMustNotExist});
    REQUIRE_OK(store);
    REQUIRE_OK(AppendText(store->get(), "a", "1"));
    const auto stats = (*store)->Stats();
    REQUIRE_OK(stats);
    CHECK(stats->events == 1);
    CHECK(stats->streams == 1);
    CHECK(stats->format == "1.0");
    id = stats->store_id;
  }
  CHECK(absl::IsAlreadyExists(
      Store::Open(path, {.create = StoreOptions::Create::kMustNotExist}).status()));
  const auto store = Store::Open(path, {.create = StoreOptions::Create::kNever});
  REQUIRE_OK(store);
  CHECK((*store)->visible() == Position(1));
  CHECK((*store)->Stats()->store_id == id);
}

TEST_CASE("options that make no sense are refused") {
  TempFolder folder;
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{8192}, std::uint64_t{20000}, std::uint64_t{8} << 30}) {
    StoreOptions options;
    options.segment_bytes_max = bytes;
    CHECK(absl::IsInvalidArgument(Store::Open(folder / "store", options).status()));
  }
  StoreOptions options;
  options.sync_interval = std::chrono::milliseconds(0);
  CHECK(absl::IsInvalidArgument(Store::Open(folder / "store", options).status()));
  CHECK(!fs::exists(folder / "store"));
}

TEST_CASE("a newer format is refused, and is no damage") {
  TempFolder folder;
  const fs::path path = folder / "store";
  REQUIRE_OK(AppendText(Store::Open(path, {})->get(), "a", "1"));
  const fs::path segment = FilesOf(path, ".log").front();
  bool readable = false;
  SECTION("STORE has another major version") { RewriteStoreHeader(path, 8, 2); }
  SECTION("STORE has an unknown incompatible flag") { RewriteStoreHeader(path, 16, 4); }
  SECTION("STORE has an unknown read-only compatible flag") {
    RewriteStoreHeader(path, 24, 1);
    readable = true;
  }
  SECTION("a segment has another major version") { RewriteSegmentHeader(segment, 8, 2); }
  SECTION("a segment has an unknown incompatible flag") { RewriteSegmentHeader(segment, 23, 128); }
  const auto before = Contents(path);
  const auto store = Store::Open(path, {});
  CHECK(absl::IsFailedPrecondition(store.status()));
  CHECK_THAT(std::string(store.status().message()), HasText("newer"));
  CHECK(!DamageOf(store.status()));
  const auto reader = Reader::Open(path, {});
  if (readable) {
    REQUIRE_OK(reader);
    CHECK((*reader)->visible() == Position(1));
  } else {
    CHECK(absl::IsFailedPrecondition(reader.status()));
  }
  const auto now = Contents(path);
  for (const char* name : {"STORE", "WAKE"}) {
    CHECK(now.at((path / name).native()) == before.at((path / name).native()));
  }
  CHECK(now.at(segment.native()) == before.at(segment.native()));
}

TEST_CASE("a minor version and compatible flags of tomorrow are fine") {
  TempFolder folder;
  const fs::path path = folder / "store";
  REQUIRE_OK(AppendText(Store::Open(path, {})->get(), "a", "1"));
  RewriteStoreHeader(path, 10, 7);
  RewriteStoreHeader(path, 32, 1);
  const auto store = Store::Open(path, {});
  REQUIRE_OK(store);
  CHECK_OK(AppendText(store->get(), "a", "2"));
  CHECK((*store)->Stats()->format == "1.7");
}

TEST_CASE("a damaged STORE is damage") {
  TempFolder folder;
  const fs::path path = folder / "store";
  REQUIRE_OK(AppendText(Store::Open(path, {})->get(), "a", "1"));
  SECTION("a byte") { FlipByte(path / "STORE", 100); }
  SECTION("its magic") { FlipByte(path / "STORE", 0); }
  SECTION("too short") { fs::resize_file(path / "STORE", 100); }
  SECTION("empty") { fs::resize_file(path / "STORE", 0); }
  SECTION("too long") { fs::resize_file(path / "STORE", 300); }
  for (const auto& status : {Store::Open(path, {}).status(), Reader::Open(path, {}).status()}) {
    CHECK(absl::IsDataLoss(status));
    REQUIRE(DamageOf(status));
    CHECK(DamageOf(status)->file == "STORE");
  }
}

TEST_CASE("a second writer is refused, in this process and in another") {
  TempFolder folder;
  const fs::path path = folder / "store";
  auto store = Store::Open(path, {});
  REQUIRE_OK(store);
  CHECK(absl::IsUnavailable(Store::Open(path, {}).status()));
  const auto in_child = [&path] {
    return InChild([&path] { return Store::Open(path, {}).status(); });
  };
  CHECK(absl::IsUnavailable(in_child()));
  CHECK_OK(AppendText(store->get(), "a", "1"));
  CHECK_OK(Reader::Open(path, {}));
  store->reset();
  CHECK_OK(in_child());
  CHECK_OK(Store::Open(path, {}));
}

TEST_CASE("a folder with other things is refused, and nothing is left behind") {
  TempFolder folder;
  const fs::path path = folder / "store";
  fs::create_directory(path);
  SECTION("a file") { Touch(path / "letter.txt"); }
  SECTION("a folder") { fs::create_directory(path / "photos"); }
  SECTION("a log of something else") {
    fs::create_directory(path / "log");
    Touch(path / "log" / "system.log");
  }
  SECTION("the log of a store whose STORE is lost") {
    REQUIRE_OK(AppendText(Store::Open(path, {})->get(), "a", "1"));
    fs::remove(path / "STORE");
    fs::remove(path / "WAKE");
    fs::remove(path / "LOCK");
    fs::remove_all(path / "index");
  }
  const auto before = Contents(path);
  CHECK(absl::IsInvalidArgument(Store::Open(path, {}).status()));
  CHECK(Contents(path) == before);
  CHECK(absl::IsNotFound(Reader::Open(path, {}).status()));
  CHECK(Contents(path) == before);
}

TEST_CASE("a path that is a file, or in a folder that is not there, is refused") {
  TempFolder folder;
  Touch(folder / "file");
  CHECK(!Store::Open(folder / "file", {}).ok());
  CHECK(absl::IsNotFound(Store::Open(folder / "nowhere" / "store", {}).status()));
}

TEST_CASE("a creation that was cut off is taken up again") {
  TempFolder folder;
  const fs::path path = folder / "store";
  fs::create_directory(path);
  SECTION("nothing but the folder") {}
  SECTION("LOCK") { Touch(path / "LOCK"); }
  SECTION("an empty log") { fs::create_directory(path / "log"); }
  SECTION("a short spare") {
    fs::create_directory(path / "log");
    Touch(path / "log" / "spare");
  }
  SECTION("the first segment, of another attempt") {
    fs::create_directory(path / "log");
    REQUIRE_OK(CreateFirstSegment(path, IdentityOf(MakeStoreHeader(1 << 20)), 1 << 20));
  }
  SECTION("STORE is only written aside") {
    fs::create_directory(path / "log");
    REQUIRE_OK(CreateFirstSegment(path, IdentityOf(MakeStoreHeader(1 << 20)), 1 << 20));
    Touch(path / "STORE.tmp");
  }
  {
    const auto store = Store::Open(path, {});
    REQUIRE_OK(store);
    REQUIRE_OK(AppendText(store->get(), "a", "1"));
  }
  CHECK(Verify(path, {})->ok());
  CHECK((*Store::Open(path, {}))->visible() == Position(1));
}

TEST_CASE("a folder without write rights is read and not written") {
  TempFolder folder;
  const fs::path path = folder / "store";
  REQUIRE_OK(AppendText(Store::Open(path, {})->get(), "a", "1"));
  fs::permissions(folder.path(), fs::perms(0755));
  const bool root = geteuid() == 0;
  if (!root) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::remove);
    }
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::remove);
  }
  const auto before = Contents(path);
  // Root may write anywhere, so that it has to be somebody else.
  const absl::Status status = InChild([&]() -> absl::Status {
    if (root) DAYBOOK_EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
    DAYBOOK_EXPECT(absl::IsPermissionDenied(Store::Open(path, {}).status()));
    DAYBOOK_EXPECT(absl::IsPermissionDenied(Store::Open(folder / "other", {}).status()));
    const auto reader = Reader::Open(path, {});
    DAYBOOK_EXPECT_OK(reader);
    DAYBOOK_EXPECT((*reader)->visible() == Position(1));
    const auto events = ReadAll(**reader);
    DAYBOOK_EXPECT_OK(events);
    DAYBOOK_EXPECT(events->size() == 1);
    DAYBOOK_EXPECT(Verify(path, {})->ok());
    return absl::OkStatus();
  });
  CHECK_OK(status);
  CHECK(Contents(path) == before);
  if (!root) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
    }
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  }
}

TEST_CASE("a clock that goes back never takes recorded_at back") {
  TempFolder folder;
  std::atomic<std::int64_t> now = 1'000 * kHour;
  StoreOptions options;
  options.clock = [&now] { return Timestamp(now.load()); };
  std::string notices;
  options.on_notice = [&notices](const Notice& notice) { notices += notice.message; };
  std::int64_t last = 0;
  {
    const auto store = Store::Open(folder / "store", options);
    REQUIRE_OK(store);
    const std::int64_t steps[] = {0, 0, 5, -1000, -kHour, 0, 2 * kHour, -1};
    for (const std::int64_t step : steps) {
      now += step;
      const auto result = AppendText(store->get(), "a", "x");
      REQUIRE_OK(result);
      const std::int64_t recorded_at = result->events[0].recorded_at.unix_nanoseconds();
      CHECK(recorded_at == std::max(now.load(), last + 1));
      const auto stats = (*store)->Stats();
      REQUIRE_OK(stats);
      CHECK(stats->clock_behind_ns == std::max<std::int64_t>(0, last - now));
      CHECK(stats->last_recorded_at == Timestamp(recorded_at));
      last = recorded_at;
    }
  }
  CHECK(notices == "");
  now = last - 24 * kHour;
  REQUIRE_OK(Store::Open(folder / "store", options));
  CHECK_THAT(notices, HasText("clock"));
  now = last - 24 * kHour - 1;
  CHECK(absl::IsFailedPrecondition(Store::Open(folder / "store", options).status()));
  options.accept_clock_behind = true;
  const auto store = Store::Open(folder / "store", options);
  REQUIRE_OK(store);
  const auto result = AppendText(store->get(), "a", "x");
  REQUIRE_OK(result);
  CHECK(result->events[0].recorded_at == Timestamp(last + 1));
}

TEST_CASE("a store that was inherited by a fork refuses, and its end harms nothing") {
  TempFolder folder;
  auto store = Store::Open(folder / "store", SmallSegments());
  REQUIRE_OK(store);
  for (int i = 0; i < 100; ++i) REQUIRE_OK(AppendText(store->get(), "a", std::string(300, 'x')));
  const absl::Status in_child = InChild([&store]() -> absl::Status {
    const auto refused = [](const absl::Status& status) {
      return absl::IsFailedPrecondition(status);
    };
    DAYBOOK_EXPECT(refused(AppendText(store->get(), "a", "x").status()));
    Commit commit;
    DAYBOOK_EXPECT_OK(commit.Add("a", EventOf("x")));
    DAYBOOK_EXPECT(refused((*store)->AppendAsync(std::move(commit)).status()));
    DAYBOOK_EXPECT(refused((*store)->Read({}).status()));
    DAYBOOK_EXPECT(refused((*store)->EventAt(Position(1)).status()));
    DAYBOOK_EXPECT(refused((*store)->Head("a").status()));
    DAYBOOK_EXPECT(refused((*store)->Flush()));
    DAYBOOK_EXPECT(refused((*store)->WaitIndexed()));
    DAYBOOK_EXPECT(refused((*store)->Stats().status()));
    DAYBOOK_EXPECT(
        refused((*store)->WaitVisible(Position(1), std::chrono::milliseconds(1)).status()));
    store->reset();
    return absl::OkStatus();
  });
  CHECK_OK(in_child);
  for (int i = 0; i < 100; ++i) REQUIRE_OK(AppendText(store->get(), "a", std::string(300, 'y')));
  store->reset();
  CHECK(Verify(folder / "store", {})->ok());
  store = Store::Open(folder / "store", SmallSegments());
  REQUIRE_OK(store);
  CHECK((*store)->visible() == Position(200));
}

TEST_CASE("opening after a clean close scans at most 16 MiB") {
  TempFolder folder;
  const fs::path path = folder / "store";
  const std::string data(1 << 20, 'x');
  StoreOptions options;
  options.segment_bytes_max = 64 << 20;
  for (int events : {40, 1}) {
    const auto store = Store::Open(path, options);
    REQUIRE_OK(store);
    for (int i = 0; i < events; ++i) REQUIRE_OK(AppendText(store->get(), "a", data));
  }
  // 4 (in place of 1) and 16 MiB are full, 64 MiB was begun with more than 16: it is sealed, and
  // another begun.
  const auto files = FilesOf(path, ".log");
  REQUIRE(files.size() == 4);
  CHECK(fs::file_size(files[2]) == 64 << 20);
  CHECK(FilesOf(path, ".idx").size() == 3);
  for (int i = 0; i < 2; ++i) {
    const auto store = Store::Open(path, options);
    REQUIRE_OK(store);
    CHECK((*store)->visible() == Position(41));
  }
  CHECK(Verify(path, {})->ok());
}

}  // namespace daybook::testing
