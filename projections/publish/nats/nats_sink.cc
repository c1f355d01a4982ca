#include "daybook/nats_sink.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/cloud_event.h"
#include "projections/publish/nats/nats_answer.h"
#include "projections/publish/nats/nats_ring.h"
#include "projections/publish/nats/nats_session.h"
#include "projections/publish/nats/nats_target.h"

namespace daybook {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kMsgId = "Nats-Msg-Id";
// How long an answer is waited for before it is looked whether the connection still is.
constexpr milliseconds kLook{50};

std::string HeaderOf(natsMsg* message, const std::string& name) {
  const char* value = nullptr;
  if (natsMsgHeader_Get(message, name.c_str(), &value) != NATS_OK || value == nullptr) return "";
  return PercentDecoded(value);
}

std::optional<BrokerMark> MarkOfMessage(natsMsg* message) {
  std::vector<std::string> values;
  values.reserve(4);  // views into them are given out
  return MarkOfEnvelope([&](std::string_view name) -> std::string_view {
    return values.emplace_back(HeaderOf(message, std::string("ce-").append(name)));
  });
}

class NatsSink final : public Sink {
 public:
  NatsSink(NatsTarget target, const SinkSettings& settings, NatsPtr<natsOptions> options)
      : target_(std::move(target)),
        timeout_(settings.timeout),
        options_(std::move(options)),
        session_(&target_, settings.timeout) {}

  [[nodiscard]] std::string_view kind() const override { return "nats"; }
  [[nodiscard]] std::string destination() const override { return target_.url; }
  // As much as keeps the server busy, and about what the buffers of a socket hold: more would wait
  // in Send(), where nobody can interrupt it.
  [[nodiscard]] SinkLimits limits() const override {
    return {.in_flight_events = 4096, .in_flight_bytes = std::size_t{8} << 20, .batch_events = 256};
  }

  absl::StatusOr<SessionBegun> Begin(const SessionStart& start) override;
  void Send(std::span<const OutgoingEvent> events) override;
  void Poll(milliseconds timeout, std::vector<SinkOutcome>* outcomes) override;
  void Settle(milliseconds timeout, std::vector<SinkOutcome>* outcomes) override;

 private:
  absl::StatusOr<SessionBegun> ReadLast(const jsStreamInfo& info);
  void SendOne(const OutgoingEvent& outgoing);
  natsStatus Fill(const OutgoingEvent& outgoing, natsMsg* message);
  natsStatus SetHeader(natsMsg* message, const char* name, std::string_view value);
  void TakeAnswer(natsMsg* message);
  void FailUntaken();
  // Takes answers that are there; waits up to `wait` for the first.
  void TakeAnswers(milliseconds wait);
  void Report(std::vector<SinkOutcome>* outcomes);
  void ReportEnded(std::vector<SinkOutcome>* outcomes);
  absl::Status CheckHeld(const NatsRing::Slot& slot);
  void End(absl::Status why) {
    if (ended_.ok()) ended_ = std::move(why);
  }

  const NatsTarget target_;
  const milliseconds timeout_;
  const NatsPtr<natsOptions> options_;
  NatsSession session_;
  std::string stream_;
  std::vector<std::string> listens_;  // the subjects of the stream
  std::optional<CloudEvent> envelope_;

  // The chain: what the next message expects before it. By sequence for the first of a session: the
  // broker forgets the id of its last message with its window of duplicates, and the sequence
  // never.
  std::uint64_t last_sequence_ = 0;
  std::string last_id_;

  NatsRing ring_;
  absl::Status ended_ = absl::UnavailableError("nats: there is no session");  // OK while one runs
  absl::Status broken_;  // of the connection: no more answers
  std::string subject_, value_, name_;
};

absl::StatusOr<SessionBegun> NatsSink::Begin(const SessionStart& start) {
  ring_.Clear();
  ended_ = absl::UnavailableError("nats: there is no session");
  broken_ = absl::OkStatus();
  envelope_.emplace(start.incarnation);
  DAYBOOK_RETURN_IF_ERROR(session_.Connect(options_.get()));
  DAYBOOK_ASSIGN_OR_RETURN(stream_, session_.FindStream());
  DAYBOOK_ASSIGN_OR_RETURN(const NatsPtr<jsStreamInfo> info, session_.Info(stream_));
  if (info->Config->Sealed || info->Config->NoAck || info->Config->Mirror != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "nats: the stream ", stream_, " is sealed, a mirror, or acknowledges nothing"));
  }
  listens_.assign(info->Config->Subjects, info->Config->Subjects + info->Config->SubjectsLen);
  DAYBOOK_ASSIGN_OR_RETURN(SessionBegun begun, ReadLast(*info));
  last_sequence_ = info->State.LastSeq;
  last_id_.clear();
  ended_ = absl::OkStatus();
  return begun;
}

absl::StatusOr<SessionBegun> NatsSink::ReadLast(const jsStreamInfo& info) {
  SessionBegun begun;
  begun.knows = true;
  if (info.State.LastSeq == 0) return begun;
  DAYBOOK_ASSIGN_OR_RETURN(const NatsPtr<natsMsg> last,
                           session_.MessageAt(stream_, info.State.LastSeq));
  // Its retention, or somebody, took it away: the broker cannot say what it was. The chain goes on
  // from the sequence all the same.
  if (last == nullptr) return SessionBegun{};
  begun.last = MarkOfMessage(last.get());
  if (!begun.last) {
    return absl::FailedPreconditionError(
        absl::StrCat("nats: the stream ", stream_,
                     " holds messages of others; one publisher a JetStream stream"));
  }
  return begun;
}

void NatsSink::Send(std::span<const OutgoingEvent> events) {
  for (const OutgoingEvent& outgoing : events) {
    NatsRing::Slot& slot = ring_.Push(outgoing.sequence, outgoing.dedupe_key);
    slot.sent = Clock::now();
    if (ended_.ok()) SendOne(outgoing);
  }
}

void NatsSink::SendOne(const OutgoingEvent& outgoing) {
  NatsRing::Slot& slot = ring_.back();
  const EventView& event = *outgoing.event;
  subject_.clear();
  target_.subject.AppendTo(event, NameEscape::kToken, &subject_);
  slot.subject = subject_;
  natsMsg* raw = nullptr;
  natsStatus done = natsMsg_Create(
      &raw, subject_.c_str(), session_.AnswerSubject(ring_.back_number()).c_str(),
      reinterpret_cast<const char*>(event.data.data()), static_cast<int>(event.data.size()));
  const NatsPtr<natsMsg> message(raw);
  if (done == NATS_OK) done = Fill(outgoing, raw);
  if (done == NATS_OK) done = session_.Publish(raw);
  if (done == NATS_OK) {
    last_id_ = outgoing.dedupe_key;
    return;
  }
  // Nothing was written of a message that is too large, or that is none.
  if (done == NATS_MAX_PAYLOAD) {
    slot.Fail(Outcome::kPoison, absl::OutOfRangeError(absl::StrCat(
                                    "nats: larger than the server's max_payload of ",
                                    session_.payload_max(), " bytes, headers included")));
  } else if (done == NATS_INVALID_SUBJECT || done == NATS_INVALID_ARG) {
    slot.Fail(Outcome::kPoison,
              absl::InvalidArgumentError(absl::StrCat("nats: \"", subject_, "\" is no subject")));
  } else {
    slot.Fail(Outcome::kRetry, session_.BrokenStatus());
  }
  End(slot.status);
}

natsStatus NatsSink::SetHeader(natsMsg* message, const char* name, std::string_view value) {
  value_.clear();
  AppendPercentEncoded(value, &value_);
  return natsMsgHeader_Set(message, name, value_.c_str());
}

natsStatus NatsSink::Fill(const OutgoingEvent& outgoing, natsMsg* message) {
  const auto plain = [&](const char* name, std::string_view value) {
    value_ = value;
    return natsMsgHeader_Set(message, name, value_.c_str());
  };
  natsStatus done = plain(kMsgId.data(), outgoing.dedupe_key);
  if (done == NATS_OK) done = plain("Nats-Expected-Stream", stream_);
  if (done == NATS_OK) {
    done = last_id_.empty() ? plain("Nats-Expected-Last-Sequence", std::to_string(last_sequence_))
                            : plain("Nats-Expected-Last-Msg-Id", last_id_);
  }
  envelope_->Reset(outgoing);
  for (const auto& [name, value] : *envelope_) {
    if (done != NATS_OK) return done;
    name_.assign("ce-").append(name);
    done = SetHeader(message, name_.c_str(), value);
  }
  if (done == NATS_OK && !envelope_->content_type().empty()) {
    done = plain("content-type", envelope_->content_type());
  }
  for (const NatsTarget::Header& header : target_.headers) {
    if (done != NATS_OK) return done;
    name_.clear();
    header.value.AppendTo(*outgoing.event, NameEscape::kNone, &name_);
    done = SetHeader(message, header.name.c_str(), name_);
  }
  return done;
}

void NatsSink::TakeAnswer(natsMsg* message) {
  const std::optional<std::uint64_t> number = session_.AnswerNumber(message);
  NatsRing::Slot* slot = number ? ring_.Find(*number) : nullptr;
  if (slot == nullptr || slot->answered) return;
  NatsAnswer answer = ParsePublishAnswer(
      {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))});
  slot->answered = true;
  slot->outcome = answer.outcome;
  slot->stream_sequence = answer.sequence;
  slot->status = std::move(answer.status);
}

// Answers come in the order of the messages: nobody took the first one without an answer, or one
// behind it, and either way the session is over.
void NatsSink::FailUntaken() {
  NatsRing::Slot* slot = ring_.FirstUnanswered();
  if (slot == nullptr || !ended_.ok()) return;
  const bool listens = std::any_of(
      listens_.begin(), listens_.end(),
      [&](const std::string& pattern) { return SubjectMatches(pattern, slot->subject); });
  slot->Fail(
      Outcome::kRetry,
      listens ? absl::UnavailableError(absl::StrCat("nats: nobody takes ", slot->subject,
                                                    ": the stream has no leader, or was deleted"))
              : absl::NotFoundError(absl::StrCat("nats: the stream ", stream_,
                                                 " does not listen for ", slot->subject)));
  End(slot->status);
}

void NatsSink::TakeAnswers(milliseconds wait) {
  while (broken_.ok()) {
    absl::StatusOr<NatsPtr<natsMsg>> message = session_.NextAnswer(wait);
    wait = milliseconds(0);
    if (absl::IsNotFound(message.status())) {
      FailUntaken();
      continue;
    }
    if (!message.ok()) broken_ = message.status();
    if (!message.ok() || *message == nullptr) return;
    TakeAnswer(message->get());
  }
}

// A server that takes over from a leader may take for a duplicate what was never stored
// (nats-server issue 6415): it must show it.
absl::Status NatsSink::CheckHeld(const NatsRing::Slot& slot) {
  const auto lies = [&] {
    return absl::UnavailableError(absl::StrCat("nats: the stream ", stream_, " says that it has ",
                                               slot.key, ", and does not show it"));
  };
  if (slot.stream_sequence == 0) return lies();
  DAYBOOK_ASSIGN_OR_RETURN(const NatsPtr<natsMsg> held,
                           session_.MessageAt(stream_, slot.stream_sequence));
  if (held != nullptr) {
    const char* id = nullptr;
    const bool same = natsMsgHeader_Get(held.get(), kMsgId.data(), &id) == NATS_OK &&
                      id != nullptr && slot.key == id;
    return same ? absl::OkStatus() : lies();
  }
  // Not there: taken away since, by the stream's retention or by somebody, or never there.
  DAYBOOK_ASSIGN_OR_RETURN(const NatsPtr<jsStreamInfo> info, session_.Info(stream_));
  return slot.stream_sequence <= info->State.LastSeq ? absl::OkStatus() : lies();
}

// Outcomes go out in the order of the events: what stands before the first that failed, is done.
void NatsSink::Report(std::vector<SinkOutcome>* outcomes) {
  bool believed = false;
  while (!ring_.empty()) {
    NatsRing::Slot& slot = ring_.front();
    if (!slot.answered && !broken_.ok()) slot.Fail(Outcome::kRetry, broken_);
    if (!slot.answered && Clock::now() - slot.sent >= timeout_) {
      slot.Fail(Outcome::kRetry, absl::DeadlineExceededError(absl::StrCat(
                                     "nats: no acknowledgement within ", timeout_.count(), " ms")));
    }
    if (!slot.answered) return;
    if (slot.outcome == Outcome::kDuplicate && !believed) {
      // The last of a run of duplicates stands for the others: by the chain the broker stored it
      // only behind them. A message that it stored behind the run proves it too.
      const NatsRing::Slot* last = ring_.LastDuplicateOfRun(&believed);
      if (!believed) {
        const absl::Status held = CheckHeld(*last);
        believed = held.ok();
        if (!believed) slot.Fail(Outcome::kRetry, held);
      }
    }
    if (slot.outcome == Outcome::kDone) believed = false;
    if (slot.outcome == Outcome::kRetry || slot.outcome == Outcome::kPoison) {
      End(slot.status);
      return ReportEnded(outcomes);
    }
    outcomes->push_back({slot.sequence, slot.outcome, absl::OkStatus()});
    ring_.PopFront();
  }
}

// The first one has failed: all behind it, whatever the broker said, is sent again; the next
// session finds out what it holds of them.
void NatsSink::ReportEnded(std::vector<SinkOutcome>* outcomes) {
  const NatsRing::Slot& first = ring_.front();
  outcomes->push_back({first.sequence, first.outcome, first.status});
  ring_.PopFront();
  for (; !ring_.empty(); ring_.PopFront()) {
    outcomes->push_back({ring_.front().sequence, Outcome::kRetry, ended_});
  }
  // Nothing of it may be sent from here any more.
  session_.Close();
  broken_ = ended_;
}

void NatsSink::Poll(milliseconds timeout, std::vector<SinkOutcome>* outcomes) {
  const Clock::time_point until = Clock::now() + timeout;
  const std::size_t before = outcomes->size();
  milliseconds wait{0};
  for (;;) {
    TakeAnswers(wait);
    Report(outcomes);
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (outcomes->size() > before || ring_.empty() || left <= milliseconds(0)) return;
    wait = std::min(left, kLook);
  }
}

void NatsSink::Settle(milliseconds timeout, std::vector<SinkOutcome>* outcomes) {
  const Clock::time_point until = Clock::now() + timeout;
  while (!ring_.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    Poll(std::max(left, milliseconds(0)), outcomes);
    if (left <= milliseconds(0) && !ring_.empty()) {
      NatsRing::Slot& slot = ring_.front();
      slot.Fail(Outcome::kRetry,
                absl::DeadlineExceededError("nats: no acknowledgement in the time to settle"));
      End(slot.status);
      ReportEnded(outcomes);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> OpenNatsSink(const SinkSettings& settings) {
  DAYBOOK_ASSIGN_OR_RETURN(NatsTarget target, ParseNatsTarget(settings));
  DAYBOOK_ASSIGN_OR_RETURN(NatsPtr<natsOptions> options, MakeNatsOptions(target, settings));
  return std::make_unique<NatsSink>(std::move(target), settings, std::move(options));
}

}  // namespace daybook
