// Dead letters that are tried again, aside of the line and in the order of their stream; and what
// others have asked of a running publisher.

#include <utility>

#include "base/status.h"
#include "projections/publish/publisher_impl.h"
#include "projections/publish/requests.h"

namespace daybook {
namespace {

constexpr std::chrono::milliseconds kLookEvery{250};

}  // namespace

absl::Status Publisher::Impl::TakeRequests() {
  if (Clock::now() - requests_at_ < kLookEvery) return absl::OkStatus();
  requests_at_ = Clock::now();
  return daybook::TakeRequests(folder_, &journal_);
}

// Some of the letters of a stream, while nothing else is on its way. A process that dies behind the
// acknowledgement and before the commit finds out from the broker, where that can be asked, or
// sends them again.
absl::Status Publisher::Impl::SendLetters(const ParkedStream& parked) {
  const std::string stream = parked.stream;
  std::vector<EventHandle> events;
  for (const auto& [position, letter] : parked.letters) {
    if (events.size() == limits_.batch_events) break;
    DAYBOOK_ASSIGN_OR_RETURN(EventHandle event, reader_.EventAt(letter.position));
    events.push_back(std::move(event));
  }
  FlightWindow window;
  window.Reset(next_sequence_);
  std::vector<std::string> keys;
  std::vector<OutgoingEvent> batch;
  keys.reserve(events.size());
  for (const EventHandle& event : events) {
    const std::uint64_t sequence = window.Add(event->position, event->data.size());
    keys.push_back(DedupeKey(event->position));
    batch.push_back(Outgoing(*event, sequence, keys.back()));
    batch.back().line = lane_->acked;
  }
  next_sequence_ = window.next_sequence();
  counts_.sent += batch.size();
  sink_->Send(batch);
  outcomes_.clear();
  sink_->Settle(options_.settle_timeout, &outcomes_);
  Hear(outcomes_, &window);
  const std::vector<FlightWindow::Failure> failures = window.failures();
  std::size_t released = 0;
  window.PopDone(&released);
  for (std::size_t i = 0; i < released; ++i) {
    DAYBOOK_RETURN_IF_ERROR(journal_.Add(ReleaseEntry(events[i]->position)));
  }
  lane_->window.Reset(next_sequence_);
  if (failures.empty() && window.empty()) return journal_.Commit();
  in_session_ = session_ended_ = false;
  ++counts_.rewinds;
  absl::Status reason = absl::UnavailableError("the sink did not answer");
  for (const FlightWindow::Failure& failure : failures) {
    reason = failure.status;
    if (failure.outcome != Outcome::kPoison) continue;
    DAYBOOK_RETURN_IF_ERROR(journal_.Add(FailEntry(stream, failure.status)));
    return journal_.Commit();
  }
  DAYBOOK_RETURN_IF_ERROR(journal_.Commit());
  NoteFailure(reason);
  return Patience();
}

}  // namespace daybook
