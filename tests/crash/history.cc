#include "crash/history.h"

#include <cstdio>
#include <cstring>
#include <sstream>

namespace daybook::testing {
namespace {

std::uint64_t Number(const EventId& id) {
  std::uint64_t number = 0;
  std::memcpy(&number, id.bytes().data() + 8, sizeof number);
  return number;
}

}  // namespace

EventId RandomId(std::mt19937_64* random) {
  EventId::Bytes bytes;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    const std::uint64_t word = (*random)() | 1;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return EventId(bytes);
}

PlannedEvent::PlannedEvent(const EventId& id, std::size_t index, std::size_t count) : id_(id) {
  std::mt19937_64 random(Number(id));
  type_ = "Type " + std::to_string(random() % 7);
  tag_ = "tag:" + std::to_string(random() % 50);
  // Now and then one that is larger than the smallest segment.
  data_.resize(random() % 64 == 0 ? random() % 24000 : random() % 500);
  for (char& c : data_) c = static_cast<char>(random());
  metadata_ = "{\"i\":" + std::to_string(index) + ",\"n\":" + std::to_string(count) + "}";
  if (random() % 3 == 0) effective_at_ = static_cast<std::int64_t>(random() % 1'000'000'000) + 1;
}

NewEvent PlannedEvent::AsNew() const {
  NewEvent event;
  event.type = type_;
  event.data = AsBytes(data_);
  event.content_type = ContentType::kOctetStream;
  event.metadata = metadata_;
  event.tags = {tag_};
  if (effective_at_ != 0) event.effective_at = Timestamp(effective_at_);
  event.id = id_;
  return event;
}

std::string PlannedEvent::Compare(const EventView& event) const {
  if (event.id != id_) return "id";
  if (event.type != type_) return "type";
  if (AsText(event.data) != data_) return "data";
  if (event.metadata != metadata_) return "metadata";
  if (event.tags.size() != 1 || event.tags[0] != tag_) return "tags";
  if (event.effective_at_given.value_or(Timestamp(0)) != Timestamp(effective_at_)) {
    return "effective_at";
  }
  return "";
}

bool ParsePlace(std::string_view metadata, std::size_t* index, std::size_t* count) {
  return std::sscanf(std::string(metadata).c_str(), "{\"i\":%zu,\"n\":%zu}", index, count) == 2;
}

std::string AckLine(const AppendedEvent& event, std::string_view stream) {
  std::ostringstream line;
  line << "A " << event.position.value() << ' ' << event.id.ToString() << ' '
       << event.recorded_at.unix_nanoseconds() << ' ' << event.version.value() << ' ' << stream
       << '\n';
  return line.str();
}

std::string History::Acknowledge(const std::string& line) {
  std::istringstream in(line);
  char kind = 0;
  std::uint64_t position = 0;
  std::string id;
  Acknowledged event;
  in >> kind >> position >> id >> event.recorded_at >> event.version >> event.stream;
  const auto parsed = EventId::Parse(id);
  if (!in || kind != 'A' || !parsed.ok()) return "no acknowledgement: " + line;
  event.id = *parsed;
  if (!acknowledged_.emplace(position, event).second) return "acknowledged twice: " + line;
  return "";
}

std::string History::AcknowledgeAll(const std::string& said) {
  std::size_t begin = 0;
  for (std::size_t end; (end = said.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = said.substr(begin, end - begin);
    if (line == "O") continue;
    if (std::string what = Acknowledge(line); !what.empty()) return what;
  }
  return begin < said.size() && said[begin] == 'E' ? said.substr(begin) : "";
}

std::string History::Saw(const std::string& said) {
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    std::istringstream words(line);
    char kind = 0;
    std::uint64_t position = 0;
    std::string id;
    words >> kind >> position >> id;
    const auto parsed = EventId::Parse(id);
    if (kind != 'S' || !parsed.ok()) return "a reader said: " + line;
    const auto [at, is_new] = seen_.emplace(position, *parsed);
    if (!is_new && at->second != *parsed) return "readers saw two events at one place: " + line;
  }
  return "";
}

std::string History::CheckOne(const EventView& event, std::uint64_t position) {
  if (event.position.value() != position) return "a gap before it";
  if (event.version.value() != ++versions_[std::string(event.stream)]) return "its version";
  std::size_t index = 0;
  std::size_t count = 0;
  if (!ParsePlace(event.metadata, &index, &count)) return "its metadata";
  if (index == 0) {
    if (commit_end_ != position) return "the commit before it is not whole";
    if (event.recorded_at.unix_nanoseconds() <= recorded_at_) return "its time goes back";
    recorded_at_ = event.recorded_at.unix_nanoseconds();
    commit_first_ = position;
    commit_end_ = position + count;
  }
  if (event.recorded_at.unix_nanoseconds() != recorded_at_) return "its time is not its commit's";
  if (event.commit_first_position.value() != commit_first_ || position != commit_first_ + index ||
      position >= commit_end_) {
    return "its commit";
  }
  if (std::string what = PlannedEvent(event.id, index, count).Compare(event); !what.empty()) {
    return "its " + what;
  }
  const Acknowledged now{event.id, recorded_at_, event.version.value(), std::string(event.stream)};
  const auto same = [&now](const Acknowledged& a) {
    return a.id == now.id && a.recorded_at == now.recorded_at && a.version == now.version &&
           a.stream == now.stream;
  };
  if (const auto told = acknowledged_.find(position);
      told != acknowledged_.end() && !same(told->second)) {
    return "it is not what was acknowledged";
  }
  if (const auto seen = seen_.find(position); seen != seen_.end() && seen->second != now.id) {
    return "it is not what a reader saw";
  }
  if (position <= known_.size()) {
    const Known& known = known_[position - 1];
    if (!same(known.event) || known.commit_first != commit_first_) return "it was another before";
    return "";
  }
  known_.push_back({now, commit_first_});
  if (!ids_.emplace(std::pair(now.stream, now.id), position).second)
    return "its id was there before";
  return "";
}

std::string History::Check(const Reader& reader, Extent extent) {
  versions_.clear();
  commit_end_ = 1;
  recorded_at_ = 0;
  std::uint64_t position = 0;
  auto cursor = reader.Read({});
  if (!cursor.ok()) return cursor.status().ToString();
  for (;;) {
    const auto event = cursor->Next();
    if (!event.ok()) return event.status().ToString();
    if (*event == nullptr) break;
    ++position;
    if (std::string what = CheckOne(**event, position); !what.empty()) {
      return "position " + std::to_string(position) + ": " + what;
    }
  }
  if (commit_end_ != position + 1) return "the last commit is not whole";
  if (extent == Extent::kPrefix) return "";
  if (position < known_.size()) {
    return "the store ends at " + std::to_string(position) + "; it ended at " +
           std::to_string(known_.size()) + " before";
  }
  if (!seen_.empty() && seen_.rbegin()->first > position) {
    return "the store ends at " + std::to_string(position) + "; a reader saw " +
           std::to_string(seen_.rbegin()->first);
  }
  if (!acknowledged_.empty() && acknowledged_.rbegin()->first > position) {
    return "the store ends at " + std::to_string(position) + "; acknowledged was " +
           std::to_string(acknowledged_.rbegin()->first);
  }
  return "";
}

}  // namespace daybook::testing
