// The rule of a session, under faults of all kinds at random: nothing of a stream is stored before
// all that stands in front of it.

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daybook/sqs_sink.h"
#include "projections/publish/sqs/fake_queue_testing.h"
#include "tests/catch.h"

namespace daybook::sqs {
namespace {

using std::chrono::milliseconds;
using testing::BatchAnswer;
using testing::FakeQueue;
using testing::Reply;
using testing::Request;

constexpr milliseconds kTimeout{150};
constexpr std::uint64_t kEvents = 300;
constexpr std::uint64_t kStreams = 7;

std::string StreamOf(std::uint64_t position) { return absl::StrCat("s-", position % kStreams); }

// A FIFO queue that knows repeats, and answers as the dice fall.
class FaultyQueue {
 public:
  explicit FaultyQueue(unsigned seed) : dice_(seed) {}

  Reply Answer(const Request& request) {
    const auto keys = request.Values("MessageDeduplicationId");
    const auto groups = request.Values("MessageGroupId");
    const auto fault = dice_() % 20;
    std::map<std::size_t, std::pair<std::string, bool>> failed;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (fault == 0 && dice_() % 2 == 0) failed[i] = {"InternalError", false};
    }
    const bool is_kept = fault != 1 && fault != 2;
    for (std::size_t i = 0; i < keys.size() && is_kept; ++i) {
      if (!failed.contains(i)) Store(groups[i], std::stoull(keys[i].substr(4)));
    }
    const std::string body = BatchAnswer(keys.size(), failed);
    switch (fault) {
      case 1:
        return {.cut = true};
      case 2:
        return {.code = 400, .body = R"({"__type":"x#ThrottlingException"})"};
      case 3:
        return {.cut = true};
      case 4:
        return {.body = body, .delay = kTimeout * 2};
      case 5:
        return {.body = body.substr(0, body.size() / 2)};
      default:
        return {.body = body};
    }
  }

  const std::map<std::string, std::vector<std::uint64_t>>& stored() const { return stored_; }
  int swallowed() const { return swallowed_; }

 private:
  void Store(const std::string& group, std::uint64_t position) {
    if (!seen_.insert(position).second) {
      ++swallowed_;
      return;
    }
    stored_[group].push_back(position);
  }

  std::mt19937 dice_;
  int swallowed_ = 0;
  std::set<std::uint64_t> seen_;
  std::map<std::string, std::vector<std::uint64_t>> stored_;
};

// Sends what has no acknowledgement in one session; what is acknowledged leaves `open`.
void RunSession(Sink& sink, std::set<std::uint64_t>* open) {
  if (!sink.Begin({"inc", Position(0), ""}).ok()) return;
  std::vector<std::uint64_t> positions(open->begin(), open->end());
  std::vector<SinkOutcome> outcomes;
  const std::size_t batch = sink.limits().batch_events;
  for (std::size_t at = 0; at < positions.size(); at += batch) {
    const std::size_t count = std::min(batch, positions.size() - at);
    std::vector<EventView> events(count);
    std::vector<std::string> texts(2 * count);
    std::vector<OutgoingEvent> outgoing(count);
    for (std::size_t i = 0; i < count; ++i) {
      texts[2 * i] = StreamOf(positions[at + i]);
      texts[2 * i + 1] = absl::StrCat("inc:", positions[at + i]);
      events[i].position = Position(positions[at + i]);
      events[i].stream = texts[2 * i];
      events[i].type = "T";
      outgoing[i] = {&events[i], at + i, texts[2 * i + 1], events[i].position, ""};
    }
    sink.Send(outgoing);
    sink.Poll(milliseconds(0), &outcomes);
  }
  sink.Settle(milliseconds(2000), &outcomes);
  REQUIRE(outcomes.size() == positions.size());
  for (const SinkOutcome& outcome : outcomes) {
    REQUIRE(outcome.outcome != Outcome::kPoison);
    if (outcome.outcome == Outcome::kDone) open->erase(positions[outcome.sequence]);
  }
}

TEST_CASE("under faults at random each stream is stored once and in order") {
  setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
  const auto seed = static_cast<unsigned>(
      std::chrono::steady_clock::now().time_since_epoch().count() & 0xFFFFFFFF);
  CAPTURE(seed);
  FaultyQueue model(seed);
  FakeQueue queue([&](const Request& request) { return model.Answer(request); });
  SinkSettings settings;
  settings.url = queue.Url("q.fifo");
  settings.timeout = kTimeout;
  settings.options = {{"requests", "4"}};
  auto sink = OpenSqsSink(settings);
  REQUIRE_OK(sink);
  std::set<std::uint64_t> open;
  for (std::uint64_t position = 1; position <= kEvents; ++position) open.insert(position);
  int sessions = 0;
  for (; !open.empty(); ++sessions) {
    REQUIRE(sessions < 1000);
    RunSession(**sink, &open);
  }
  CHECK(sessions > 1);
  CHECK(model.swallowed() > 0);
  std::map<std::string, std::vector<std::uint64_t>> expected;
  for (std::uint64_t position = 1; position <= kEvents; ++position) {
    expected[StreamOf(position)].push_back(position);
  }
  CHECK(model.stored() == expected);
}

}  // namespace
}  // namespace daybook::sqs
