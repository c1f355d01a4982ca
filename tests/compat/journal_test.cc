// The journal of a sink, held to the byte by a file that was written once and by the page that
// describes it: docs/format/publishing.md.

#include "projections/publish/journal.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "compat/describe.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = DAYBOOK_SOURCE_DIR;
const fs::path kGolden = kSource / "tests" / "compat" / "publish-1" / "bus";

// Each with its line feed.
std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line + "\n");
  return lines;
}

// What the page shows, where an arrow stands for a tab.
std::string TextOfPage() {
  std::string text;
  bool inside = false;
  for (const std::string& line : LinesOf(TextOf(kSource / "docs" / "format" / "publishing.md"))) {
    if (line.starts_with("```")) {
      inside = line == "```journal\n";
    } else if (inside) {
      text += absl::StrReplaceAll(line, {{"→", "\t"}});
    }
  }
  return text;
}

void Write(const fs::path& folder, const std::string& journal) {
  fs::create_directories(folder);
  std::ofstream(folder / "JOURNAL", std::ios::binary) << journal;
}

// All of it, as text.
std::string Describe(const SinkState& state) {
  std::string text;
  for (const JournalEntry& entry : state.ToEntries()) {
    text += entry.kind;
    for (const auto& [name, value] : entry.fields.fields()) {
      // Times of `open` and `fail` are not part of the state.
      if (name != "time") text += " " + name + "=" + value;
    }
    text += "\n";
  }
  return text;
}

TEST_CASE("a journal of format 1 says what it said when it was written") {
  const auto state = ReadJournal(kGolden);
  REQUIRE_OK(state);
  CHECK(state->name() == "bus");
  CHECK(state->destination() == "nats://bus:4222/LEDGER");
  CHECK(state->filter() == "category=\"account\"");
  CHECK(state->incarnation() == "0197a5c0-1000-7000-8000-00000000da1c");
  CHECK(state->line() == Position(9));
  CHECK(state->sent() == Position(8));
  CHECK(state->parked_events() == 1);
  const ParkedStream* const parked = state->Find("account-2");
  REQUIRE(parked != nullptr);
  CHECK(parked->letters.begin()->first == 9);
  CHECK_FALSE(parked->letters.begin()->second.failed);
  CHECK(parked->attempts == 0);
  CHECK(parked->due);
  REQUIRE(state->IsSkipped(Position(4)));
  const PublishSkip& skip = state->skips().at(4);
  CHECK(skip.reason == "too large, see ticket 17");
  CHECK(skip.actor == "ada");
  CHECK(skip.time == Timestamp(1'767'262'200'000'000'000));
  REQUIRE(state->replay().has_value());
  CHECK(state->replay()->id == "0197a5c9d2607000");
  CHECK(state->replay()->at == Position(2));
  CHECK(state->replay()->to == Position(3));
}

TEST_CASE("the worked example of the journal's page is the golden journal, and is written so") {
  const std::string golden = TextOf(kGolden / "JOURNAL");
  CHECK(TextOfPage() == golden);
  const std::vector<std::string> lines = LinesOf(golden);
  REQUIRE(lines.size() == 13);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto entry = DecodeJournalEntry(lines[i].substr(0, lines[i].size() - 1));
    REQUIRE_OK(entry);
    CHECK(EncodeJournalEntry(*entry) == lines[i]);
  }
}

TEST_CASE("every beginning of a journal is a state that was") {
  const std::string golden = TextOf(kGolden / "JOURNAL");
  const TempFolder folder;
  SinkState was;
  std::size_t whole = LinesOf(golden)[0].size();
  for (std::size_t bytes = whole; bytes <= golden.size(); ++bytes) {
    if (bytes > whole && golden[bytes - 1] == '\n') {
      const auto entry =
          DecodeJournalEntry(std::string_view(golden).substr(whole, bytes - 1 - whole));
      REQUIRE_OK(entry);
      REQUIRE_OK(was.Apply(*entry));
      whole = bytes;
    }
    Write(folder / "cut", golden.substr(0, bytes));
    const auto read = ReadJournal(folder / "cut");
    REQUIRE_OK(read);
    REQUIRE(Describe(*read) == Describe(was));
  }
}

TEST_CASE("a journal that is opened to be written is replaced by one that says the same") {
  const TempFolder folder;
  Write(folder / "bus", TextOf(kGolden / "JOURNAL"));
  const std::string was = Describe(ReadJournal(folder / "bus").value());
  {
    const auto journal = Journal::Open(folder / "bus");
    REQUIRE_OK(journal);
    CHECK(Describe(journal->state()) == was);
  }
  CHECK(TextOf(folder / "bus" / "JOURNAL") != TextOf(kGolden / "JOURNAL"));
  CHECK(Describe(ReadJournal(folder / "bus").value()) == was);
}

TEST_CASE("one flipped bit is damage before the last line, and cuts off the last one") {
  const std::string golden = TextOf(kGolden / "JOURNAL");
  const std::vector<std::string> lines = LinesOf(golden);
  const std::size_t last_begins = golden.size() - lines.back().size();
  const TempFolder folder;
  for (std::size_t at = lines[0].size(); at < golden.size(); ++at) {
    if (golden[at] == '\n') continue;
    std::string flipped = golden;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    if (flipped[at] == '\n') continue;
    Write(folder / "bus", flipped);
    const auto read = ReadJournal(folder / "bus");
    if (at < last_begins) {
      REQUIRE(absl::IsDataLoss(read.status()));
    } else {
      REQUIRE_OK(read);
      REQUIRE(read->replay()->at == Position(0));
    }
  }
}

}  // namespace
}  // namespace daybook::testing
