// Appending: bad input, conflicts, conditions, duplicates, durability.

#include <atomic>
#include <thread>

#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

class Opened {
 public:
  explicit Opened(StoreOptions options = {}) : options_(std::move(options)) { Open(); }
  void Open() {
    store_.reset();
    auto store = Store::Open(folder_ / "store", options_);
    REQUIRE_OK(store);
    store_ = *std::move(store);
  }
  Store* operator->() const { return store_.get(); }
  [[nodiscard]] Store* get() const { return store_.get(); }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "store"; }

 private:
  TempFolder folder_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

void CheckInvalid(const absl::Status& status, const std::string& text) {
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()), HasText(text));
}

EventId Id(std::uint8_t n) {
  EventId::Bytes bytes{};
  bytes[0] = 1;
  bytes[15] = n;
  return EventId(bytes);
}

NewEvent WithId(std::string_view data, std::uint8_t n) {
  NewEvent event = EventOf(data);
  event.id = Id(n);
  return event;
}

StoreOptions Buffered() {
  StoreOptions options = SmallSegments();
  options.durability = Durability::kBuffered;
  options.sync_interval = std::chrono::hours(1);
  return options;
}

TEST_CASE("a skip of a projection is an event that only the store can write, once") {
  Opened store;
  REQUIRE_OK(AppendText(store.get(), "a-1", "{}"));
  const ProjectionSkip skip{"totals", Position(1), "no \"cents\"\nat all", "ann"};
  const auto first = store->RecordSkip(skip);
  REQUIRE_OK(first);
  const auto event = store->EventAt("$projection-totals", Version(1));
  REQUIRE_OK(event);
  CHECK((*event)->type == "ProjectionSkip");
  CHECK(AsText((*event)->data) ==
        R"({"position":1,"reason":"no \"cents\"\u000aat all","actor":"ann"})");
  const auto again = store->RecordSkip(skip);
  REQUIRE_OK(again);
  CHECK(again->duplicate);
  CHECK(again->last_position == first->last_position);
  CHECK(absl::IsAlreadyExists(
      store->RecordSkip({"totals", Position(1), "another reason", "ann"}).status()));
  CHECK_OK(store->RecordSkip({"others", Position(1), "another reason", "ann"}));
  CheckInvalid(store->RecordSkip({"totals", Position(9), "r", "a"}).status(), "position 9");
  CheckInvalid(store->RecordSkip({"totals", Position(1), "", "a"}).status(), "reason");
  CheckInvalid(AppendText(store.get(), "$projection-totals", "{}").status(), "store's own");
}

TEST_CASE("each position of a projection can be skipped for a reason of its own") {
  Opened store;
  for (int i = 0; i < 300; ++i) REQUIRE_OK(AppendText(store.get(), "a-1", "{}"));
  for (std::uint64_t position = 1; position <= 300; ++position) {
    const auto result =
        store->RecordSkip({"totals", Position(position), std::to_string(position), "ann"});
    REQUIRE_OK(result);
    CHECK_FALSE(result->duplicate);
  }
  CHECK(store->Head("$projection-totals")->version == Version(300));
}

TEST_CASE(
    "who waits for what is durable is woken by a sync, by the clock, or by being called off") {
  Opened store(Buffered());
  REQUIRE_OK(AppendText(store.get(), "a-1", "{}"));
  CHECK(absl::IsDeadlineExceeded(
      store->AwaitDurable(Position(1), std::chrono::milliseconds(1)).status()));
  std::atomic<bool> go_on{true};
  std::atomic<bool> ended{false};
  absl::Status called_off;
  std::thread waiting([&] {
    called_off =
        store->AwaitDurable(Position(2), std::chrono::minutes(1), [&] { return go_on.load(); })
            .status();
    ended = true;
  });
  go_on = false;
  while (!ended) {
    store->WakeWaiters();
    std::this_thread::yield();
  }
  waiting.join();
  CHECK(absl::IsCancelled(called_off));
  REQUIRE_OK(store->Flush());
  CHECK(store->AwaitDurable(Position(1), std::chrono::minutes(1)).value() == Position(1));
}

}  // namespace

TEST_CASE("names that are not allowed are refused, and the commit stays as it was") {
  const Opened store;
  Commit commit;
  REQUIRE_OK(commit.Add("good", EventOf("1")));
  const std::string long_name(256, 'n');
  const std::string bad_utf8 = "caf\xe9";
  for (const std::string& name : {std::string(), long_name, bad_utf8, std::string("a\nb"),
                                  std::string("a\0b", 3), std::string("a\x7f")}) {
    CAPTURE(name);
    CHECK(absl::IsInvalidArgument(commit.Add(name, EventOf("x"))));
    CHECK(absl::IsInvalidArgument(commit.Expect(name, ExpectedVersion::Any())));
    NewEvent event = EventOf("x");
    event.type = name;
    CHECK(absl::IsInvalidArgument(commit.Add("good", event)));
    event = EventOf("x");
    event.tags = {name};
    CHECK(absl::IsInvalidArgument(commit.Add("good", event)));
  }
  CheckInvalid(commit.Add("-x", EventOf("x")), "-");
  CheckInvalid(commit.Add("$store", EventOf("x")), "$");
  NewEvent twice = EventOf("x");
  twice.tags = {"t", "u", "t"};
  CHECK(absl::IsInvalidArgument(commit.Add("good", twice)));
  NewEvent nil = EventOf("x");
  nil.id = EventId();
  CHECK(absl::IsInvalidArgument(commit.Add("good", nil)));
  const std::string metadata(kMetadataBytesMax + 1, ' ');
  NewEvent large_metadata = EventOf("x");
  large_metadata.metadata = metadata;
  CHECK(absl::IsInvalidArgument(commit.Add("good", large_metadata)));
  CHECK(commit.events() == 1);

  const std::string longest(255, 'n');
  REQUIRE_OK(commit.Add(longest, EventOf("2")));
  const auto result = store->Append(commit);
  REQUIRE_OK(result);
  CHECK(result->events.size() == 2);
  CHECK(store->Head(longest)->version == Version(1));
}

TEST_CASE("an empty commit is refused") {
  const Opened store;
  Commit commit;
  CHECK(absl::IsInvalidArgument(store->Append(commit).status()));
  REQUIRE_OK(commit.Expect("a", ExpectedVersion::NoStream()));
  CHECK(absl::IsInvalidArgument(store->Append(commit).status()));
  CHECK(absl::IsInvalidArgument(store->Append("a", ExpectedVersion::Any(), {}).status()));
}

TEST_CASE("an event over 16 MiB and a commit over 64 MiB are refused") {
  const Opened store;
  Commit commit;
  const std::string too_large((16 << 20) + 1, 'x');
  CHECK(absl::IsInvalidArgument(commit.Add("a", EventOf(too_large))));
  CHECK(commit.events() == 0);
  const std::string large((16 << 20) - 4096, 'x');
  for (int i = 0; i < 4; ++i) REQUIRE_OK(commit.Add("a", EventOf(large)));
  const auto status = commit.Add("a", EventOf(large));
  CHECK(absl::IsInvalidArgument(status));
  CHECK(commit.events() == 4);
  const auto result = store->Append(commit);
  REQUIRE_OK(result);
  CHECK(result->last_position == Position(4));
  CHECK((*store->EventAt(Position(4)))->data.size() == large.size());
}

TEST_CASE("the first event of a store may be larger than its first segment") {
  for (const bool small : {false, true}) {
    Opened store(small ? SmallSegments() : StoreOptions());
    const std::string large(3 << 20, 'x');
    REQUIRE_OK(AppendText(store.get(), "a", large));
    REQUIRE_OK(AppendText(store.get(), "a", "small"));
    REQUIRE_OK(AppendText(store.get(), "a", large));
    store.Open();
    REQUIRE_OK(AppendText(store.get(), "a", "small"));
    CHECK(ReadAll(*store.get())->size() == 4);
    CHECK(Verify(store.path(), {})->ok());
  }
}

TEST_CASE("a conflict says stream, expected and actual") {
  const Opened store;
  REQUIRE_OK(store->Append("a", ExpectedVersion::NoStream(), {EventOf("1"), EventOf("2")}));
  const auto conflict = [&](ExpectedVersion expected) {
    const auto result = store->Append("a", expected, {EventOf("x")});
    CHECK(absl::IsAborted(result.status()));
    return ConflictOf(result.status());
  };
  for (const ExpectedVersion expected :
       {ExpectedVersion::NoStream(), ExpectedVersion::Exactly(Version(1)),
        ExpectedVersion::Exactly(Version(3))}) {
    const auto found = conflict(expected);
    REQUIRE(found.has_value());
    CHECK(found->stream == "a");
    CHECK(found->expected == expected);
    CHECK(found->actual == Version(2));
    CHECK(found->matched == Position(0));
  }
  const auto missing = store->Append("b", ExpectedVersion::StreamExists(), {EventOf("x")}).status();
  REQUIRE(ConflictOf(missing).has_value());
  CHECK(ConflictOf(missing)->actual == Version(0));

  // A stream that is only checked.
  Commit commit;
  REQUIRE_OK(commit.Add("c", EventOf("x")));
  REQUIRE_OK(commit.Expect("a", ExpectedVersion::Exactly(Version(1))));
  CHECK(absl::IsAborted(store->Append(commit).status()));
  CHECK(store->visible() == Position(2));
  // The last word counts, and the commit can be appended after a conflict.
  REQUIRE_OK(commit.Expect("a", ExpectedVersion::Exactly(Version(2))));
  CHECK_OK(store->Append(commit));
  CHECK(store->visible() == Position(3));
}

TEST_CASE("a query condition forbids what matches after its position") {
  const Opened store;
  NewEvent event = EventOf("1");
  event.tags = {"course:1", "student:7"};
  REQUIRE_OK(store->Append("a", ExpectedVersion::Any(), {event}));
  REQUIRE_OK(AppendText(store.get(), "b", "2"));
  const auto append = [&](std::vector<QueryItem> items, std::uint64_t after) {
    Commit commit;
    REQUIRE_OK(commit.Add("c", EventOf("x")));
    REQUIRE_OK(commit.Require({std::move(items), Position(after)}));
    return store->Append(commit).status();
  };
  const auto matched = [&](std::vector<QueryItem> items, std::uint64_t after) {
    const absl::Status status = append(std::move(items), after);
    CHECK(absl::IsAborted(status));
    return ConflictOf(status).value_or(Conflict()).matched.value();
  };
  CHECK(matched({{{}, {"course:1"}}}, 0) == 1);
  CHECK(matched({{{"Happened"}, {"student:7", "course:1"}}}, 0) == 1);
  CHECK(matched({{{"Other"}, {}}, {{}, {"student:7"}}}, 0) == 1);
  CHECK(matched({}, 1) == 2);
  CHECK(matched({{{"Happened"}, {}}}, 1) == 2);
  CHECK_OK(append({{{}, {"course:1"}}}, 1));
  CHECK_OK(append({{{}, {"course:2"}}}, 0));
  CHECK_OK(append({{{"Other"}, {"course:1"}}}, 0));
  CHECK_OK(append({}, store->visible().value()));
}

TEST_CASE("a retry is the first append, for ever") {
  Opened store(SmallSegments());
  Commit given;
  REQUIRE_OK(given.Add("a", WithId("1", 1)));
  REQUIRE_OK(given.Add("b", WithId("2", 2)));
  REQUIRE_OK(given.Expect("a", ExpectedVersion::NoStream()));
  const auto first = store->Append(given);
  REQUIRE_OK(first);
  Commit own;
  REQUIRE_OK(own.Add("a", EventOf("3")));
  const auto first_own = store->Append(own);
  REQUIRE_OK(first_own);

  const auto check = [&] {
    const Position before = store->visible();
    for (auto [commit, result] : {std::pair(&given, &first), std::pair(&own, &first_own)}) {
      const auto again = store->Append(*commit);
      REQUIRE_OK(again);
      CHECK(again->duplicate);
      CHECK(again->last_position == (*result)->last_position);
      for (std::size_t i = 0; i < again->events.size(); ++i) {
        CHECK(again->events[i].duplicate);
        CHECK(again->events[i].id == (*result)->events[i].id);
        CHECK(again->events[i].position == (*result)->events[i].position);
        CHECK(again->events[i].version == (*result)->events[i].version);
        CHECK(again->events[i].recorded_at == (*result)->events[i].recorded_at);
      }
    }
    CHECK(store->visible() == before);
    // With other content, and as a part of another commit.
    CHECK(absl::IsAlreadyExists(
        store->Append("a", ExpectedVersion::Any(), {WithId("other", 1)}).status()));
    CHECK(absl::IsAlreadyExists(
        store->Append("a", ExpectedVersion::Any(), {WithId("1", 1), EventOf("new")}).status()));
    // The scope of an id is its stream.
    CHECK(store->visible() == before);
  };
  check();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 200; ++i) {
      REQUIRE_OK(AppendText(store.get(), i % 2 ? "a" : "c", std::string(200, 'x')));
    }
    check();
    store.Open();
    check();
  }
  CHECK(FilesOf(store.path(), ".log").size() > 10);
  REQUIRE_OK(store->Append("elsewhere", ExpectedVersion::NoStream(), {WithId("1", 1)}));

  const auto skipped = store->Append("a", ExpectedVersion::Any(), {WithId("1", 1), WithId("n", 9)},
                                     {.on_duplicate = OnDuplicate::kSkipEvents});
  REQUIRE_OK(skipped);
  CHECK(skipped->events[0].duplicate);
  CHECK(!skipped->events[1].duplicate);
  CHECK(!skipped->duplicate);
}

TEST_CASE("the same id twice in one commit is refused") {
  const Opened store;
  CHECK(absl::IsInvalidArgument(
      store->Append("a", ExpectedVersion::Any(), {WithId("1", 1), WithId("1", 1)}).status()));
  Commit commit;
  REQUIRE_OK(commit.Add("a", WithId("1", 1)));
  CHECK_OK(commit.Add("b", WithId("1", 1)));
  CHECK_OK(store->Append(commit));
}

TEST_CASE("a retry of an append that is on its way is a duplicate of it") {
  for (const StoreOptions& options : {SmallSegments(), Buffered()}) {
    const Opened store(options);
    REQUIRE_OK(AppendText(store.get(), "a", "0"));
    for (std::uint8_t n = 1; n < 100; ++n) {
      Commit first, second;
      REQUIRE_OK(first.Add("a", WithId("x", n)));
      REQUIRE_OK(first.Expect("a", ExpectedVersion::Exactly(Version(n))));
      REQUIRE_OK(second.Add("a", WithId("x", n)));
      REQUIRE_OK(second.Expect("a", ExpectedVersion::Exactly(Version(n))));
      const auto placed = store->AppendAsync(std::move(first));
      REQUIRE_OK(placed);
      CHECK(!placed->duplicate);
      const auto again = n % 2 ? store->Append(second) : store->AppendAsync(std::move(second));
      REQUIRE_OK(again);
      CHECK(again->duplicate);
      CHECK(again->last_position == placed->last_position);
      // And one that loses is told so.
      CHECK(absl::IsAborted(
          store->Append("a", ExpectedVersion::Exactly(Version(n)), {EventOf("y")}).status()));
      REQUIRE_OK(store->WaitDurable(placed->last_position));
    }
    CHECK(store->visible() == Position(100));
  }
}

TEST_CASE("appends that do not wait are durable once WaitDurable says so") {
  const Opened store(SmallSegments());
  Position last;
  for (int i = 0; i < 500; ++i) {
    Commit commit;
    const std::string data = std::to_string(i) + std::string(200, 'x');
    REQUIRE_OK(commit.Add("a", EventOf(data)));
    const auto result = store->AppendAsync(std::move(commit));
    REQUIRE_OK(result);
    CHECK(result->last_position.value() == last.value() + 1);
    last = result->last_position;
  }
  REQUIRE_OK(store->WaitDurable(last));
  CHECK(store->durable() == last);
  CHECK(store->visible() == last);
  CHECK((*Reader::Open(store.path(), {}))->visible() == last);
  CHECK(absl::IsInvalidArgument(store->WaitDurable(Position(last.value() + 1))));
  CHECK(absl::IsDeadlineExceeded(
      store->WaitVisible(Position(last.value() + 1), std::chrono::milliseconds(5)).status()));
}

TEST_CASE("a buffered append is visible here and durable later") {
  const Opened store(Buffered());
  const auto reader = Reader::Open(store.path(), {});
  REQUIRE_OK(reader);
  REQUIRE_OK(AppendText(store.get(), "a", "1"));
  CHECK(store->visible() == Position(1));
  CHECK(store->durable() == Position(0));
  CHECK(ReadAll(*store.get())->size() == 1);
  CHECK((*reader)->visible() == Position(0));
  CHECK(ReadAll(**reader)->empty());
  CHECK(absl::IsDeadlineExceeded(
      (*reader)->WaitVisible(Position(1), std::chrono::milliseconds(5)).status()));
  SECTION("Flush") { REQUIRE_OK(store->Flush()); }
  SECTION("WaitDurable") { REQUIRE_OK(store->WaitDurable(Position(1))); }
  SECTION("an append that asks for more") {
    REQUIRE_OK(store->Append("a", ExpectedVersion::Any(), {EventOf("2")},
                             {.durability = Durability::kSync}));
  }
  SECTION("a duplicate that asks for more") {
    Commit commit;
    REQUIRE_OK(commit.Add("a", WithId("2", 2)));
    REQUIRE_OK(store->Append(commit));
    CHECK(store->durable() == Position(0));
    const auto again = store->Append(commit, {.durability = Durability::kSync});
    REQUIRE_OK(again);
    CHECK(again->duplicate);
  }
  CHECK(store->durable() == store->visible());
  CHECK((*reader)->visible() == store->visible());
  CHECK(store->Stats()->durability == Durability::kBuffered);
}

TEST_CASE("a buffered store is synced at its interval and at its close") {
  StoreOptions options = Buffered();
  options.sync_interval = std::chrono::milliseconds(20);
  Opened store(options);
  const auto reader = Reader::Open(store.path(), {});
  REQUIRE_OK(reader);
  REQUIRE_OK(AppendText(store.get(), "a", "1"));
  CHECK_OK((*reader)->WaitVisible(Position(1), std::chrono::seconds(20)));
  for (int i = 0; i < 300; ++i) REQUIRE_OK(AppendText(store.get(), "a", std::string(200, 'x')));
  store.Open();
  CHECK(store->durable() == Position(301));
  CHECK(Verify(store.path(), {})->ok());
}

TEST_CASE("an append cannot ask for less than the store gives") {
  const Opened store;
  CHECK(absl::IsInvalidArgument(store
                                    ->Append("a", ExpectedVersion::Any(), {EventOf("1")},
                                             {.durability = Durability::kBuffered})
                                    .status()));
  CHECK(store->visible() == Position(0));
}

TEST_CASE("an asynchronous append that is refused leaves the commit to its caller") {
  const Opened store;
  REQUIRE_OK(AppendText(store.get(), "a-1", "{}"));
  Commit commit;
  REQUIRE_OK(commit.Add("a-1", EventOf("{}")));
  REQUIRE_OK(commit.Expect("a-1", ExpectedVersion::NoStream()));
  const EventId id = commit.id(0);
  CHECK(absl::IsAborted(store->AppendAsync(std::move(commit)).status()));
  REQUIRE(commit.events() == 1);
  CHECK(commit.id(0) == id);
  REQUIRE_OK(commit.Expect("a-1", ExpectedVersion::Exactly(Version(1))));
  const auto placed = store->AppendAsync(std::move(commit));
  REQUIRE_OK(placed);
  CHECK(placed->events.front().id == id);
  CHECK(commit.events() == 0);
  REQUIRE_OK(store->WaitDurable(placed->last_position));
}

}  // namespace daybook::testing
