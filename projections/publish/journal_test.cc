#include "projections/publish/journal.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;

std::string BytesOf(const fs::path& folder) {
  std::ifstream in(folder / "JOURNAL", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void SetBytes(const fs::path& folder, const std::string& bytes) {
  std::ofstream(folder / "JOURNAL", std::ios::binary | std::ios::trunc) << bytes;
}

// A journal with one of each entry.
void WriteAll(const fs::path& folder) {
  auto journal = Journal::Open(folder);
  REQUIRE_OK(journal);
  const absl::Status error = absl::OutOfRangeError("a\tb\nc\\d");
  for (const JournalEntry& entry :
       {OpenEntry("bus", "fake:one", "type=\"A\"", "inc", Position(0)),
        CursorEntry(Position(3), Position(3), "m 1"), ParkEntry(Position(4), "s-1", error),
        WaitEntry(Position(6), "s-1"), ParkEntry(Position(7), "s-2", error),
        FailEntry("s-1", error), DueEntry("s-2"), ReleaseEntry(Position(7)),
        WaitEntry(Position(9), "s-1"), SkipEntry({Position(8), "why", "me", Timestamp(5)}),
        CursorEntry(Position(9), Position(8), ""), ReplayEntry("r1", Position(2), Position(5)),
        ReplayedEntry("r1", Position(3))}) {
    REQUIRE_OK(journal->Add(entry));
    REQUIRE_OK(journal->Commit());
  }
}

void CheckAll(const SinkState& state) {
  CHECK(state.name() == "bus");
  CHECK(state.destination() == "fake:one");
  CHECK(state.filter() == "type=\"A\"");
  CHECK(state.line() == Position(9));
  CHECK(state.sent() == Position(8));
  CHECK(state.parked_events() == 3);
  const ParkedStream* const parked = state.Find("s-1");
  REQUIRE(parked != nullptr);
  CHECK(parked->letters.size() == 3);
  CHECK(parked->attempts == 2);
  CHECK(parked->error == "a\tb\nc\\d");
  CHECK(parked->code == absl::StatusCode::kOutOfRange);
  CHECK_FALSE(parked->due);
  CHECK(state.Find("s-2") == nullptr);
  CHECK(state.IsSkipped(Position(8)));
  REQUIRE(state.replay().has_value());
  CHECK(state.replay()->at == Position(3));
}

TEST_CASE("a journal is read back as it was written, and again after it was replaced") {
  const testing::TempFolder folder;
  WriteAll(folder.path());
  CheckAll(*ReadJournal(folder.path()));
  const std::string before = BytesOf(folder.path());
  REQUIRE_OK(Journal::Open(folder.path()));  // writes it anew
  CheckAll(*ReadJournal(folder.path()));
  CHECK(BytesOf(folder.path()).size() < before.size());
}

TEST_CASE("any beginning of a journal is a state, and what is cut off is taken off") {
  const testing::TempFolder folder;
  WriteAll(folder.path());
  const std::string whole = BytesOf(folder.path());
  Position last;
  for (std::size_t size = 0; size <= whole.size(); size += size < 40 ? 1 : 7) {
    CAPTURE(size);
    SetBytes(folder.path(), whole.substr(0, size));
    auto journal = Journal::Open(folder.path());
    REQUIRE_OK(journal);
    CHECK(journal->state().line() >= last);
    last = journal->state().line();
    if (!journal->state().is_open()) continue;
    REQUIRE_OK(journal->Add(CursorEntry(Position(100), Position(100), "")));
    REQUIRE_OK(journal->Commit());
    CHECK(ReadJournal(folder.path())->line() == Position(100));
  }
  CHECK(last > Position(3));
}

TEST_CASE("a flipped bit is found, unless it is in the last line") {
  const testing::TempFolder folder;
  WriteAll(folder.path());
  const std::string whole = BytesOf(folder.path());
  // Its line feed belongs to it: without it two lines are one.
  const std::size_t last_line = whole.rfind('\n', whole.size() - 2);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    CAPTURE(at);
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    SetBytes(folder.path(), bytes);
    const auto state = ReadJournal(folder.path());
    if (at >= last_line) {
      REQUIRE_OK(state);
      if (at > last_line) CHECK(state->replay()->at == Position(1));  // as before the last entry
    } else {
      CHECK_FALSE(state.ok());
    }
  }
}

TEST_CASE("a journal of a newer format is refused as that") {
  const testing::TempFolder folder;
  SetBytes(folder.path(), "daybook publish journal 2\n");
  CHECK(absl::IsFailedPrecondition(ReadJournal(folder.path()).status()));
  CHECK(absl::IsFailedPrecondition(Journal::Open(folder.path()).status()));
}

TEST_CASE("a journal that has grown is replaced by what it adds up to") {
  const testing::TempFolder folder;
  auto journal = Journal::Open(folder.path());
  REQUIRE_OK(journal);
  REQUIRE_OK(journal->Add(OpenEntry("bus", "d", "", "inc", Position(0))));
  for (std::uint64_t i = 1; i <= 40'000; ++i) {
    REQUIRE_OK(journal->Add(CursorEntry(Position(i), Position(i), "m")));
    if (i % 1000 == 0) REQUIRE_OK(journal->Commit());
  }
  CHECK(BytesOf(folder.path()).size() < (1u << 20));
  CHECK(ReadJournal(folder.path())->line() == Position(40'000));
}

}  // namespace
}  // namespace daybook
