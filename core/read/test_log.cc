#include "read/test_log.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

#include "base/checksum.h"
#include "index/active_index.h"
#include "index/links.h"
#include "index/sidecar.h"
#include "log/event_codec.h"
#include "log/format.h"
#include "tests/catch.h"

namespace daybook::testing {
namespace {

constexpr StoreIdentity kIdentity = {{1, 2, 3}, {4, 5, 6}};
constexpr std::uint64_t kSalt = 0x5eed;

std::filesystem::path MakeDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "daybook-read-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  std::filesystem::create_directory(std::filesystem::path(name) / "log");
  return name;
}

template <class T>
void Put(std::vector<std::byte>* bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes->data() + offset, &value, sizeof value);
}

// Appends a record and returns its offset.
std::uint64_t PutRecord(const ModelEvent& event, std::vector<std::byte>* file) {
  const std::vector<std::string_view> tags(event.tags.begin(), event.tags.end());
  BodyFields fields;
  fields.id = event.id;
  fields.effective_at = event.effective_at.value_or(kEffectiveAtAbsent);
  fields.content_type = ContentType::kJson;
  fields.stream = event.stream;
  fields.type = event.type;
  fields.data = AsBytes(event.data);
  fields.tags = tags;
  const std::size_t body_bytes = EncodedBodyBytes(fields);
  const std::size_t offset = file->size();
  file->resize(offset + sizeof(RecordHeader) + body_bytes);
  std::byte* const body = file->data() + offset + sizeof(RecordHeader);
  EncodeBody(fields, body);
  RecordHeader header{};
  header.body_length = static_cast<std::uint32_t>(body_bytes);
  header.header_length = sizeof(RecordHeader);
  header.position = event.position;
  header.version = event.version;
  header.prev = event.prev;
  header.skip = event.skip;
  header.recorded_at = event.recorded_at;
  header.commit_first_position = event.commit_first;
  header.body_hash = Hash64({body, body_bytes});
  header.header_hash = HashOf(header, kSalt);
  Put(file, offset, header);
  return offset;
}

SegmentHeader HeaderOf(std::uint64_t first, std::uint64_t bytes) {
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.format_major = kFormatMajor;
  header.format_minor = kFormatMinor;
  header.header_bytes = sizeof(SegmentHeader);
  header.store_id = kIdentity.store_id;
  header.incarnation = kIdentity.incarnation;
  header.salt = kSalt;
  header.first_position = first;
  header.segment_bytes = bytes;
  header.header_hash = HashOf(header);
  return header;
}

}  // namespace

TestLog::TestLog() : directory_(MakeDirectory()) {}
TestLog::~TestLog() { std::filesystem::remove_all(directory_); }

void TestLog::Add(std::int64_t recorded_at, std::vector<ModelEvent> commit) {
  const std::uint64_t commit_first = head() + 1;
  for (ModelEvent& event : commit) {
    std::vector<std::uint64_t>& positions = streams_[event.stream];
    if (positions.empty()) positions.push_back(0);
    event.position = head() + 1;
    event.version = positions.size();
    event.prev = positions.back();
    event.skip = positions[SkipVersion(event.version)];
    event.recorded_at = recorded_at;
    event.commit_first = commit_first;
    EventId::Bytes id{0x01};
    std::memcpy(id.data() + 8, &event.position, sizeof event.position);
    if (event.id.is_nil()) event.id = EventId(id);
    positions.push_back(event.position);
    events_.push_back(std::move(event));
  }
}

void TestLog::AddRandom(std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  static constexpr const char* kStreams[] = {"cash-1", "cash-2", "cash-3", "bank-1",
                                             "bank-2", "plain",  "x-1-2",  "cash"};
  static constexpr const char* kTypes[] = {"Opened", "Paid", "Paid", "Paid", "Moved", "Closed"};
  static constexpr const char* kTags[] = {"a:1", "a:2", "b:1", "b:2", "c"};
  std::int64_t time = events_.empty() ? 1000 : events_.back().recorded_at;
  while (count > 0) {
    time += 1 + std::int64_t{below(5)};
    std::vector<ModelEvent> commit(std::min<std::size_t>(1 + below(5), count));
    for (ModelEvent& event : commit) {
      event.stream = kStreams[below(3) == 0 ? below(8) : below(2)];
      event.type = kTypes[below(6)];
      for (const char* tag : kTags) {
        if (below(4) == 0) event.tags.emplace_back(tag);
      }
      if (below(2) == 0) event.effective_at = time - 100 + std::int64_t{below(200)};
      event.data = std::string(below(200), 'd');
    }
    count -= commit.size();
    Add(time, std::move(commit));
  }
}

void TestLog::CutSegment() {
  if (cuts_.back() != head() + 1) cuts_.push_back(head() + 1);
}

void TestLog::BuildSegment(std::uint64_t first, std::uint64_t end) {
  std::vector<std::byte> file(kSegmentHeaderBytes);
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t p = first; p < end; ++p) {
    offsets.push_back(PutRecord(events_[p - 1], &file));
  }
  const std::uint64_t end_of_events = file.size();
  file.resize(RoundUp(file.size(), kFrameAlignment));
  Put(&file, 0, HeaderOf(first, file.size()));
  const std::filesystem::path name = directory_ / "log" / SegmentFileName(first);
  std::ofstream(name, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  auto log = LogSegment::Open(directory_, first, kIdentity);
  REQUIRE_OK(log);
  auto made = ActiveIndex::Create(first, file.size(), kRecordBytesMin);
  REQUIRE_OK(made);
  std::shared_ptr<ActiveIndex> index = std::move(*made);
  for (std::uint64_t p = first; p < end; ++p) {
    if (lost_.contains(p)) {
      index->AddLost();
      continue;
    }
    EventView view;
    const std::uint64_t offset = offsets[p - first];
    const ModelEvent& event = events_[p - 1];
    REQUIRE_OK((*log)->ReadEvent(offset, Position(p), &view));
    index->Add({offset, event.version, event.prev, event.skip, event.recorded_at, event.effective(),
                event.stream, StreamHash(event.stream), event.type, event.id},
               view.tags);
  }
  index->Publish();
  std::fstream damaged(name, std::ios::binary | std::ios::in | std::ios::out);
  for (std::uint64_t p = first; p < end; ++p) {
    if (!damaged_.contains(p)) continue;
    // The last byte of the body: the header stays whole.
    const std::uint64_t behind = p + 1 < end ? offsets[p + 1 - first] : end_of_events;
    damaged.seekp(static_cast<std::streamoff>(behind) - 1).put('!');
  }
  damaged.close();
  if (omitted_.contains(first)) return;
  if (!sidecars_) {
    set_->Append(std::make_shared<Segment>(*log, index));
    return;
  }
  const std::filesystem::path path = directory_ / "log" / SidecarFileName(first);
  const SidecarKey key{kIdentity.store_id, kIdentity.incarnation, first, end - first, 7};
  REQUIRE_OK(Sidecar::Write(path, key, *index));
  auto sidecar = Sidecar::Open(path);
  REQUIRE_OK(sidecar);
  set_->Append(std::make_shared<Segment>(
      *log, std::shared_ptr<const Sidecar>(std::move(*sidecar)),
      [index](const LogSegment&) -> absl::StatusOr<std::shared_ptr<const SegmentIndex>> {
        return index;
      }));
}

void TestLog::Build() {
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    BuildSegment(cuts_[i], i + 1 < cuts_.size() ? cuts_[i + 1] : head() + 1);
  }
}

void TestLog::DropSegments() {
  heads_.reset();
  set_.reset();
}

namespace {

bool ModelMatches(const ModelEvent& event, const ReadOptions& o) {
  const auto has_tag = [&](const std::string& t) {
    return std::find(event.tags.begin(), event.tags.end(), t) != event.tags.end();
  };
  return (!o.stream || event.stream == *o.stream) &&
         (!o.category || CategoryOf(event.stream) == *o.category) &&
         (o.types.empty() ||
          std::find(o.types.begin(), o.types.end(), event.type) != o.types.end()) &&
         std::all_of(o.tags.begin(), o.tags.end(), has_tag) && (!o.id || event.id == *o.id) &&
         (!o.from_version || event.version >= o.from_version->value()) &&
         (!o.to_version || event.version <= o.to_version->value()) &&
         (!o.from_position || event.position >= o.from_position->value()) &&
         (!o.to_position || event.position <= o.to_position->value()) &&
         (!o.recorded_from || event.recorded_at >= o.recorded_from->unix_nanoseconds()) &&
         (!o.effective_from || event.effective() >= o.effective_from->unix_nanoseconds()) &&
         (!o.as_of.version || event.version <= o.as_of.version->value()) &&
         (!o.as_of.position || event.position <= o.as_of.position->value()) &&
         (!o.as_of.recorded_at || event.recorded_at <= o.as_of.recorded_at->unix_nanoseconds()) &&
         (!o.as_of.effective_at || event.effective() <= o.as_of.effective_at->unix_nanoseconds());
}

}  // namespace

std::vector<std::uint64_t> ModelRead(const std::vector<ModelEvent>& events,
                                     const ReadOptions& options, std::uint64_t visible) {
  std::vector<std::uint64_t> positions;
  for (const ModelEvent& event : events) {
    if (event.position <= visible && ModelMatches(event, options)) {
      positions.push_back(event.position);
    }
  }
  if (options.direction == Direction::kBackwards) std::reverse(positions.begin(), positions.end());
  if (positions.size() > options.limit) positions.resize(options.limit);
  return positions;
}

std::vector<std::uint64_t> Drain(const TestLog& log, absl::StatusOr<Cursor> cursor) {
  REQUIRE_OK(cursor);
  std::vector<std::uint64_t> positions;
  const absl::Status status = cursor->ForEach([&](const EventView& event) {
    positions.push_back(event.position.value());
    const ModelEvent& model = log.events()[event.position.value() - 1];
    const std::vector<std::string> tags(event.tags.begin(), event.tags.end());
    if (event.stream != model.stream || event.type != model.type || tags != model.tags ||
        AsText(event.data) != model.data || event.version.value() != model.version ||
        event.id != model.id) {
      return absl::InternalError("not the event of the model");
    }
    return absl::OkStatus();
  });
  REQUIRE_OK(status);
  return positions;
}

Outcome DrainWithErrors(absl::StatusOr<Cursor> cursor) {
  Outcome outcome;
  outcome.status = cursor.status();
  if (!cursor.ok()) return outcome;
  outcome.status = cursor->ForEach([&](const EventView& event) {
    outcome.positions.push_back(event.position.value());
    return absl::OkStatus();
  });
  outcome.damaged = cursor->damaged();
  return outcome;
}

}  // namespace daybook::testing
