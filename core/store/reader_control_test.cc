// What those need who derive data from events: the frame that holds an event, and reads that end
// when they are told to.

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "log/format.h"
#include "log/frame.h"
#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/corruption/small_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

const ReaderOptions kWithoutMapping{
    .access = FileAccess::kRead, .accept_network_file_system = true, .on_notice = {}};

// A walk over the frames of each file says which hash is which position's.
std::map<std::uint64_t, std::uint64_t> FrameHashes(const fs::path& store) {
  std::map<std::uint64_t, std::uint64_t> hashes;
  for (const fs::path& file : FilesOf(store, ".log")) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    std::vector<std::uint64_t> words(bytes.size() / 8);
    std::memcpy(words.data(), bytes.data(), words.size() * 8);
    SegmentHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    FrameScanner scanner(std::as_bytes(std::span(words)), header);
    while (scanner.Next() == FrameScanner::Result::kFrame) {
      const FrameHeader& frame = scanner.frame();
      for (std::uint64_t i = 0; i < frame.events; ++i) {
        hashes[frame.first_position + i] = frame.header_hash;
      }
    }
  }
  return hashes;
}

std::uint64_t FirstOf(const std::string& file) {
  return FirstPositionOf(fs::path(file).filename().string());
}

// Every frame header that stands in the first `bytes` of the log's first file, and each of them at
// every place of a line that the data may come to stand at.
std::string ForgedHeaders(const fs::path& store, std::size_t bytes) {
  std::ifstream in(store / "log" / SegmentFileName(1), std::ios::binary);
  std::string log(bytes, '\0');
  in.read(log.data(), static_cast<std::streamsize>(bytes));
  std::string forged;
  for (std::size_t at = kSegmentHeaderBytes; at + sizeof(FrameHeader) <= bytes; at += 64) {
    FrameHeader frame;
    std::memcpy(&frame, log.data() + at, sizeof frame);
    if (frame.magic != kFrameMagic) continue;
    for (int place = 0; place < 64; ++place) {
      forged += log.substr(at, sizeof frame) + std::string(1, 'x');
    }
  }
  return forged;
}

}  // namespace

TEST_CASE("the frame of an event is found from the event, mapped or not") {
  const SmallStore store({.events = 500, .segment_bytes = 64 << 10});
  const auto mapped = Reader::Open(store.path(), {});
  const auto read = Reader::Open(store.path(), kWithoutMapping);
  REQUIRE_OK(mapped);
  REQUIRE_OK(read);
  const auto hashes = FrameHashes(store.path());
  const std::uint64_t all = store.events().events.size();
  CHECK(hashes.size() == all);
  for (const auto& [position, hash] : hashes) {
    REQUIRE((*mapped)->FrameHashAt(Position(position)).value() == hash);
    REQUIRE((*read)->FrameHashAt(Position(position)).value() == hash);
  }
  CHECK(absl::IsInvalidArgument((*read)->FrameHashAt(Position(0)).status()));
  CHECK(absl::IsInvalidArgument((*read)->FrameHashAt(Position(all + 1)).status()));
  CHECK((*read)->incarnation() == (*mapped)->Stats()->incarnation);
  CHECK((*read)->directory() == store.path());
}

TEST_CASE("the frame of an event is found over long commits and over headers that data copies") {
  const TempFolder folder;
  const fs::path path = folder / "s";
  auto store = Store::Open(path, {.segment_bytes_max = 4 << 20});
  REQUIRE_OK(store);
  const auto append = [&](const std::vector<NewEvent>& events) {
    REQUIRE_OK((*store)->Append("s-1", ExpectedVersion::Any(), events));
  };
  append({EventOf("first")});
  const std::string kilobyte(1000, 'a');
  append(std::vector<NewEvent>(400, EventOf(kilobyte)));
  // Around a window of the search, so that a header stands across the edge of one.
  for (std::size_t bytes = (64 << 10) - 640; bytes <= (64 << 10) + 64; bytes += 64) {
    const std::string large(bytes, 'b');
    append({EventOf(large), EventOf(kilobyte)});
  }
  const std::string huge(500'000, 'c');
  append({EventOf(huge), EventOf(huge), EventOf("behind")});
  const std::string forged = ForgedHeaders(path, 1 << 20);
  REQUIRE(forged.size() > 64 * sizeof(FrameHeader));
  NewEvent forger = EventOf(forged);
  forger.content_type = ContentType::kOctetStream;
  append({forger, EventOf("behind")});
  const auto hashes = FrameHashes(path);
  REQUIRE(hashes.size() == (*store)->visible().value());
  const auto read = Reader::Open(path, kWithoutMapping);
  REQUIRE_OK(read);
  for (const auto& [position, hash] : hashes) {
    REQUIRE((*store)->FrameHashAt(Position(position)).value() == hash);
    REQUIRE((*read)->FrameHashAt(Position(position)).value() == hash);
  }
}

TEST_CASE("an event whose frame header is damaged has no frame, and no other event's") {
  const SmallStore store;
  const auto hashes = FrameHashes(store.path());
  const std::string& file = store.segments()[1];
  const std::uint64_t first = FirstOf(file);
  const std::uint64_t begin =
      store.record(first).begin - sizeof(CommitHeader) - sizeof(FrameHeader);
  const bool is_first_of_file = begin == kSegmentHeaderBytes;
  REQUIRE(is_first_of_file);
  // Of the first frame, before which there is none, and of one behind others.
  std::uint64_t later = first;
  while (hashes.at(later) == hashes.at(first)) ++later;
  for (const std::uint64_t hit : {first, later}) {
    store.Restore();
    store.Flip(file, store.record(hit).begin - sizeof(CommitHeader) - sizeof(FrameHeader) + 40);
    for (const bool maps : {true, false}) {
      const auto reader = Reader::Open(store.path(), maps ? ReaderOptions{} : kWithoutMapping);
      REQUIRE_OK(reader);
      for (const auto& [position, hash] : hashes) {
        const auto found = (*reader)->FrameHashAt(Position(position));
        if (hash == hashes.at(hit)) {
          CHECK(absl::IsDataLoss(found.status()));
        } else {
          CHECK(found.value() == hash);
        }
      }
    }
  }
}

namespace {

struct Search {
  const char* name;
  bool matches_all;
  void (*set)(ReadOptions*);
};
// What a read does that gives all events, that looks at an index and finds nothing, and that
// decodes every event and takes none.
const Search kSearches[] = {
    {"all", true, [](ReadOptions*) {}},
    {"backwards", true, [](ReadOptions* o) { o->direction = Direction::kBackwards; }},
    {"two types of which one is there, and an unknown id", false,
     [](ReadOptions* o) {
       o->types = {"Type1", "NobodyHasIt"};
       o->id = EventId::Parse("01890a5d-ac96-774b-bcce-b302099a8057").value();
     }},
    {"an unknown id", false,
     [](ReadOptions* o) {
       o->id = EventId::Parse("01890a5d-ac96-774b-bcce-b302099a8057").value();
     }},
    {"an unknown id backwards", false,
     [](ReadOptions* o) {
       o->direction = Direction::kBackwards;
       o->id = EventId::Parse("01890a5d-ac96-774b-bcce-b302099a8057").value();
     }},
    {"a time between those of the events", false,
     [](ReadOptions* o) {
       o->effective_from = Timestamp(1);
       o->as_of.effective_at = Timestamp(5999);
     }},
    {"a stream without the type", false,
     [](ReadOptions* o) {
       o->stream = "long-1";
       o->types = {"NobodyHasIt"};
     }},
    {"a stream without the type backwards", false,
     [](ReadOptions* o) {
       o->stream = "long-1";
       o->types = {"NobodyHasIt"};
       o->direction = Direction::kBackwards;
     }},
};

// Half of the events are of one stream; few effective times are given.
constexpr std::uint64_t kLong = 80'000;
void FillLong(const fs::path& path, std::uint64_t segment_bytes) {
  const auto store =
      Store::Open(path, {.durability = Durability::kBuffered, .segment_bytes_max = segment_bytes});
  REQUIRE_OK(store);
  std::vector<NewEvent> events(1000, EventOf("long"));
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].type = i % 2 == 0 ? "Type0" : "Type1";
    if (i % 10 == 0) events[i].effective_at = Timestamp(i % 20 == 0 ? 0 : 6000);
  }
  for (std::uint64_t made = 0; made < kLong; made += events.size()) {
    const std::string stream = "short-" + std::to_string(made);
    REQUIRE_OK(
        (*store)->Append(made % 2000 == 0 ? "long-1" : stream, ExpectedVersion::Any(), events));
  }
  REQUIRE_OK((*store)->WaitIndexed());
}

std::uint64_t Count(Cursor* cursor, absl::Status* status) {
  std::uint64_t seen = 0;
  for (;;) {
    const auto event = cursor->Next();
    *status = event.status();
    if (!event.ok() || *event == nullptr) return seen;
    ++seen;
  }
}

}  // namespace

TEST_CASE("a read asks whether to go on all the while, also where it takes no event") {
  const TempFolder folder;
  FillLong(folder / "s", 16 << 20);
  const auto reader = Reader::Open(folder / "s", {});
  REQUIRE_OK(reader);
  for (const Search& search : kSearches) {
    INFO(search.name);
    ReadOptions options;
    search.set(&options);
    const std::uint64_t looked_at = options.stream ? kLong / 2 : kLong;
    std::uint64_t asked = 0;
    options.keep_going = [&asked] { return ++asked > 0; };
    auto cursor = (*reader)->Read(options);
    REQUIRE_OK(cursor);
    absl::Status status;
    CHECK(Count(&*cursor, &status) == (search.matches_all ? kLong : 0));
    CHECK_OK(status);
    CHECK(asked >= looked_at / 10'000);
    // And whenever it is asked, no is an end that stays.
    for (const std::uint64_t upto : {std::uint64_t{1}, std::uint64_t{3}, asked}) {
      asked = 0;
      options.keep_going = [&asked, upto] { return ++asked < upto; };
      auto stopped = (*reader)->Read(options);
      REQUIRE_OK(stopped);
      CHECK(Count(&*stopped, &status) <= (search.matches_all ? kLong : 0));
      CHECK(absl::IsCancelled(status));
      CHECK(asked == upto);
      CHECK(absl::IsCancelled(stopped->Next().status()));
      CHECK(asked == upto);
    }
  }
}

TEST_CASE("a read that an index answers ends without an event, or because it was told to") {
  const TempFolder folder;
  FillLong(folder / "s", 1 << 20);
  const auto reader = Reader::Open(folder / "s", {});
  REQUIRE_OK(reader);
  const bool by_tag = GENERATE(true, false);
  ReadOptions options;
  if (by_tag) options.tags = {"nobody:has it"};
  if (!by_tag) options.types = {"NobodyHasIt"};
  absl::Status status;
  auto cursor = (*reader)->Read(options);
  REQUIRE_OK(cursor);
  CHECK(Count(&*cursor, &status) == 0);
  CHECK_OK(status);
  // There are many segments, each of which the index passes over.
  options.keep_going = [asked = 0]() mutable { return ++asked < 3; };
  auto stopped = (*reader)->Read(options);
  REQUIRE_OK(stopped);
  CHECK(Count(&*stopped, &status) == 0);
  CHECK(absl::IsCancelled(status));
}

}  // namespace daybook::testing
