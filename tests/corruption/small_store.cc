#include "tests/corruption/small_store.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "log/frame.h"
#include "log/segment.h"
#include "store/store_file.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

// Without shortening a file on the way: a mapping of it may live.
void Overwrite(const std::filesystem::path& path, std::uint64_t offset, const std::string& bytes) {
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  REQUIRE(out.is_open());
  out.seekp(static_cast<std::streamoff>(offset));
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string AllOf(const EventView& event) {
  std::string text = absl::StrCat(
      event.position.value(), " ", ToAbsl(event.stream), " ", event.version.value(), " ",
      ToAbsl(event.type), " ", event.id.ToString(), " ", event.recorded_at.ToString(), " ",
      event.effective_at().ToString(), " ", event.commit_first_position.value(), " ",
      ToAbsl(event.metadata), " ", ToAbsl(AsText(event.data)));
  for (const std::string_view tag : event.tags) absl::StrAppend(&text, " ", ToAbsl(tag));
  return text;
}

}  // namespace

EventsRead ReadEvents(const std::filesystem::path& directory) {
  EventsRead read;
  const auto reader = Reader::Open(directory, {});
  read.status = reader.status();
  if (!reader.ok()) return read;
  const std::uint64_t head = (*reader)->visible().value();
  for (std::uint64_t position = 1; position <= head; ++position) {
    const auto event = (*reader)->EventAt(Position(position));
    if (event.ok()) {
      read.events[position] = AllOf(**event);
    } else {
      CHECK(absl::IsDataLoss(event.status()));
      read.damaged.push_back(position);
    }
  }
  return read;
}

SmallStore::SmallStore(const SmallStoreOptions& options) : path_(folder_ / "store") {
  StoreOptions store_options;
  store_options.segment_bytes_max = options.segment_bytes;
  {
    auto store = Store::Open(path_, store_options);
    REQUIRE_OK(store);
    REQUIRE_OK(FillSmallStore(**store, options));
    REQUIRE_OK((*store)->WaitIndexed());
  }
  tree_ = ReadTree(path_);
  events_ = ReadEvents(path_);
  REQUIRE_OK(events_.status);
  REQUIRE(events_.damaged.empty());
  FindRecords();
}

void SmallStore::FindRecords() {
  const auto header = ReadStoreFile(path_);
  REQUIRE_OK(header);
  for (const auto& entry : tree_) {
    const std::string& name = entry.first;
    if (!IsLogFile(name)) continue;
    segments_.push_back(name);
    const auto log =
        LogSegment::Open(path_, FirstPositionOf(std::filesystem::path(name).filename().string()),
                         IdentityOf(*header));
    REQUIRE_OK(log);
    FrameScanner scanner((*log)->bytes(), (*log)->header());
    std::int64_t recorded_at = INT64_MIN;
    while (scanner.Next() == FrameScanner::Result::kFrame) {
      const char* problem = WalkFrame(
          **log, scanner.frame(), &recorded_at,
          [&](std::uint64_t offset, const RecordHeader& record, const EventView&) {
            records_.push_back({name, offset, offset + sizeof(RecordHeader) + record.body_length,
                                record.position});
          });
      REQUIRE(problem == nullptr);
    }
  }
}

const RecordPlace& SmallStore::record(std::uint64_t position) const {
  return records_.at(position - 1);
}

std::optional<std::uint64_t> SmallStore::PositionAt(const std::string& file,
                                                    std::uint64_t offset) const {
  for (const RecordPlace& record : records_) {
    if (record.file == file && record.begin <= offset && offset < record.end) {
      return record.position;
    }
  }
  return std::nullopt;
}

void SmallStore::Flip(const std::string& file, std::uint64_t offset, unsigned bit) const {
  std::fstream in(path_ / file, std::ios::binary | std::ios::in);
  in.seekg(static_cast<std::streamoff>(offset));
  const int byte = in.get();
  REQUIRE(byte >= 0);
  Overwrite(path_ / file, offset, std::string(1, static_cast<char>(byte ^ (1 << bit))));
}

void SmallStore::Write(const std::string& file, std::uint64_t offset,
                       const std::string& bytes) const {
  Overwrite(path_ / file, offset, bytes);
}

void SmallStore::Zero(const std::string& file, std::uint64_t offset, std::uint64_t bytes) const {
  Overwrite(path_ / file, offset, std::string(bytes, '\0'));
}

void SmallStore::Truncate(const std::string& file, std::uint64_t bytes) const {
  std::filesystem::resize_file(path_ / file, bytes);
}

void SmallStore::Remove(const std::string& file) const { std::filesystem::remove(path_ / file); }

absl::StatusOr<std::uint64_t> AppendOne(const std::filesystem::path& directory) {
  StoreOptions options;
  options.create = StoreOptions::Create::kNever;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  DAYBOOK_ASSIGN_OR_RETURN(const auto store, Store::Open(directory, options));
  DAYBOOK_ASSIGN_OR_RETURN(
      const AppendResult result,
      store->Append("later-1", ExpectedVersion::Any(), {{.type = "Later", .data = AsBytes("{}")}}));
  return result.last_position.value();
}

}  // namespace daybook::testing
