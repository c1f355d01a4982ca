#include "bindings/sql/history_testing.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::sql::testing {

History::History(std::int64_t first_ns) : now_(first_ns) {
  StoreOptions options = daybook::testing::SmallSegments();
  options.durability = Durability::kBuffered;
  options.clock = [this] { return Timestamp(now_); };
  auto store = Store::Open(path(), options);
  REQUIRE_OK(store);
  store_ = *std::move(store);
}

void History::Append(const std::vector<KnownEvent>& events) {
  Commit commit;
  std::vector<std::string> data;
  for (const KnownEvent& event : events)
    data.push_back(absl::StrCat("{\"n\":", event.version, "}"));
  for (std::size_t i = 0; i < events.size(); ++i) {
    NewEvent event;
    event.type = events[i].type;
    event.data = AsBytes(data[i]);
    if (events[i].effective_ns != 0) event.effective_at = Timestamp(events[i].effective_ns);
    REQUIRE_OK(commit.Add(events[i].stream, event));
  }
  auto result = store_->Append(commit);
  REQUIRE_OK(result);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const AppendedEvent& done = result->events[i];
    KnownEvent known = events[i];
    known.position = static_cast<std::int64_t>(done.position.value());
    known.category = std::string(CategoryOf(known.stream));
    known.version = static_cast<std::int64_t>(done.version.value());
    known.id = done.id.ToString();
    known.recorded_ns = done.recorded_at.unix_nanoseconds();
    if (known.effective_ns == 0) known.effective_ns = known.recorded_ns;
    events_.push_back(std::move(known));
  }
  now_ = std::max(now_, events_.back().recorded_ns) + 1;
}

void History::CloseAndDamage(std::size_t segment, std::uint64_t offset) {
  store_.reset();
  std::vector<std::filesystem::path> logs;
  for (const auto& entry : std::filesystem::directory_iterator(path() / "log")) {
    if (entry.path().extension() == ".log") logs.push_back(entry.path());
  }
  std::sort(logs.begin(), logs.end());
  REQUIRE(segment + 1 < logs.size());
  std::fstream file(logs[segment], std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(file.get() ^ 0xFF);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
  REQUIRE(file.good());
}

void History::AppendRandom(std::uint32_t seed, int commits) {
  std::mt19937 random(seed);
  const auto below = [&random](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (int i = 0; i < commits; ++i) {
    std::vector<KnownEvent> events(1 + below(4));
    for (KnownEvent& event : events) {
      event.stream = absl::StrCat(below(3) == 0 ? "order" : "account", "-", below(12));
      event.type = absl::StrCat("Type", below(4));
      if (below(2) == 0) event.effective_ns = now_ - below(5000);
    }
    Append(events);
    Advance(1 + below(7));
  }
}

}  // namespace daybook::sql::testing
