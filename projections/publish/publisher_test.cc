// A publisher loses, doubles and reorders nothing, whatever the broker does and whenever it dies.

#include "daybook/publisher.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <string>

#include "daybook/publish_letters.h"
#include "projections/projection_testing.h"
#include "projections/publish/broker_testing.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

PublisherOptions Quick(PublishFrom from = PublishFrom()) {
  PublisherOptions options;
  options.name = "bus";
  options.from = from;
  options.backoff_first = options.backoff_max = milliseconds(1);
  return options;
}

constexpr std::uint64_t kLivesSeeds = 24;
const auto kGoOn = [] { return true; };

// A store, a broker, and publishers between them.
struct Bus {
  explicit Bus(int events, int streams = 7) {
    store = *Store::Open(folder / "store", SmallSegments());
    REQUIRE_OK(AppendMany(store.get(), events, streams));
  }
  absl::StatusOr<std::unique_ptr<Publisher>> Open(const PublisherOptions& options) {
    return Publisher::Open(*store, OpenFakeSink(&broker), options);
  }
  absl::Status Publish(const PublisherOptions& options) {
    const auto publisher = Open(options);
    if (!publisher.ok()) return publisher.status();
    const absl::Status status = (*publisher)->Run(PublishUntil::kCaughtUp, kGoOn);
    last = (*publisher)->status();
    return status;
  }
  [[nodiscard]] fs::path journal() const {
    return store->directory() / "publish" / "bus" / "JOURNAL";
  }

  TempFolder folder;
  std::unique_ptr<Store> store;
  FakeBroker broker;
  PublishStatus last;
};

std::vector<std::uint64_t> UpTo(std::uint64_t last) {
  std::vector<std::uint64_t> all(last);
  std::iota(all.begin(), all.end(), 1);
  return all;
}

// For each stream the positions in order of arrival, and only the first arrival of each key.
std::map<std::string, std::vector<std::uint64_t>> ByStream(const FakeBroker& broker) {
  std::map<std::string, std::vector<std::uint64_t>> streams;
  std::set<std::string> seen;
  for (const Stored& one : broker.stored) {
    if (seen.insert(one.dedupe_key).second) streams[one.stream].push_back(one.position);
  }
  return streams;
}

void CheckEachStreamIsWhole(const Bus& bus, const std::set<std::uint64_t>& missing = {}) {
  std::map<std::string, std::vector<std::uint64_t>> expected;
  auto cursor = bus.store->Read({});
  REQUIRE_OK(cursor);
  REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
    if (!missing.contains(event.position.value())) {
      expected[std::string(event.stream)].push_back(event.position.value());
    }
    return absl::OkStatus();
  }));
  CHECK(ByStream(bus.broker) == expected);
}

}  // namespace

TEST_CASE("every event arrives once, in the order of the store, and the cursor follows") {
  Bus bus(500);
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  CHECK(bus.broker.positions() == UpTo(500));
  CHECK(bus.last.acknowledged == Position(500));
  CHECK(bus.last.sent == 500);
  CHECK(bus.last.done == 500);
  CHECK(bus.last.rewinds == 0);
  REQUIRE_OK(bus.Publish(Quick()));  // there is nothing to do
  CHECK(bus.broker.stored.size() == 500);
  REQUIRE_OK(AppendMany(bus.store.get(), 10, 2));
  REQUIRE_OK(bus.Publish(Quick()));
  CHECK(bus.broker.positions() == UpTo(510));
  CHECK(bus.broker.stored.front().dedupe_key == bus.store->incarnation() + ":1");
}

TEST_CASE("what is on its way, and not saved, is bounded by the window") {
  Bus bus(2000);
  bus.broker.window = 40;
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  CHECK(bus.broker.positions() == UpTo(2000));
  CHECK(bus.broker.on_way_max <= 40);
  CHECK(bus.broker.on_way_max > 8);  // it is a pipeline
}

TEST_CASE("a window of a few events is enough") {
  for (const std::size_t window : {1u, 2u, 3u, 5u}) {
    Bus bus(60);
    bus.broker.window = window;
    REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
    CHECK(bus.broker.positions() == UpTo(60));
    CHECK(bus.broker.on_way_max <= window);
  }
}

TEST_CASE("a broker that fails at random gets everything once where it can be asked") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Bus bus(400);
    bus.broker.random.seed(seed);
    bus.broker.failing = 0.02;
    REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
    CHECK(bus.broker.positions() == UpTo(400));
    CHECK(bus.last.acknowledged == Position(400));
    if (seed == 1) CHECK(bus.last.rewinds > 0);
  }
}

TEST_CASE("a broker that cannot be asked gets repeats, and loses and reorders nothing") {
  std::uint64_t repeats = 0, resends = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Bus bus(400);
    bus.broker.random.seed(seed);
    bus.broker.knows = false;
    bus.broker.failing = 0.02;
    REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
    CheckEachStreamIsWhole(bus);
    repeats += bus.broker.stored.size() - 400;
    resends += bus.last.resends;
  }
  CHECK(repeats > 0);
  CHECK(resends >= repeats);
}

TEST_CASE("repeats that the broker drops are counted, and are none of ours") {
  Bus bus(400);
  bus.broker.knows = false;
  bus.broker.drops_repeats = true;
  bus.broker.failing = 0.05;
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  CHECK(bus.broker.positions() == UpTo(400));
  CHECK(bus.last.duplicates > 0);
}

TEST_CASE("poison becomes a dead letter, its stream waits behind it, and others go on") {
  Bus bus(200);
  bus.broker.poison = {10, 60};
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  const auto letters = ReadPublishLetters(*bus.store, "bus");
  REQUIRE_OK(letters);
  std::set<std::uint64_t> parked;
  for (const ParkedStream& stream : letters->parked) {
    CHECK(stream.error == "too large");
    CHECK(stream.attempts == 1);
    CHECK(stream.letters.begin()->second.failed);
    for (const auto& [position, letter] : stream.letters) parked.insert(position);
  }
  CHECK(parked.contains(10));
  CHECK(bus.last.parked == parked.size());
  CHECK(bus.last.acknowledged == Position(200));
  CHECK(bus.broker.stored.size() + parked.size() == 200);
  CheckEachStreamIsWhole(bus, parked);

  // Tried again while it is still poison: nothing changes but the attempts.
  CHECK(*RetryLetters(*bus.store, "bus", std::nullopt) == parked.size());
  REQUIRE_OK(bus.Publish(Quick()));
  CHECK(ReadPublishLetters(*bus.store, "bus")->parked.front().attempts == 2);
  CHECK(bus.last.parked == parked.size());

  // Mended: the letters come in the order of their streams, each once.
  bus.broker.poison.clear();
  REQUIRE_OK(RetryLetters(*bus.store, "bus", std::nullopt).status());
  REQUIRE_OK(bus.Publish(Quick()));
  CHECK(bus.last.parked == 0);
  CHECK(bus.broker.stored.size() == 200);
  CheckEachStreamIsWhole(bus);
  CHECK(bus.last.acknowledged == Position(200));
}

TEST_CASE("a letter that is skipped is never sent, and what waited behind it is") {
  Bus bus(100, 3);
  bus.broker.poison = {20};
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  CHECK(absl::IsInvalidArgument(
      SkipLetter(*bus.store, "bus", {Position(20), "", "me", {}}).status()));
  CHECK(absl::IsFailedPrecondition(
      SkipLetter(*bus.store, "bus", {Position(5), "why", "me", {}}).status()));
  const auto skip = SkipLetter(*bus.store, "bus", {Position(20), "too large for them", "me", {}});
  REQUIRE_OK(skip);
  REQUIRE_OK(bus.Publish(Quick()));
  CHECK(bus.last.parked == 0);
  CheckEachStreamIsWhole(bus, {20});
  const auto letters = ReadPublishLetters(*bus.store, "bus");
  REQUIRE(letters->skips.size() == 1);
  CHECK(letters->skips.front().reason == "too large for them");
  // Deciding again changes nothing.
  CHECK(SkipLetter(*bus.store, "bus", {Position(20), "other", "you", {}})->actor == "me");
}

TEST_CASE(
    "told to stop at poison it stops before the event, says which, and goes on after a skip") {
  Bus bus(100);
  bus.broker.poison = {33};
  PublisherOptions options = Quick(PublishFrom::At(1));
  options.on_poison = OnPoison::kStop;
  const absl::Status stopped = bus.Publish(options);
  REQUIRE(PoisonOf(stopped).has_value());
  CHECK(PoisonOf(stopped)->position == Position(33));
  CHECK(bus.last.state == PublishState::kPoison);
  CHECK(bus.last.acknowledged == Position(32));
  options.from = PublishFrom();
  CHECK(PoisonOf(bus.Publish(options)).has_value());
  REQUIRE_OK(SkipLetter(*bus.store, "bus", {Position(33), "why", "me", {}}).status());
  REQUIRE_OK(bus.Publish(options));
  CheckEachStreamIsWhole(bus, {33});
}

TEST_CASE("a replay is marked, has keys of its own, and leaves the cursor where it is") {
  Bus bus(100);
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  PublisherOptions options = Quick(PublishFrom::At(11));
  options.to = Position(30);
  REQUIRE_OK(bus.Publish(options));
  REQUIRE(bus.broker.stored.size() == 120);
  std::string replay;
  for (std::size_t i = 100; i < 120; ++i) {
    const Stored& one = bus.broker.stored[i];
    CHECK(one.position == i - 100 + 11);
    CHECK_FALSE(one.mark.replay.empty());
    CHECK(one.mark.line == Position(100));
    CHECK(one.dedupe_key ==
          bus.store->incarnation() + ":" + std::to_string(one.position) + ":r" + one.mark.replay);
    if (i > 100) CHECK(one.mark.replay == replay);
    replay = one.mark.replay;
  }
  CHECK(bus.last.acknowledged == Position(100));
  // What was never told is not told again first: it is a letter, and stays one.
  bus.broker.poison = {101};
  REQUIRE_OK(AppendMany(bus.store.get(), 1, 1));
  REQUIRE_OK(bus.Publish(Quick()));
  REQUIRE(bus.last.parked == 1);
  PublisherOptions all = Quick(PublishFrom::At(90));
  REQUIRE_OK(bus.Publish(all));
  CHECK(bus.broker.stored.size() == 131);
  bus.broker.poison.clear();
  REQUIRE_OK(RetryLetters(*bus.store, "bus", std::nullopt).status());
  REQUIRE_OK(bus.Publish(Quick()));
  CHECK(bus.last.parked == 0);
  // A second one is another.
  REQUIRE_OK(bus.Publish(options));
  CHECK(bus.broker.stored.back().mark.replay != replay);
  // And the line goes on, without a mark.
  REQUIRE_OK(AppendMany(bus.store.get(), 10, 2));
  REQUIRE_OK(bus.Publish(Quick()));
  CHECK(bus.broker.stored.back().mark ==
        BrokerMark{bus.store->incarnation(), Position(111), {}, ""});
}

TEST_CASE("a filter sends what it lets through, and the cursor passes the rest") {
  Bus bus(100);
  PublisherOptions options = Quick(PublishFrom::At(1));
  options.filter.category = "acct";
  options.filter.types = {"A"};
  REQUIRE_OK(bus.Publish(options));
  std::vector<std::uint64_t> expected;
  auto cursor = bus.store->Read({.category = "acct", .types = {"A"}});
  REQUIRE_OK(cursor->ForEach([&](const EventView& event) {
    expected.push_back(event.position.value());
    return absl::OkStatus();
  }));
  REQUIRE_FALSE(expected.empty());
  CHECK(bus.broker.positions() == expected);
  CHECK(bus.last.acknowledged == Position(100));
  // The same name with another filter would have passed over what that lets through.
  options.from = PublishFrom();
  options.filter.types = {"A", "B"};
  CHECK(absl::IsFailedPrecondition(bus.Publish(options)));
}

TEST_CASE("a cursor that is missing, foreign or ahead is refused until somebody says where") {
  Bus bus(50);
  const absl::Status missing = bus.Publish(Quick());
  CHECK(absl::IsFailedPrecondition(missing));
  CHECK(std::string(missing.message()).find("--from 1") != std::string::npos);
  CHECK_FALSE(fs::exists(bus.store->directory() / "publish" / "bus"));
  CHECK(absl::IsInvalidArgument(bus.Publish(Quick(PublishFrom::At(52)))));
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(41))));
  CHECK(bus.broker.stored.size() == 10);
  // Another destination under the same name.
  const auto other = Publisher::Open(*bus.store, OpenFakeSink(&bus.broker, "fake:two"), Quick());
  CHECK(absl::IsFailedPrecondition(other.status()));
  // What would pass over events.
  REQUIRE_OK(AppendMany(bus.store.get(), 10, 2));
  CHECK(absl::IsInvalidArgument(bus.Publish(Quick(PublishFrom::At(55)))));
  // The store of another history, with this cursor.
  Bus fork(40);
  fs::create_directories(fork.journal().parent_path());
  fs::copy_file(bus.journal(), fork.journal());
  CHECK(absl::IsFailedPrecondition(fork.Publish(Quick())));
  REQUIRE_OK(fork.Publish(Quick(PublishFrom::At(31))));
  CHECK(fork.broker.positions().front() == 31);
}

TEST_CASE("from the broker it goes on behind what the broker holds") {
  Bus bus(60);
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  fs::remove_all(bus.journal().parent_path());
  bus.broker.stored.resize(45);
  const PublishFrom from{PublishFrom::Kind::kBroker, {}};
  REQUIRE_OK(bus.Publish(Quick(from)));
  CHECK(bus.broker.positions() == UpTo(60));
  // One that cannot be asked, and one that holds another store's.
  fs::remove_all(bus.journal().parent_path());
  bus.broker.knows = false;
  CHECK(absl::IsFailedPrecondition(bus.Publish(Quick(from))));
  bus.broker.knows = true;
  bus.broker.stored.back().mark.incarnation = "other";
  CHECK(absl::IsFailedPrecondition(bus.Publish(Quick(from))));
}

TEST_CASE("what the broker lost after it had acknowledged is sent again, and said") {
  Bus bus(80);
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  bus.broker.stored.resize(70);
  int warnings = 0;
  PublisherOptions options = Quick();
  options.on_notice = [&](const Notice& notice) {
    warnings += notice.severity == Notice::Severity::kWarning ? 1 : 0;
  };
  REQUIRE_OK(bus.Publish(options));
  CHECK(bus.broker.positions() == UpTo(80));
  CHECK(bus.last.lost_by_broker == 10);
  CHECK(warnings == 1);
}

TEST_CASE("a broker that is ahead of the store is refused") {
  Bus bus(80);
  REQUIRE_OK(bus.Publish(Quick(PublishFrom::At(1))));
  bus.broker.stored.back().mark.line = Position(1000);
  CHECK(absl::IsFailedPrecondition(bus.Publish(Quick())));
}

TEST_CASE("a second publisher for one sink is refused") {
  Bus bus(10);
  const auto first = bus.Open(Quick(PublishFrom::At(1)));
  REQUIRE_OK(first);
  CHECK(absl::IsUnavailable(bus.Open(Quick()).status()));
  PublisherOptions other = Quick(PublishFrom::At(1));
  other.name = "other";
  CHECK_OK(bus.Open(other));  // sinks side by side
}

TEST_CASE("an error at the first begin ends it at once, and later ones are waited for") {
  Bus bus(100);
  bus.broker.begin_error = absl::PermissionDeniedError("no");
  CHECK(absl::IsPermissionDenied(bus.Publish(Quick(PublishFrom::At(1)))));
  CHECK(bus.last.state == PublishState::kFailed);
  bus.broker.begin_error = absl::OkStatus();
  bus.broker.begin_failing = 0;
  const auto publisher = bus.Open(Quick());
  REQUIRE_OK(publisher);
  bus.broker.failing = 0.05;
  int asked = 0;
  const auto some_failures = [&] {
    bus.broker.begin_failing = ++asked > 1 ? 0.7 : 0;
    return true;
  };
  REQUIRE_OK((*publisher)->Run(PublishUntil::kCaughtUp, some_failures));
  CHECK(bus.broker.positions() == UpTo(100));
  CHECK((*publisher)->status().retries.at("UNAVAILABLE") > 0);
}

TEST_CASE("patience ends: a broker that never answers, and an error that nobody mends") {
  for (const bool is_hopeless : {false, true}) {
    Bus bus(100);
    PublisherOptions options = Quick(PublishFrom::At(1));
    options.patience = milliseconds(is_hopeless ? 0 : 30);
    options.hopeless = milliseconds(30);
    const auto publisher = bus.Open(options);
    REQUIRE_OK(publisher);
    bus.broker.failing = 1;
    const auto break_it = [&] {
      if (bus.broker.begun > 0) {
        bus.broker.begin_error =
            is_hopeless ? absl::NotFoundError("no such stream") : absl::UnavailableError("away");
      }
      return true;
    };
    const absl::Status ended = (*publisher)->Run(PublishUntil::kCaughtUp, break_it);
    CHECK(ended == bus.broker.begin_error);
    // Nothing is lost by it.
    bus.broker.begin_error = absl::OkStatus();
    bus.broker.failing = 0;
    REQUIRE_OK((*publisher)->Run(PublishUntil::kCaughtUp, kGoOn));
    CHECK(bus.broker.positions() == UpTo(100));
  }
}

TEST_CASE("told to end it settles and saves, and the next one goes on there") {
  Bus bus(1000);
  const auto publisher = bus.Open(Quick(PublishFrom::At(1)));
  REQUIRE_OK(publisher);
  int asked = 0;
  const absl::Status ended =
      (*publisher)->Run(PublishUntil::kStopped, [&] { return ++asked < 10; });
  CHECK(absl::IsCancelled(ended));
  const PublishStatus status = (*publisher)->status();
  CHECK(status.in_flight == 0);
  CHECK(status.acknowledged.value() == bus.broker.stored.size());
}

// A process that dies leaves the journal as it was at that moment, and the broker what it had
// taken. Then another goes on; at the end every stream is whole.
TEST_CASE("a publisher that dies at any moment is followed by one that misses nothing") {
  std::uint64_t deaths = 0, repeats = 0;
  for (std::uint64_t seed = 1; seed <= kLivesSeeds; ++seed) {
    CAPTURE(seed);
    Bus bus(300, 5);
    bus.broker.random.seed(seed);
    std::mt19937_64 random(seed);
    bus.broker.knows = seed % 3 != 0;
    bus.broker.drops_repeats = seed % 6 == 3;
    bus.broker.failing = seed % 2 == 0 ? 0.01 : 0;
    if (seed % 4 == 0) bus.broker.poison = {20 + seed % 7, 150};
    PublishFrom from = PublishFrom::At(1);
    for (int life = 0; life < 6; ++life) {
      const auto publisher = bus.Open(Quick(from));
      REQUIRE_OK(publisher);
      from = PublishFrom();
      std::uint64_t left = random() % 150;
      std::optional<std::string> journal;
      std::size_t stored = 0;
      bus.broker.on_event = [&] {
        if (left-- != 0) return;
        std::ifstream in(bus.journal(), std::ios::binary);
        journal = std::string(std::istreambuf_iterator<char>(in), {});
        stored = bus.broker.stored.size();
      };
      REQUIRE_OK((*publisher)->Run(PublishUntil::kCaughtUp, kGoOn));
      bus.broker.on_event = nullptr;
      if (!journal) break;  // it came to the end before
      // What it did after that moment did not happen.
      std::ofstream(bus.journal(), std::ios::binary | std::ios::trunc) << *journal;
      bus.broker.stored.resize(stored);
      ++deaths;
      if (life == 3) RetryLetters(*bus.store, "bus", std::nullopt).IgnoreError();
    }
    bus.broker.poison.clear();
    REQUIRE_OK(RetryLetters(*bus.store, "bus", std::nullopt).status());
    REQUIRE_OK(bus.Publish(Quick()));
    if (bus.last.parked > 0) {
      REQUIRE_OK(RetryLetters(*bus.store, "bus", std::nullopt).status());
      REQUIRE_OK(bus.Publish(Quick()));
    }
    CHECK(bus.last.parked == 0);
    CheckEachStreamIsWhole(bus);
    const std::uint64_t more = bus.broker.stored.size() - 300;
    if (bus.broker.knows || bus.broker.drops_repeats) CHECK(more == 0);
    repeats += more;
  }
  CHECK(deaths > 3 * kLivesSeeds);
  CHECK(repeats > 0);
}

}  // namespace daybook::testing
