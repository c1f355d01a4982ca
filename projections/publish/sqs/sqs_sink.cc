#include "daybook/sqs_sink.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/json_text.h"
#include "projections/publish/sqs/client.h"
#include "projections/publish/sqs/credentials.h"
#include "projections/publish/sqs/lanes.h"
#include "projections/publish/sqs/message.h"
#include "projections/publish/sqs/settings.h"
#include "projections/publish/sqs/verdict.h"

namespace daybook {
namespace sqs {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Requests cost by their number, so a batch that is not full waits: until nothing is on its way, or
// this long.
constexpr milliseconds kLinger{20};
// Full requests in the window for each one that is on its way: what keeps them full although a
// group gives one message at a time.
constexpr std::size_t kWindowBatches = 4;

milliseconds Until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  return std::max(left, milliseconds(0));
}

class SqsSink final : public Sink {
 public:
  SqsSink(Settings settings, std::unique_ptr<Client> client)
      : settings_(std::move(settings)), client_(std::move(client)) {}

  [[nodiscard]] std::string_view kind() const override { return "sqs"; }
  [[nodiscard]] std::string destination() const override { return settings_.queue.ToString(); }
  [[nodiscard]] SinkLimits limits() const override;

  absl::StatusOr<SessionBegun> Begin(const SessionStart& start) override;
  void Send(std::span<const OutgoingEvent> events) override;
  void Poll(milliseconds timeout, std::vector<SinkOutcome>* outcomes) override;
  void Settle(milliseconds timeout, std::vector<SinkOutcome>* outcomes) override;

 private:
  enum class Fill : std::uint8_t { kFull, kAny };  // which batches may go

  [[nodiscard]] bool idle() const { return batches_.empty() && lanes_.empty(); }
  absl::StatusOr<Answer> Ask(std::string_view action, std::string body);
  void SendOne(const OutgoingEvent& event);
  void Start(Fill fill);
  void KeepPause(const Answer& answer);
  void Handle(const Answer& answer);
  // Begins what may begin, and handles what came.
  void Step(milliseconds timeout, Fill fill);
  void PoisonInTurn();
  void Report(std::uint64_t sequence, Outcome outcome, absl::Status status);
  void EndSession();
  void GiveUpFlight(const absl::Status& status);
  void Move(std::vector<SinkOutcome>* outcomes);

  const Settings settings_;
  const std::unique_ptr<Client> client_;
  std::size_t message_bytes_max_ = kMessageBytesDefault;
  std::optional<MessageWriter> writer_;  // of a session
  Lanes lanes_;
  std::map<std::uint64_t, std::vector<Message>> batches_;  // on their way, by their tags
  std::uint64_t last_tag_ = 0;
  steady_clock::time_point last_start_;
  // An event that cannot be sent, and what was given behind it. It gets its outcome when all before
  // it has one: told at once, it would end the session before those were sent, each time again.
  std::optional<SinkOutcome> poison_;
  std::vector<std::uint64_t> behind_poison_;
  std::vector<SinkOutcome> outcomes_;
  bool ended_ = true;
  // So many messages go out alone: a request was refused for one of its entries.
  std::size_t alone_ = 0;
  steady_clock::time_point not_before_;  // SQS asked for a pause
};

SinkLimits SqsSink::limits() const {
  SinkLimits limits;
  limits.batch_events = kEntriesMax * settings_.client.requests_max;
  limits.in_flight_events = limits.batch_events * kWindowBatches;
  limits.in_flight_bytes = std::size_t{16} << 20;
  return limits;
}

absl::StatusOr<Answer> SqsSink::Ask(std::string_view action, std::string body) {
  const auto deadline = steady_clock::now() + settings_.client.timeout;
  DAYBOOK_RETURN_IF_ERROR(client_->Start(++last_tag_, action, std::move(body)));
  std::vector<Answer> answers;
  while (answers.empty() && Until(deadline).count() > 0) client_->Run(Until(deadline), &answers);
  if (!answers.empty()) return std::move(answers.front());
  client_->Cancel();
  return absl::DeadlineExceededError(
      absl::StrCat(settings_.client.endpoint, ": no answer in time"));
}

absl::StatusOr<SessionBegun> SqsSink::Begin(const SessionStart& start) {
  client_->Cancel();
  batches_.clear();
  static_cast<void>(lanes_.Clear());
  outcomes_.clear();
  poison_.reset();
  behind_poison_.clear();
  ended_ = true;
  if (const milliseconds pause = Until(not_before_); pause.count() > 0) {
    return absl::UnavailableError(
        absl::StrCat("SQS asked for a pause, of which ", pause.count(), " ms are left"));
  }
  DAYBOOK_ASSIGN_OR_RETURN(const Credentials credentials,
                           ReadCredentials(settings_.credentials_file, settings_.profile));
  client_->SetCredentials(credentials);
  std::string question = "{\"QueueUrl\":";
  AppendJsonString(settings_.queue.ForRequests(), question);
  question.append(",\"AttributeNames\":[\"MaximumMessageSize\"]}");
  DAYBOOK_ASSIGN_OR_RETURN(const Answer answer, Ask("GetQueueAttributes", std::move(question)));
  KeepPause(answer);
  if (const absl::Status status = StatusOfAnswer(answer); !status.ok()) {
    // Throttled: as good as away, for who begins.
    const absl::StatusCode code =
        absl::IsResourceExhausted(status) ? absl::StatusCode::kUnavailable : status.code();
    return absl::Status(code, absl::StrCat("the queue ", destination(), ": ", status.message()));
  }
  DAYBOOK_ASSIGN_OR_RETURN(message_bytes_max_, MessageBytesMaxOf(answer, kMessageBytesDefault));
  if (settings_.message_bytes_max > 0) {
    message_bytes_max_ = std::min(message_bytes_max_, settings_.message_bytes_max);
  }
  writer_.emplace(settings_.form, start.incarnation, message_bytes_max_);
  ended_ = false;
  return SessionBegun{};
}

void SqsSink::Report(std::uint64_t sequence, Outcome outcome, absl::Status status) {
  outcomes_.push_back({sequence, outcome, std::move(status)});
}

void SqsSink::EndSession() {
  ended_ = true;
  std::vector<std::uint64_t> unsent = lanes_.Clear();
  unsent.insert(unsent.end(), behind_poison_.begin(), behind_poison_.end());
  behind_poison_.clear();
  // Not tried: it is tried, and found to be poison, when its turn comes.
  if (poison_) unsent.push_back(poison_->sequence);
  poison_.reset();
  for (const std::uint64_t sequence : unsent) {
    Report(sequence, Outcome::kRetry, absl::AbortedError("not sent: one before it failed"));
  }
}

void SqsSink::PoisonInTurn() {
  if (!poison_ || !idle()) return;
  SinkOutcome poison = *std::exchange(poison_, std::nullopt);
  outcomes_.push_back(std::move(poison));
  EndSession();
}

void SqsSink::SendOne(const OutgoingEvent& event) {
  if (ended_) {
    Report(event.sequence, Outcome::kRetry, absl::AbortedError("not sent: the session has ended"));
    return;
  }
  if (poison_) {
    behind_poison_.push_back(event.sequence);
    return;
  }
  absl::StatusOr<Message> message = writer_->Write(event);
  if (message.ok()) {
    lanes_.Add(*std::move(message));
  } else {
    poison_ = SinkOutcome{event.sequence, Outcome::kPoison, message.status()};
  }
}

void SqsSink::Send(std::span<const OutgoingEvent> events) {
  for (const OutgoingEvent& event : events) SendOne(event);
  Step(milliseconds(0), Fill::kFull);
}

void SqsSink::Start(Fill fill) {
  while (!ended_ && client_->has_room() && lanes_.ready() > 0) {
    const std::size_t entries_max = alone_ > 0 ? 1 : kEntriesMax;
    const bool may_go = lanes_.ready() >= entries_max || batches_.empty() ||
                        (fill == Fill::kAny && steady_clock::now() - last_start_ >= kLinger);
    if (!may_go) return;
    std::vector<Message> batch = lanes_.TakeBatch(entries_max, message_bytes_max_);
    const std::uint64_t tag = ++last_tag_;
    last_start_ = steady_clock::now();
    absl::Status started =
        client_->Start(tag, "SendMessageBatch", WriteBatch(settings_.queue.ForRequests(), batch));
    if (!started.ok()) {
      for (const Message& message : batch) Report(message.sequence, Outcome::kRetry, started);
      EndSession();
      return;
    }
    // The text is with the client now; what is left names the messages.
    for (Message& message : batch) message.json = std::string();
    batches_.emplace(tag, std::move(batch));
  }
}

void SqsSink::KeepPause(const Answer& answer) {
  if (answer.retry_after.count() > 0) not_before_ = steady_clock::now() + answer.retry_after;
}

void SqsSink::Handle(const Answer& answer) {
  const auto batch = batches_.find(answer.tag);
  if (batch == batches_.end()) return;
  const std::vector<Message> messages = std::move(batch->second);
  batches_.erase(batch);
  KeepPause(answer);
  BatchVerdict verdict = JudgeBatch(answer, messages.size());
  if (verdict.is_unclear) alone_ = 2 * limits().in_flight_events;
  bool failed = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EntryVerdict& entry = verdict.entries[i];
    if (entry.outcome == Outcome::kDone) {
      lanes_.Settle(messages[i].group);
      if (alone_ > 0) --alone_;
    } else {
      failed = true;
    }
    Report(messages[i].sequence, entry.outcome, std::move(entry.status));
  }
  if (failed && !ended_) EndSession();
}

void SqsSink::Step(milliseconds timeout, Fill fill) {
  Start(fill);
  std::vector<Answer> answers;
  client_->Run(std::min(timeout, kLinger), &answers);
  for (const Answer& answer : answers) Handle(answer);
  if (!answers.empty()) Start(fill);
  PoisonInTurn();
}

void SqsSink::Move(std::vector<SinkOutcome>* outcomes) {
  outcomes->insert(outcomes->end(), std::make_move_iterator(outcomes_.begin()),
                   std::make_move_iterator(outcomes_.end()));
  outcomes_.clear();
}

void SqsSink::Poll(milliseconds timeout, std::vector<SinkOutcome>* outcomes) {
  const auto deadline = steady_clock::now() + timeout;
  Step(milliseconds(0), Fill::kFull);
  // Who waits has no more to give for now.
  while (outcomes_.empty() && !idle() && Until(deadline).count() > 0) {
    Step(Until(deadline), Fill::kAny);
  }
  Move(outcomes);
}

void SqsSink::GiveUpFlight(const absl::Status& status) {
  client_->Cancel();
  for (const auto& [tag, messages] : batches_) {
    for (const Message& message : messages) Report(message.sequence, Outcome::kRetry, status);
  }
  batches_.clear();
}

void SqsSink::Settle(milliseconds timeout, std::vector<SinkOutcome>* outcomes) {
  const auto deadline = steady_clock::now() + timeout;
  Step(milliseconds(0), Fill::kAny);
  while (!idle() && Until(deadline).count() > 0) Step(Until(deadline), Fill::kAny);
  if (!idle()) {
    GiveUpFlight(absl::DeadlineExceededError("SQS: no answer in time"));
    EndSession();
  }
  Move(outcomes);
}

}  // namespace
}  // namespace sqs

absl::StatusOr<std::unique_ptr<Sink>> OpenSqsSink(const SinkSettings& settings) {
  DAYBOOK_ASSIGN_OR_RETURN(sqs::Settings read, sqs::ReadSettings(settings));
  DAYBOOK_RETURN_IF_ERROR(sqs::ReadCredentials(read.credentials_file, read.profile).status());
  DAYBOOK_ASSIGN_OR_RETURN(std::unique_ptr<sqs::Client> client, sqs::Client::Make(read.client));
  return std::make_unique<sqs::SqsSink>(std::move(read), std::move(client));
}

}  // namespace daybook
