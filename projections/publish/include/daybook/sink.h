// A sink: the outside that a publisher sends events to. Small on purpose: events in, and for each
// of them what became of it. The publisher (daybook/publisher.h) has the rest: which events, in
// which order, again when, and how far.
//
// How a publisher uses it, from one thread:
//
//   Begin()                  connects, and says what the broker holds already
//   Send() Poll() Send() ... in the order of the events; several batches may be on their way
//   Settle()                 the end of a burst: every event sent has its outcome
//   Begin()                  again, after an outcome that ended the session
//
// A session ends with the first outcome that is neither kDone nor kDuplicate. From then on the sink
// sends nothing more of what it was given: what was not sent yet gets kRetry. So it may never
// happen that an event is kRetry or kPoison and a later one of the same stream is stored by the
// broker: that is how order per stream is kept, and every sink is tested for it.

#ifndef DAYBOOK_SINK_H_
#define DAYBOOK_SINK_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/options.h"
#include "daybook/values.h"

namespace daybook {

// An event on its way out. Good during Send(): a sink copies what it keeps.
struct OutgoingEvent {
  const EventView* event = nullptr;
  // Counts the events of a session from 0, in the order in which they are sent.
  std::uint64_t sequence = 0;
  // What the broker knows a repeat by: "<incarnation>:<position>", with ":r<replay>" behind it in a
  // replay. The same at every attempt.
  std::string_view dedupe_key;
  // Everything up to here that is to be sent was sent before this event, or is this event. It is
  // event->position, but for an event that is sent aside of the line: of a replay, or a dead letter
  // that is tried again.
  Position line;
  // The id of the replay that the event belongs to; empty: of none.
  std::string_view replay;

  [[nodiscard]] bool is_aside() const { return line != event->position || !replay.empty(); }
};

enum class Outcome : std::uint8_t {
  kDone,       // the broker has acknowledged it
  kDuplicate,  // the broker has it already, and says so
  kRetry,      // not acknowledged, as far as is known: it is sent again
  kPoison,     // the broker, or the sink, will never take it as it is
};

struct SinkOutcome {
  std::uint64_t sequence = 0;
  Outcome outcome = Outcome::kDone;
  // Of kRetry and kPoison: what was wrong. kUnavailable, kDeadlineExceeded, kResourceExhausted (the
  // broker is full, or throttles), kAborted (a fence, a chain that broke), kPermissionDenied,
  // kNotFound (no such stream, topic or queue), kInvalidArgument and kOutOfRange (too large).
  absl::Status status;
};

// The last event of this store that a broker holds, as that event says it (OutgoingEvent).
struct BrokerMark {
  std::string incarnation;
  Position line;
  std::optional<Position> aside;  // where it was sent aside of the line: its position
  std::string replay;             // and of which replay
  friend bool operator==(const BrokerMark&, const BrokerMark&) = default;
};

// What a sink is told when a session begins.
struct SessionStart {
  std::string incarnation;  // of the store
  Position line;            // everything up to here was acknowledged, or is not to be sent
  // What the sink gave at the last save (Sink::Mark); empty at first, and where it is to say what
  // it holds at its end (--from broker).
  std::string mark;
};

// What a sink knows when it has begun.
struct SessionBegun {
  // Whether the broker can be asked at all. Without it what was sent behind the last save of the
  // cursor, and acknowledged or not, is sent again.
  bool knows = false;
  // What it answered; nullopt: it holds nothing of any store.
  std::optional<BrokerMark> last;
};

// What bounds a publisher that feeds a sink.
struct SinkLimits {
  // Events, and bytes of data, that may be sent and not be known to be acknowledged, or whose
  // acknowledgement is not yet kept in the cursor.
  std::size_t in_flight_events = 16384;
  std::size_t in_flight_bytes = std::size_t{32} << 20;
  std::size_t batch_events = 256;  // at most, in one Send()
};

// Not thread-safe: one thread at a time calls it. Everything may be called again after it failed.
class Sink {
 public:
  Sink() = default;
  virtual ~Sink() = default;  // gives up what is on its way
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // "nats", "kafka", "sqs", "file" or "stdout".
  [[nodiscard]] virtual std::string_view kind() const = 0;
  // Where it sends to, without credentials and without what may change from run to run: the URL of
  // the stream, queue or file. Two publishers with the same name and different destinations are a
  // mistake, which is found by it.
  [[nodiscard]] virtual std::string destination() const = 0;
  [[nodiscard]] virtual SinkLimits limits() const { return {}; }

  // Begins a session: connects where there is no connection, gives up what was on its way before
  // (none of it is acknowledged later), and asks the broker. At the first call, and after a session
  // ended. kUnavailable and kDeadlineExceeded are worth another attempt; kPermissionDenied,
  // kUnauthenticated, kNotFound, kInvalidArgument and kFailedPrecondition say what an operator has
  // to do, in one line.
  virtual absl::StatusOr<SessionBegun> Begin(const SessionStart& start) = 0;

  // Takes events, at most limits().batch_events. May wait as long as the client library's own
  // buffers are full. An event that must not be sent (too large) is a poison outcome like any
  // other, and ends the session.
  virtual void Send(std::span<const OutgoingEvent> events) = 0;

  // Adds what is known since the last call, each event once, in any order. Waits up to `timeout`
  // for the first one; returns at once with what there is.
  virtual void Poll(std::chrono::milliseconds timeout, std::vector<SinkOutcome>* outcomes) = 0;

  // Sends what is still held back and waits until every event has its outcome, at most `timeout`;
  // what has none by then, and was not heard of, is kRetry. On return nothing is on its way.
  virtual void Settle(std::chrono::milliseconds timeout, std::vector<SinkOutcome>* outcomes) = 0;

  // Called before the cursor is saved, and behind a Begin() that was given no mark: makes what was
  // acknowledged last, where that is the sink's to do (a file is synced), and gives what it wants
  // to find in SessionStart::mark.
  virtual absl::StatusOr<std::string> Mark() { return std::string(); }
};

// What makes a sink, in one form for all of them; what does not concern one is refused by it with
// kInvalidArgument. Each sink's header says what its fields mean to it, and what its URL looks
// like. Credentials come from the environment or from files, never from a URL.
struct SinkSettings {
  std::string url;
  // A template (daybook/name_template.h) for the subject, topic or queue; empty: the sink's own.
  std::string destination;
  // A template for what the broker keeps order by (Kafka's key, SQS's group); empty: {stream}.
  std::string key;
  // Headers beside those of the envelope: name, and template of the value.
  std::vector<std::pair<std::string, std::string>> headers;
  // A destination or key that splits a stream, so that its order is lost, is meant.
  bool unordered = false;
  // PEM files. With any of them, or with a URL that says so, the connection is by TLS, and the
  // server's certificate is checked.
  std::string tls_ca_file, tls_certificate_file, tls_key_file;
  // As the sink's header says: a NATS .creds file, properties of Kafka, a profile of AWS.
  std::string credentials_file;
  // Settings of the sink's own, by name.
  std::vector<std::pair<std::string, std::string>> options;
  // How long a connection, and an acknowledgement, may take.
  std::chrono::milliseconds timeout{10'000};
  NoticeHandler on_notice;
};

}  // namespace daybook

#endif  // DAYBOOK_SINK_H_
