#include "simulation/history.h"

#include <algorithm>
#include <cstring>

#include "simulation/save.h"

namespace daybook::simulation {
namespace {

EventId RandomId(Random* random) {
  EventId::Bytes bytes;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    const std::uint64_t word = (*random)() | 1;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return EventId(bytes);
}

std::string RandomText(std::size_t bytes, Random* random) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i += 8) {
    const std::uint64_t word = (*random)();
    std::memcpy(text.data() + i, &word, std::min<std::size_t>(8, bytes - i));
  }
  return text;
}

std::string At(std::uint64_t position, const char* what) {
  return "position " + std::to_string(position) + ": " + what;
}

}  // namespace

NewEvent Planned::AsNew() const {
  NewEvent event;
  event.type = type;
  event.data = AsBytes(data);
  event.content_type = ContentType::kOctetStream;
  event.metadata = metadata;
  event.tags = {tag};
  if (effective_at != 0) event.effective_at = Timestamp(effective_at);
  event.id = id;
  return event;
}

const char* Planned::Compare(const EventView& event) const {
  if (event.stream != stream) return "another stream";
  if (event.version.value() != version) return "another version";
  if (event.id != id) return "another id";
  if (event.type != type) return "another type";
  if (AsText(event.data) != data) return "other data";
  if (event.metadata != metadata) return "other metadata";
  if (event.tags.size() != 1 || event.tags[0] != tag) return "other tags";
  if (event.effective_at_given.value_or(Timestamp(0)) != Timestamp(effective_at)) {
    return "another effective time";
  }
  if (event.commit_first_position.value() != commit_first) return "another commit";
  if (recorded_at != 0 && event.recorded_at.unix_nanoseconds() != recorded_at) {
    return "another recorded time than was told";
  }
  return nullptr;
}

void History::Plan(std::size_t events, const Shape& shape, Random* random) {
  const std::uint64_t first = size() + 1;
  for (std::size_t i = 0; i < events; ++i) {
    auto event = std::make_shared<Planned>();
    event->stream =
        "s" + std::to_string((*random)() % 2) + "-" + std::to_string((*random)() % shape.streams);
    event->type = "Type " + std::to_string((*random)() % 5);
    event->data = RandomText((*random)() % (shape.data_bytes_max + 1), random);
    event->metadata = "{\"at\":" + std::to_string(first + i) + "}";
    event->tag = "tag:" + std::to_string((*random)() % 20);
    event->id = RandomId(random);
    if ((*random)() % 3 == 0) {
      event->effective_at = static_cast<std::int64_t>((*random)() % 1'000'000'000) + 1;
    }
    event->version = ++versions_[event->stream];
    event->commit_first = first;
    event->commit_events = events;
    events_.push_back(std::move(event));
  }
}

void History::PlanAlike(const History& longer, Random* random) {
  const std::uint64_t first = size() + 1;
  for (std::uint64_t i = 0; i < longer.at(first).commit_events; ++i) {
    auto event = std::make_shared<Planned>(longer.at(first + i));
    event->id = RandomId(random);
    event->data = RandomText(event->data.size(), random);
    event->recorded_at = 0;
    ++versions_[event->stream];
    events_.push_back(std::move(event));
  }
}

Commit History::MakeCommit(std::uint64_t first) const {
  Commit commit;
  std::map<std::string, std::uint64_t> expected;
  for (std::uint64_t position = first; position < first + at(first).commit_events; ++position) {
    const Planned& event = at(position);
    expected.emplace(event.stream, event.version - 1);
    commit.Add(event.stream, event.AsNew()).IgnoreError();  // an empty commit is refused
  }
  for (const auto& [stream, version] : expected) {
    commit.Expect(stream, ExpectedVersion::Exactly(Version(version))).IgnoreError();
  }
  return commit;
}

std::string History::Acknowledge(std::uint64_t first, const AppendResult& result) {
  const std::uint64_t count = at(first).commit_events;
  if (result.events.size() != count) return At(first, "acknowledged with another count");
  for (std::uint64_t i = 0; i < count; ++i) {
    Planned& event = *events_[first + i - 1];
    const AppendedEvent& told = result.events[i];
    if (told.position.value() != first + i) return At(first + i, "acknowledged at another place");
    if (told.version.value() != event.version)
      return At(first + i, "acknowledged as another version");
    if (told.id != event.id) return At(first + i, "acknowledged with another id");
    // Copied: histories share what they had before.
    auto copy = std::make_shared<Planned>(event);
    copy->recorded_at = told.recorded_at.unix_nanoseconds();
    events_[first + i - 1] = std::move(copy);
  }
  return "";
}

void History::CutBehind(std::uint64_t position) {
  for (; size() > position; events_.pop_back()) --versions_[events_.back()->stream];
}

std::string History::Check(const Reader& reader, std::uint64_t least, std::uint64_t most,
                           std::uint64_t* found) const {
  *found = 0;
  std::int64_t recorded_at = 0;
  auto cursor = reader.Read({});
  if (!cursor.ok()) return cursor.status().ToString();
  for (;;) {
    const auto event = cursor->Next();
    if (!event.ok()) return At(*found + 1, event.status().ToString().c_str());
    if (*event == nullptr) break;
    const std::uint64_t position = ++*found;
    if (position > most || position > size()) return At(position, "it was not appended yet");
    if ((*event)->position.value() != position) return At(position, "a gap");
    const Planned& planned = at(position);
    if (const char* what = planned.Compare(**event)) return At(position, what);
    const std::int64_t time = (*event)->recorded_at.unix_nanoseconds();
    const bool begins = planned.commit_first == position;
    if (begins ? time <= recorded_at : time != recorded_at) return At(position, "its time");
    recorded_at = time;
  }
  if (*found < least) {
    return "ends at " + std::to_string(*found) + ", but " + std::to_string(least) +
           " were acknowledged";
  }
  if (*found > 0 && at(*found).commit_first + at(*found).commit_events != *found + 1) {
    return At(*found, "half a commit");
  }
  return "";
}

std::string History::CheckHeads(const Reader& reader, std::uint64_t position) const {
  std::map<std::string_view, std::uint64_t> versions;
  for (std::uint64_t at_position = 1; at_position <= position; ++at_position) {
    versions[at(at_position).stream] = at(at_position).version;
  }
  const auto streams = reader.Streams({});
  if (!streams.ok()) return "the list of streams: " + streams.status().ToString();
  if (streams->size() != versions.size()) {
    return std::to_string(streams->size()) + " streams instead of " +
           std::to_string(versions.size());
  }
  for (const StreamInfo& stream : *streams) {
    if (versions[stream.stream] != stream.version.value()) return "the head of " + stream.stream;
  }
  return "";
}

void History::Save(std::string* out) const {
  PutNumber(size(), out);
  for (const auto& event : events_) {
    for (const auto* text :
         {&event->stream, &event->type, &event->data, &event->metadata, &event->tag}) {
      PutText(*text, out);
    }
    PutText(event->id.ToString(), out);
    PutNumber(static_cast<std::uint64_t>(event->effective_at), out);
    PutNumber(static_cast<std::uint64_t>(event->recorded_at), out);
    PutNumber(event->version, out);
    PutNumber(event->commit_first, out);
    PutNumber(event->commit_events, out);
  }
}

History History::Load(std::string_view* in) {
  History history;
  for (std::uint64_t n = TakeNumber(in); n > 0; --n) {
    auto event = std::make_shared<Planned>();
    for (auto* text : {&event->stream, &event->type, &event->data, &event->metadata, &event->tag}) {
      *text = std::string(TakeText(in));
    }
    event->id = EventId::Parse(TakeText(in)).value_or(EventId());
    event->effective_at = static_cast<std::int64_t>(TakeNumber(in));
    event->recorded_at = static_cast<std::int64_t>(TakeNumber(in));
    event->version = TakeNumber(in);
    event->commit_first = TakeNumber(in);
    event->commit_events = TakeNumber(in);
    history.versions_[event->stream] = event->version;
    history.events_.push_back(std::move(event));
  }
  return history;
}

}  // namespace daybook::simulation
