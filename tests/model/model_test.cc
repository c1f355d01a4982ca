// Random commits, conditions, retries, reads and reopenings, compared with the model call by call.
// A run is replayed with DAYBOOK_SEED=<the seed it printed>.

#include "model/model.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

std::uint64_t Seed() {
  if (const char* given = std::getenv("DAYBOOK_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device{}();
}

class Run {
 public:
  Run(std::uint64_t seed, StoreOptions options) : random_(seed), options_(std::move(options)) {
    Open();
  }

  void Step() {
    const auto what = Pick(100);
    if (what < 45) {
      AppendSomething();
    } else if (what < 96) {
      ReadSomething(*store_);
    } else if (what < 98) {
      REQUIRE_OK(store_->Flush());  // another process sees what is durable
      const auto reader = Reader::Open((folder_.path() / "store"), {});
      REQUIRE_OK(reader);
      ReadSomething(**reader);
    } else {
      Reopen(Pick(3) == 0);
    }
  }

  void Finish() {
    Reopen(true);
    CheckRead(*store_, {});
    for (int i = 0; i < 12; ++i) CheckRead(*store_, {.stream = Stream()});
    const auto report = Verify((folder_.path() / "store"), {});
    REQUIRE_OK(report);
    for (const Finding& finding : report->findings) FAIL(finding.kind << ": " << finding.hint);
    REQUIRE(report->positions == model_.events().size());
  }

 private:
  std::uint64_t Pick(std::uint64_t below) { return random_() % below; }
  std::string Stream() {
    static const char* const kCategories[] = {"account", "order", "alone", "fine"};
    const auto category = Pick(4);
    if (category == 2) return "alone" + std::to_string(Pick(3));
    // Some streams get most of the events.
    return std::string(kCategories[category]) + "-" + std::to_string(Pick(2) ? 0 : Pick(8));
  }
  std::string Type() { return "Type " + std::to_string(Pick(5)); }
  std::string Tag() { return "tag:" + std::to_string(Pick(6)); }

  void Open() {
    auto store = Store::Open((folder_.path() / "store"), options_);
    REQUIRE_OK(store);
    store_ = *std::move(store);
    REQUIRE(store_->visible().value() == model_.events().size());
  }

  void Reopen(bool without_index) {
    store_.reset();
    if (without_index) {
      std::filesystem::remove_all((folder_.path() / "store") / "index");
      for (const auto& file :
           std::filesystem::directory_iterator((folder_.path() / "store") / "log")) {
        if (file.path().extension() == ".idx") std::filesystem::remove(file.path());
      }
    }
    Open();
  }

  ModelEvent SomeEvent() {
    ModelEvent event;
    event.stream = Stream();
    event.type = Type();
    event.data = "{\"n\":" + std::string(Pick(Pick(20) == 0 ? 9000 : 40), '1') + "0}";
    if (Pick(3) == 0) event.metadata = "{\"actor\":\"" + std::to_string(Pick(9)) + "\"}";
    while (Pick(3) == 0) event.tags.push_back(Tag());
    std::sort(event.tags.begin(), event.tags.end());
    event.tags.erase(std::unique(event.tags.begin(), event.tags.end()), event.tags.end());
    if (Pick(4) == 0) event.effective_given = static_cast<std::int64_t>(Pick(1000)) * 1'000'000'000;
    event.id_given = Pick(3) == 0;
    if (event.id_given) event.id = EventId::NewV7();
    return event;
  }

  // Events that are there already, with their ids: a whole commit, a part of one, or of several.
  void AddRetries(ModelCommit* commit) {
    const auto& events = model_.events();
    if (events.empty()) return;
    const std::uint64_t first = events[Pick(events.size())].commit_first;
    for (std::uint64_t i = first; i <= events.size() && events[i - 1].commit_first == first; ++i) {
      if (Pick(12) == 0) continue;
      commit->events.push_back(events[i - 1]);
      commit->events.back().id_given = true;
    }
    if (Pick(8) == 0) commit->events.push_back(SomeEvent());
    if (Pick(10) == 0 && !commit->events.empty()) commit->events.back().data += " ";
  }

  ModelCommit SomeCommit() {
    ModelCommit commit;
    if (Pick(5) == 0) AddRetries(&commit);
    if (commit.events.empty()) {
      for (auto n = 1 + Pick(Pick(10) == 0 ? 60 : 4); n > 0; --n)
        commit.events.push_back(SomeEvent());
    }
    for (auto n = Pick(3); n > 0; --n) {
      const std::string stream = Pick(2) ? commit.events.front().stream : Stream();
      const std::uint64_t version = model_.VersionAt(stream, model_.events().size());
      const ExpectedVersion choices[] = {ExpectedVersion::Any(),
                                         ExpectedVersion::NoStream(),
                                         ExpectedVersion::StreamExists(),
                                         ExpectedVersion::Exactly(Version(version)),
                                         ExpectedVersion::Exactly(Version(version)),
                                         ExpectedVersion::Exactly(Version(version + Pick(3)))};
      commit.expected[stream] = choices[Pick(std::size(choices))];
    }
    if (Pick(5) == 0) {
      AppendCondition condition;
      for (auto n = Pick(3); n > 0; --n) {
        QueryItem item;
        for (auto t = Pick(3); t > 0; --t) item.types.push_back(Type());
        for (auto t = Pick(3); t > 0; --t) item.tags.push_back(Tag());
        condition.fail_if_match.push_back(item);
      }
      const auto head = model_.events().size();
      condition.after = Position(Pick(3) == 0 ? head : head - Pick(head / 8 + 1));
      commit.conditions.push_back(condition);
    }
    return commit;
  }

  void AppendSomething() {
    const ModelCommit wanted = SomeCommit();
    AppendOptions options;
    if (Pick(2)) options.on_duplicate = OnDuplicate::kSkipEvents;
    Commit commit;
    for (const ModelEvent& event : wanted.events)
      REQUIRE_OK(commit.Add(event.stream, event.AsNew()));
    for (const auto& [stream, expected] : wanted.expected)
      REQUIRE_OK(commit.Expect(stream, expected));
    for (const AppendCondition& condition : wanted.conditions)
      REQUIRE_OK(commit.Require(condition));
    const Model::Verdict verdict = model_.Judge(wanted, options.on_duplicate);
    const bool asynchronous = Pick(4) == 0;
    const auto result = asynchronous ? store_->AppendAsync(std::move(commit), options)
                                     : store_->Append(commit, options);
    switch (verdict) {
      case Model::Verdict::kConflict:
        REQUIRE(result.status().code() == absl::StatusCode::kAborted);
        REQUIRE(ConflictOf(result.status()).has_value());
        return;
      case Model::Verdict::kAlreadyExists:
        REQUIRE(result.status().code() == absl::StatusCode::kAlreadyExists);
        return;
      case Model::Verdict::kAppended:
      case Model::Verdict::kDuplicate:
        REQUIRE_OK(result);
        REQUIRE(result->duplicate == (verdict == Model::Verdict::kDuplicate));
        REQUIRE(model_.Take(wanted, *result) == "");
    }
    if (asynchronous) REQUIRE_OK(store_->WaitDurable(result->last_position));
  }

  std::optional<Position> SomePosition() { return Position(Pick(model_.events().size() + 1)); }

  ReadOptions SomeRead() {
    ReadOptions options;
    const auto& events = model_.events();
    if (Pick(2)) options.stream = Stream();
    if (Pick(6) == 0) options.category = CategoryOf(Stream());
    for (auto n = Pick(6) < 2 ? 1 + Pick(2) : 0; n > 0; --n) options.types.push_back(Type());
    for (auto n = Pick(6) < 2 ? 1 + Pick(2) : 0; n > 0; --n) options.tags.push_back(Tag());
    if (events.empty()) return options;
    const ModelEvent& some = events[Pick(events.size())];
    if (Pick(15) == 0) options.id = some.id;
    if (options.stream) {
      const auto version = model_.VersionAt(*options.stream, events.size());
      if (Pick(5) == 0) options.from_version = Version(Pick(version + 1));
      if (Pick(5) == 0) options.to_version = Version(Pick(version + 1));
      if (Pick(6) == 0) options.as_of.version = Version(Pick(version + 1));
    }
    if (Pick(6) == 0) options.from_position = SomePosition();
    if (Pick(6) == 0) options.to_position = SomePosition();
    if (Pick(6) == 0) options.recorded_from = Timestamp(some.recorded_at + (Pick(2) ? 0 : 1));
    if (Pick(6) == 0) options.effective_from = Timestamp(some.effective_at());
    if (!options.as_of.version) {
      const auto bound = Pick(8);
      if (bound == 0) options.as_of.position = SomePosition();
      if (bound == 1) options.as_of.recorded_at = Timestamp(some.recorded_at - (Pick(2) ? 0 : 1));
    }
    if (Pick(6) == 0) options.as_of.effective_at = Timestamp(some.effective_at());
    if (Pick(2)) options.direction = Direction::kBackwards;
    if (Pick(4) == 0) options.limit = Pick(10);
    return options;
  }

  void ReadSomething(const Reader& reader) { CheckRead(reader, SomeRead()); }

  void CheckRead(const Reader& reader, const ReadOptions& options) {
    const auto expected = model_.Read(options);
    auto cursor = reader.Read(options);
    REQUIRE_OK(cursor);
    std::size_t n = 0;
    REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
      REQUIRE(n < expected.size());
      REQUIRE(Compare(event, *expected[n]) == "");
      ++n;
      return absl::OkStatus();
    }));
    REQUIRE(n == expected.size());
  }

  std::mt19937_64 random_;
  TempFolder folder_;
  StoreOptions options_;
  Model model_;
  std::unique_ptr<Store> store_;
};

void RunSteps(StoreOptions options, int steps) {
  const std::uint64_t seed = Seed();
  std::cout << "DAYBOOK_SEED=" << seed << std::endl;
  CAPTURE(seed);
  Run run(seed, std::move(options));
  for (int step = 0; step < steps; ++step) {
    CAPTURE(step);
    run.Step();
  }
  run.Finish();
}

int Steps(int full) { return std::getenv("DAYBOOK_TEST_SHORT") != nullptr ? full / 5 : full; }

TEST_CASE("a store of small segments does what a vector does") {
  RunSteps(SmallSegments(), Steps(5000));
}

TEST_CASE("a store of one segment does what a vector does") { RunSteps({}, Steps(3000)); }

TEST_CASE("a buffered store does what a vector does") {
  StoreOptions options = SmallSegments();
  options.durability = Durability::kBuffered;
  RunSteps(options, Steps(3000));
}

TEST_CASE("a store that keeps almost no heads in memory does what a vector does") {
  StoreOptions options = SmallSegments();
  options.cached_heads_max = 1;
  RunSteps(options, Steps(3000));
}

}  // namespace
}  // namespace daybook::testing
