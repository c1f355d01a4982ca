// The worked example of docs/format/log.md, held to the byte: the engine reads the bytes of the
// page as the events that it names, and writes the same bytes when it appends them.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "daybook/store.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

std::string TextOf(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The files that the page lists, by name.
std::map<std::string, std::string> FilesOfPage() {
  std::map<std::string, std::string> files;
  std::istringstream page(TextOf(fs::path(DAYBOOK_SOURCE_DIR) / "docs" / "format" / "log.md"));
  const std::regex head(R"(^# (\S+): (\d+) bytes$)");
  const std::regex row(R"(^([0-9a-f]{8})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  .*|)$)");
  std::string* file = nullptr;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    std::smatch match;
    if (line.starts_with("```")) {
      inside = line == "```hexdump";
    } else if (inside && std::regex_match(line, match, head)) {
      file = &files[match[1]];
      file->assign(std::stoul(match[2]), '\0');
    } else if (inside && std::regex_match(line, match, row)) {
      const std::size_t at = std::stoul(match[1], nullptr, 16);
      std::istringstream bytes(match[2]);
      std::size_t i = 0;
      for (std::string byte; bytes >> byte; ++i) {
        file->at(at + i) = static_cast<char>(std::stoul(byte, nullptr, 16));
      }
    }
  }
  return files;
}

void Write(const fs::path& store, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) {
    fs::create_directories((store / name).parent_path());
    std::ofstream(store / name, std::ios::binary) << bytes;
  }
}

const std::string kLog = "log/00000000000000000001.log";

struct Owned {
  std::string stream, type, data, metadata;
  std::vector<std::string> tags;
  EventId id;
  std::optional<Timestamp> effective_at;
  Timestamp recorded_at;
};

std::vector<Owned> EventsOf(const fs::path& store) {
  std::vector<Owned> events;
  const auto reader = Reader::Open(store, {});
  REQUIRE_OK(reader);
  auto cursor = (*reader)->Read({});
  REQUIRE_OK(cursor);
  REQUIRE_OK(cursor->ForEach([&events](const EventView& e) {
    events.push_back({std::string(e.stream),
                      std::string(e.type),
                      std::string(AsText(e.data)),
                      std::string(e.metadata),
                      {e.tags.begin(), e.tags.end()},
                      e.id,
                      e.effective_at_given,
                      e.recorded_at});
    return absl::OkStatus();
  }));
  return events;
}

TEST_CASE("the worked example of the format is what the engine reads and writes") {
  const auto files = FilesOfPage();
  REQUIRE(files.size() == 2);
  const TempFolder folder;
  Write(folder / "read", files);
  const std::vector<Owned> events = EventsOf(folder / "read");
  REQUIRE(events.size() == 3);
  CHECK(events[0].type == "Debited");
  CHECK(events[2].tags.size() == 1);
  REQUIRE(events[0].recorded_at == events[1].recorded_at);

  // The same store before its first event: its ids, its salt and its time of creation are those of
  // the page.
  auto empty = files;
  std::string& log = empty.at(kLog);
  std::fill(log.begin() + 4096, log.end(), '\0');
  Write(folder / "written", empty);
  Timestamp now = events[0].recorded_at;
  StoreOptions options;
  options.segment_bytes_max = 16384;
  options.clock = [&now] { return now; };
  {
    auto store = Store::Open(folder / "written", options);
    REQUIRE_OK(store);
    for (const auto& [first, last] : {std::pair{0, 1}, std::pair{2, 2}}) {
      Commit commit;
      for (int i = first; i <= last; ++i) {
        const Owned& e = events[static_cast<std::size_t>(i)];
        NewEvent event{.type = e.type, .data = AsBytes(e.data), .metadata = e.metadata};
        event.tags.assign(e.tags.begin(), e.tags.end());
        event.effective_at = e.effective_at;
        event.id = e.id;
        REQUIRE_OK(commit.Add(e.stream, event));
      }
      now = events[static_cast<std::size_t>(first)].recorded_at;
      REQUIRE_OK((*store)->Append(commit));
    }
  }
  const std::string written = TextOf(folder.path() / "written" / kLog);
  const std::string& page = files.at(kLog);
  REQUIRE(written.size() == page.size());
  const auto differ = std::mismatch(written.begin(), written.end(), page.begin());
  INFO("first difference at offset " << differ.first - written.begin());
  CHECK(written == page);
}

}  // namespace
}  // namespace daybook::testing
