#include "daybook/publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "io/directory.h"
#include "kv/derived.h"
#include "projections/layout.h"
#include "projections/publish/publisher_impl.h"
#include "projections/publish/status_file.h"
#include "projections/status_file.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSaveEvery{200};
constexpr milliseconds kSaveKnownEvery{1000};  // where the broker can be asked
constexpr milliseconds kLookAroundEvery{100};
constexpr milliseconds kStatusEvery{250};
constexpr milliseconds kIdleWait{100};
constexpr milliseconds kPollWait{20};
constexpr std::size_t kReplayIdChars = 16;

std::size_t BytesOf(const EventView& event) { return event.data.size() + event.metadata.size(); }

// A batch is a part of the window: else one would wait for the cursor to be saved.
SinkLimits LimitsOf(const Sink& sink) {
  SinkLimits limits = sink.limits();
  limits.in_flight_events = std::max<std::size_t>(limits.in_flight_events, 1);
  limits.in_flight_bytes = std::max<std::size_t>(limits.in_flight_bytes, 4);
  limits.batch_events =
      std::clamp<std::size_t>(limits.batch_events, 1, (limits.in_flight_events + 3) / 4);
  return limits;
}

// Unique for ever, and no secret.
std::string NewReplayId() {
  std::string id = EventId::NewV7().ToString();
  std::erase(id, '-');
  return id.substr(0, kReplayIdChars);
}

}  // namespace

Publisher::Publisher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Publisher::~Publisher() = default;

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Open(const Reader& reader,
                                                           std::unique_ptr<Sink> sink,
                                                           const PublisherOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjectionName(options.name));
  const std::filesystem::path folder = SinkFolder(reader.directory(), options.name);
  const bool is_new = !Directory::Exists(folder);
  if (is_new && options.from.kind == PublishFrom::Kind::kCursor) {
    return absl::FailedPreconditionError(absl::StrCat(
        "nothing was ever published to '", options.name,
        "', so there is no cursor: say where to begin, with --from 1 or with --from broker"));
  }
  if (is_new) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder.parent_path()));
    DAYBOOK_RETURN_IF_ERROR(Directory::Sync(reader.directory()));
    DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder));
    DAYBOOK_RETURN_IF_ERROR(Directory::Sync(folder.parent_path()));
  }
  absl::StatusOr<File> lock = LockDerived(folder);
  if (absl::IsUnavailable(lock.status())) {
    return absl::UnavailableError(absl::StrCat("another publisher sends to '", options.name,
                                               "' (it holds ", (folder / "LOCK").string(),
                                               "): one at a time, or use another --name"));
  }
  DAYBOOK_RETURN_IF_ERROR(lock.status());
  DAYBOOK_ASSIGN_OR_RETURN(Journal journal, Journal::Open(folder));
  auto impl = std::make_unique<Impl>(reader, std::move(sink), options, *std::move(lock),
                                     std::move(journal));
  DAYBOOK_RETURN_IF_ERROR(impl->Prepare());
  return std::unique_ptr<Publisher>(new Publisher(std::move(impl)));
}

absl::Status Publisher::Run(PublishUntil until, const std::function<bool()>& keep_going) {
  return impl_->Run(until, keep_going);
}

PublishStatus Publisher::status() const { return impl_->status(); }

Publisher::Impl::Impl(const Reader& reader, std::unique_ptr<Sink> sink,
                      const PublisherOptions& options, File lock, Journal journal)
    : reader_(reader),
      sink_(std::move(sink)),
      options_(options),
      folder_(SinkFolder(reader.directory(), options.name)),
      lock_(std::move(lock)),
      limits_(LimitsOf(*sink_)),
      journal_(std::move(journal)),
      random_(std::random_device()()) {}

absl::Status Publisher::Impl::Prepare() {
  const PublishFrom& from = options_.from;
  const absl::Status good = CheckCursor();
  if (from.kind == PublishFrom::Kind::kCursor) return good;
  if (from.kind == PublishFrom::Kind::kBroker) {
    begin_at_broker_ = true;  // once it was asked
    return absl::OkStatus();
  }
  if (from.position.value() == 0 || from.position.value() > reader_.durable().value() + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from ", from.position.value(), ": positions are from 1 to ",
                     reader_.durable().value(), ", the head, and the next one"));
  }
  if (!good.ok()) return OpenAt(Position(from.position.value() - 1));
  return BeginReplay(from.position);
}

absl::Status Publisher::Impl::CheckCursor() const {
  const SinkState& state = journal_.state();
  const auto refuse = [&](const auto&... what) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the cursor of '", options_.name, "' ", what...,
        ": say where to begin, with --from POSITION or with --from broker, or use another --name"));
  };
  if (!state.is_open()) return refuse("is missing");
  if (state.incarnation() != reader_.incarnation()) {
    return refuse(
        "is of another history (the store was restored or forked since, and has the "
        "incarnation ",
        reader_.incarnation(), " now; position ", state.line().value(), " was acknowledged in ",
        state.incarnation(), ")");
  }
  if (state.line() > reader_.durable()) {
    return refuse("is at ", state.line().value(), ", ahead of the store, which ends at ",
                  reader_.durable().value());
  }
  if (state.destination() != sink_->destination()) {
    return refuse("is of ", state.destination(), " and not of ", sink_->destination());
  }
  if (const std::string filter = TextOf(options_.filter); state.filter() != filter) {
    return refuse("is of another filter (", state.filter().empty() ? "none" : state.filter(),
                  ") than ", filter.empty() ? "none" : filter);
  }
  return absl::OkStatus();
}

// A process that dies behind this goes on from there.
absl::Status Publisher::Impl::OpenAt(Position line) {
  DAYBOOK_RETURN_IF_ERROR(journal_.Add(OpenEntry(
      options_.name, sink_->destination(), TextOf(options_.filter), reader_.incarnation(), line)));
  return journal_.Commit();
}

absl::Status Publisher::Impl::BeginReplay(Position from) {
  const Position line = journal_.state().line();
  if (from > line) {
    if (from.value() == line.value() + 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "--from ", from.value(), " would pass over events: the cursor is at ", line.value(),
        "; skip single ones with `daybook publish skip`, or use another --name"));
  }
  const Position to = std::min(line, options_.to.value_or(line));
  if (to < from) return absl::InvalidArgumentError("--to is before --from");
  const std::string id = NewReplayId();
  if (options_.on_notice) {
    options_.on_notice({Notice::Severity::kInfo,
                        absl::StrCat("the cursor is at ", line.value(), ": ", from.value(), " to ",
                                     to.value(), " are sent again, marked as replay ", id)});
  }
  DAYBOOK_RETURN_IF_ERROR(journal_.Add(ReplayEntry(id, from, to)));
  return journal_.Commit();
}

absl::Status Publisher::Impl::Run(PublishUntil until, const KeepGoing& keep_going) {
  counts_.state = PublishState::kRunning;
  counts_.error.clear();
  WriteStatus(true);
  return Finish(Loop(until, keep_going));
}

// What is on its way is settled, and what was acknowledged is saved, whatever ended it.
absl::Status Publisher::Impl::Finish(const absl::Status& ended) {
  absl::Status status = ended;
  if (in_session_ && lane_) {
    if (!lane_->window.empty()) SettleAll();
    MoveAcked();
    const absl::Status saved = Save();
    if (!saved.ok() && (status.ok() || absl::IsCancelled(status))) status = saved;
    in_session_ = false;
  }
  if (!status.ok() && !absl::IsCancelled(status)) {
    counts_.state = PoisonOf(status) ? PublishState::kPoison : PublishState::kFailed;
    counts_.error = std::string(status.message());
  } else {
    counts_.state = PublishState::kIdle;
  }
  lane_.reset();
  WriteStatus(true);
  return status;
}

absl::Status Publisher::Impl::Loop(PublishUntil until, const KeepGoing& keep_going) {
  for (;;) {
    if (!keep_going()) return absl::CancelledError("publishing was interrupted");
    WriteStatus(false);
    DAYBOOK_RETURN_IF_ERROR(EnsureSession(keep_going));
    if (!in_session_) continue;
    bool is_idle = false;
    DAYBOOK_RETURN_IF_ERROR(Step(&is_idle));
    if (!is_idle) continue;
    if (until == PublishUntil::kCaughtUp) return absl::OkStatus();
    const Position next(std::min(lane_->line.scanned().value(), kCountMax - 1) + 1);
    const auto waited = reader_.AwaitDurable(next, kIdleWait, keep_going);
    if (!waited.ok() && !absl::IsDeadlineExceeded(waited.status()) &&
        !absl::IsCancelled(waited.status())) {
      return waited.status();
    }
  }
}

// One round. `*is_idle`: everything was sent, is acknowledged and saved.
absl::Status Publisher::Impl::Step(bool* is_idle) {
  DAYBOOK_RETURN_IF_ERROR(TakeRequests());
  DAYBOOK_RETURN_IF_ERROR(FillWindow());
  const bool all_sent = lane_->line.at_end();
  if (all_sent && !lane_->window.empty()) {
    SettleAll();
  } else if (!lane_->window.empty()) {
    Collect(HasRoom() ? milliseconds(0) : kPollWait);
  }
  MoveAcked();
  if (session_ended_) return EndSession();
  DAYBOOK_RETURN_IF_ERROR(SaveIfDue(all_sent));
  if (!in_session_ || !all_sent || !lane_->window.empty()) return absl::OkStatus();
  if (in_replay() && !journal_.state().replay()) {  // it has come to its end
    lane_.reset();
    OpenLane();
    return absl::OkStatus();
  }
  if (const ParkedStream* const due = journal_.state().FindDue()) return SendLetters(*due);
  *is_idle = lane_->line.at_end();
  return absl::OkStatus();
}

void Publisher::Impl::OpenLane() {
  const SinkState& state = journal_.state();
  const auto& replay = state.replay();
  const Position to = replay ? replay->to : options_.to.value_or(Position(kCountMax));
  const Position after = replay ? replay->at : state.line();
  lane_.emplace(Lane{
      .replay = replay ? replay->id : "",
      .line = EventLine(reader_, options_.filter, to,
                        [this](Position position) { return journal_.state().IsSkipped(position); }),
      .window = {},
      .ahead = {},
      .acked = after,
      .last_done = replay ? Position() : state.sent(),
      .sent_max = {}});
  lane_->line.GoTo(after);
  lane_->window.Reset(next_sequence_);
}

// What is acknowledged and not saved counts, where a publisher that dies would send it again.
bool Publisher::Impl::HasRoom() const {
  const FlightWindow& window = lane_->window;
  const std::size_t events = window.size() + (broker_knows_ ? 0 : lane_->unsaved);
  const std::size_t bytes = window.bytes() + (broker_knows_ ? 0 : lane_->unsaved_bytes);
  return !lane_->line.at_end() && events + limits_.batch_events <= limits_.in_flight_events &&
         bytes < limits_.in_flight_bytes;
}

// Sends what there is room for; what is heard of meanwhile makes more.
absl::Status Publisher::Impl::FillWindow() {
  const Clock::time_point until = Clock::now() + kLookAroundEvery;
  while (!session_ended_ && HasRoom()) {
    const absl::Status read =
        lane_->line.Next(limits_.batch_events, limits_.in_flight_bytes / 4, &read_);
    if (!read.ok()) {
      // Everything before it goes out first.
      SettleAll();
      MoveAcked();
      return session_ended_ ? absl::OkStatus() : read;
    }
    DAYBOOK_RETURN_IF_ERROR(SendBatch(read_));
    Collect(milliseconds(0));
    MoveAcked();
    if (Clock::now() >= until) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Publisher::Impl::IsToSend(const EventView& event) {
  const SinkState& state = journal_.state();
  if (!lane_->ahead.empty()) {
    if (const auto known = lane_->ahead.find(event.position.value()); known != lane_->ahead.end()) {
      lane_->ahead.erase(known);
      return false;
    }
  }
  if (state.IsSkipped(event.position)) return false;
  // A letter was never told to anybody: a replay does not begin with it.
  if (in_replay()) return !state.IsParked(event.stream, event.position);
  const ParkedStream* const parked = state.Find(event.stream);
  if (parked == nullptr || IsSeeded(SeededBug::kLetterOvertaken)) return true;
  if (parked->letters.contains(event.position.value())) return false;
  if (state.parked_events() >= options_.parked_max) {
    return StopAt(event, absl::ResourceExhaustedError(absl::StrCat(
                             "more than ", options_.parked_max, " events are parked")));
  }
  DAYBOOK_RETURN_IF_ERROR(journal_.Add(WaitEntry(event.position, event.stream)));
  return false;
}

absl::Status Publisher::Impl::SendBatch(const std::vector<EventView>& events) {
  std::vector<OutgoingEvent> batch;
  std::vector<std::string> keys;  // never grows beyond its room: the batch points into it
  batch.reserve(events.size());
  keys.reserve(events.size());
  for (const EventView& event : events) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool is_to_send, IsToSend(event));
    if (!is_to_send) continue;
    const std::uint64_t sequence = lane_->window.Add(event.position, BytesOf(event));
    keys.push_back(DedupeKey(event.position));
    batch.push_back(Outgoing(event, sequence, keys.back()));
    if (event.position <= lane_->sent_max) ++counts_.resends;
    lane_->sent_max = std::max(lane_->sent_max, event.position);
  }
  // What waits behind a letter is on record before anything behind it is sent: a publisher that
  // then goes on from what the broker holds misses none of it.
  if (journal_.has_uncommitted() && !IsSeeded(SeededBug::kWaitingNotRecorded)) {
    DAYBOOK_RETURN_IF_ERROR(journal_.Commit());
  }
  if (batch.empty()) return absl::OkStatus();
  next_sequence_ = lane_->window.next_sequence();
  counts_.sent += batch.size();
  sink_->Send(batch);
  return absl::OkStatus();
}

void Publisher::Impl::MoveAcked() {
  std::size_t events = 0;
  const std::size_t bytes = lane_->window.bytes();
  if (const auto last = lane_->window.PopDone(&events)) lane_->last_done = *last;
  lane_->unsaved += events;
  lane_->unsaved_bytes += bytes - lane_->window.bytes();
  const bool counts_as_acked = lane_->window.empty() || IsSeeded(SeededBug::kCursorBeforeAck);
  lane_->acked =
      counts_as_acked ? lane_->line.scanned() : Position(lane_->window.front().value() - 1);
}

absl::Status Publisher::Impl::SaveIfDue(bool now) {
  const bool many = !broker_knows_ && (4 * lane_->unsaved >= limits_.in_flight_events ||
                                       4 * lane_->unsaved_bytes >= limits_.in_flight_bytes);
  const auto every = broker_knows_ ? kSaveKnownEvery : kSaveEvery;
  if (!now && !many && Clock::now() - saved_at_ < every) return absl::OkStatus();
  return Save();
}

// A process that dies before the commit sends again what was acknowledged since the last one, or
// asks the broker.
absl::Status Publisher::Impl::Save() {
  saved_at_ = Clock::now();
  const SinkState& state = journal_.state();
  const Position saved = in_replay() && state.replay() ? state.replay()->at : state.line();
  if (lane_->acked == saved && lane_->unsaved == 0 && !journal_.has_uncommitted()) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> mark = sink_->Mark();
  if (!mark.ok()) {
    // What was acknowledged may not last: from the saved cursor on again.
    NoteFailure(mark.status());
    lane_->ahead.clear();
    in_session_ = false;
    return Patience();
  }
  if (in_replay()) {
    // One entry: of two the second could be cut off.
    DAYBOOK_RETURN_IF_ERROR(journal_.Add(ReplayedEntry(lane_->replay, lane_->acked, *mark)));
  } else {
    DAYBOOK_RETURN_IF_ERROR(journal_.Add(CursorEntry(lane_->acked, lane_->last_done, *mark)));
  }
  DAYBOOK_RETURN_IF_ERROR(journal_.Commit());
  lane_->unsaved = lane_->unsaved_bytes = 0;
  return absl::OkStatus();
}

std::string Publisher::Impl::DedupeKey(Position position) const {
  std::string key = absl::StrCat(reader_.incarnation(), ":", position.value());
  if (in_replay()) absl::StrAppend(&key, ":r", lane_->replay);
  return key;
}

OutgoingEvent Publisher::Impl::Outgoing(const EventView& event, std::uint64_t sequence,
                                        const std::string& dedupe_key) const {
  return {.event = &event,
          .sequence = sequence,
          .dedupe_key = dedupe_key,
          .line = in_replay() ? journal_.state().line() : event.position,
          .replay = lane_->replay};
}

void Publisher::Impl::WriteStatus(bool now) {
  if (!now && Clock::now() - status_at_ < kStatusEvery) return;
  status_at_ = Clock::now();
  // It is for those who look; publishing goes on without it.
  WritePublishStatus(folder_, status()).IgnoreError();
}

PublishStatus Publisher::Impl::status() const {
  const SinkState& state = journal_.state();
  PublishStatus status = counts_;
  status.name = options_.name;
  status.destination = sink_->destination();
  status.incarnation = reader_.incarnation();
  status.acknowledged = state.line();
  if (lane_ && !in_replay()) status.acknowledged = std::max(status.acknowledged, lane_->acked);
  status.in_flight = lane_ ? lane_->window.on_way() : 0;
  status.parked = state.parked_events();
  status.parked_streams = state.parked().size();
  status.oldest_parked = state.oldest_parked();
  if (state.replay()) {
    status.replay = state.replay()->id;
    status.replayed = state.replay()->at;
  }
  status.heartbeat = SystemNow();
  FillPublishBehind(reader_, &status);
  return status;
}

}  // namespace daybook
