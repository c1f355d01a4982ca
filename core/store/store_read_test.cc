// Reading while the store lives on: what is derived is rebuilt, views live as long as their cursor,
// and readers in other processes follow the writer.

#include <fstream>

#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

std::string DataOf(std::uint64_t position) {
  return "event " + std::to_string(position) + std::string(position * 37 % 400, '.');
}

// `events` events in 13 streams, one commit each.
void Fill(Store* store, std::uint64_t events) {
  for (std::uint64_t n = 0; n < events; ++n) {
    const std::string data = DataOf(store->visible().value() + 1);
    const std::string tag = "tag:" + std::to_string(n % 5);
    NewEvent event = EventOf(data);
    event.tags = {tag};
    if (n % 3 == 0) event.effective_at = Timestamp(static_cast<std::int64_t>(n) * 1'000'000'000);
    const std::string stream =
        (n % 2 ? "account-" : "order-") + std::to_string(n % 7 == 0 ? 0 : n % 6);
    REQUIRE_OK(store->Append(stream, ExpectedVersion::Any(), {event}));
  }
}

// The first answer that differs, or "".
std::string Difference(const absl::StatusOr<std::vector<std::string>>& answers,
                       const std::vector<std::string>& expected) {
  if (!answers.ok()) return answers.status().ToString();
  for (std::size_t i = 0; i < expected.size() && i < answers->size(); ++i) {
    if ((*answers)[i] != expected[i]) return (*answers)[i] + " instead of " + expected[i];
  }
  if (answers->size() == expected.size()) return "";
  return std::to_string(answers->size()) + " instead of " + std::to_string(expected.size());
}

// Follows a live writer up to position `last`; every event once and in order.
absl::Status Follow(const fs::path& path, std::uint64_t last) {
  const auto reader = Reader::Open(path, {});
  DAYBOOK_EXPECT_OK(reader);
  std::uint64_t seen = 0;
  while (seen < last) {
    const auto visible =
        (*reader)->WaitVisible(Position(seen + 1), std::chrono::milliseconds(60000));
    DAYBOOK_EXPECT_OK(visible);
    DAYBOOK_EXPECT(visible->value() > seen && visible->value() <= last);
    auto cursor = (*reader)->Read({.from_position = Position(seen + 1), .to_position = *visible});
    DAYBOOK_EXPECT_OK(cursor);
    DAYBOOK_EXPECT_OK(cursor->ForEach([&](const EventView& event) -> absl::Status {
      DAYBOOK_EXPECT(event.position.value() == ++seen);
      DAYBOOK_EXPECT(AsText(event.data) == DataOf(seen));
      return absl::OkStatus();
    }));
    DAYBOOK_EXPECT(seen == visible->value());
  }
  // The heads of a reader are those of the log.
  const auto streams = (*reader)->Streams({});
  DAYBOOK_EXPECT_OK(streams);
  std::uint64_t events = 0;
  for (const StreamInfo& stream : *streams) events += stream.version.value();
  DAYBOOK_EXPECT(events == last);
  return absl::OkStatus();
}

}  // namespace

TEST_CASE("what is derived is rebuilt to the same answers") {
  TempFolder folder;
  const fs::path path = folder / "store";
  std::vector<std::string> answers;
  {
    const auto store = Store::Open(path, SmallSegments());
    REQUIRE_OK(store);
    Fill(store->get(), 500);
    answers = *AllAnswers(**store);
  }
  bool says_so = false;
  const auto sidecars = FilesOf(path, ".idx");
  REQUIRE(sidecars.size() > 5);
  SECTION("nothing is missing") {}
  SECTION("index/ is deleted") { fs::remove_all(path / "index"); }
  SECTION("every sidecar is deleted") {
    for (const fs::path& file : sidecars) fs::remove(file);
  }
  SECTION("some sidecars are deleted") {
    fs::remove(sidecars.front());
    fs::remove(sidecars.back());
  }
  SECTION("all that is derived is deleted") {
    fs::remove_all(path / "index");
    fs::remove(path / "WAKE");
    for (const fs::path& file : sidecars) fs::remove(file);
  }
  SECTION("one byte of every sidecar is wrong") {
    says_so = true;
    const int where = GENERATE(range(0, 12));
    for (const fs::path& file : sidecars) {
      const std::uint64_t size = fs::file_size(file);
      FlipByte(file, where == 11 ? size - 1 : size * static_cast<std::uint64_t>(where) / 11);
    }
  }
  SECTION("every sidecar is cut in half") {
    says_so = true;
    for (const fs::path& file : sidecars) fs::resize_file(file, fs::file_size(file) / 2);
  }
  SECTION("index/ is garbage") {
    says_so = true;
    std::fstream data(path / "index" / "data.mdb", std::ios::binary | std::ios::in | std::ios::out);
    data << std::string(8192, 'g');
  }
  std::atomic<int> notices = 0;
  const NoticeHandler count = [&notices](const Notice& notice) {
    CHECK(notice.severity == Notice::Severity::kWarning);
    ++notices;
  };
  {
    const auto reader = Reader::Open(path, {.on_notice = count});
    REQUIRE_OK(reader);
    CHECK(Difference(AllAnswers(**reader), answers) == "");
  }
  notices = 0;
  StoreOptions options = SmallSegments();
  options.on_notice = count;
  {
    const auto store = Store::Open(path, options);
    REQUIRE_OK(store);
    CHECK(Difference(AllAnswers(**store), answers) == "");
    CHECK((notices > 0) == says_so);
    Fill(store->get(), 40);
  }
  const auto store = Store::Open(path, SmallSegments());
  REQUIRE_OK(store);
  CHECK((*store)->visible() == Position(540));
  CHECK(Difference(AllAnswers(**Reader::Open(path, {})), *AllAnswers(**store)) == "");
}

TEST_CASE("the sidecar of a segment that the close sealed may be deleted") {
  TempFolder folder;
  const fs::path path = folder / "store";
  const std::string data(1 << 20, 'x');
  StoreOptions options;
  options.segment_bytes_max = 64 << 20;
  {
    const auto store = Store::Open(path, options);
    REQUIRE_OK(store);
    for (int i = 0; i < 40; ++i) REQUIRE_OK(AppendText(store->get(), "a", data));
  }
  const fs::path last = FilesOf(path, ".log").back();
  SECTION("that one") { fs::remove(fs::path(last).replace_extension(".idx")); }
  SECTION("all") {
    for (const fs::path& file : FilesOf(path, ".idx")) fs::remove(file);
  }
  SECTION("that one is damaged") { FlipByte(fs::path(last).replace_extension(".idx"), 300); }
  {
    const auto store = Store::Open(path, options);
    REQUIRE_OK(store);
    CHECK((*store)->visible() == Position(40));
    CHECK((*store)->Head("a")->version == Version(40));
    REQUIRE_OK((*store)->Append("a", ExpectedVersion::Exactly(Version(40)), {EventOf("x")}));
    REQUIRE_OK((*store)->WaitIndexed());
  }
  CHECK(Verify(path, {})->ok());
}

TEST_CASE("views live as long as their cursor, wherever the store has gone") {
  TempFolder folder;
  const auto store = Store::Open(folder / "store", SmallSegments());
  REQUIRE_OK(store);
  Fill(store->get(), 100);
  const auto reader = Reader::Open(folder / "store", {});
  REQUIRE_OK(reader);
  for (const Reader* const from : {static_cast<Reader*>(store->get()), reader->get()}) {
    const std::uint64_t head = from->visible().value();
    auto cursor = from->Read({});
    REQUIRE_OK(cursor);
    std::vector<EventView> views;
    for (std::uint64_t n = 0; n < head; ++n) {
      const auto event = cursor->Next();
      REQUIRE_OK(event);
      REQUIRE(*event != nullptr);
      views.push_back(**event);
      if (n % 10 == 0) Fill(store->get(), 20);
    }
    const auto end = cursor->Next();
    REQUIRE_OK(end);
    CHECK(*end == nullptr);
    const auto handle = from->EventAt(Position(head));
    REQUIRE_OK(handle);
    Fill(store->get(), 200);
    REQUIRE_OK((*store)->WaitIndexed());
    for (std::size_t n = 0; n < views.size(); ++n) {
      CHECK(AsText(views[n].data) == DataOf(n + 1));
      CHECK(views[n].tags.size() == 1);
    }
    CHECK(AsText((*handle)->data) == DataOf(head));
    CHECK(cursor->basis().position == Position(head));
  }
}

TEST_CASE("readers in other processes follow a live writer through its segments") {
  TempFolder folder;
  const fs::path path = folder / "store";
  const std::uint64_t last = 3000;
  SECTION("a store that had a writer") { REQUIRE_OK(Store::Open(path, SmallSegments())); }
  SECTION("a store that was copied without WAKE") {
    REQUIRE_OK(Store::Open(path, SmallSegments()));
    fs::remove(path / "WAKE");
  }
  // They are forked before there is a thread, and never hold the store itself.
  Child first([&] { return Follow(path, last); });
  Child second([&] { return Follow(path, last); });
  {
    auto store = Store::Open(path, SmallSegments());
    REQUIRE_OK(store);
    for (std::uint64_t position = 1; position <= last;) {
      if (position == last / 2) {
        // Another run of the writer, while they wait.
        store->reset();
        store = Store::Open(path, SmallSegments());
        REQUIRE_OK(store);
      }
      Commit commit;
      const std::string stream = "s-" + std::to_string(position % 9);
      for (auto n = position % 4; n < 4 && position <= last; ++n) {
        REQUIRE_OK(commit.Add(stream, EventOf(DataOf(position++))));
      }
      const auto result = (*store)->AppendAsync(std::move(commit));
      REQUIRE_OK(result);
      if (position % 50 < 4) REQUIRE_OK((*store)->WaitDurable(result->last_position));
    }
    REQUIRE_OK((*store)->WaitDurable(Position(last)));
    CHECK_OK(first.Wait());
    CHECK_OK(second.Wait());
  }
  CHECK(FilesOf(path, ".log").size() > 20);
}

TEST_CASE("a reader follows where a segment without an event gives way to a larger one") {
  TempFolder folder;
  const fs::path path = folder / "store";
  auto store = Store::Open(path, SmallSegments());
  REQUIRE_OK(store);
  const auto reader = Reader::Open(path, {});
  REQUIRE_OK(reader);
  const std::string large(50000, 'x');
  for (int n = 1; n < 4; ++n) {
    REQUIRE_OK(AppendText(store->get(), "a", large));
    const auto visible = (*reader)->WaitVisible(Position(static_cast<std::uint64_t>(n)),
                                                std::chrono::milliseconds(60000));
    REQUIRE_OK(visible);
    CHECK(ReadAll(**reader)->size() == static_cast<std::size_t>(n));
    CHECK(ReadAll(**store)->size() == static_cast<std::size_t>(n));
    CHECK((*reader)->Head("a")->version == (*store)->Head("a")->version);
  }
}

}  // namespace daybook::testing
