#include "daybook/kafka_sink.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/publish/kafka/kafka_cursor.h"
#include "projections/publish/kafka/kafka_message.h"
#include "projections/publish/kafka/kafka_producer.h"
#include "projections/publish/kafka/kafka_settings.h"
#include "projections/publish/kafka/kafka_status.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Memory is bounded by them: an event with its headers takes about 2 KiB in librdkafka.
constexpr std::size_t kInFlightEvents = 32768;
constexpr std::size_t kInFlightBytes = std::size_t{32} << 20;
constexpr std::size_t kBatchBytes = 1'000'000;
constexpr std::size_t kBatchBytesMin = 16'384;
// A transaction is committed at half of what may be on its way, so that the next one can be filled
// while the publisher saves its cursor.
constexpr std::size_t kTransactionEvents = kInFlightEvents / 2;
constexpr std::size_t kTransactionBytes = kInFlightBytes / 2;
// How long a transaction that cannot be committed is given to be aborted. What is left open, the
// next Begin() fences, or the broker aborts after its transaction.timeout.ms.
constexpr milliseconds kAbortTimeout{2000};
constexpr milliseconds kSlice{10};
// The token of the cursor's message; those of events are their sequences.
constexpr std::uint64_t kCursorToken = ~std::uint64_t{0};

// What is told of an event, and when.
//
// idempotent     kDone with the delivery report. A partition's first message of a producer travels
//                alone: a broker that does not know a producer takes any sequence number from it,
//                so that, were the first batch refused, the second would pass and overtake it. From
//                then on the numbers forbid it, and enable.gapless.guarantee ends the producer.
// transactional  kDone with the commit, which also holds the cursor; before it nobody sees
//                anything, and whatever goes wrong ends with an abort and kRetry.
//
// An event that is refused stands in a batch with others, all of which get the same answer: they
// become suspects. A suspect is sent by itself, with nothing else on its way, so that the answer is
// about it: only then is it poison. An event that is larger than the topic's limit is a suspect
// from the beginning (compressed, it may still fit).
class KafkaSink final : public Sink, private KafkaProducer::Deliveries {
 public:
  explicit KafkaSink(KafkaSettings settings) : settings_(std::move(settings)) {}
  ~KafkaSink() override { DropProducer(); }

  [[nodiscard]] std::string_view kind() const override { return "kafka"; }
  [[nodiscard]] std::string destination() const override { return settings_.destination; }
  [[nodiscard]] SinkLimits limits() const override {
    return {.in_flight_events = kInFlightEvents, .in_flight_bytes = kInFlightBytes};
  }

  absl::StatusOr<SessionBegun> Begin(const SessionStart& start) override;
  void Send(std::span<const OutgoingEvent> events) override;
  void Poll(milliseconds timeout, std::vector<SinkOutcome>* outcomes) override;
  void Settle(milliseconds timeout, std::vector<SinkOutcome>* outcomes) override;

 private:
  enum class State : std::uint8_t {
    kEnded,    // or not begun
    kOpen,     // sends
    kFailing,  // sends no more, and waits for what is on its way
  };
  enum class Stage : std::uint8_t { kUnsent, kOnItsWay, kStored, kRefused, kTold };
  struct Entry {
    std::uint64_t sequence = 0;
    Position position;
    Stage stage = Stage::kUnsent;
    Outcome outcome = Outcome::kRetry;  // where it is not done
    bool is_alone = false;
    std::int32_t partition = 0;
    KafkaTopic* topic = nullptr;
    absl::Status status;
  };

  void OnDelivery(std::uint64_t token, rd_kafka_resp_err_t error) override;
  absl::Status OpenProducer(const SessionStart& start);
  void DropProducer();

  void SendOne(const OutgoingEvent& outgoing, Entry& entry);
  bool IsSuspect(const Entry& entry) const;
  bool MakeWay(const Entry& entry);
  bool BeginTransaction();
  bool Commit(milliseconds timeout);
  void CommitIfDue();
  void Abort();

  void Refuse(Entry& entry, Outcome outcome, absl::Status status);
  void StartFailing(absl::Status status);
  void Fail(absl::Status status);
  void Watch(milliseconds timeout = kSlice);
  void EndIfDrained();
  void End();
  [[nodiscard]] absl::Status TookTooLong() const;
  void Tell(Entry& entry, Outcome outcome, absl::Status status);
  void TellStored();
  void TakeOutcomes(std::vector<SinkOutcome>* outcomes);

  const KafkaSettings settings_;
  std::string incarnation_, transactional_id_;
  std::optional<KafkaMessage> message_;
  std::unique_ptr<KafkaProducer> producer_;
  bool was_connected_ = false;
  std::size_t batch_bytes_ = kBatchBytes;
  std::set<Position> suspects_;

  State state_ = State::kEnded;
  bool is_sound_ = false;  // the producer has nothing against it, and can serve another session
  bool is_stale_ = false;  // it makes too large batches
  std::size_t refused_together_ = 0;
  absl::Status failure_ = absl::OkStatus();
  std::deque<Entry> entries_;  // from the first one that is not told
  std::size_t on_their_way_ = 0;
  steady_clock::time_point progress_at_;
  std::vector<SinkOutcome> outcomes_;

  // Of the transaction that is open.
  KafkaTopic* cursor_topic_ = nullptr;
  bool in_transaction_ = false;
  std::size_t transaction_events_ = 0;
  std::size_t transaction_bytes_ = 0;
  steady_clock::time_point transaction_at_;
  BrokerMark mark_;
  std::string dedupe_key_;
  std::optional<BrokerMark> committed_;  // the cursor as it stands in the broker
};

// --- Sessions ---------------------------------------------------------------------------------

absl::StatusOr<SessionBegun> KafkaSink::Begin(const SessionStart& start) {
  if (state_ != State::kEnded || !is_sound_ || start.incarnation != incarnation_) DropProducer();
  entries_.clear();
  outcomes_.clear();
  on_their_way_ = 0;
  refused_together_ = 0;
  failure_ = absl::OkStatus();
  state_ = State::kEnded;
  if (producer_ == nullptr) {
    const absl::Status opened = OpenProducer(start);
    if (!opened.ok()) {
      DropProducer();
      return opened;
    }
  }
  state_ = State::kOpen;
  is_sound_ = true;
  SessionBegun begun;
  begun.knows = settings_.transactional;
  begun.last = committed_;
  return begun;
}

absl::Status KafkaSink::OpenProducer(const SessionStart& start) {
  if (start.incarnation != incarnation_ || !message_) {
    incarnation_ = start.incarnation;
    mark_.incarnation = incarnation_;
    message_.emplace(settings_, incarnation_);
    transactional_id_ =
        settings_.transactional ? settings_.TransactionalId(incarnation_) : std::string();
  }
  committed_ = std::nullopt;
  DAYBOOK_ASSIGN_OR_RETURN(producer_,
                           KafkaProducer::Open(settings_, transactional_id_, batch_bytes_, this));
  DAYBOOK_RETURN_IF_ERROR(producer_->Connect(settings_.timeout, !was_connected_));
  was_connected_ = true;
  if (settings_.topic.is_constant()) {
    std::string name;
    settings_.topic.AppendTo(EventView{}, NameEscape::kToken, &name);
    DAYBOOK_RETURN_IF_ERROR(producer_->FindTopic(name, settings_.timeout).status());
  }
  if (!settings_.transactional) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(cursor_topic_, FindCursorTopic(producer_.get(), settings_));
  // From here on whoever had this id before is fenced, and what it left open is aborted, or
  // committed where that had begun.
  const KafkaError error(
      rd_kafka_init_transactions(producer_->handle(), static_cast<int>(settings_.timeout.count())));
  if (error != nullptr) return KafkaStatus(error.get(), transactional_id_);
  DAYBOOK_ASSIGN_OR_RETURN(committed_, ReadKafkaCursor(settings_, transactional_id_));
  return absl::OkStatus();
}

void KafkaSink::DropProducer() {
  if (producer_ != nullptr && in_transaction_) Abort();
  in_transaction_ = false;
  cursor_topic_ = nullptr;
  producer_.reset();
  is_sound_ = false;
  is_stale_ = false;
}

// --- Sending ----------------------------------------------------------------------------------

void KafkaSink::Send(std::span<const OutgoingEvent> events) {
  for (const OutgoingEvent& outgoing : events) {
    Entry& entry = entries_.emplace_back();
    entry.sequence = outgoing.sequence;
    entry.position = outgoing.event->position;
    if (state_ == State::kOpen) {
      SendOne(outgoing, entry);
    } else if (state_ == State::kEnded) {
      Tell(entry, Outcome::kRetry, failure_);
    }
  }
  if (state_ == State::kOpen) {
    producer_->Poll(milliseconds(0));
    CommitIfDue();
  }
}

void KafkaSink::SendOne(const OutgoingEvent& outgoing, Entry& entry) {
  message_->Reset(outgoing);
  if (!IsKafkaTopicName(message_->topic())) {
    return Refuse(entry, Outcome::kPoison,
                  absl::InvalidArgumentError("kafka: the name of its topic is longer than 249"));
  }
  absl::StatusOr<KafkaTopic*> topic = producer_->FindTopic(message_->topic(), settings_.timeout);
  if (!topic.ok()) return Refuse(entry, Outcome::kRetry, topic.status());
  entry.topic = *topic;
  entry.partition = entry.topic->PartitionOf(message_->key());
  const std::size_t limit = entry.topic->message_bytes_max.value_or(SIZE_MAX);
  if (limit < batch_bytes_) {
    // The topic takes smaller batches than this producer makes. The next one makes them.
    batch_bytes_ = std::max(limit, std::size_t{1024});
    is_stale_ = true;
    return Refuse(entry, Outcome::kRetry,
                  absl::AbortedError(absl::StrCat("kafka: the topic ", message_->topic(),
                                                  " takes batches of ", limit, " bytes")));
  }
  if (message_->batch_bytes() > limit) suspects_.insert(entry.position);
  if (message_->batch_bytes() > limit && settings_.compression == "none") {
    return Refuse(entry, Outcome::kPoison,
                  absl::OutOfRangeError(absl::StrCat(
                      "kafka: the event takes ", message_->batch_bytes(), " bytes, and the topic ",
                      message_->topic(), " has max.message.bytes=", limit)));
  }
  entry.is_alone = IsSuspect(entry);
  if (!MakeWay(entry) || !BeginTransaction()) return;

  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  absl::Status sent =
      producer_->Send(entry.topic, entry.partition, message_->key(), message_->value(),
                      message_->TakeHeaders(), outgoing.sequence, &code);
  if (!sent.ok()) {
    return Refuse(entry, IsAboutTheEvent(code) ? Outcome::kPoison : Outcome::kRetry,
                  std::move(sent));
  }
  entry.stage = Stage::kOnItsWay;
  if (on_their_way_++ == 0) progress_at_ = steady_clock::now();
  KafkaTopic::Partition& partition =
      entry.topic->partitions[static_cast<std::size_t>(entry.partition)];
  if (partition == KafkaTopic::Partition::kCold) partition = KafkaTopic::Partition::kWarming;
  ++transaction_events_;
  transaction_bytes_ += message_->batch_bytes();
  mark_.line = outgoing.line;
  mark_.aside = outgoing.is_aside() ? std::optional(entry.position) : std::nullopt;
  mark_.replay.assign(outgoing.replay);
  dedupe_key_.assign(outgoing.dedupe_key);

  if (entry.is_alone) {
    while (state_ == State::kOpen && on_their_way_ > 0) Watch();
    if (settings_.transactional && state_ == State::kOpen) Commit(settings_.timeout);
  } else if ((transaction_events_ & 0xFF) == 0) {
    producer_->Poll(milliseconds(0));
  }
}

bool KafkaSink::IsSuspect(const Entry& entry) const {
  return !suspects_.empty() && suspects_.contains(entry.position);
}

// Waits until the event may be sent. False where the session ended over it.
bool KafkaSink::MakeWay(const Entry& entry) {
  if (entry.is_alone && settings_.transactional) return Commit(settings_.timeout);
  const KafkaTopic::Partition& partition =
      entry.topic->partitions[static_cast<std::size_t>(entry.partition)];
  while (state_ == State::kOpen &&
         ((entry.is_alone && on_their_way_ > 0) ||
          (!settings_.transactional && partition == KafkaTopic::Partition::kWarming))) {
    Watch();
  }
  return state_ == State::kOpen;
}

// --- Transactions -----------------------------------------------------------------------------

bool KafkaSink::BeginTransaction() {
  if (!settings_.transactional || in_transaction_) return true;
  const KafkaError error(rd_kafka_begin_transaction(producer_->handle()));
  if (error != nullptr) {
    Fail(KafkaStatus(error.get(), transactional_id_));
    return false;
  }
  in_transaction_ = true;
  transaction_events_ = 0;
  transaction_bytes_ = 0;
  transaction_at_ = steady_clock::now();
  return true;
}

// The cursor, then the commit. Where the process dies before the broker has the commit, the next
// Begin() aborts all of it; where it dies after, the cursor says that it is done. False where the
// session ended over it: what was in it is kRetry, also where the outcome is not known, for then
// too the next Begin() finds out.
bool KafkaSink::Commit(milliseconds timeout) {
  if (!in_transaction_) return true;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  const absl::Status sent =
      producer_->Send(cursor_topic_, kCursorPartition, transactional_id_,
                      EncodeKafkaCursor(mark_, dedupe_key_), nullptr, kCursorToken, &code);
  if (!sent.ok()) {
    Fail(sent);
    return false;
  }
  const KafkaError error(rd_kafka_commit_transaction(
      producer_->handle(), static_cast<int>(std::max(timeout, milliseconds(1)).count())));
  if (error != nullptr) {
    const absl::Status status = KafkaStatus(error.get(), "the commit of a transaction");
    if (rd_kafka_error_txn_requires_abort(error.get()) == 0) in_transaction_ = false;
    Fail(status);
    return false;
  }
  in_transaction_ = false;
  committed_ = mark_;
  TellStored();
  return true;
}

void KafkaSink::CommitIfDue() {
  if (state_ != State::kOpen || !in_transaction_) return;
  if (transaction_events_ >= kTransactionEvents || transaction_bytes_ >= kTransactionBytes ||
      steady_clock::now() - transaction_at_ >= settings_.commit_interval) {
    Commit(settings_.timeout);
  }
}

void KafkaSink::Abort() {
  const KafkaError error(rd_kafka_abort_transaction(
      producer_->handle(), static_cast<int>(std::min(kAbortTimeout, settings_.timeout).count())));
  in_transaction_ = false;
}

// --- What becomes of events -------------------------------------------------------------------

void KafkaSink::OnDelivery(std::uint64_t token, rd_kafka_resp_err_t error) {
  if (token == kCursorToken) {
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Fail(KafkaStatus(error, settings_.cursor_topic));
    }
    return;
  }
  Entry& entry = entries_[token - entries_.front().sequence];
  --on_their_way_;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    progress_at_ = steady_clock::now();
    entry.stage = Stage::kStored;
    entry.topic->partitions[static_cast<std::size_t>(entry.partition)] =
        KafkaTopic::Partition::kWarm;
    if (!settings_.transactional) Tell(entry, Outcome::kDone, absl::OkStatus());
    return;
  }
  entry.stage = Stage::kRefused;
  entry.status = KafkaStatus(error, rd_kafka_topic_name(entry.topic->handle.get()));
  if (IsAboutTheEvent(error)) {
    if (entry.is_alone) {
      entry.outcome = Outcome::kPoison;
    } else {
      suspects_.insert(entry.position);
      ++refused_together_;
    }
  }
  Fail(entry.status);
}

// An event that was not sent, and why: the session ends, and what was sent before it is waited for.
void KafkaSink::Refuse(Entry& entry, Outcome outcome, absl::Status status) {
  entry.stage = Stage::kRefused;
  entry.outcome = outcome;
  entry.status = status;
  StartFailing(std::move(status));
}

void KafkaSink::StartFailing(absl::Status status) {
  if (state_ != State::kOpen) return;
  failure_ = std::move(status);
  state_ = State::kFailing;
}

// The same, where the producer itself is of no use any more: nothing that it still holds may go
// out.
void KafkaSink::Fail(absl::Status status) {
  StartFailing(std::move(status));
  if (!is_sound_) return;
  is_sound_ = false;
  producer_->DropQueued();
}

// Lets deliveries in, and ends what has waited for too long.
void KafkaSink::Watch(milliseconds timeout) {
  producer_->Poll(timeout);
  if (const absl::Status fatal = producer_->fatal(); !fatal.ok()) Fail(fatal);
  if (on_their_way_ > 0 && steady_clock::now() - progress_at_ > settings_.timeout) {
    Fail(TookTooLong());
    End();
  }
}

absl::Status KafkaSink::TookTooLong() const {
  return absl::DeadlineExceededError(absl::StrCat("kafka: ", settings_.brokers,
                                                  ": nothing was acknowledged for ",
                                                  settings_.timeout.count(), " ms"));
}

// A session that fails ends when it is known what became of everything that was sent.
void KafkaSink::EndIfDrained() {
  if (state_ != State::kFailing) return;
  if (settings_.transactional) {
    // What stands before an event that was refused here is sound, and is committed.
    if (in_transaction_ && is_sound_) Commit(settings_.timeout);
    if (in_transaction_ && !absl::IsDeadlineExceeded(failure_)) Abort();
    End();
  } else if (on_their_way_ == 0) {
    End();
  }
}

void KafkaSink::End() {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  // Several events were refused with one answer: it may be their batch that is too large.
  if (refused_together_ > 1) batch_bytes_ = std::max(batch_bytes_ / 2, kBatchBytesMin);
  for (Entry& entry : entries_) {
    if (entry.stage == Stage::kTold) continue;
    const bool is_refused = entry.stage == Stage::kRefused;
    // Where what stands before it was not stored, nobody need know yet that it never will be.
    const bool is_known = is_refused && (is_sound_ || entry.is_alone);
    Tell(entry, is_known ? entry.outcome : Outcome::kRetry, is_refused ? entry.status : failure_);
  }
  entries_.clear();
  on_their_way_ = 0;
  if (!is_sound_ || is_stale_) {
    in_transaction_ = false;  // it was aborted, or cannot be
    DropProducer();
  }
}

void KafkaSink::Tell(Entry& entry, Outcome outcome, absl::Status status) {
  outcomes_.push_back({entry.sequence, outcome, std::move(status)});
  entry.stage = Stage::kTold;
  if (outcome != Outcome::kRetry && !suspects_.empty()) suspects_.erase(entry.position);
}

void KafkaSink::TellStored() {
  for (Entry& entry : entries_) {
    if (entry.stage == Stage::kStored) Tell(entry, Outcome::kDone, absl::OkStatus());
  }
}

void KafkaSink::TakeOutcomes(std::vector<SinkOutcome>* outcomes) {
  outcomes->insert(outcomes->end(), std::make_move_iterator(outcomes_.begin()),
                   std::make_move_iterator(outcomes_.end()));
  outcomes_.clear();
  while (!entries_.empty() && entries_.front().stage == Stage::kTold) entries_.pop_front();
}

void KafkaSink::Poll(milliseconds timeout, std::vector<SinkOutcome>* outcomes) {
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  if (state_ != State::kEnded) Watch(milliseconds(0));
  while (true) {
    CommitIfDue();
    EndIfDrained();
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (!outcomes_.empty() || state_ == State::kEnded || left <= milliseconds(0)) break;
    Watch(std::min(left, kSlice));
  }
  TakeOutcomes(outcomes);
}

void KafkaSink::Settle(milliseconds timeout, std::vector<SinkOutcome>* outcomes) {
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  if (state_ == State::kOpen && settings_.transactional) Commit(timeout);
  EndIfDrained();
  while (state_ != State::kEnded && on_their_way_ > 0) {
    if (steady_clock::now() >= deadline) {
      Fail(TookTooLong());
      End();
      break;
    }
    // A flush does not wait for a batch to fill.
    rd_kafka_flush(producer_->handle(), static_cast<int>(kSlice.count()));
    Watch(milliseconds(0));
    EndIfDrained();
  }
  EndIfDrained();
  TakeOutcomes(outcomes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> OpenKafkaSink(const SinkSettings& settings) {
  DAYBOOK_ASSIGN_OR_RETURN(KafkaSettings parsed, ParseKafkaSettings(settings));
  // What librdkafka does not take is to be known before anything is connected.
  DAYBOOK_RETURN_IF_ERROR(MakeKafkaConf(parsed, {}).status());
  return std::unique_ptr<Sink>(new KafkaSink(std::move(parsed)));
}

}  // namespace daybook
