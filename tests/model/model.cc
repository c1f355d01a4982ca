#include "model/model.h"

#include <algorithm>

namespace daybook::testing {

NewEvent ModelEvent::AsNew() const {
  NewEvent event;
  event.type = type;
  event.data = AsBytes(data);
  event.metadata = metadata;
  event.tags.assign(tags.begin(), tags.end());
  if (effective_given) event.effective_at = Timestamp(*effective_given);
  if (id_given) event.id = id;
  return event;
}

bool ModelEvent::SameContent(const ModelEvent& other) const {
  return type == other.type && data == other.data && tags == other.tags &&
         (!effective_given || *effective_given == other.effective_at());
}

const ModelEvent* Model::Find(const ModelEvent& event) const {
  if (!event.id_given) return nullptr;
  for (const ModelEvent& e : events_) {
    if (e.stream == event.stream && e.id == event.id) return &e;
  }
  return nullptr;
}

bool Model::Holds(const ModelCommit& commit) const {
  for (const auto& [stream, expected] : commit.expected) {
    if (!expected.Admits(Version(VersionAt(stream, events_.size())))) return false;
  }
  for (const AppendCondition& condition : commit.conditions) {
    for (const ModelEvent& e : events_) {
      if (e.position <= condition.after.value()) continue;
      if (condition.fail_if_match.empty()) return false;
      for (const QueryItem& item : condition.fail_if_match) {
        const bool type = item.types.empty() || std::find(item.types.begin(), item.types.end(),
                                                          e.type) != item.types.end();
        const bool tags = std::all_of(item.tags.begin(), item.tags.end(), [&](const auto& tag) {
          return std::find(e.tags.begin(), e.tags.end(), tag) != e.tags.end();
        });
        if (type && tags) return false;
      }
    }
  }
  return true;
}

Model::Verdict Model::Judge(const ModelCommit& commit, OnDuplicate on_duplicate) const {
  std::size_t found = 0;
  std::uint64_t first = 0;
  bool one_commit = true;
  for (std::size_t i = 0; i < commit.events.size(); ++i) {
    const ModelEvent* earlier = Find(commit.events[i]);
    if (earlier == nullptr) continue;
    if (!commit.events[i].SameContent(*earlier)) return Verdict::kAlreadyExists;
    if (found++ == 0) first = earlier->commit_first;
    one_commit = one_commit && earlier->position == first + i && earlier->commit_first == first;
  }
  if (found == 0) return Holds(commit) ? Verdict::kAppended : Verdict::kConflict;
  const std::uint64_t end = first + commit.events.size();
  const bool longer = end <= events_.size() && events_[end - 1].commit_first == first;
  if (found == commit.events.size() && one_commit && !longer) return Verdict::kDuplicate;
  if (on_duplicate == OnDuplicate::kRefuse) return Verdict::kAlreadyExists;
  if (found == commit.events.size()) return Verdict::kDuplicate;
  return Holds(commit) ? Verdict::kAppended : Verdict::kConflict;
}

std::string Model::Take(const ModelCommit& commit, const AppendResult& result) {
  if (result.events.size() != commit.events.size())
    return "the result has another number of events";
  const std::uint64_t before = events_.size();
  const std::int64_t last_time = before == 0 ? INT64_MIN : events_.back().recorded_at;
  for (std::size_t i = 0; i < commit.events.size(); ++i) {
    const AppendedEvent& place = result.events[i];
    if (const ModelEvent* earlier = Find(commit.events[i])) {
      if (!place.duplicate) return "a duplicate is not called one";
      if (place.position.value() != earlier->position) return "a duplicate has another position";
      if (place.version.value() != earlier->version) return "a duplicate has another version";
      continue;
    }
    if (place.duplicate) return "an event is called a duplicate and is none";
    ModelEvent event = commit.events[i];
    event.position = events_.size() + 1;
    event.version = VersionAt(event.stream, events_.size()) + 1;
    event.commit_first = before + 1;
    event.recorded_at = place.recorded_at.unix_nanoseconds();
    if (event.id_given && event.id != place.id) return "the id";
    event.id = place.id;
    if (place.position.value() != event.position) return "the position";
    if (place.version.value() != event.version) return "the version";
    if (event.recorded_at <= last_time) return "recorded_at does not increase";
    events_.push_back(std::move(event));
  }
  return "";
}

std::uint64_t Model::VersionAt(const std::string& stream, std::uint64_t position) const {
  std::uint64_t version = 0;
  for (std::uint64_t i = 0; i < position; ++i) version += events_[i].stream == stream;
  return version;
}

std::vector<const ModelEvent*> Model::Read(const ReadOptions& o) const {
  std::vector<const ModelEvent*> out;
  for (const ModelEvent& e : events_) {
    const auto has_tag = [&](const std::string& tag) {
      return std::find(e.tags.begin(), e.tags.end(), tag) != e.tags.end();
    };
    const bool in =
        (!o.stream || e.stream == *o.stream) &&
        (!o.category || CategoryOf(e.stream) == *o.category) &&
        (o.types.empty() || std::find(o.types.begin(), o.types.end(), e.type) != o.types.end()) &&
        std::all_of(o.tags.begin(), o.tags.end(), has_tag) && (!o.id || e.id == *o.id) &&
        (!o.from_version || e.version >= o.from_version->value()) &&
        (!o.to_version || e.version <= o.to_version->value()) &&
        (!o.from_position || e.position >= o.from_position->value()) &&
        (!o.to_position || e.position <= o.to_position->value()) &&
        (!o.recorded_from || e.recorded_at >= o.recorded_from->unix_nanoseconds()) &&
        (!o.effective_from || e.effective_at() >= o.effective_from->unix_nanoseconds()) &&
        (!o.as_of.version || e.version <= o.as_of.version->value()) &&
        (!o.as_of.position || e.position <= o.as_of.position->value()) &&
        (!o.as_of.recorded_at || e.recorded_at <= o.as_of.recorded_at->unix_nanoseconds()) &&
        (!o.as_of.effective_at || e.effective_at() <= o.as_of.effective_at->unix_nanoseconds());
    if (in) out.push_back(&e);
  }
  if (o.direction == Direction::kBackwards) std::reverse(out.begin(), out.end());
  if (out.size() > o.limit) out.resize(o.limit);
  return out;
}

std::string Compare(const EventView& read, const ModelEvent& model) {
  if (read.position.value() != model.position) return "position";
  if (read.version.value() != model.version) return "version";
  if (read.stream != model.stream) return "stream";
  if (read.type != model.type) return "type";
  if (AsText(read.data) != model.data) return "data";
  if (read.metadata != model.metadata) return "metadata";
  if (read.id != model.id) return "id";
  if (read.recorded_at.unix_nanoseconds() != model.recorded_at) return "recorded_at";
  if (read.effective_at().unix_nanoseconds() != model.effective_at()) return "effective_at";
  if (read.effective_at_given.has_value() != model.effective_given.has_value()) return "effective";
  if (read.commit_first_position.value() != model.commit_first) return "commit_first_position";
  if (!std::equal(read.tags.begin(), read.tags.end(), model.tags.begin(), model.tags.end())) {
    return "tags";
  }
  return "";
}

}  // namespace daybook::testing
