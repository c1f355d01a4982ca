#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "daybook/store.h"
#include "index/head_store.h"
#include "index/sidecar.h"
#include "kv/lmdb_snapshot.h"
#include "log/frame.h"
#include "store/catch_up.h"
#include "store/store_file.h"
#include "store/verify_check.h"
#include "store/verify_events.h"
#include "tests/catch.h"
#include "tests/corruption/small_store.h"

namespace daybook::testing {
namespace {

VerifyReport VerifyOf(const std::filesystem::path& path, bool fast = false) {
  auto report = Verify(path, {.fast = fast});
  REQUIRE_OK(report);
  return *std::move(report);
}

// The only finding there is.
Finding OnlyFinding(const std::filesystem::path& path, bool fast = false) {
  const VerifyReport report = VerifyOf(path, fast);
  for (const Finding& finding : report.findings) UNSCOPED_INFO(ToText(finding));
  REQUIRE(report.findings.size() == 1);
  return report.findings.front();
}

// A segment file in memory, to be rewritten with right hashes: what a writer with a bug would
// leave.
class Forgery {
 public:
  Forgery(const SmallStore& store, const std::string& file)
      : path_(store.path() / file), bytes_(store.tree().at(file)) {
    std::memcpy(&header_, bytes_.data(), sizeof header_);
  }
  template <class T>
  T Get(std::uint64_t offset) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  template <class T>
  void Put(std::uint64_t offset, const T& value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  template <class Change>
  void ChangeRecord(std::uint64_t offset, const Change& change) {
    auto record = Get<RecordHeader>(offset);
    change(&record);
    record.header_hash = HashOf(record, header_.salt);
    Put(offset, record);
  }
  // Makes the hashes of all frames right again, and writes the file. Of the last segment: no other
  // names its frames.
  void Write() {
    std::uint64_t hash = header_.header_hash;
    for (std::uint64_t at = kSegmentHeaderBytes; at + sizeof(FrameHeader) <= bytes_.size();) {
      auto frame = Get<FrameHeader>(at);
      if (frame.magic != kFrameMagic) break;
      frame.previous_hash = hash;
      frame.body_hash =
          Hash64(AsBytes(bytes_).subspan(at + sizeof frame, frame.length - sizeof frame));
      hash = frame.header_hash = HashOf(frame, header_.salt);
      Put(at, frame);
      at += frame.length;
    }
    std::ofstream(path_, std::ios::binary)
        .write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
  }

 private:
  std::filesystem::path path_;
  std::string bytes_;
  SegmentHeader header_;
};

TEST_CASE("a whole store has no findings, and verifying it changes nothing") {
  const SmallStore store;
  for (const bool fast : {false, true}) {
    const VerifyReport report = VerifyOf(store.path(), fast);
    CHECK(report.ok());
    CHECK(report.positions == store.events().events.size());
  }
  CHECK(ReadTree(store.path()) == store.tree());
}

TEST_CASE("verifying tells its progress up to the end") {
  const SmallStore store;
  std::uint64_t last = 0, total = 0;
  REQUIRE_OK(Verify(store.path(), {.on_progress = [&](std::uint64_t done, std::uint64_t all) {
                      CHECK(done >= last);
                      last = done;
                      total = all;
                    }}));
  CHECK(last == total);
  CHECK(total == store.segments().size() * (std::uint64_t{16} << 10));
}

TEST_CASE("what is no store cannot be verified") {
  const TempFolder folder;
  CHECK(absl::IsNotFound(Verify(folder.path(), {}).status()));
  CHECK(absl::IsNotFound(Verify(folder / "nothing", {}).status()));
}

TEST_CASE("a damaged record is found at its offset, with its position") {
  const SmallStore store;
  const RecordPlace& record = store.record(20);
  store.Flip(record.file, record.end - 10);
  for (const bool fast : {false, true}) {
    const Finding finding = OnlyFinding(store.path(), fast);
    CHECK(finding.kind == "frame");
    CHECK(finding.file == record.file);
    CHECK(finding.offset == record.begin);
    CHECK(finding.first_position == Position(20));
    CHECK(finding.last_position == Position(20));
    CHECK_THAT(finding.hint, HasText("repair"));
  }
}

TEST_CASE("a damaged frame header is found with the positions up to the next frame") {
  const SmallStore store;
  const RecordPlace& record = store.record(20);
  std::uint64_t first = 20;  // of its frame
  while (store.record(first).begin - store.record(first - 1).end < sizeof(FrameHeader)) --first;
  const std::uint64_t frame =
      store.record(first).begin - sizeof(CommitHeader) - sizeof(FrameHeader);
  store.Zero(record.file, frame, 128);
  const Finding finding = OnlyFinding(store.path());
  CHECK(finding.kind == "frame");
  CHECK(finding.offset == frame);
  CHECK(finding.first_position == Position(first));
  CHECK(finding.last_position >= Position(20));
}

TEST_CASE("the walk goes on behind damage: two damaged records are two findings") {
  const SmallStore store;
  store.Flip(store.record(5).file, store.record(5).end - 9);
  store.Flip(store.record(90).file, store.record(90).end - 9);
  const VerifyReport report = VerifyOf(store.path());
  REQUIRE(report.findings.size() == 2);
  CHECK(report.findings[0].first_position == Position(5));
  CHECK(report.findings[1].first_position == Position(90));
  CHECK(report.positions == store.events().events.size() - 2);
}

TEST_CASE("a missing segment is found by name, in the middle and at the end") {
  const SmallStore store;
  const auto check = [&](std::size_t i) {
    const std::string& file = store.segments()[i];
    store.Remove(file);
    const VerifyReport report = VerifyOf(store.path());
    REQUIRE(!report.ok());
    const std::uint64_t first = FirstPositionOf(std::filesystem::path(file).filename().string());
    CHECK(report.findings.front().first_position == Position(first));
    if (i + 1 < store.segments().size()) {
      CHECK(report.findings.front().kind == "segment");
      CHECK(report.findings.front().file == file);
    }
    store.Restore();
  };
  for (std::size_t i = 0; i < store.segments().size(); ++i) check(i);
}

TEST_CASE("a torn tail is no finding: nobody was told that it is durable") {
  const SmallStore store;
  store.Remove("WAKE");  // as after a power loss, before the page was written
  const std::string& file = store.segments().back();
  const std::uint64_t end = store.tree().at(file).find_last_not_of('\0') + 1;
  const std::string noise(300, 'n');
  std::fstream(store.path() / file, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(RoundUp(end, 64)))
      .write(noise.data(), 300);
  CHECK(VerifyOf(store.path()).ok());
}

TEST_CASE("bytes that must be zero and are not are found") {
  const SmallStore store;
  const std::string& file = store.segments().front();
  store.Flip(file, 3000);  // behind the header
  Finding finding = OnlyFinding(store.path());
  CHECK(finding.kind == "segment");
  CHECK(finding.first_position == Position(0));
  store.Restore();
  store.Flip(file, store.tree().at(file).size() - 5);  // behind the seal
  finding = OnlyFinding(store.path());
  CHECK(finding.kind == "segment");
  CHECK(finding.offset == store.tree().at(file).size() - 5);
}

TEST_CASE("an event whose links are not those of its stream is found") {
  const SmallStore store;
  const std::uint64_t last = store.events().events.size();
  const RecordPlace& record = store.record(last);
  const auto forge = [&](const auto& change) {
    Forgery forgery(store, record.file);
    forgery.ChangeRecord(record.begin, change);
    forgery.Write();
    const VerifyReport report = VerifyOf(store.path());
    REQUIRE(!report.ok());
    CHECK((report.findings.front().kind == "link" || report.findings.front().kind == "record"));
    CHECK(report.findings.front().offset == record.begin);
    CHECK(report.findings.front().first_position == Position(last));
    CHECK(VerifyOf(store.path(), true).ok());  // all hashes are right
    store.Restore();
  };
  forge([](RecordHeader* r) { r->version += 1; });
  forge([](RecordHeader* r) { r->prev -= 1; });
  forge([](RecordHeader* r) { r->skip = r->skip == 0 ? r->prev : r->skip - 1; });
}

TEST_CASE("an event or commit that was written wrongly is found although its frame is whole") {
  const SmallStore store;
  const std::uint64_t last = store.events().events.size();
  const RecordPlace& record = store.record(last);
  const auto forge = [&](const auto& change) {
    Forgery forgery(store, record.file);
    change(&forgery);
    forgery.Write();
    const Finding finding = OnlyFinding(store.path());
    CHECK(finding.kind == "record");
    CHECK(finding.first_position == Position(last));
    store.Restore();
  };
  forge(
      [&](Forgery* f) { f->ChangeRecord(record.begin, [](RecordHeader* r) { ++r->body_hash; }); });
  forge([&](Forgery* f) {
    f->ChangeRecord(record.begin, [](RecordHeader* r) { ++r->recorded_at; });
  });
  forge([&](Forgery* f) { f->Put(record.begin + sizeof(RecordHeader), std::uint64_t{~0ULL}); });
}

TEST_CASE("a frame that does not follow the one before it is found") {
  const SmallStore store;
  const std::string& file = store.segments().back();
  Forgery forgery(store, file);
  // The header and the chain of the segment begin with another hash: every frame is whole, none
  // follows the header.
  auto header = forgery.Get<SegmentHeader>(0);
  header.created_at += 1;
  header.header_hash = HashOf(header);
  {
    std::fstream out(store.path() / file, std::ios::binary | std::ios::in | std::ios::out);
    out.write(reinterpret_cast<const char*>(&header), sizeof header);
  }
  const VerifyReport report = VerifyOf(store.path());
  REQUIRE(!report.ok());
  CHECK(report.findings.front().kind == "chain");
  CHECK(report.findings.front().file == file);
  CHECK(report.findings.front().offset == kSegmentHeaderBytes);
}

TEST_CASE("a sidecar that is whole but lies is found") {
  const SmallStore store;
  const auto header = ReadStoreFile(store.path());
  REQUIRE_OK(header);
  const auto log = LogSegment::Open(store.path(), 1, IdentityOf(*header));
  REQUIRE_OK(log);
  const std::filesystem::path path = store.path() / "log" / SidecarFileName(1);
  const auto sidecar = Sidecar::Open(path);
  REQUIRE_OK(sidecar);
  const SidecarKey key = (*sidecar)->key();
  // The same index with one thing changed.
  const auto lie = [&](const auto& change) {
    auto index = MakeActiveIndex(1, (*log)->header().segment_bytes);
    REQUIRE_OK(index);
    FrameScanner scanner((*log)->bytes(), (*log)->header());
    std::int64_t recorded_at = INT64_MIN;
    while (scanner.Next() == FrameScanner::Result::kFrame) {
      WalkFrame(**log, scanner.frame(), &recorded_at,
                [&](std::uint64_t offset, const RecordHeader& record, const EventView& event) {
                  ActiveIndex::Entry entry = IndexEntryOf(offset, record, event);
                  TagList tags = event.tags;
                  change(record.position, &entry, &tags);
                  (*index)->Add(entry, tags);
                });
    }
    (*index)->Publish();
    REQUIRE_OK(Sidecar::Write(path, key, **index));
  };
  lie([](std::uint64_t, ActiveIndex::Entry*, TagList*) {});
  CHECK(VerifyOf(store.path()).ok());
  const auto expect_found = [&](const auto& change) {
    lie([&](std::uint64_t position, ActiveIndex::Entry* entry, TagList* tags) {
      if (position == 9) change(entry, tags);
    });
    const Finding finding = OnlyFinding(store.path());
    CHECK(finding.kind == "sidecar");
    CHECK(finding.file == "log/" + SidecarFileName(1));
  };
  expect_found([](ActiveIndex::Entry* e, TagList*) { e->offset += 8; });
  expect_found([](ActiveIndex::Entry* e, TagList*) { e->type = "Other"; });
  expect_found([](ActiveIndex::Entry* e, TagList*) { e->stream = "other-1"; });
  expect_found([](ActiveIndex::Entry* e, TagList*) { e->effective_at = INT64_MAX; });
  expect_found([](ActiveIndex::Entry* e, TagList*) { e->id = EventId::NewV7(); });
  expect_found([](ActiveIndex::Entry* e, TagList*) { e->stream_hash += std::uint64_t{1} << 40; });
  expect_found([](ActiveIndex::Entry*, TagList* tags) { *tags = TagList(); });
}

TEST_CASE("an index that knows other heads than the log is found") {
  const SmallStore store;
  const auto header = ReadStoreFile(store.path());
  REQUIRE_OK(header);
  SidecarKey key{header->store_id, header->incarnation, 1, 1, 0};
  const auto lie = [&](const HeadStore::Update& update) {
    bool discarded = false;
    {
      auto heads = HeadStore::Open(store.path() / "index", key, &discarded);
      REQUIRE_OK(heads);
      REQUIRE(!discarded);
      const auto catalogue = (*heads)->Catalogue();
      REQUIRE_OK(catalogue);
      std::vector<HeadStore::Update> updates{update};
      REQUIRE_OK((*heads)->Apply(&updates, catalogue->front()));
    }
    const Finding finding = OnlyFinding(store.path());
    CHECK(finding.kind == "index");
    CHECK(finding.file == "index/data.mdb");
    store.Restore();
  };
  HeadRecord head;
  head.version = 1'000;
  head.position = head.last[0] = 3;
  lie({"account-0", head});
  lie({"no-such-stream", head});
}

TEST_CASE("the reader of index/ sees what LMDB wrote, and survives any damage to it") {
  const TempFolder folder;
  SidecarKey key;
  key.store_id = {1};
  std::map<std::string, std::uint64_t> expected;
  {
    bool discarded = false;
    std::filesystem::create_directory(folder / "index");
    auto heads = HeadStore::Open(folder / "index", key, &discarded);
    REQUIRE_OK(heads);
    std::vector<HeadStore::Update> updates;
    for (std::uint64_t i = 1; i <= 3000; ++i) {
      HeadRecord head;
      head.version = head.position = head.last[0] = i;
      updates.push_back({absl::StrCat("stream-", i * 7919), head});
      expected[updates.back().stream] = i;
    }
    key.first_position = 1;
    key.events = 3000;
    REQUIRE_OK((*heads)->Apply(&updates, key));
  }
  std::map<std::string, std::uint64_t> found;
  const auto read = [&]() -> absl::Status {
    found.clear();
    const auto snapshot = LmdbSnapshot::Open(folder / "index");
    if (!snapshot.ok()) return snapshot.status();
    return snapshot->ForEach("heads", [&](std::string_view name, std::string_view value) {
      std::uint64_t version = 0;
      std::memcpy(&version, value.data(), std::min(sizeof version, value.size()));
      found[std::string(name)] = version;
    });
  };
  REQUIRE_OK(read());
  CHECK(found == expected);
  const auto size = std::filesystem::file_size(folder / "index/data.mdb");
  std::fstream file(folder / "index/data.mdb", std::ios::binary | std::ios::in | std::ios::out);
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    // Where the structure stands: the begins of pages.
    const auto at = static_cast<std::streamoff>(random() % (size / 4096) * 4096 + random() % 64);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get());
    file.seekp(at).put(static_cast<char>(byte ^ static_cast<char>(1 << random() % 8))).flush();
    const absl::Status status = read();
    CHECK((status.ok() || absl::IsDataLoss(status)));
    file.seekp(at).put(byte).flush();
  }
  CHECK_OK(read());
}

TEST_CASE("a length in a page of index/ that one bit makes another is noticed") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "index");
  {
    bool discarded = false;
    auto heads = HeadStore::Open(folder / "index", SidecarKey{}, &discarded);
    REQUIRE_OK(heads);
    std::vector<HeadStore::Update> updates;
    for (std::uint64_t i = 1; i <= 12; ++i) {
      HeadRecord head;
      head.version = head.position = head.last[0] = i;
      updates.push_back({absl::StrCat("stream-", i + 10), head});
    }
    SidecarKey key;
    key.first_position = 1;
    key.events = 12;
    REQUIRE_OK((*heads)->Apply(&updates, key));
  }
  // A key of 9 bytes becomes one of 521, and stands over those behind it: a look-up would miss it.
  std::string bytes = ReadTree(folder / "index").at("data.mdb");
  const std::size_t name = bytes.rfind("stream-15");
  REQUIRE(name != std::string::npos);
  REQUIRE(bytes[name - 2] == 9);
  std::fstream file(folder / "index/data.mdb", std::ios::binary | std::ios::in | std::ios::out);
  for (const std::size_t back : {1U, 2U, 8U}) {  // both bytes of the key's, one of the value's
    for (unsigned bit = 0; bit < 8; ++bit) {
      const auto at = static_cast<std::streamoff>(name - back);
      const char byte = bytes[name - back];
      file.seekp(at).put(static_cast<char>(byte ^ static_cast<char>(1 << bit))).flush();
      const auto snapshot = LmdbSnapshot::Open(folder / "index");
      REQUIRE_OK(snapshot);
      // Sizes are even, so the last bit of a length may go into the padding: then nothing moves.
      if (bit > 0) CHECK(absl::IsDataLoss(snapshot->CheckPages()));
      file.seekp(at).put(byte).flush();
    }
  }
  const auto snapshot = LmdbSnapshot::Open(folder / "index");
  REQUIRE_OK(snapshot);
  CHECK_OK(snapshot->CheckPages());
}

void VerifyBesideWriter(Durability durability) {
  const TempFolder folder;
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{64} << 10;
  options.durability = durability;
  options.sync_interval = std::chrono::milliseconds(1);
  auto store = Store::Open(folder / "store", options);
  REQUIRE_OK(store);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> appended{0};
  std::thread writer([&] {
    const std::string data(700, 'd');
    while (!stop) {
      Commit commit;
      for (int i = 0; i < 5; ++i) {
        static_cast<void>(
            commit.Add(absl::StrCat("s-", i), {.type = "T", .data = AsBytes(data), .tags = {"a"}}));
      }
      const auto result = (*store)->Append(commit);
      if (!result.ok()) break;
      appended = result->last_position.value();
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  constexpr int kRoundsMax = 20'000;  // a writer that stands still ends the test too
  for (int i = 0; i < kRoundsMax && appended < 1500; ++i) {
    const std::uint64_t before = appended;
    const auto report = Verify(folder / "store", {.fast = i % 2 == 0});
    CHECK_OK(report);
    if (!report.ok()) break;
    for (const Finding& finding : report->findings) FAIL_CHECK(ToText(finding));
    CHECK(report->positions >= before);
  }
  stop = true;
  writer.join();
  CHECK(appended >= 1500);
}

TEST_CASE("a store is verified beside a writer that appends") {
  VerifyBesideWriter(Durability::kSync);
}

TEST_CASE("a store is verified beside a writer that syncs later") {
  VerifyBesideWriter(Durability::kBuffered);
}

TEST_CASE("what a repair records about a loss reads back") {
  const AcceptedLoss loss{"log/00000000000000000001.log", 4096, {7, 9}, 0};
  const auto parsed = ParseAcceptedLoss(ToJson(loss, "a \"reason\""));
  REQUIRE(parsed);
  CHECK(parsed->file == loss.file);
  CHECK(parsed->offset == 4096);
  CHECK(parsed->positions.first == 7);
  CHECK(parsed->positions.last == 9);
  const auto without = ParseAcceptedLoss(ToJson({loss.file, 5, {}, 0}, "r"));
  REQUIRE(without);
  CHECK(without->positions.first == 0);
  CHECK(!ParseAcceptedLoss("{}"));
  CHECK(!ParseAcceptedLoss(""));
}

}  // namespace
}  // namespace daybook::testing
