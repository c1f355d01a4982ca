#include "crash/crashed_store.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "io/wake_page.h"
#include "log/frame.h"
#include "store/opening.h"
#include "tests/catch.h"
#include "tests/child.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

absl::Status AppendOne(Store* store, std::uint64_t position, std::size_t bytes) {
  const std::string data = DataOfEvent(position, bytes);
  NewEvent event;
  event.type = "Happened";
  event.data = AsBytes(data);
  return store->Append(StreamOfEvent(position), ExpectedVersion::Any(), {event}).status();
}

}  // namespace

std::string StreamOfEvent(std::uint64_t position) { return "s-" + std::to_string(position % 3); }

std::string DataOfEvent(std::uint64_t position, std::size_t bytes) {
  std::string data = "event " + std::to_string(position) + " ";
  while (data.size() < bytes) data += static_cast<char>('a' + (position + data.size()) % 26);
  return data;
}

CrashedStore::CrashedStore(const Plan& plan) : plan_(plan) {
  // The idle mark may come between the last append and the kill; then once more.
  for (int attempt = 0; attempt < 20; ++attempt) {
    fs::remove_all(path());
    Make();
    const auto found = frames(segments().back());
    if (plan_.close || (!found.empty() && found.back().kind == FrameKind::kData)) return;
  }
  FAIL("the writer could not be killed before it was idle");
}

void CrashedStore::Make() const {
  const absl::Status status = InChild([this]() -> absl::Status {
    StoreOptions options;
    options.segment_bytes_max = plan_.segment_bytes_max;
    const auto store = Store::Open(path(), options);
    DAYBOOK_EXPECT_OK(store);
    for (std::uint64_t position = 1; position <= plan_.events; ++position) {
      // The index follows before the last append, so that nothing is half done at the kill.
      if (position == plan_.events) DAYBOOK_EXPECT_OK((*store)->WaitIndexed());
      DAYBOOK_EXPECT_OK(AppendOne(store->get(), position, plan_.data_bytes));
    }
    if (!plan_.close) kill(getpid(), SIGKILL);
    return absl::OkStatus();
  });
  if (plan_.close) {
    REQUIRE_OK(status);
  } else {
    REQUIRE(status.code() == absl::StatusCode::kCancelled);
  }
}

fs::path CrashedStore::log(std::uint64_t first_position) const {
  return path() / "log" / SegmentFileName(first_position);
}

std::vector<std::uint64_t> CrashedStore::segments() const {
  const auto segments = ListSegments(path());
  REQUIRE_OK(segments);
  return *segments;
}

SegmentHeader CrashedStore::header(std::uint64_t segment) const {
  SegmentHeader header;
  const std::string bytes = Get(segment, 0, sizeof header);
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

std::vector<FrameAt> CrashedStore::frames(std::uint64_t segment) const {
  const std::string text = ReadAll(log(segment));
  std::vector<std::uint64_t> words(text.size() / 8);
  std::memcpy(words.data(), text.data(), words.size() * 8);
  FrameScanner scanner(std::as_bytes(std::span(words)), header(segment));
  std::vector<FrameAt> found;
  while (scanner.Next() == FrameScanner::Result::kFrame) {
    found.push_back({scanner.frame_offset(), scanner.offset(),
                     static_cast<FrameKind>(scanner.frame().kind), scanner.frame().first_position,
                     scanner.frame().events});
  }
  return found;
}

std::string CrashedStore::Get(std::uint64_t segment, std::uint64_t offset,
                              std::uint64_t bytes) const {
  std::ifstream in(log(segment), std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  std::string text(bytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  REQUIRE(in.good());
  return text;
}

void CrashedStore::Put(std::uint64_t segment, std::uint64_t offset,
                       const std::string& bytes) const {
  std::fstream out(log(segment), std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(offset));
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.good());
}

void CrashedStore::Zero(std::uint64_t segment, std::uint64_t begin, std::uint64_t end) const {
  Put(segment, begin, std::string(end - begin, '\0'));
}

void CrashedStore::Flip(std::uint64_t segment, std::uint64_t offset) const {
  std::string byte = Get(segment, offset, 1);
  byte[0] = static_cast<char>(byte[0] ^ 0x10);
  Put(segment, offset, byte);
}

void CrashedStore::SetWake(std::uint64_t position) const {
  RemoveWake();
  REQUIRE_OK(WakeWriter::Create(path() / "WAKE", header(segments().front()).store_id, 1,
                                Position(position)));
}

void CrashedStore::RemoveWake() const { fs::remove(path() / "WAKE"); }
void CrashedStore::RemoveIndex() const { fs::remove_all(path() / "index"); }

void CrashedStore::RemoveSidecars() const {
  for (const auto& file : fs::directory_iterator(path() / "log")) {
    if (file.path().extension() == ".idx") fs::remove(file.path());
  }
}

std::map<std::string, std::string> CrashedStore::Contents() const {
  std::map<std::string, std::string> contents;
  for (const char* folder : {"", "log"}) {
    for (const auto& file : fs::directory_iterator(path() / folder)) {
      const fs::path& name = file.path();
      if (file.is_regular_file() && name.extension() != ".idx" && name.filename() != "LOCK") {
        contents[name.native()] = ReadAll(name);
      }
    }
  }
  return contents;
}

std::string CrashedStore::Check(const Reader& reader, std::uint64_t events, End end) {
  std::uint64_t position = 0;
  std::map<std::string, std::uint64_t> versions;
  auto cursor = reader.Read({});
  if (!cursor.ok()) return cursor.status().ToString();
  const absl::Status status = cursor->ForEach([&](const EventView& event) -> absl::Status {
    ++position;
    const std::string stream = StreamOfEvent(position);
    DAYBOOK_EXPECT(event.position.value() == position);
    DAYBOOK_EXPECT(event.stream == stream);
    DAYBOOK_EXPECT(event.version.value() == ++versions[stream]);
    DAYBOOK_EXPECT(AsText(event.data) == DataOfEvent(position, event.data.size()));
    return absl::OkStatus();
  });
  if (end == End::kWhole && !status.ok()) return status.ToString();
  if (end == End::kDamage && !absl::IsDataLoss(status)) return "the damage is not told";
  if (position != events) {
    return std::to_string(position) + " events instead of " + std::to_string(events);
  }
  return "";
}

std::string CrashedStore::GoesOnAfter(std::uint64_t events, std::string* notices) const {
  for (const bool first : {true, false}) {
    StoreOptions options;
    options.segment_bytes_max = plan_.segment_bytes_max;
    options.on_notice = [&](const Notice& notice) {
      if (first) *notices += notice.message + "\n";
    };
    const auto store = Store::Open(path(), options);
    if (!store.ok()) return store.status().ToString();
    if (std::string what = Check(**store, events); !what.empty()) return what;
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = AppendOne(store->get(), ++events, plan_.data_bytes);
      if (!status.ok()) return status.ToString();
    }
  }
  const auto report = Verify(path(), {});
  if (!report.ok()) return report.status().ToString();
  for (const Finding& finding : report->findings) return finding.file + ": " + finding.hint;
  if (report->positions != events) return "verified " + std::to_string(report->positions);
  const auto reader = Reader::Open(path(), {});
  if (!reader.ok()) return reader.status().ToString();
  return Check(**reader, events);
}

}  // namespace daybook::testing
