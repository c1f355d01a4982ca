#include "store/store_testing.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include "base/status.h"
#include "log/format.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

template <class Header>
void Rewrite(const fs::path& file, std::size_t offset, std::uint8_t value) {
  Header header;
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.read(reinterpret_cast<char*>(&header), sizeof header);
  reinterpret_cast<std::uint8_t*>(&header)[offset] = value;
  header.header_hash = HashOf(header);
  stream.seekp(0);
  stream.write(reinterpret_cast<const char*>(&header), sizeof header);
  REQUIRE(stream.good());
}

}  // namespace

NewEvent EventOf(std::string_view data) {
  NewEvent event;
  event.type = "Happened";
  event.data = AsBytes(data);
  return event;
}

absl::StatusOr<AppendResult> AppendText(Store* store, std::string_view stream,
                                        std::string_view data) {
  return store->Append(stream, ExpectedVersion::Any(), {EventOf(data)});
}

std::string Describe(const EventView& event) {
  std::string text = std::to_string(event.position.value()) + " " +
                     std::to_string(event.version.value()) + " " + std::string(event.stream) + " " +
                     std::string(event.type) + " " + event.id.ToString() + " " +
                     event.recorded_at.ToString() + " " + event.effective_at().ToString() + " " +
                     std::to_string(event.commit_first_position.value()) + " " +
                     std::string(event.metadata) + " " + std::string(AsText(event.data));
  for (const std::string_view tag : event.tags) text += " " + std::string(tag);
  return text;
}

absl::StatusOr<std::vector<std::string>> ReadAll(const Reader& reader, const ReadOptions& options) {
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader.Read(options));
  std::vector<std::string> events;
  DAYBOOK_RETURN_IF_ERROR(cursor.ForEach([&events](const EventView& event) {
    events.push_back(Describe(event));
    return absl::OkStatus();
  }));
  return events;
}

absl::StatusOr<std::vector<std::string>> AllAnswers(const Reader& reader) {
  std::vector<std::string> answers;
  const auto ask = [&](const ReadOptions& options) -> absl::Status {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> events, ReadAll(reader, options));
    answers.push_back("--");
    answers.insert(answers.end(), events.begin(), events.end());
    return absl::OkStatus();
  };
  DAYBOOK_RETURN_IF_ERROR(ask({}));
  DAYBOOK_RETURN_IF_ERROR(ask({.direction = Direction::kBackwards}));
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<StreamInfo> streams, reader.Streams({}));
  for (const StreamInfo& stream : streams) {
    answers.push_back(stream.stream + " " + std::to_string(stream.version.value()) + " " +
                      std::to_string(stream.first_position.value()) + " " +
                      std::to_string(stream.last_position.value()));
    DAYBOOK_RETURN_IF_ERROR(ask({.stream = stream.stream}));
    DAYBOOK_ASSIGN_OR_RETURN(
        const EventHandle last,
        reader.EventAt(stream.stream, Version(stream.version.value() / 2 + 1)));
    answers.push_back(Describe(*last));
    DAYBOOK_RETURN_IF_ERROR(ask({.id = last->id}));
    DAYBOOK_RETURN_IF_ERROR(ask({.as_of = AsOf::RecordedAt(last->recorded_at)}));
  }
  DAYBOOK_RETURN_IF_ERROR(ask({.types = {"Happened"}}));
  for (int tag = 0; tag < 5; ++tag) {
    DAYBOOK_RETURN_IF_ERROR(ask({.tags = {"tag:" + std::to_string(tag)}}));
  }
  return answers;
}

std::vector<fs::path> FilesOf(const fs::path& store, std::string_view extension) {
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(store / "log")) {
    if (file.path().extension() == extension) files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::map<std::string, std::string> Contents(const fs::path& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    std::string& bytes = contents[file.path().native()];
    if (!file.is_regular_file()) continue;
    std::ifstream in(file.path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  return contents;
}

void FlipByte(const fs::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(offset));
  const int byte = stream.get();
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(static_cast<char>(byte ^ 0x20));
  REQUIRE(stream.good());
}

void RewriteStoreHeader(const fs::path& store, std::size_t offset, std::uint8_t value) {
  Rewrite<StoreHeader>(store / "STORE", offset, value);
}
void RewriteSegmentHeader(const fs::path& segment, std::size_t offset, std::uint8_t value) {
  Rewrite<SegmentHeader>(segment, offset, value);
}

}  // namespace daybook::testing
