#include "daybook/sqs_sink.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "projections/publish/sqs/fake_queue_testing.h"
#include "tests/catch.h"

namespace daybook::sqs {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;
using testing::BatchAnswer;
using testing::FakeQueue;
using testing::Reply;
using testing::Request;

constexpr milliseconds kLong{5000};

std::size_t EntriesOf(const Request& request) { return request.Values("Id").size(); }
Reply TakeAll(const Request& request) { return {.body = BatchAnswer(EntriesOf(request))}; }

// A sink, and events for it: of streams that the test names, at positions from 1.
class Driver {
 public:
  explicit Driver(const FakeQueue& queue, const std::string& name = "q.fifo",
                  milliseconds timeout = kLong, const std::string& requests = "4") {
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
    SinkSettings settings;
    settings.url = queue.Url(name);
    settings.timeout = timeout;
    settings.options = {{"requests", requests}};
    auto opened = OpenSqsSink(settings);
    REQUIRE_OK(opened);
    sink_ = *std::move(opened);
  }

  absl::Status Begin() {
    sequence_ = 0;
    return sink_->Begin({"inc", Position(0), ""}).status();
  }

  void Send(const std::vector<std::string>& streams, const std::string& data = "{}") {
    std::deque<EventView> events;
    std::deque<std::string> keys;
    std::vector<OutgoingEvent> batch;
    for (const std::string& stream : streams) {
      EventView& event = events.emplace_back();
      event.position = Position(++position_);
      event.stream = stream;
      event.type = "T";
      event.content_type = ContentType::kJson;
      event.data = AsBytes(data);
      keys.push_back(absl::StrCat("inc:", position_));
      batch.push_back({&event, sequence_++, keys.back(), event.position, ""});
    }
    sink_->Send(batch);
  }

  // Outcomes by sequence; each must come once.
  std::map<std::uint64_t, SinkOutcome> Settle(milliseconds timeout = kLong) {
    std::vector<SinkOutcome> outcomes;
    sink_->Settle(timeout, &outcomes);
    return ById(outcomes);
  }
  std::map<std::uint64_t, SinkOutcome> Poll(milliseconds timeout) {
    std::vector<SinkOutcome> outcomes;
    sink_->Poll(timeout, &outcomes);
    return ById(outcomes);
  }
  Sink& sink() { return *sink_; }

 private:
  static std::map<std::uint64_t, SinkOutcome> ById(const std::vector<SinkOutcome>& outcomes) {
    std::map<std::uint64_t, SinkOutcome> by_id;
    for (const SinkOutcome& outcome : outcomes) {
      CHECK(by_id.emplace(outcome.sequence, outcome).second);
    }
    return by_id;
  }

  std::unique_ptr<Sink> sink_;
  std::uint64_t position_ = 0;
  std::uint64_t sequence_ = 0;
};

std::vector<std::string> Streams(std::size_t count) {
  std::vector<std::string> streams;
  for (std::size_t i = 0; i < count; ++i) streams.push_back(absl::StrCat("s-", i));
  return streams;
}

std::size_t Count(const std::map<std::uint64_t, SinkOutcome>& outcomes, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [&](const auto& pair) { return pair.second.outcome == outcome; }));
}

TEST_CASE("events go out ten in a request, several requests at a time, on kept connections") {
  FakeQueue queue([](const Request& request) {
    Reply reply = TakeAll(request);
    reply.delay = milliseconds(5);
    return reply;
  });
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  driver.Send(Streams(100));
  CHECK(Count(driver.Settle(), Outcome::kDone) == 100);
  CHECK(queue.requests().size() == 10);
  CHECK(queue.connections() <= 5);
  CHECK(queue.connections() >= 2);
  std::set<std::string> keys;
  for (const Request& request : queue.requests()) {
    CHECK(request.action() == "SendMessageBatch");
    CHECK(EntriesOf(request) == 10);
    for (const std::string& key : request.Values("MessageDeduplicationId")) keys.insert(key);
  }
  CHECK(keys.size() == 100);
}

TEST_CASE("a group never has two messages on their way, and they go in order") {
  FakeQueue queue([](const Request& request) {
    Reply reply = TakeAll(request);
    reply.delay = milliseconds(3);
    return reply;
  });
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  std::vector<std::string> streams;
  for (int i = 0; i < 40; ++i) streams.push_back(absl::StrCat("s-", i % 4));
  driver.Send(streams);
  CHECK(Count(driver.Settle(), Outcome::kDone) == 40);
  std::map<std::string, std::vector<int>> positions;
  for (const Request& request : queue.requests()) {
    const auto groups = request.Values("MessageGroupId");
    const auto keys = request.Values("MessageDeduplicationId");
    REQUIRE(groups.size() == keys.size());
    CHECK(std::set<std::string>(groups.begin(), groups.end()).size() == groups.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      positions[groups[i]].push_back(std::stoi(keys[i].substr(4)));
    }
  }
  CHECK(positions.size() == 4);
  for (const auto& [group, found] : positions) {
    CHECK(found.size() == 10);
    CHECK(std::is_sorted(found.begin(), found.end()));
  }
}

TEST_CASE("after a failed entry nothing more is sent, and nothing of its stream passes it") {
  FakeQueue queue([](const Request& request) {
    const auto groups = request.Values("MessageGroupId");
    const auto at = std::find(groups.begin(), groups.end(), "s-3");
    std::map<std::size_t, std::pair<std::string, bool>> failed;
    if (at != groups.end()) {
      failed[static_cast<std::size_t>(at - groups.begin())] = {"InternalError", false};
    }
    return Reply{.body = BatchAnswer(groups.size(), failed)};
  });
  Driver driver(queue, "q.fifo", kLong, "1");
  REQUIRE_OK(driver.Begin());
  std::vector<std::string> streams = Streams(20);
  for (int i = 0; i < 10; ++i) streams.push_back("s-3");
  driver.Send(streams);
  const auto begin = std::chrono::steady_clock::now();
  const auto outcomes = driver.Settle();
  CHECK(std::chrono::steady_clock::now() - begin < kLong / 2);
  CHECK(outcomes.size() == 30);
  CHECK(Count(outcomes, Outcome::kDone) == 9);
  CHECK(outcomes.at(3).outcome == Outcome::kRetry);
  CHECK(outcomes.at(3).status.code() == StatusCode::kUnavailable);
  CHECK(outcomes.at(10).status.code() == StatusCode::kAborted);
  CHECK(outcomes.at(29).status.code() == StatusCode::kAborted);
  CHECK(queue.requests().size() == 1);
  driver.Send({"s-9"});
  CHECK(driver.Poll(milliseconds(0)).at(30).outcome == Outcome::kRetry);
  CHECK(queue.requests().size() == 1);
}

TEST_CASE("an event that is too large is poison when all before it are stored") {
  FakeQueue queue(&TakeAll, 2048);
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  driver.Send(Streams(3));
  driver.Send({"s-0"}, "\"" + std::string(3000, 'x') + "\"");
  driver.Send({"s-1", "s-0"});
  const auto outcomes = driver.Settle();
  CHECK(outcomes.size() == 6);
  CHECK(Count(outcomes, Outcome::kDone) == 3);
  CHECK(outcomes.at(3).outcome == Outcome::kPoison);
  CHECK(outcomes.at(3).status.code() == StatusCode::kOutOfRange);
  CHECK(outcomes.at(4).outcome == Outcome::kRetry);
  CHECK(outcomes.at(5).outcome == Outcome::kRetry);
}

TEST_CASE("no request is larger than one message may be") {
  FakeQueue queue(&TakeAll, 2048);
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  driver.Send(Streams(10), "\"" + std::string(400, 'x') + "\"");
  CHECK(Count(driver.Settle(), Outcome::kDone) == 10);
  for (const Request& request : queue.requests()) CHECK(EntriesOf(request) <= 2);
}

TEST_CASE("the entry for which a request is refused is found, and it alone is poison") {
  FakeQueue queue([](const Request& request) {
    const auto groups = request.Values("MessageGroupId");
    if (std::find(groups.begin(), groups.end(), "s-7") == groups.end()) return TakeAll(request);
    return Reply{.code = 400, .body = R"({"__type":"x#InvalidMessageContents","message":"no"})"};
  });
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  driver.Send(Streams(10));
  CHECK(Count(driver.Settle(), Outcome::kPoison) == 0);
  REQUIRE_OK(driver.Begin());
  driver.Send(Streams(10));
  const auto outcomes = driver.Settle();
  CHECK(Count(outcomes, Outcome::kPoison) == 1);
  CHECK(outcomes.at(7).outcome == Outcome::kPoison);
  for (std::uint64_t i = 0; i < 7; ++i) CHECK(outcomes.at(i).outcome == Outcome::kDone);
}

TEST_CASE("a standard queue gets no groups, and all of a stream at once") {
  FakeQueue queue(&TakeAll);
  Driver driver(queue, "q");
  REQUIRE_OK(driver.Begin());
  driver.Send(std::vector<std::string>(20, "s-1"));
  CHECK(Count(driver.Settle(), Outcome::kDone) == 20);
  CHECK(queue.requests().size() == 2);
  CHECK(queue.requests()[0].Values("MessageGroupId").empty());
  CHECK(queue.requests()[0].Values("MessageDeduplicationId").empty());
}

TEST_CASE("cut connections, 503, throttling and timeouts are tried again") {
  const std::vector<std::pair<Reply, StatusCode>> replies = {
      {{.cut = true}, StatusCode::kUnavailable},
      {{.code = 503}, StatusCode::kUnavailable},
      {{.code = 400, .body = R"({"__type":"x#ThrottlingException"})"},
       StatusCode::kResourceExhausted},
      {{.body = "{}", .delay = milliseconds(700)}, StatusCode::kDeadlineExceeded},
      {{.body = "{\"Successful\":[{\"Id\":\"0\"}"}, StatusCode::kUnavailable},
  };
  for (const auto& [reply, code] : replies) {
    bool is_first = true;
    FakeQueue queue([&, reply = reply](const Request& request) {
      return std::exchange(is_first, false) ? reply : TakeAll(request);
    });
    Driver driver(queue, "q.fifo", milliseconds(400));
    REQUIRE_OK(driver.Begin());
    driver.Send({"s-1"});
    const auto first = driver.Settle();
    CAPTURE(static_cast<int>(code));
    // A connection that was kept and cut is tried a second time by libcurl itself.
    if (!reply.cut) {
      CHECK(first.at(0).outcome == Outcome::kRetry);
      CHECK(first.at(0).status.code() == code);
    }
    REQUIRE_OK(driver.Begin());
    driver.Send({"s-1"});
    CHECK(driver.Settle().at(0).outcome == Outcome::kDone);
  }
}

TEST_CASE("a pause that SQS asks for is kept") {
  bool is_first = true;
  FakeQueue queue([&](const Request& request) {
    if (!std::exchange(is_first, false)) return TakeAll(request);
    return Reply{.code = 503, .headers = "Retry-After: 1\r\n"};
  });
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  driver.Send({"s-1"});
  CHECK(driver.Settle().at(0).outcome == Outcome::kRetry);
  CHECK(driver.Begin().code() == StatusCode::kUnavailable);
  std::this_thread::sleep_for(milliseconds(1050));
  CHECK_OK(driver.Begin());
}

TEST_CASE("a pause that SQS asks for at the beginning is kept without asking again") {
  FakeQueue queue(
      [](const Request&) { return Reply{.code = 503, .headers = "Retry-After: 30\r\n"}; }, 0);
  Driver driver(queue);
  CHECK(driver.Begin().code() == StatusCode::kUnavailable);
  CHECK_THAT(std::string(driver.Begin().message()), daybook::testing::HasText("pause"));
  CHECK(queue.requests().size() == 1);
}

TEST_CASE("settle gives up what has no answer in time, and nothing of it is told later") {
  FakeQueue queue([](const Request& request) {
    Reply reply = TakeAll(request);
    reply.delay = milliseconds(500);
    return reply;
  });
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  driver.Send({"s-1", "s-2", "s-1"});
  const auto outcomes = driver.Settle(milliseconds(50));
  CHECK(Count(outcomes, Outcome::kRetry) == 3);
  CHECK(driver.Poll(milliseconds(700)).empty());
}

TEST_CASE("a poll without events returns at once, and one waits for the first outcome only") {
  FakeQueue queue(&TakeAll);
  Driver driver(queue);
  REQUIRE_OK(driver.Begin());
  const auto begin = std::chrono::steady_clock::now();
  CHECK(driver.Poll(kLong).empty());
  driver.Send({"s-1"});
  CHECK(driver.Poll(kLong).size() == 1);
  CHECK(std::chrono::steady_clock::now() - begin < kLong / 2);
}

TEST_CASE("what an operator has to do is said when a session begins") {
  const std::vector<std::pair<Reply, StatusCode>> replies = {
      {{.code = 400, .body = R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist"})"},
       StatusCode::kNotFound},
      {{.code = 403, .body = R"({"__type":"x#AccessDeniedException"})"},
       StatusCode::kPermissionDenied},
      {{.code = 403, .body = R"({"__type":"x#SignatureDoesNotMatch"})"},
       StatusCode::kUnauthenticated},
      {{.code = 400, .body = R"({"__type":"x#ThrottlingException"})"}, StatusCode::kUnavailable},
      {{.code = 200, .body = "<html>"}, StatusCode::kFailedPrecondition},
      {{.code = 404, .body = "no"}, StatusCode::kFailedPrecondition},
      {{.body = "{}", .delay = milliseconds(600)}, StatusCode::kDeadlineExceeded},
      {{.cut = true}, StatusCode::kUnavailable},
  };
  for (const auto& [reply, code] : replies) {
    FakeQueue queue([reply = reply](const Request&) { return reply; }, 0);
    Driver driver(queue, "q.fifo", milliseconds(300));
    const absl::Status status = driver.Begin();
    CAPTURE(status.ToString());
    CHECK(status.code() == code);
    CHECK(status.message().find('\n') == absl::string_view::npos);
  }
}

TEST_CASE("a host that speaks no TLS, or is not there, ends in one line") {
  setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
  std::string url;
  const auto begin = [&](const std::string& ca_file) {
    SinkSettings settings;
    settings.url = url;
    settings.options = {{"region", "eu-west-1"}};
    settings.tls_ca_file = ca_file;
    settings.timeout = milliseconds(2000);
    auto sink = OpenSqsSink(settings);
    REQUIRE_OK(sink);
    const absl::Status status = (*sink)->Begin({"inc", Position(0), ""}).status();
    CAPTURE(status.ToString());
    CHECK_FALSE(status.ok());
    CHECK(status.message().find('\n') == absl::string_view::npos);
    return status.code();
  };
  {
    FakeQueue queue(&TakeAll);
    url = queue.Url("q.fifo");
    url.erase(3, 5);  // sqs+http -> sqs
    CHECK(begin("/no/such/file") == StatusCode::kInvalidArgument);
  }
  CHECK(begin("") == StatusCode::kUnavailable);
}

}  // namespace
}  // namespace daybook::sqs
