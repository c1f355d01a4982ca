#include "append/sequencer.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "log/event_codec.h"

namespace daybook {
namespace {

// Whether an event is what one of the items asks for; no item asks for every event.
bool Matches(const AppendCondition& condition, const EventView& event) {
  if (condition.fail_if_match.empty()) return true;
  return std::any_of(
      condition.fail_if_match.begin(), condition.fail_if_match.end(), [&](const QueryItem& item) {
        const bool type = item.types.empty() || std::find(item.types.begin(), item.types.end(),
                                                          event.type) != item.types.end();
        return type && std::all_of(item.tags.begin(), item.tags.end(), [&](const std::string& tag) {
                 return event.tags.Contains(tag);
               });
      });
}

std::uint64_t RandomSalt() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace

Sequencer::Sequencer(Config config, const LogTail& tail, std::int64_t last_recorded_at,
                     SpareMaker* spare)
    : config_(std::move(config)),
      spare_(spare),
      segment_(tail.segment),
      offset_(tail.offset),
      sealed_(tail.sealed),
      sequenced_(tail.next_position - 1),
      last_recorded_at_(last_recorded_at),
      forgotten_upto_(sequenced_) {}

Sequenced Sequencer::Sequence(Commit::Impl* commit, std::uint64_t looked_upto,
                              std::uint64_t visible, const std::shared_ptr<Group>& open) {
  Sequenced result;
  const std::uint64_t bytes = commit->bytes().size();
  // Duplicates come before any condition: a retry is the first append, not a conflict with it.
  if (!CheckIds(*commit, looked_upto, &result) ||
      !CheckVersions(*commit, looked_upto, visible, &result) ||
      !CheckConditions(*commit, looked_upto, &result) || !FindRoom(*commit, open, bytes, &result)) {
    return result;
  }
  Place(commit, result.group.get());
  return result;
}

bool Sequencer::CheckIds(const Commit::Impl& commit, std::uint64_t looked_upto,
                         Sequenced* result) const {
  // Only streams that have events on their way can hold an id that the caller has not seen.
  absl::flat_hash_set<std::pair<const HeadEntry*, EventId::Bytes>> asked;
  for (const Commit::Impl::Event& event : commit.events) {
    const HeadEntry* entry = commit.streams[event.stream].entry;
    if ((event.id_given || commit.tried) && entry->spine.position() > looked_upto) {
      asked.emplace(entry, event.id.bytes());
    }
  }
  if (asked.empty() || IsSeeded(SeededBug::kIdOnItsWayMissed)) return true;
  if (forgotten_upto_ > looked_upto) {
    result->outcome = Sequenced::Outcome::kLookAgain;
    return false;
  }
  for (const OnItsWay& other : on_their_way_) {
    for (const Commit::Impl::Event& event : other.commit->events) {
      const HeadEntry* entry = other.commit->streams[event.stream].entry;
      if (asked.contains({entry, event.id.bytes()})) {
        result->outcome = Sequenced::Outcome::kWaitVisible;
        result->position = other.last_position;
        return false;
      }
    }
  }
  return true;
}

bool Sequencer::CheckVersions(const Commit::Impl& commit, std::uint64_t looked_upto,
                              std::uint64_t visible, Sequenced* result) const {
  for (const Commit::Impl::Stream& stream : commit.streams) {
    const Version actual(stream.entry->spine.version());
    if (stream.expected.Admits(actual)) continue;
    const std::uint64_t position = stream.entry->spine.position();
    if (position > visible) {
      result->outcome = Sequenced::Outcome::kWaitVisible;
      result->position = position;
    } else if (position > looked_upto) {
      result->outcome =
          Sequenced::Outcome::kLookAgain;  // it may be the first append of this very commit
    } else {
      result->outcome = Sequenced::Outcome::kRejected;
      result->status =
          ConflictStatus({std::string(stream.name), stream.expected, actual, Position(0)});
    }
    return false;
  }
  return true;
}

bool Sequencer::CheckConditions(const Commit::Impl& commit, std::uint64_t looked_upto,
                                Sequenced* result) const {
  if (commit.conditions.empty() || sequenced_ == looked_upto) return true;
  if (IsSeeded(SeededBug::kConflictOnItsWayMissed)) return true;
  if (forgotten_upto_ > looked_upto) {
    result->outcome = Sequenced::Outcome::kLookAgain;
    return false;
  }
  for (const OnItsWay& other : on_their_way_) {
    for (const Commit::Impl::Event& event : other.commit->events) {
      const std::uint64_t position = other.commit->record(event).position;
      const EventView view = other.commit->Decode(event);
      for (const AppendCondition& condition : commit.conditions) {
        if (position > condition.after.value() && Matches(condition, view)) {
          result->outcome = Sequenced::Outcome::kWaitVisible;
          result->position = position;
          return false;
        }
      }
    }
  }
  return true;
}

bool Sequencer::FindRoom(const Commit::Impl& commit, const std::shared_ptr<Group>& open,
                         std::uint64_t bytes, Sequenced* result) {
  if (staged_bytes_ > 0 && staged_bytes_ + bytes > config_.staged_bytes_max) {
    result->outcome = Sequenced::Outcome::kWaitRoom;
    return false;
  }
  constexpr std::uint64_t kSealBytes = sizeof(FrameHeader);
  if (open != nullptr && open->body_bytes + bytes <= config_.group_bytes_max &&
      open->events + commit.events.size() <= kCommitEventsMax) {
    const std::uint64_t begin = offset_ - open->frame_bytes_reserved;
    const std::uint64_t frame = FrameBytes(open->body_bytes + bytes);
    if (begin + frame + kSealBytes <= segment_.bytes) {
      result->group = open;
      offset_ = begin + frame;
      open->frame_bytes_reserved = frame;
      return true;
    }
  }
  const std::uint64_t frame = FrameBytes(bytes);
  const bool activates = sealed_ || offset_ + frame + kSealBytes > segment_.bytes;
  if (activates) {
    const std::uint64_t least = SegmentBytesFor(bytes);
    const std::optional<std::uint64_t> claimed = spare_->Claim(least);
    if (!claimed) {
      result->outcome = Sequenced::Outcome::kWaitSpare;
      result->bytes = std::max(least, NextSegmentBytes(segment_.bytes, config_.segment_bytes_max));
      return false;
    }
    segment_ = {sequenced_ + 1, RandomSalt(), *claimed};
    offset_ = kSegmentHeaderBytes;
    sealed_ = false;
    spare_requested_ = false;
  }
  result->group = std::make_shared<Group>();
  result->group->segment = segment_;
  result->group->activates = activates;
  result->group->first_position = sequenced_ + 1;
  result->group->frame_bytes_reserved = frame;
  offset_ += frame;
  return true;
}

void Sequencer::Place(Commit::Impl* commit, Group* group) {
  const std::int64_t recorded_at = NextTime();
  const std::uint64_t first = sequenced_ + 1;
  std::uint64_t position = first;
  for (const Commit::Impl::Event& event : commit->events) {
    Commit::Impl::Stream& stream = commit->streams[event.stream];
    HeadEntry& head = *stream.entry;
    RecordHeader& record = commit->record(event);
    record.position = position;
    record.version = head.spine.version() + 1;
    record.prev = head.spine.position();
    record.skip = head.spine.Append(position);
    record.recorded_at = recorded_at;
    record.commit_first_position = first;
    head.sequenced_version.store(record.version, std::memory_order_release);
    stream.last_position = position++;
  }
  const auto events = static_cast<std::uint32_t>(commit->events.size());
  CommitHeader& header = commit->header();
  header.recorded_at = recorded_at;
  header.first_position = first;
  header.events = events;
  header.length = static_cast<std::uint32_t>(commit->bytes().size());
  commit->tried = true;

  sequenced_ += events;
  staged_bytes_ += header.length;
  on_their_way_.push_back({sequenced_, commit});
  group->body_bytes += header.length;
  group->events += events;
  group->unfilled.fetch_add(1, std::memory_order_relaxed);
  if (!spare_requested_) RequestSpare();
}

// To write zeros takes as long as to write events, and longer while segments grow: begin early.
void Sequencer::RequestSpare() {
  const std::uint64_t next_bytes = NextSegmentBytes(segment_.bytes, config_.segment_bytes_max);
  if (offset_ <= segment_.bytes / (next_bytes > segment_.bytes ? 64 : 8)) return;
  spare_requested_ = true;
  spare_->Request(next_bytes);
}

std::int64_t Sequencer::NextTime() {
  const std::int64_t now = config_.clock().unix_nanoseconds();
  clock_behind_ns_ = now < last_recorded_at_ ? last_recorded_at_ - now : 0;
  last_recorded_at_ =
      IsSeeded(SeededBug::kClockBelieved) ? now : std::max(now, last_recorded_at_ + 1);
  return last_recorded_at_;
}

bool Sequencer::ReserveWatermark() {
  if (sealed_ || offset_ + 2 * sizeof(FrameHeader) > segment_.bytes) return false;
  offset_ += sizeof(FrameHeader);
  return true;
}

void Sequencer::Finished(const Group& group, std::uint64_t visible) {
  staged_bytes_ -= group.body_bytes;
  while (!on_their_way_.empty() && on_their_way_.front().last_position <= visible) {
    forgotten_upto_ = on_their_way_.front().last_position;
    on_their_way_.pop_front();
  }
}

}  // namespace daybook
