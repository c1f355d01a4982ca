// The sink with a real nats-server.

#include <nats/nats.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daybook/nats_sink.h"
#include "projections/publish/nats/nats_testing.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using testing::AddStream;
using testing::NatsServer;
using testing::ReadStream;
using testing::StoredMessage;

constexpr std::string_view kIncarnation = "11111111-2222-4333-8444-555555555555";

#define DAYBOOK_NEEDS_NATS() \
  if (!NatsServer::IsInstalled()) DAYBOOK_SKIP("there is no nats-server")

// Events 1 to n of some streams, as a publisher gives them.
class Events {
 public:
  explicit Events(std::size_t count, std::size_t data_bytes = 20) {
    for (std::size_t i = 1; i <= count; ++i) {
      streams_.push_back("account-" + std::to_string(i % 7));
      data_.push_back(std::to_string(i) + std::string(data_bytes, '.'));
      keys_.push_back(std::string(kIncarnation) + ":" + std::to_string(i));
    }
    for (std::size_t i = 1; i <= count; ++i) {
      EventView event;
      event.position = Position(i);
      event.version = Version(i);
      event.stream = streams_[i - 1];
      event.type = "Paid In";
      event.recorded_at = Timestamp(1'000'000'000);
      event.content_type = ContentType::kText;
      event.content_type_text = "text/plain";
      event.data = AsBytes(data_[i - 1]);
      views_.push_back(event);
    }
  }
  [[nodiscard]] std::size_t size() const { return views_.size(); }
  [[nodiscard]] OutgoingEvent At(std::size_t position, std::uint64_t sequence) const {
    return {&views_[position - 1], sequence, keys_[position - 1], Position(position), ""};
  }
  [[nodiscard]] const std::string& Key(std::size_t position) const { return keys_[position - 1]; }
  [[nodiscard]] const std::string& Data(std::size_t position) const { return data_[position - 1]; }
  void SetData(std::size_t position, std::string data) {
    data_[position - 1] = std::move(data);
    views_[position - 1].data = AsBytes(data_[position - 1]);
  }

 private:
  std::vector<std::string> streams_, data_, keys_;
  std::vector<EventView> views_;
};

struct Counts {
  std::size_t sessions = 0, sent = 0, done = 0, duplicates = 0, retries = 0;
  std::vector<std::size_t> poison;
  std::vector<absl::Status> reasons;
};

// What a publisher does, with no state but in memory: sends all, goes back behind what the broker
// holds when a session ends, and leaves out what is poison.
class Driver {
 public:
  Driver(Sink* sink, const Events* events) : sink_(sink), events_(events) {}

  bool Run(const std::function<void()>& hook = {}) {
    for (int attempts = 0; attempts < 600; ++attempts) {
      const absl::StatusOr<SessionBegun> begun =
          sink_->Begin({std::string(kIncarnation), Position(acknowledged_), ""});
      if (!begun.ok()) {
        counts_.reasons.push_back(begun.status());
        std::this_thread::sleep_for(milliseconds(50));
        continue;
      }
      ++counts_.sessions;
      next_ = acknowledged_ + 1;
      if (begun->knows && begun->last) next_ = std::max(next_, begun->last->line.value() + 1);
      if (Session(hook)) return true;
    }
    return false;
  }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] bool IsPoison(std::size_t position) const {
    return std::count(counts_.poison.begin(), counts_.poison.end(), position) > 0;
  }

  // Whether all is sent; not, where the session ended.
  bool Session(const std::function<void()>& hook) {
    std::vector<std::size_t> positions;  // by sequence
    std::size_t outcomes_seen = 0;
    for (;;) {
      std::vector<OutgoingEvent> batch;
      for (;
           next_ <= events_->size() && batch.size() < 64 && positions.size() - outcomes_seen < 2000;
           ++next_) {
        if (IsPoison(next_)) continue;
        batch.push_back(events_->At(next_, positions.size()));
        positions.push_back(next_);
      }
      sink_->Send(batch);
      counts_.sent += batch.size();
      if (hook) hook();
      std::vector<SinkOutcome> outcomes;
      const bool last = next_ > events_->size();
      if (last) {
        sink_->Settle(milliseconds(20'000), &outcomes);
      } else {
        sink_->Poll(milliseconds(batch.empty() ? 100 : 0), &outcomes);
      }
      outcomes_seen += outcomes.size();
      bool ended = false;
      for (const SinkOutcome& outcome : outcomes) {
        ended |= !Take(outcome, positions[outcome.sequence], ended);
      }
      if (ended) {
        CHECK(outcomes_seen == positions.size());
        return false;
      }
      if (last) return true;
    }
  }

  bool Take(const SinkOutcome& outcome, std::size_t position, bool ended) {
    if (outcome.outcome == Outcome::kDone || outcome.outcome == Outcome::kDuplicate) {
      CHECK_FALSE(ended);
      CHECK(position > acknowledged_);
      acknowledged_ = position;
      ++(outcome.outcome == Outcome::kDone ? counts_.done : counts_.duplicates);
      return true;
    }
    CHECK_FALSE(outcome.status.ok());
    counts_.reasons.push_back(outcome.status);
    if (outcome.outcome == Outcome::kPoison) counts_.poison.push_back(position);
    if (outcome.outcome == Outcome::kRetry) ++counts_.retries;
    return false;
  }

  Sink* const sink_;
  const Events* const events_;
  std::size_t acknowledged_ = 0, next_ = 1;
  Counts counts_;
};

std::unique_ptr<Sink> Open(const std::string& url, milliseconds timeout = milliseconds(2000)) {
  SinkSettings settings;
  settings.url = url;
  settings.timeout = timeout;
  absl::StatusOr<std::unique_ptr<Sink>> sink = OpenNatsSink(settings);
  REQUIRE_OK(sink);
  return *std::move(sink);
}

// The positions that a stream holds, in its order, each checked to be whole.
std::vector<std::size_t> PositionsIn(const NatsServer& server, const Events& events) {
  std::vector<std::size_t> positions;
  for (const StoredMessage& message : ReadStream(server.url(), "LEDGER")) {
    const std::size_t position = std::stoul(message.headers.at("ce-sequence"));
    positions.push_back(position);
    CHECK(message.data == events.Data(position));
    CHECK(message.headers.at("Nats-Msg-Id") == events.Key(position));
  }
  return positions;
}

// Where the positions are not those from `first` to `last` without `but`; empty: they are.
std::string Difference(const std::vector<std::size_t>& found, std::size_t first, std::size_t last,
                       const std::vector<std::size_t>& but = {}) {
  std::size_t at = 0;
  for (std::size_t i = first; i <= last; ++i) {
    if (std::count(but.begin(), but.end(), i) > 0) continue;
    if (at == found.size()) return std::to_string(i) + " is missing at the end";
    if (found[at] != i)
      return std::to_string(found[at]) + " is where " + std::to_string(i) + " belongs";
    ++at;
  }
  return at == found.size() ? "" : std::to_string(found.size() - at) + " too many";
}

absl::Status BeginStatus(Sink* sink) {
  const absl::Status status = sink->Begin({std::string(kIncarnation), Position(0), ""}).status();
  CHECK(status.message().find('\n') == absl::string_view::npos);
  return status;
}

TEST_CASE("events arrive in order with their envelope, and the broker says which was the last") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER"));
  const Events events(3000);
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER");
  CHECK(sink->kind() == "nats");
  CHECK(sink->destination() == server.url() + "/LEDGER");
  const absl::StatusOr<SessionBegun> empty = sink->Begin({std::string(kIncarnation), {}, ""});
  REQUIRE_OK(empty);
  CHECK(empty->knows);
  CHECK_FALSE(empty->last.has_value());

  Driver driver(sink.get(), &events);
  REQUIRE(driver.Run());
  CHECK(driver.counts().sessions == 1);
  CHECK(driver.counts().done == events.size());
  CHECK(Difference(PositionsIn(server, events), 1, 3000) == "");
  const StoredMessage first = ReadStream(server.url(), "LEDGER").front();
  CHECK(first.subject == "ledger.account.Paid_In");
  CHECK(first.headers.at("ce-type") == "Paid%20In");
  CHECK(first.headers.at("ce-source") == "urn:daybook:" + std::string(kIncarnation));
  CHECK(first.headers.at("ce-subject") == "account-1");
  CHECK(first.headers.at("ce-datacontenttype") == "text/plain");
  CHECK(first.headers.at("content-type") == "text/plain");

  const std::unique_ptr<Sink> other = Open(server.url());  // finds the stream by its subjects
  const absl::StatusOr<SessionBegun> begun = other->Begin({std::string(kIncarnation), {}, ""});
  REQUIRE_OK(begun);
  CHECK(begun->knows);
  CHECK(begun->last == BrokerMark{std::string(kIncarnation), Position(3000), std::nullopt, ""});
}

TEST_CASE("a server that is killed under load loses, doubles and swaps nothing") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER"));
  const Events events(8'000);
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER");
  Driver driver(sink.get(), &events);
  int calls = 0, kills = 0;
  REQUIRE(driver.Run([&] {
    if (++calls % 20 != 0 || kills == 5) return;
    ++kills;
    server.Kill();
    REQUIRE(server.Start());
  }));
  CHECK(kills == 5);
  CHECK(driver.counts().sessions > 5);
  CHECK(driver.counts().sent > events.size());
  CHECK(driver.counts().retries > 0);
  CHECK(Difference(PositionsIn(server, events), 1, 8'000) == "");
}

TEST_CASE("a server that is paused past the timeout ends the session, and nothing comes twice") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER"));
  const Events events(8'000);
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER", milliseconds(300));
  Driver driver(sink.get(), &events);
  std::thread resumer;
  int calls = 0;
  REQUIRE(driver.Run([&] {
    if (++calls != 60) return;
    server.Pause();
    resumer = std::thread([&] {
      std::this_thread::sleep_for(milliseconds(1500));
      server.Resume();
    });
  }));
  resumer.join();
  CHECK(driver.counts().sessions > 1);
  CHECK(driver.counts().retries > 0);
  CHECK(Difference(PositionsIn(server, events), 1, 8'000) == "");
}

TEST_CASE("what is sent again after a pause is a duplicate that the broker holds") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER"));
  const Events events(100);
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER");
  Driver(sink.get(), &events).Run();
  REQUIRE_OK(sink->Begin({std::string(kIncarnation), Position(0), ""}));
  std::vector<SinkOutcome> outcomes;
  for (std::size_t i = 51; i <= 100; ++i) sink->Send(std::vector{events.At(i, i - 51)});
  sink->Settle(milliseconds(5000), &outcomes);
  REQUIRE(outcomes.size() == 50);
  for (const SinkOutcome& outcome : outcomes) CHECK(outcome.outcome == Outcome::kDuplicate);
  CHECK(Difference(PositionsIn(server, events), 1, 100) == "");
}

TEST_CASE("a message larger than the broker takes is poison, and the others keep their order") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server("max_payload: 100000");
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER",
                    [](jsStreamConfig* config) { config->MaxMsgSize = 50'000; }));
  Events events(500);
  events.SetData(100, std::string(100'001, 'x'));  // more than the server takes
  events.SetData(200, std::string(60'000, 'x'));   // more than the stream takes
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER");
  Driver driver(sink.get(), &events);
  REQUIRE(driver.Run());
  CHECK(driver.counts().poison == std::vector<std::size_t>{100, 200});
  for (const absl::Status& reason : driver.counts().reasons) {
    CHECK(reason.code() == absl::StatusCode::kOutOfRange);
  }
  CHECK(Difference(PositionsIn(server, events), 1, 500, {100, 200}) == "");
}

TEST_CASE("a stream that is full refuses, and goes on when there is room") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER", [](jsStreamConfig* config) {
    config->MaxMsgs = 50;
    config->Discard = js_DiscardNew;
  }));
  const Events events(80);
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER");
  REQUIRE_OK(BeginStatus(sink.get()));
  std::vector<SinkOutcome> outcomes;
  for (std::size_t i = 1; i <= 60; ++i) sink->Send(std::vector{events.At(i, i - 1)});
  sink->Settle(milliseconds(5000), &outcomes);
  REQUIRE(outcomes.size() == 60);
  CHECK(outcomes[49].outcome == Outcome::kDone);
  CHECK(outcomes[50].outcome == Outcome::kRetry);
  CHECK(outcomes[50].status.code() == absl::StatusCode::kResourceExhausted);
  testing::WithJetStream(server.url(), [](natsConnection*, jsCtx* js) {
    REQUIRE(js_PurgeStream(js, "LEDGER", nullptr, nullptr) == NATS_OK);
  });
  // The last message is gone: the broker cannot say what it was, and the chain goes on.
  const absl::StatusOr<SessionBegun> begun = sink->Begin({std::string(kIncarnation), {}, ""});
  REQUIRE_OK(begun);
  CHECK_FALSE(begun->knows);
  outcomes.clear();
  for (std::size_t i = 51; i <= 80; ++i) sink->Send(std::vector{events.At(i, i - 51)});
  sink->Settle(milliseconds(5000), &outcomes);
  REQUIRE(outcomes.size() == 30);
  for (const SinkOutcome& outcome : outcomes) CHECK(outcome.outcome == Outcome::kDone);
  CHECK(Difference(PositionsIn(server, events), 51, 80) == "");
}

TEST_CASE("a second publisher, or anybody, who writes into the stream breaks the chain") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER"));
  const Events events(10);
  const std::unique_ptr<Sink> first = Open(server.url() + "/LEDGER");
  const std::unique_ptr<Sink> second = Open(server.url() + "/LEDGER");
  REQUIRE_OK(BeginStatus(first.get()));
  REQUIRE_OK(BeginStatus(second.get()));
  std::vector<SinkOutcome> outcomes;
  first->Send(std::vector{events.At(1, 0)});
  first->Settle(milliseconds(5000), &outcomes);
  second->Send(std::vector{events.At(2, 0), events.At(3, 1)});
  second->Settle(milliseconds(5000), &outcomes);
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].outcome == Outcome::kDone);
  CHECK(outcomes[1].outcome == Outcome::kRetry);
  CHECK(outcomes[1].status.code() == absl::StatusCode::kAborted);
  CHECK(outcomes[2].outcome == Outcome::kRetry);
  CHECK(Difference(PositionsIn(server, events), 1, 1) == "");

  testing::WithJetStream(server.url(), [](natsConnection*, jsCtx* js) {
    REQUIRE(js_Publish(nullptr, js, "ledger.x.y", "hello", 5, nullptr, nullptr) == NATS_OK);
  });
  const absl::Status begun = BeginStatus(first.get());
  CHECK(begun.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(begun.message()), testing::HasText("messages of others"));
}

TEST_CASE("what an operator has to do is said in one line, and soon") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server(R"(authorization { users: [
    { user: admin, password: pw },
    { user: reader, password: pw, permissions: { publish: ["$JS.API.>"] } },
    { user: nobody, password: pw, permissions: { publish: ["x"] } } ] })");
  REQUIRE(server.Start());
  const auto as = [&](const char* user) {
    setenv("DAYBOOK_NATS_USER", user, 1);
    setenv("DAYBOOK_NATS_PASSWORD", "pw", 1);
    std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER", milliseconds(10'000));
    unsetenv("DAYBOOK_NATS_USER");
    unsetenv("DAYBOOK_NATS_PASSWORD");
    return sink;
  };
  const auto began = std::chrono::steady_clock::now();
  CHECK(BeginStatus(as("admin").get()).code() == absl::StatusCode::kNotFound);
  CHECK(BeginStatus(as("joe").get()).code() == absl::StatusCode::kUnauthenticated);
  CHECK(BeginStatus(as("nobody").get()).code() == absl::StatusCode::kPermissionDenied);
  CHECK(BeginStatus(Open(server.url() + "/LEDGER").get()).code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK(BeginStatus(Open("nats://127.0.0.1:1/LEDGER").get()).code() ==
        absl::StatusCode::kUnavailable);
  // A server that speaks no TLS.
  CHECK(BeginStatus(Open("tls" + server.url().substr(4) + "/LEDGER").get()).code() ==
        absl::StatusCode::kFailedPrecondition);

  const std::string admin = "nats://admin:pw@" + server.url().substr(7);
  REQUIRE(AddStream(admin, "LEDGER"));
  const Events events(3);
  const std::unique_ptr<Sink> reader = as("reader");
  REQUIRE_OK(BeginStatus(reader.get()));
  std::vector<SinkOutcome> outcomes;
  reader->Send(std::vector{events.At(1, 0), events.At(2, 1)});
  reader->Settle(milliseconds(8000), &outcomes);
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].outcome == Outcome::kRetry);
  CHECK(outcomes[0].status.code() == absl::StatusCode::kPermissionDenied);
  CHECK(outcomes[1].outcome == Outcome::kRetry);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(8));
}

TEST_CASE("an event whose subject no stream takes is not lost but says so") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server;
  REQUIRE(server.Start());
  REQUIRE(AddStream(server.url(), "LEDGER"));
  SinkSettings settings;
  settings.url = server.url() + "/LEDGER";
  settings.destination = "books.{type}";
  absl::StatusOr<std::unique_ptr<Sink>> sink = OpenNatsSink(settings);
  REQUIRE_OK(sink);
  REQUIRE_OK(BeginStatus(sink->get()));
  const Events events(1);
  std::vector<SinkOutcome> outcomes;
  (*sink)->Send(std::vector{events.At(1, 0)});
  (*sink)->Settle(milliseconds(5000), &outcomes);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].outcome == Outcome::kRetry);
  CAPTURE(outcomes[0].status);
  CHECK(outcomes[0].status.code() == absl::StatusCode::kNotFound);
  settings.url = server.url();
  sink = OpenNatsSink(settings);
  REQUIRE_OK(sink);
  CHECK(BeginStatus(sink->get()).code() == absl::StatusCode::kNotFound);
}

// Answers requests to JetStream's API, and publishes, as it is told: what a server says that is not
// sure of itself.
class ToldServer {
 public:
  explicit ToldServer(const std::string& url) {
    REQUIRE(natsConnection_ConnectTo(&nc_, url.c_str()) == NATS_OK);
  }
  ~ToldServer() {
    natsConnection_Close(nc_);
    for (natsSubscription* subscription : subscriptions_) natsSubscription_Destroy(subscription);
    natsConnection_Destroy(nc_);
  }
  ToldServer(const ToldServer&) = delete;
  ToldServer& operator=(const ToldServer&) = delete;

  void Answer(const std::string& subject, const std::string& text) {
    answers_.push_back(text);
    natsSubscription* subscription = nullptr;
    REQUIRE(natsConnection_Subscribe(&subscription, nc_, subject.c_str(), &ToldServer::OnMessage,
                                     &answers_.back()) == NATS_OK);
    subscriptions_.push_back(subscription);
    REQUIRE(natsConnection_Flush(nc_) == NATS_OK);
  }

 private:
  static void OnMessage(natsConnection* nc, natsSubscription*, natsMsg* message, void* text) {
    natsConnection_PublishString(nc, natsMsg_GetReply(message),
                                 static_cast<std::string*>(text)->c_str());
    natsMsg_Destroy(message);
  }

  natsConnection* nc_ = nullptr;
  std::deque<std::string> answers_;
  std::vector<natsSubscription*> subscriptions_;
};

constexpr char kToldInfo[] =
    R"({"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"LEDGER",)"
    R"("subjects":["ledger.>"],"retention":"limits","storage":"file","discard":"old",)"
    R"("num_replicas":3},"state":{"messages":0,"first_seq":1,"last_seq":0}})";

TEST_CASE("a duplicate that the broker claims and cannot show is sent again") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server("", NatsServer::JetStream::kNo);
  REQUIRE(server.Start());
  const Events events(3);
  for (const char* sequence : {"0", "7"}) {
    CAPTURE(sequence);
    ToldServer told(server.url());
    told.Answer("$JS.API.STREAM.INFO.LEDGER", kToldInfo);
    told.Answer("$JS.API.STREAM.MSG.GET.LEDGER",
                R"({"error":{"code":404,"err_code":10037,"description":"no message found"}})");
    told.Answer("ledger.>",
                R"({"stream":"LEDGER","duplicate":true,"seq":)" + std::string(sequence) + "}");
    const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER");
    REQUIRE_OK(BeginStatus(sink.get()));
    sink->Send(std::vector{events.At(1, 0), events.At(2, 1)});
    std::vector<SinkOutcome> outcomes;
    sink->Settle(milliseconds(5000), &outcomes);
    REQUIRE(outcomes.size() == 2);
    CHECK(outcomes[0].outcome == Outcome::kRetry);
    CHECK(outcomes[0].status.code() == absl::StatusCode::kUnavailable);
    CHECK_THAT(std::string(outcomes[0].status.message()), testing::HasText("does not show it"));
    CHECK(outcomes[1].outcome == Outcome::kRetry);
  }
}

TEST_CASE("an acknowledgement that never comes ends the session after the timeout") {
  DAYBOOK_NEEDS_NATS();
  NatsServer server("", NatsServer::JetStream::kNo);
  REQUIRE(server.Start());
  ToldServer told(server.url());
  told.Answer("$JS.API.STREAM.INFO.LEDGER", kToldInfo);
  const std::unique_ptr<Sink> sink = Open(server.url() + "/LEDGER", milliseconds(300));
  REQUIRE_OK(BeginStatus(sink.get()));
  natsConnection* silent = nullptr;
  natsSubscription* subscription = nullptr;
  REQUIRE(natsConnection_ConnectTo(&silent, server.url().c_str()) == NATS_OK);
  REQUIRE(natsConnection_SubscribeSync(&subscription, silent, "ledger.>") == NATS_OK);
  REQUIRE(natsConnection_Flush(silent) == NATS_OK);
  const Events events(2);
  const auto begin = std::chrono::steady_clock::now();
  sink->Send(std::vector{events.At(1, 0)});
  std::vector<SinkOutcome> outcomes;
  sink->Poll(milliseconds(10'000), &outcomes);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].outcome == Outcome::kRetry);
  CHECK(outcomes[0].status.code() == absl::StatusCode::kDeadlineExceeded);
  // Nothing more is sent in this session.
  sink->Send(std::vector{events.At(2, 1)});
  outcomes.clear();
  sink->Poll(milliseconds(10'000), &outcomes);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].outcome == Outcome::kRetry);
  std::uint64_t received = 0;
  natsSubscription_QueuedMsgs(subscription, &received);
  CHECK(received == 1);
  natsSubscription_Destroy(subscription);
  natsConnection_Destroy(silent);
}

}  // namespace
}  // namespace daybook
