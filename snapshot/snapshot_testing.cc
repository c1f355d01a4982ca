#include "snapshot/snapshot_testing.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "tests/catch.h"

namespace daybook::testing {

History::History(const std::filesystem::path& directory, StoreOptions options, std::uint32_t seed)
    : directory_(directory), options_(std::move(options)), random_(seed) {
  options_.clock = [clock = clock_] { return Timestamp(*clock); };
  options_.accept_clock_behind = true;
  Reopen();
}

void History::Reopen() {
  store_.reset();
  auto store = Store::Open(directory_, options_);
  REQUIRE_OK(store);
  store_ = *std::move(store);
}

void History::Commit(std::vector<Event> events, std::string_view type) {
  daybook::Commit commit;
  for (const Event& event : events) {
    NewEvent added{.type = type, .data = AsBytes(event.data)};
    if (event.effective_at != 0) added.effective_at = Timestamp(event.effective_at);
    REQUIRE_OK(commit.Add(event.stream, added));
  }
  const auto result = store_->Append(commit);
  REQUIRE_OK(result);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const AppendedEvent& appended = result->events[i];
    Event& event = events[i];
    event.recorded_at = appended.recorded_at.unix_nanoseconds();
    if (event.effective_at == 0) event.effective_at = event.recorded_at;
    event.position = appended.position.value();
    event.version = appended.version.value();
    versions_[event.stream] = event.version;
    events_.push_back(std::move(event));
  }
}

void History::AppendRandom(std::uint32_t streams) {
  *clock_ += Random(3) * 10;
  std::vector<Event> events(Random(4) + 1);
  for (Event& event : events) {
    event.stream = StreamName(Random(streams));
    event.data = std::to_string(random_());
    // Half of them hold when they are recorded; the others around then, many at the same time.
    if (Random(2) == 0) {
      event.effective_at = *clock_ + static_cast<std::int64_t>(Random(21)) * 10 - 150;
    }
  }
  Commit(std::move(events), "Happened");
}

void History::Append(const std::string& stream, std::string_view type) {
  *clock_ += 10;
  Event event;
  event.stream = stream;
  event.data = std::to_string(random_());
  Commit({event}, type);
}

std::uint64_t History::VersionOf(const std::string& stream) const {
  const auto found = versions_.find(stream);
  return found == versions_.end() ? 0 : found->second;
}

AsOf History::RandomMoment(const std::string& stream) {
  AsOf as_of;
  const auto around = [this] {
    const Event& event = events_[Random(static_cast<std::uint32_t>(events_.size()))];
    const std::int64_t time = Random(2) == 0 ? event.recorded_at : event.effective_at;
    return Timestamp(time + static_cast<std::int64_t>(Random(3)) - 1);
  };
  switch (Random(4)) {
    case 0:
      as_of.version = Version(Random(static_cast<std::uint32_t>(VersionOf(stream)) + 1));
      break;
    case 1:
      as_of.position = Position(Random(static_cast<std::uint32_t>(events_.size()) + 1));
      break;
    case 2:
      as_of.recorded_at = around();
      break;
    default:
      break;
  }
  if (Random(2) == 0) as_of.effective_at = around();
  return as_of;
}

Expected History::ExpectedAt(const std::string& stream, const AsOf& as_of) const {
  std::vector<const Event*> selected;
  Expected expected;
  for (const Event& event : events_) {
    if (event.stream != stream) continue;
    if (as_of.version && event.version > as_of.version->value()) continue;
    if (as_of.position && event.position > as_of.position->value()) continue;
    if (as_of.recorded_at && event.recorded_at > as_of.recorded_at->unix_nanoseconds()) continue;
    expected.position = Position(event.position);
    expected.version = Version(event.version);
    expected.recorded_at = Timestamp(event.recorded_at);
    if (as_of.effective_at && event.effective_at > as_of.effective_at->unix_nanoseconds()) continue;
    selected.push_back(&event);
  }
  if (as_of.effective_at) {
    std::sort(selected.begin(), selected.end(), [](const Event* a, const Event* b) {
      return std::tie(a->effective_at, a->position) < std::tie(b->effective_at, b->position);
    });
  }
  for (const Event* event : selected) {
    expected.state.hash = Hash64(AsBytes(event->data), expected.state.hash + 1);
    ++expected.state.events;
  }
  return expected;
}

void CheckState(const Chain& state, const StateInfo& info, const Expected& expected) {
  CHECK(state == expected.state);
  CHECK(info.events == expected.state.events);
  CHECK(info.basis.position == expected.position);
  CHECK(info.basis.version == expected.version);
  CHECK(info.basis.recorded_at == expected.recorded_at);
}

}  // namespace daybook::testing
