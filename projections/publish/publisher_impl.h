// The inside of a publisher. One thread; its parts:
//
//   publisher.cc          opens it, and runs it: the loop
//   publisher_session.cc  sessions with the sink: begin, what was heard, rewinds, pauses
//   publisher_letters.cc  dead letters that are tried again, and what others ask for

#ifndef DAYBOOK_PUBLISH_PUBLISHER_IMPL_H_
#define DAYBOOK_PUBLISH_PUBLISHER_IMPL_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/publisher.h"
#include "io/file.h"
#include "projections/publish/event_line.h"
#include "projections/publish/flight_window.h"
#include "projections/publish/journal.h"

namespace daybook {

class Publisher::Impl {
 public:
  using Clock = std::chrono::steady_clock;
  using KeepGoing = std::function<bool()>;

  Impl(const Reader& reader, std::unique_ptr<Sink> sink, const PublisherOptions& options, File lock,
       Journal journal);

  // Checks the cursor, or begins one, as the options say.
  absl::Status Prepare();
  absl::Status Run(PublishUntil until, const KeepGoing& keep_going);
  [[nodiscard]] PublishStatus status() const;

 private:
  // What is sent at the moment: the line, or a replay of a stretch.
  struct Lane {
    std::string replay;  // its id; empty: the line
    EventLine line;
    FlightWindow window;
    std::set<std::uint64_t> ahead;  // behind a rewind: acknowledged, and not to be sent again
    Position acked;                 // everything up to here is acknowledged, parked or not meant
    Position last_done;             // the last event of these that was sent
    Position sent_max;              // the last one that was sent in this run, acknowledged or not
    std::size_t unsaved = 0;        // events acknowledged since the cursor was saved
    std::size_t unsaved_bytes = 0;
  };

  // publisher.cc
  absl::Status Loop(PublishUntil until, const KeepGoing& keep_going);
  absl::Status Step(bool* is_idle);
  absl::Status CheckCursor() const;
  absl::Status OpenAt(Position line);
  absl::Status BeginReplay(Position from);
  void OpenLane();
  [[nodiscard]] bool in_replay() const { return lane_ && !lane_->replay.empty(); }
  absl::Status FillWindow();
  absl::Status SendBatch(const std::vector<EventView>& events);
  // False where the event is not to be sent: it is parked, waits, is skipped, or is there already.
  absl::StatusOr<bool> IsToSend(const EventView& event);
  [[nodiscard]] bool HasRoom() const;
  void MoveAcked();
  absl::Status SaveIfDue(bool now);
  absl::Status Save();
  absl::Status Finish(const absl::Status& ended);
  void WriteStatus(bool now);

  // publisher_session.cc
  // OK where a session is on. What passes is waited for; else an error ends the publisher.
  absl::Status EnsureSession(const KeepGoing& keep_going);
  absl::Status BeginSession();
  absl::Status TakeOver(const SessionBegun& begun);
  absl::Status TakeOverAside(const BrokerMark& mark);
  absl::Status BeginAtBroker(const SessionBegun& begun);
  // kFailedPrecondition where the broker holds what this store does not.
  [[nodiscard]] absl::Status CheckNotAhead(Position held) const;
  absl::Status KeepFirstMark();
  // Outcomes that are there, or come within `timeout`.
  void Collect(std::chrono::milliseconds timeout);
  void SettleAll();
  void Hear(const std::vector<SinkOutcome>& outcomes, FlightWindow* window);
  // The session has ended with failures: rewinds, parks.
  absl::Status EndSession();
  absl::Status ParkPoison(const FlightWindow::Failure& failure);
  absl::Status StopAt(const EventView& event, const absl::Status& error);
  void NoteFailure(const absl::Status& status);
  void NoteProgress();
  // An error that it is time to give up with; OK: wait and go on.
  [[nodiscard]] absl::Status Patience() const;
  void Pause(const KeepGoing& keep_going);

  // publisher_letters.cc
  absl::Status SendLetters(const ParkedStream& parked);
  absl::Status TakeRequests();

  [[nodiscard]] std::string DedupeKey(Position position) const;
  [[nodiscard]] OutgoingEvent Outgoing(const EventView& event, std::uint64_t sequence,
                                       const std::string& dedupe_key) const;

  const Reader& reader_;
  const std::unique_ptr<Sink> sink_;
  const PublisherOptions options_;
  const std::filesystem::path folder_;
  const File lock_;
  const SinkLimits limits_;
  Journal journal_;
  std::optional<Lane> lane_;
  std::vector<SinkOutcome> outcomes_;
  std::vector<EventView> read_;
  std::mt19937_64 random_;

  bool in_session_ = false;
  bool ever_in_session_ = false;
  bool broker_knows_ = false;   // what it holds, so that the cursor may stay behind
  bool session_ended_ = false;  // by a failure that was heard of
  bool begin_at_broker_ = false;
  std::uint64_t next_sequence_ = 0;
  std::uint32_t failures_ = 0;  // one after another
  std::optional<Clock::time_point> failing_since_;
  absl::Status last_failure_;
  Clock::time_point saved_at_, status_at_, requests_at_;
  PublishStatus counts_;  // what of it is counted; the rest is filled in by status()
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_PUBLISHER_IMPL_H_
