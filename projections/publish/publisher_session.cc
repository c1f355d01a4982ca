// Sessions with the sink: how one begins from what the broker holds, what is heard in it, and what
// a failure costs.
//
// Stop, drain, rewind to the last contiguous acknowledgement, send again: pipelining with a retry
// for each event by itself would change their order.

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "projections/poison.h"
#include "projections/publish/publisher_impl.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPauseSlice{50};
constexpr std::uint32_t kDoublingsMax = 20;

// What waiting does not mend.
bool IsHopeless(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return false;
    default:
      return true;
  }
}

}  // namespace

absl::Status Publisher::Impl::EnsureSession(const KeepGoing& keep_going) {
  if (in_session_) return absl::OkStatus();
  if (failures_ > 0) {
    Pause(keep_going);
    if (!keep_going()) return absl::OkStatus();  // the loop sees it
  }
  const absl::Status begun = BeginSession();
  if (begun.ok()) return begun;
  // The first time somebody is there who can mend a wrong name at once.
  if (!ever_in_session_) return begun;
  NoteFailure(begun);
  return Patience();
}

absl::Status Publisher::Impl::BeginSession() {
  const SinkState& state = journal_.state();
  // A mark says how far the sink is to go back; where it is asked for its end, it stays there.
  const std::string mark = begin_at_broker_ ? std::string() : state.mark();
  DAYBOOK_ASSIGN_OR_RETURN(const SessionBegun begun,
                           sink_->Begin({reader_.incarnation(), state.line(), mark}));
  if (begin_at_broker_) DAYBOOK_RETURN_IF_ERROR(BeginAtBroker(begun));
  begin_at_broker_ = false;
  next_sequence_ = 0;
  session_ended_ = false;
  // Where the publisher does not know more than the journal, the lane begins there.
  const Position sent_max = lane_ ? lane_->sent_max : Position();
  const bool same_lane = lane_ && (lane_->replay.empty() == !state.replay().has_value());
  auto ahead = same_lane ? std::move(lane_->ahead) : std::set<std::uint64_t>();
  const bool is_known = begun.knows && begun.last.has_value();
  const Position scanned = lane_ ? lane_->line.scanned() : Position();
  lane_.reset();
  OpenLane();  // at the cursor
  if (IsSeeded(SeededBug::kRewindTooShort) && !is_known) lane_->line.GoTo(scanned);
  lane_->sent_max = sent_max;
  if (!is_known) lane_->ahead = std::move(ahead);
  if (is_known) DAYBOOK_RETURN_IF_ERROR(TakeOver(begun));
  DAYBOOK_RETURN_IF_ERROR(KeepFirstMark());
  in_session_ = ever_in_session_ = true;
  // A sink with marks goes back to the last one, and is not asked again.
  broker_knows_ = begun.knows && state.mark().empty();
  saved_at_ = Clock::now();
  ++counts_.sessions;
  counts_.state = PublishState::kRunning;
  return absl::OkStatus();
}

// A process that dies behind this, and before the first save, finds where the sink stood before
// anything was sent.
absl::Status Publisher::Impl::KeepFirstMark() {
  const SinkState& state = journal_.state();
  if (!state.mark().empty()) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(const std::string mark, sink_->Mark());
  if (mark.empty()) return absl::OkStatus();
  DAYBOOK_RETURN_IF_ERROR(journal_.Add(CursorEntry(state.line(), state.sent(), mark)));
  return journal_.Commit();
}

absl::Status Publisher::Impl::BeginAtBroker(const SessionBegun& begun) {
  if (!begun.knows) {
    return absl::FailedPreconditionError(
        absl::StrCat(sink_->destination(),
                     " cannot be asked what it holds: say where to begin, with --from POSITION"));
  }
  Position line;
  if (begun.last) {
    if (begun.last->incarnation != reader_.incarnation()) {
      return absl::FailedPreconditionError(absl::StrCat(
          sink_->destination(), " ends with an event of another history (", begun.last->incarnation,
          "; this one is ", reader_.incarnation(), "): say where to begin, with --from POSITION"));
    }
    line = begun.last->line;
  }
  DAYBOOK_RETURN_IF_ERROR(CheckNotAhead(line));
  return OpenAt(line);
}

absl::Status Publisher::Impl::CheckNotAhead(Position held) const {
  if (held <= reader_.durable()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      sink_->destination(), " holds position ", held.value(), ", and this store ends at ",
      reader_.durable().value(), ": it is not the store that was published, or has lost events"));
}

// What the broker holds counts, where it can be asked: what was sent and not acknowledged, or not
// saved, and is there all the same, and what was acknowledged and is gone.
absl::Status Publisher::Impl::TakeOver(const SessionBegun& begun) {
  const BrokerMark& mark = *begun.last;
  const SinkState& state = journal_.state();
  if (mark.incarnation != state.incarnation()) return absl::OkStatus();
  DAYBOOK_RETURN_IF_ERROR(CheckNotAhead(mark.line));
  if (mark.aside) DAYBOOK_RETURN_IF_ERROR(TakeOverAside(mark));
  Position line = state.line();
  Position sent = state.sent();
  if (mark.line > line && !IsSeeded(SeededBug::kBrokerNotBelieved)) {
    line = sent = mark.line;
  } else if (mark.line < sent) {
    counts_.lost_by_broker += sent.value() - mark.line.value();
    if (options_.on_notice) {
      options_.on_notice({Notice::Severity::kWarning,
                          absl::StrCat(sink_->destination(), " ends at position ",
                                       mark.line.value(), ", but ", sent.value(),
                                       " was acknowledged: what it lost is sent again; see which "
                                       "of its settings make an acknowledgement durable")});
    }
    line = sent = mark.line;
  } else {
    return absl::OkStatus();
  }
  DAYBOOK_RETURN_IF_ERROR(journal_.Add(CursorEntry(line, sent, state.mark())));
  DAYBOOK_RETURN_IF_ERROR(journal_.Commit());
  if (in_replay()) return absl::OkStatus();
  lane_->line.GoTo(line);
  lane_->acked = line;
  lane_->last_done = sent;
  return absl::OkStatus();
}

// The last event was sent aside: of a replay, or a letter. Those of it before were, too.
absl::Status Publisher::Impl::TakeOverAside(const BrokerMark& mark) {
  const SinkState& state = journal_.state();
  if (!mark.replay.empty()) {
    if (!in_replay() || lane_->replay != mark.replay || *mark.aside <= lane_->acked) {
      return absl::OkStatus();
    }
    lane_->line.GoTo(*mark.aside);
    lane_->acked = *mark.aside;
    return absl::OkStatus();
  }
  const ParkedStream* const parked = state.StreamOf(*mark.aside);
  if (parked == nullptr) return absl::OkStatus();
  std::vector<Position> sent;
  for (const auto& [position, letter] : parked->letters) {
    if (position <= mark.aside->value()) sent.push_back(letter.position);
  }
  for (const Position position : sent) {
    DAYBOOK_RETURN_IF_ERROR(journal_.Add(ReleaseEntry(position)));
  }
  return journal_.Commit();
}

void Publisher::Impl::Hear(const std::vector<SinkOutcome>& outcomes, FlightWindow* window) {
  for (const SinkOutcome& outcome : outcomes) {
    if (!window->Settle(outcome)) continue;
    switch (outcome.outcome) {
      case Outcome::kDuplicate:
        ++counts_.duplicates;
        [[fallthrough]];
      case Outcome::kDone:
        ++counts_.done;
        NoteProgress();
        break;
      case Outcome::kRetry:
      case Outcome::kPoison:
        session_ended_ = true;
        break;
    }
  }
}

void Publisher::Impl::Collect(std::chrono::milliseconds timeout) {
  outcomes_.clear();
  sink_->Poll(timeout, &outcomes_);
  Hear(outcomes_, &lane_->window);
}

void Publisher::Impl::SettleAll() {
  outcomes_.clear();
  sink_->Settle(options_.settle_timeout, &outcomes_);
  Hear(outcomes_, &lane_->window);
}

absl::Status Publisher::Impl::EndSession() {
  SettleAll();
  MoveAcked();
  in_session_ = session_ended_ = false;
  ++counts_.rewinds;
  std::vector<FlightWindow::Failure> failures = lane_->window.failures();
  std::sort(failures.begin(), failures.end(),
            [](auto& a, auto& b) { return a.position < b.position; });
  lane_->window.GiveUp(&lane_->ahead);
  // The next session begins at the cursor, so it is to be where this one came to.
  DAYBOOK_RETURN_IF_ERROR(Save());
  bool any_poison = false;
  for (const FlightWindow::Failure& failure : failures) {
    if (failure.outcome != Outcome::kPoison) continue;
    any_poison = true;
    DAYBOOK_RETURN_IF_ERROR(ParkPoison(failure));
  }
  if (any_poison || failures.empty()) return absl::OkStatus();
  NoteFailure(failures.front().status);
  return Patience();
}

absl::Status Publisher::Impl::ParkPoison(const FlightWindow::Failure& failure) {
  DAYBOOK_ASSIGN_OR_RETURN(const EventHandle event, reader_.EventAt(failure.position));
  ++counts_.retries[absl::StatusCodeToString(failure.status.code())];
  if (in_replay() || options_.on_poison == OnPoison::kStop ||
      journal_.state().parked_events() >= options_.parked_max) {
    return StopAt(*event, failure.status);
  }
  if (options_.on_notice) {
    options_.on_notice(
        {Notice::Severity::kWarning,
         absl::StrCat("position ", failure.position.value(), " of stream ", ToAbsl(event->stream),
                      " is parked: ", failure.status.message())});
  }
  DAYBOOK_RETURN_IF_ERROR(journal_.Add(ParkEntry(failure.position, event->stream, failure.status)));
  return journal_.Commit();
}

absl::Status Publisher::Impl::StopAt(const EventView& event, const absl::Status& error) {
  return StoppedStatus(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("publishing to '", options_.name, "'"),
                       DescribePoison(event, event.stream, error),
                       "mend what refuses it and publish again, or skip the event");
}

void Publisher::Impl::NoteFailure(const absl::Status& status) {
  ++failures_;
  ++counts_.retries[absl::StatusCodeToString(status.code())];
  if (!failing_since_) failing_since_ = Clock::now();
  last_failure_ = status;
  counts_.state = PublishState::kWaiting;
  counts_.error = std::string(status.message());
  WriteStatus(true);
}

void Publisher::Impl::NoteProgress() {
  if (failures_ == 0) return;
  failures_ = 0;
  failing_since_.reset();
  counts_.error.clear();
}

absl::Status Publisher::Impl::Patience() const {
  if (!failing_since_) return absl::OkStatus();
  const auto since = Clock::now() - *failing_since_;
  const bool is_over = options_.patience.count() > 0 && since > options_.patience;
  if (is_over || (IsHopeless(last_failure_) && since > options_.hopeless)) return last_failure_;
  return absl::OkStatus();
}

// Exponential, capped, with jitter: many publishers that lost one broker do not come back at once.
void Publisher::Impl::Pause(const KeepGoing& keep_going) {
  const auto doublings = std::min(failures_ - 1, kDoublingsMax);
  const auto whole = std::min<std::int64_t>(options_.backoff_max.count(),
                                            options_.backoff_first.count() << doublings);
  std::uniform_int_distribution<std::int64_t> part(whole / 2, std::max<std::int64_t>(whole, 1));
  const auto until = Clock::now() + milliseconds(part(random_));
  while (Clock::now() < until && keep_going()) {
    WriteStatus(false);
    std::this_thread::sleep_for(std::min<Clock::duration>(kPauseSlice, until - Clock::now()));
  }
}

}  // namespace daybook
