#include "append/commit.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/status.h"
#include "index/segment_index.h"
#include "log/event_codec.h"

namespace daybook {
namespace {

absl::Status TooLarge(const char* what, std::uint64_t size, std::uint64_t limit,
                      const char* advice) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has ", size, " bytes, the limit is ", limit, "; ", advice));
}

absl::Status ValidateTags(std::span<const std::string_view> tags) {
  for (std::size_t i = 0; i < tags.size(); ++i) {
    DAYBOOK_RETURN_IF_ERROR(ValidateName("tag", tags[i]));
    if (i > 0 && tags[i] == tags[i - 1]) {
      return absl::InvalidArgumentError(
          absl::StrCat("the tag '", ToAbsl(tags[i]), "' is given twice for one event"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateEvent(const NewEvent& event) {
  DAYBOOK_RETURN_IF_ERROR(ValidateName("type", event.type));
  if (event.id && event.id->is_nil()) {
    return absl::InvalidArgumentError("the event id is nil; leave it out to have one made");
  }
  if (event.effective_at && *event.effective_at < Timestamp::Min()) {
    return absl::InvalidArgumentError("effective_at is out of range: the years 1677 to 2262");
  }
  if (event.metadata.size() > kMetadataBytesMax) {
    return TooLarge("the metadata", event.metadata.size(), kMetadataBytesMax,
                    "keep what is large in the data");
  }
  if (!IsValidUtf8(event.metadata)) {
    return absl::InvalidArgumentError("the metadata is not UTF-8");
  }
  const bool has_text = !event.content_type_text.empty();
  if (has_text != (event.content_type == ContentType::kText)) {
    return absl::InvalidArgumentError(
        "content_type_text goes with ContentType::kText, and kText with content_type_text");
  }
  if (has_text) DAYBOOK_RETURN_IF_ERROR(ValidateName("content type", event.content_type_text));
  return absl::OkStatus();
}

}  // namespace

Commit::Commit() : impl_(std::make_unique<Impl>()) {}
Commit::~Commit() = default;
Commit::Commit(Commit&& other) noexcept : impl_(std::move(other.impl_)) {}
Commit& Commit::operator=(Commit&& other) noexcept {
  impl_ = std::move(other.impl_);
  return *this;
}
absl::Status Commit::Add(std::string_view stream, const NewEvent& event) {
  return impl_->Add(stream, event);
}
absl::Status Commit::Expect(std::string_view stream, ExpectedVersion expected) {
  return impl_->Expect(stream, expected);
}
absl::Status Commit::Require(AppendCondition condition) {
  return impl_->Require(std::move(condition));
}
std::size_t Commit::events() const { return impl_->events.size(); }
std::size_t Commit::encoded_bytes() const { return impl_->bytes().size(); }
EventId Commit::id(std::size_t index) const { return impl_->events[index].id; }
void Commit::Clear() { impl_->Clear(); }
void Commit::Adopt(std::unique_ptr<Impl> impl) { impl_ = std::move(impl); }
std::unique_ptr<Commit::Impl> Commit::Release() {
  return std::exchange(impl_, std::make_unique<Impl>());
}

void Commit::Impl::Clear() {
  events.clear();
  streams.clear();
  conditions.clear();
  names_.release();
  // clear() would give the room back, to be asked for again by the next commit.
  stream_of_hash_.erase(stream_of_hash_.begin(), stream_of_hash_.end());
  given_ids_.erase(given_ids_.begin(), given_ids_.end());
  tried = false;
  Reserve(sizeof(CommitHeader));
  size_ = sizeof(CommitHeader);
  std::memset(data(), 0, size_);
}

void Commit::Impl::Reserve(std::size_t bytes) {
  if (bytes <= capacity_) return;
  const std::size_t capacity = RoundUp(std::max({bytes, capacity_ * 2, std::size_t{512}}), 8);
  auto words = std::make_unique_for_overwrite<std::uint64_t[]>(capacity / 8);
  if (size_ > 0) std::memcpy(words.get(), words_.get(), size_);
  words_ = std::move(words);
  capacity_ = capacity;
}

std::uint32_t Commit::Impl::StreamIndex(std::string_view name) {
  const std::uint64_t hash = StreamHash(name);
  const auto [at, inserted] =
      stream_of_hash_.try_emplace(hash, static_cast<std::uint32_t>(streams.size()));
  if (!inserted) {
    for (std::uint32_t i = at->second; i < streams.size(); ++i) {
      if (streams[i].hash == hash && streams[i].name == name) return i;
    }
  }
  auto* const copy = static_cast<char*>(names_.allocate(name.size(), alignof(char)));
  std::memcpy(copy, name.data(), name.size());
  Stream& stream = streams.emplace_back();
  stream.name = {copy, name.size()};
  stream.hash = hash;
  return static_cast<std::uint32_t>(streams.size() - 1);
}

bool Commit::Impl::Holds(std::uint32_t stream, const EventId& id) const {
  return std::any_of(events.begin(), events.end(),
                     [&](const Event& event) { return event.stream == stream && event.id == id; });
}

absl::Status Commit::Impl::Add(std::string_view stream, const NewEvent& event, SystemNames system) {
  DAYBOOK_RETURN_IF_ERROR(ValidateStreamName(stream, system));
  DAYBOOK_RETURN_IF_ERROR(ValidateEvent(event));
  if (event.tags.size() > kTagsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the event has ", event.tags.size(), " tags, the limit is ", kTagsMax));
  }
  std::array<std::string_view, kTagsMax> tags;
  const std::size_t tag_count = event.tags.size();
  std::copy_n(event.tags.begin(), tag_count, tags.begin());
  std::sort(tags.begin(), tags.begin() + tag_count);
  DAYBOOK_RETURN_IF_ERROR(ValidateTags({tags.data(), tag_count}));
  if (events.size() >= kCommitEventsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the commit has ", kCommitEventsMax, " events already, which is the limit"));
  }
  const BodyFields fields{.id = event.id ? *event.id : EventId::NewV7(),
                          .effective_at = event.effective_at
                                              ? event.effective_at->unix_nanoseconds()
                                              : kEffectiveAtAbsent,
                          .content_type = event.content_type,
                          .stream = stream,
                          .type = event.type,
                          .data = event.data,
                          .metadata = event.metadata,
                          .tags = {tags.data(), tag_count},
                          .content_type_text = event.content_type_text};
  const std::size_t body_bytes = EncodedBodyBytes(fields);
  const std::size_t record_bytes = sizeof(RecordHeader) + body_bytes;
  if (record_bytes > kEventBytesMax) {
    return TooLarge("the event", record_bytes, kEventBytesMax,
                    "keep large content elsewhere and its hash here");
  }
  if (size_ + record_bytes > kCommitBytesMax) {
    return TooLarge("the commit", size_ + record_bytes, kCommitBytesMax,
                    "append it in several commits");
  }
  // The last that can be refused: the id is in the commit, so its stream is too, and nothing was
  // added for it.
  const std::uint32_t index = StreamIndex(stream);
  if (event.id && !given_ids_.insert(IdHash(streams[index].hash, *event.id)).second &&
      Holds(index, *event.id)) {
    return absl::InvalidArgumentError(absl::StrCat("the event id ", event.id->ToString(),
                                                   " stands twice in the commit, in stream '",
                                                   ToAbsl(stream), "'"));
  }
  Reserve(size_ + record_bytes);
  std::byte* const body = data() + size_ + sizeof(RecordHeader);
  EncodeBody(fields, body);
  RecordHeader header{};
  header.body_length = static_cast<std::uint32_t>(body_bytes);
  header.header_length = sizeof(RecordHeader);
  header.body_hash = Hash64({body, body_bytes});
  std::memcpy(data() + size_, &header, sizeof header);
  ++streams[index].events;
  events.push_back({size_, index, event.id.has_value(), fields.id});
  size_ += record_bytes;
  return absl::OkStatus();
}

absl::Status Commit::Impl::Expect(std::string_view stream, ExpectedVersion expected) {
  DAYBOOK_RETURN_IF_ERROR(ValidateStreamName(stream));
  streams[StreamIndex(stream)].expected = expected;
  return absl::OkStatus();
}

absl::Status Commit::Impl::Require(AppendCondition condition) {
  for (const QueryItem& item : condition.fail_if_match) {
    for (const std::string& type : item.types) DAYBOOK_RETURN_IF_ERROR(ValidateName("type", type));
    for (const std::string& tag : item.tags) DAYBOOK_RETURN_IF_ERROR(ValidateName("tag", tag));
  }
  conditions.push_back(std::move(condition));
  return absl::OkStatus();
}

EventView Commit::Impl::Decode(const Event& event) const {
  EventView view;
  const RecordHeader& header = record(event);
  const char* problem =
      DecodeBody({data() + event.offset + sizeof(RecordHeader), header.body_length}, &view);
  DAYBOOK_CHECK(problem == nullptr);
  return view;
}

std::unique_ptr<Commit::Impl> Commit::Impl::Select(const std::vector<bool>& keep) const {
  auto selected = std::make_unique<Impl>();
  selected->conditions = conditions;
  selected->tried = tried;
  for (const Stream& stream : streams) {
    selected->streams[selected->StreamIndex(stream.name)].expected = stream.expected;
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!keep[i]) continue;
    const std::size_t bytes = sizeof(RecordHeader) + record(events[i]).body_length;
    selected->Reserve(selected->size_ + bytes);
    std::memcpy(selected->data() + selected->size_, data() + events[i].offset, bytes);
    Event event = events[i];
    event.offset = selected->size_;
    ++selected->streams[event.stream].events;
    selected->events.push_back(event);
    selected->size_ += bytes;
  }
  return selected;
}

}  // namespace daybook
