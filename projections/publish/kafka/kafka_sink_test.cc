#include "daybook/kafka_sink.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "projections/publish/kafka/kafka_testing.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasText;
using testing::KafkaCluster;
using testing::KafkaRecord;
using testing::KafkaRequest;

constexpr milliseconds kLong{20'000};
constexpr const char* kIdempotent = "idempotent";
constexpr const char* kTransactional = "transactional";

// A sink, and the events of a line: position n is the n-th event, of stream "account-(n % 5)".
class Driver {
 public:
  Driver(const KafkaCluster& cluster, const std::string& mode, milliseconds timeout = kLong,
         const std::string& topic = "") {
    SinkSettings settings;
    settings.url = cluster.url();
    settings.destination = topic;
    settings.timeout = timeout;
    settings.options = {{"mode", mode}, {"commit-ms", "30000"}};
    auto opened = OpenKafkaSink(settings);
    REQUIRE_OK(opened);
    sink_ = *std::move(opened);
  }

  absl::StatusOr<SessionBegun> Begin() {
    sequence_ = 0;
    return sink_->Begin({"inc", Position(0), ""});
  }
  void Send(std::uint64_t first, std::uint64_t last, const std::string& data = "{}") {
    std::deque<EventView> events;
    std::deque<std::string> texts;
    std::vector<OutgoingEvent> batch;
    for (std::uint64_t position = first; position <= last; ++position) {
      EventView& event = events.emplace_back();
      event.position = Position(position);
      event.stream = texts.emplace_back(absl::StrCat("account-", position % 5));
      event.type = "T";
      event.content_type = ContentType::kJson;
      event.data = AsBytes(data);
      batch.push_back({&event, sequence_, texts.emplace_back(absl::StrCat("inc:", position)),
                       event.position, ""});
      positions_[sequence_++] = position;
    }
    sink_->Send(batch);
  }

  // Outcomes by position, each once.
  std::map<std::uint64_t, SinkOutcome> Settle(milliseconds timeout = kLong) {
    std::vector<SinkOutcome> outcomes;
    sink_->Settle(timeout, &outcomes);
    return ByPosition(outcomes);
  }
  std::map<std::uint64_t, SinkOutcome> Poll(milliseconds timeout) {
    std::vector<SinkOutcome> outcomes;
    sink_->Poll(timeout, &outcomes);
    return ByPosition(outcomes);
  }
  Sink& sink() { return *sink_; }

 private:
  std::map<std::uint64_t, SinkOutcome> ByPosition(const std::vector<SinkOutcome>& outcomes) {
    std::map<std::uint64_t, SinkOutcome> found;
    for (const SinkOutcome& outcome : outcomes) {
      CHECK(found.emplace(positions_.at(outcome.sequence), outcome).second);
    }
    return found;
  }

  std::unique_ptr<Sink> sink_;
  std::uint64_t sequence_ = 0;
  std::map<std::uint64_t, std::uint64_t> positions_;
};

std::size_t Count(const std::map<std::uint64_t, SinkOutcome>& outcomes, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [&](const auto& pair) { return pair.second.outcome == outcome; }));
}

// The positions that stand in the topic, by stream, in order.
std::map<std::string, std::vector<std::uint64_t>> Stored(const KafkaCluster& cluster,
                                                         const std::string& topic) {
  std::map<std::string, std::vector<std::uint64_t>> stored;
  for (const KafkaRecord& record : cluster.Read(topic)) {
    stored[record.key].push_back(std::stoull(record.headers.at("ce_sequence")));
  }
  return stored;
}

TEST_CASE("an event is a CloudEvent in binary mode with its stream as the key") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 3);
  Driver driver(cluster, kIdempotent);
  const auto begun = driver.Begin();
  REQUIRE_OK(begun);
  CHECK_FALSE(begun->knows);
  driver.Send(1, 1, "{\"cents\":110}");
  driver.Send(2, 2, "");
  const auto outcomes = driver.Settle();
  CHECK(Count(outcomes, Outcome::kDone) == 2);
  const std::vector<KafkaRecord> records = cluster.Read("ledger.account");
  REQUIRE(records.size() == 2);
  const KafkaRecord& full = records[0].key == "account-1" ? records[0] : records[1];
  const KafkaRecord& empty = records[0].key == "account-1" ? records[1] : records[0];
  CHECK(full.value == "{\"cents\":110}");
  CHECK(full.headers.at("ce_specversion") == "1.0");
  CHECK(full.headers.at("ce_source") == "urn:daybook:inc");
  CHECK(full.headers.at("ce_subject") == "account-1");
  CHECK(full.headers.at("content-type") == "application/json");
  CHECK(full.headers.count("ce_datacontenttype") == 0);
  CHECK(full.headers.at("daybook-dedupe-key") == "inc:1");
  CHECK(empty.value.empty());
  CHECK_FALSE(empty.is_null);
}

TEST_CASE("idempotent: every event is done once, in the order of its stream") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 4);
  Driver driver(cluster, kIdempotent);
  REQUIRE_OK(driver.Begin());
  for (std::uint64_t first = 1; first <= 2000; first += 200) driver.Send(first, first + 199);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 2000);
  std::size_t count = 0;
  for (const auto& [stream, positions] : Stored(cluster, "ledger.account")) {
    CHECK(std::is_sorted(positions.begin(), positions.end()));
    count += positions.size();
  }
  CHECK(count == 2000);
  // The session goes on.
  driver.Send(2001, 2010);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 10);
}

TEST_CASE("idempotent: after a refused batch nothing passes it, and the culprit is found") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 1);
  Driver driver(cluster, kIdempotent);
  REQUIRE_OK(driver.Begin());
  driver.Send(1, 10);
  REQUIRE(Count(driver.Settle(), Outcome::kDone) == 10);
  cluster.Answer(KafkaRequest::kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  driver.Send(11, 14);
  driver.Send(15, 20);
  auto outcomes = driver.Settle();
  REQUIRE(outcomes.size() == 10);
  CHECK(Count(outcomes, Outcome::kRetry) == 10);  // which of them it was, nobody knows
  CHECK(absl::IsOutOfRange(outcomes.at(11).status));

  // Each by itself now: the third of them is refused.
  REQUIRE_OK(driver.Begin());
  cluster.Answer(KafkaRequest::kProduce, {RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NO_ERROR,
                                          RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  driver.Send(11, 20);
  outcomes = driver.Settle();
  REQUIRE(outcomes.size() == 10);
  CHECK(outcomes.at(11).outcome == Outcome::kDone);
  CHECK(outcomes.at(12).outcome == Outcome::kDone);
  CHECK(outcomes.at(13).outcome == Outcome::kPoison);
  CHECK(absl::IsOutOfRange(outcomes.at(13).status));
  CHECK(Count(outcomes, Outcome::kRetry) == 7);

  REQUIRE_OK(driver.Begin());
  driver.Send(14, 20);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 7);
  for (const auto& [stream, positions] : Stored(cluster, "ledger.account")) {
    CHECK(std::is_sorted(positions.begin(), positions.end()));
    CHECK(std::count(positions.begin(), positions.end(), 13U) == 0);
  }
}

TEST_CASE("idempotent: the first batch to a partition travels alone") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 1);
  Driver driver(cluster, kIdempotent);
  REQUIRE_OK(driver.Begin());
  // Were more on their way, a broker would take the second batch of a producer that it does not
  // know, and the first would be overtaken.
  cluster.Answer(KafkaRequest::kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  driver.Send(1, 200);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 0);
  CHECK(cluster.Read("ledger.account").empty());
}

TEST_CASE("transactional: done with the commit, and the cursor is there for the next session") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 2);
  cluster.CreateTopic("daybook.cursors", 1);
  Driver driver(cluster, kTransactional);
  auto begun = driver.Begin();
  REQUIRE_OK(begun);
  CHECK(begun->knows);
  CHECK_FALSE(begun->last.has_value());
  driver.Send(1, 100);
  CHECK(driver.Poll(milliseconds(300)).empty());  // it is stored, and nobody may see it yet
  CHECK(Count(driver.Settle(), Outcome::kDone) == 100);

  Driver other(cluster, kTransactional);
  begun = other.Begin();
  REQUIRE_OK(begun);
  REQUIRE(begun->last.has_value());
  CHECK(begun->last->incarnation == "inc");
  CHECK(begun->last->line == Position(100));
  CHECK_FALSE(begun->last->aside.has_value());
}

TEST_CASE("transactional: what cannot be committed is sent again, all of it") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 2);
  cluster.CreateTopic("daybook.cursors", 1);
  Driver driver(cluster, kTransactional);
  REQUIRE_OK(driver.Begin());
  driver.Send(1, 10);
  REQUIRE(Count(driver.Settle(), Outcome::kDone) == 10);
  cluster.Answer(KafkaRequest::kEndTxn, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  driver.Send(11, 20);
  auto outcomes = driver.Settle();
  REQUIRE(outcomes.size() == 10);
  CHECK(Count(outcomes, Outcome::kRetry) == 10);
  driver.Send(21, 21);  // the session has ended
  CHECK(Count(driver.Settle(), Outcome::kRetry) == 1);
  REQUIRE_OK(driver.Begin());
  driver.Send(11, 21);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 11);
}

TEST_CASE("transactional: an event that is refused is found, and those before it are done") {
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 1);
  cluster.CreateTopic("daybook.cursors", 1);
  Driver driver(cluster, kTransactional);
  REQUIRE_OK(driver.Begin());
  cluster.Answer(KafkaRequest::kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  driver.Send(1, 3);
  // Before the commit: else it may be the cursor that meets the error.
  CHECK(Count(driver.Poll(kLong), Outcome::kRetry) == 3);
  REQUIRE_OK(driver.Begin());
  // An event, its cursor, and the culprit.
  cluster.Answer(KafkaRequest::kProduce, {RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NO_ERROR,
                                          RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  driver.Send(1, 3);
  const auto outcomes = driver.Settle();
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes.at(1).outcome == Outcome::kDone);
  CHECK(outcomes.at(2).outcome == Outcome::kPoison);
  CHECK(outcomes.at(3).outcome == Outcome::kRetry);
  const auto begun = driver.Begin();
  REQUIRE_OK(begun);
  CHECK(begun->last->line == Position(1));
}

TEST_CASE("a topic that is missing ends the session, and what stands before it is done") {
  const std::string mode = GENERATE(kIdempotent, kTransactional);
  CAPTURE(mode);
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 1);
  cluster.CreateTopic("daybook.cursors", 1);
  cluster.ForgetTopic("missing");
  cluster.ForgetTopic("ledger.nowhere");
  Driver fixed(cluster, mode, kLong, "missing");
  const absl::Status refused = fixed.Begin().status();
  CHECK(absl::IsNotFound(refused));
  CHECK_THAT(std::string(refused.message()), HasText("missing"));

  Driver driver(cluster, mode, kLong, "ledger.{category}");
  REQUIRE_OK(driver.Begin());
  driver.Send(1, 5);
  EventView event;
  event.position = Position(6);
  event.stream = "nowhere-1";
  event.type = "T";
  const std::vector<OutgoingEvent> batch = {{&event, 5, "inc:6", Position(6), ""}};
  driver.sink().Send(batch);
  std::vector<SinkOutcome> outcomes;
  driver.sink().Settle(kLong, &outcomes);
  REQUIRE(outcomes.size() == 6);
  CHECK(std::count_if(outcomes.begin(), outcomes.end(), [](const SinkOutcome& outcome) {
          return outcome.outcome == Outcome::kDone && outcome.sequence < 5;
        }) == 5);
  CHECK(outcomes.back().outcome == Outcome::kRetry);
  CHECK(absl::IsNotFound(outcomes.back().status));
}

TEST_CASE("a broker that is away is one line soon, and its return is another session") {
  const std::string mode = GENERATE(kIdempotent, kTransactional);
  CAPTURE(mode);
  KafkaCluster cluster;
  cluster.CreateTopic("ledger.account", 1);
  cluster.CreateTopic("daybook.cursors", 1);
  Driver driver(cluster, mode, milliseconds(2000));
  REQUIRE_OK(driver.Begin());
  driver.Send(1, 10);
  REQUIRE(Count(driver.Settle(), Outcome::kDone) == 10);

  cluster.SetUp(false);
  driver.Send(11, 20);
  const steady_clock::time_point begin = steady_clock::now();
  std::map<std::uint64_t, SinkOutcome> outcomes;
  while (outcomes.empty() && steady_clock::now() - begin < kLong) {
    outcomes = driver.Poll(milliseconds(100));
    if (mode == kTransactional) outcomes.merge(driver.Settle(milliseconds(2000)));
  }
  CHECK(Count(outcomes, Outcome::kRetry) == 10);
  CHECK(steady_clock::now() - begin < milliseconds(8000));
  const absl::Status away = driver.Begin().status();
  CHECK((absl::IsUnavailable(away) || absl::IsDeadlineExceeded(away)));
  CHECK(std::string(away.message()).find('\n') == std::string::npos);

  cluster.SetUp(true);
  absl::StatusOr<SessionBegun> begun = driver.Begin();
  for (int i = 0; i < 5 && !begun.ok(); ++i) begun = driver.Begin();
  REQUIRE_OK(begun);
  driver.Send(11, 20);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 10);
}

TEST_CASE("nobody there, and a name that nobody knows") {
  SinkSettings settings;
  settings.url = "kafka://127.0.0.1:1";
  settings.timeout = milliseconds(3000);
  auto sink = OpenKafkaSink(settings);
  REQUIRE_OK(sink);
  const steady_clock::time_point begin = steady_clock::now();
  const absl::Status refused = (*sink)->Begin({"inc", Position(0), ""}).status();
  CHECK(absl::IsUnavailable(refused));
  CHECK_THAT(std::string(refused.message()), HasText("127.0.0.1:1"));
  CHECK(steady_clock::now() - begin < milliseconds(3500));
  settings.url = "kafka://no-such-host.invalid:9092";
  sink = OpenKafkaSink(settings);
  REQUIRE_OK(sink);
  const absl::Status unknown = (*sink)->Begin({"inc", Position(0), ""}).status();
  CHECK_FALSE(unknown.ok());
  CHECK_THAT(std::string(unknown.message()), HasText("no-such-host.invalid"));
}

}  // namespace
}  // namespace daybook
