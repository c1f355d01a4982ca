#include "store/verify_events.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "log/event_codec.h"

namespace daybook {
namespace {

constexpr std::size_t kFindingsMax = 1000;  // of a kind: what comes after says nothing new

Finding EventFinding(const char* kind, const LogSegment& segment, std::uint64_t offset,
                     std::uint64_t position, std::string_view what) {
  return {.kind = kind,
          .file = segment.name(),
          .offset = offset,
          .first_position = Position(position),
          .last_position = Position(position),
          .hint = absl::StrCat(ToAbsl(what),
                               "; it was written so: restore a backup from before, and report it")};
}

bool AreSorted(const TagList& tags) {
  for (std::size_t i = 1; i < tags.size(); ++i) {
    if (tags[i - 1] >= tags[i]) return false;
  }
  return true;
}

}  // namespace

void EventsCheck::CheckBody(const LogSegment& segment, std::uint64_t offset,
                            const RecordHeader& record, const EventView& event) {
  const auto body = segment.bytes().subspan(offset + sizeof(RecordHeader), record.body_length);
  std::string what;
  if (Hash64(body) != record.body_hash) {
    what = "the hash of the event's body is wrong";
  } else if (const absl::Status second = CheckBodyWithLibrary(body, event); !second.ok()) {
    what = std::string(second.message());
  } else if (!AreSorted(event.tags)) {
    what = "the tags of the event are not in order";
  } else if (event.stream.empty() || event.type.empty() || event.id.is_nil()) {
    what = "the event has no stream, type or id";
  }
  if (what.empty() || check_->events.size() >= kFindingsMax) return;
  check_->events.push_back(EventFinding("record", segment, offset, record.position, what));
}

bool EventsCheck::IsLost(std::uint64_t position) const {
  const auto behind =
      std::upper_bound(lost_.begin(), lost_.end(), position,
                       [](std::uint64_t p, const PositionSpan& range) { return p < range.first; });
  return behind != lost_.begin() && position <= behind[-1].last;
}

const char* EventsCheck::CheckLinks(const RecordHeader& record, StreamState* stream) {
  const std::uint64_t version = stream->spine.version();
  const std::uint64_t head = stream->spine.position();
  if (record.version == version + 1 && record.prev == head) {
    const std::uint64_t skip = stream->spine.Append(record.position);
    // Behind a loss the spine has a gap, and what it says of skips holds no more.
    if (stream->beyond_loss || skip == record.skip) return nullptr;
    return "the event's skip does not name what the jump rule says";
  }
  const bool over_loss = record.version > version + 1 && record.prev > head && IsLost(record.prev);
  Spine spine;
  spine.Push({record.version, record.position});
  stream->spine = spine;
  stream->beyond_loss = true;
  if (over_loss) return nullptr;
  return record.prev == head ? "the event's version does not follow the one before it"
                             : "the event's prev does not name the event before it in its stream";
}

void EventsCheck::OnEvent(const LogSegment& segment, std::uint64_t offset,
                          const RecordHeader& record, const EventView& event) {
  if (heads_ != nullptr && !heads_checked_ && record.position > heads_->applied()) {
    heads_->Check(streams_, !lost_.empty());
    heads_checked_ = true;
  }
  CheckBody(segment, offset, record, event);
  auto found = streams_.find(ToAbsl(event.stream));
  if (found == streams_.end()) found = streams_.try_emplace(std::string(event.stream)).first;
  StreamState& stream = found->second;
  if (const char* what = CheckLinks(record, &stream);
      what != nullptr && check_->events.size() < kFindingsMax) {
    check_->events.push_back(EventFinding("link", segment, offset, record.position, what));
  }
  std::copy_backward(stream.last.begin(), stream.last.end() - 1, stream.last.end());
  stream.last.front() = record.position;
  const std::int64_t effective_at = event.effective_at().unix_nanoseconds();
  stream.effective_min = std::min(stream.effective_min, effective_at);
  stream.effective_max = std::max(stream.effective_max, effective_at);
  if (event.stream == kStoreStream && event.type == kLossAcceptedType) {
    if (auto loss = ParseAcceptedLoss(AsText(event.data))) {
      loss->recorded_position = record.position;
      check_->losses.push_back(*std::move(loss));
    }
  }
  if (sidecars_ != nullptr) sidecars_->Add(offset, record, event);
}

void EventsCheck::OnLost(PositionSpan positions) {
  if (heads_ != nullptr && !heads_checked_ && positions.first > heads_->applied()) {
    heads_->Check(streams_, !lost_.empty());
    heads_checked_ = true;
  }
  if (sidecars_ != nullptr) sidecars_->Lose(positions);
  lost_.push_back(positions);
}

void EventsCheck::Finish() {
  if (heads_ == nullptr) return;
  // An index that knows more than the log is a witness against the log, and was heard as that.
  if (!heads_checked_ && heads_->applied() < check_->walk.next_position) {
    heads_->Check(streams_, !lost_.empty());
  }
  heads_->CheckCatalogue(check_->picture, check_->walk);
}

}  // namespace daybook
