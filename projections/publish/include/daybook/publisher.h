// A publisher: sends the events of a store to a sink, in order, each at least once, and as the
// sink's own sentence says exactly once. The store is the outbox: an event and the change that it
// stands for are one commit, and nothing is published that is not durable.
//
//   auto sink = daybook::OpenFileSink({.url = "file:/var/out/ledger.ndjson"});
//   auto publisher = daybook::Publisher::Open(*reader, *std::move(sink), {.name = "ledger"});
//   (*publisher)->Run(PublishUntil::kStopped, [&] { return !stopping; });
//
// The first time PublisherOptions::from says where to begin; given later, it asks for a replay.
//
// In `publish/<name>/` of the store: LOCK, which the one publisher of the sink holds; JOURNAL, the
// cursor and the dead letters (docs/format/publishing.md); REQUESTS, what others asked of a running
// publisher; STATUS. The journal is not derived from the log: it says what the outside world was
// told. It is in every backup, and repair never touches it.

#ifndef DAYBOOK_PUBLISHER_H_
#define DAYBOOK_PUBLISHER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "daybook/projection.h"
#include "daybook/publish_status.h"
#include "daybook/sink.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

// Where a publisher begins.
struct PublishFrom {
  enum class Kind : std::uint8_t {
    // Where it left off. A cursor that is missing, of another history, destination or filter, or
    // ahead of the store, is refused: nobody but an operator knows what the outside was told.
    kCursor,
    // At a position. Without a good cursor the line begins there. With one, what is at or below the
    // cursor is a replay: it is sent again, marked as such, and the cursor stays; a position beyond
    // the next one would skip events, and is refused.
    kPosition,
    // Behind the last event that the broker holds, where the sink can ask it.
    kBroker,
  };
  Kind kind = Kind::kCursor;
  Position position;
  static PublishFrom At(std::uint64_t position) { return {Kind::kPosition, Position(position)}; }
};

enum class PublishUntil : std::uint8_t {
  kCaughtUp,  // everything durable at that moment was acknowledged
  kStopped,   // for ever
};

struct PublisherOptions {
  std::string name;  // of the sink; as that of a projection
  EventFilter filter;
  PublishFrom from;
  std::optional<Position> to;  // no event behind this one
  // An event that the sink will never take: it becomes a dead letter, later events of its stream
  // wait behind it, and other streams go on; or the publisher stops before it.
  OnPoison on_poison = OnPoison::kParkByKey;
  std::uint64_t parked_max = 100'000;  // with more it stops: it is not one event that is wrong
  // After a failure: at first, then twice as long each time, up to the largest; each a random part
  // between half and all of it.
  std::chrono::milliseconds backoff_first{100}, backoff_max{30'000};
  // How long to go on without any acknowledgement, once it had begun; 0: for ever. Errors that
  // waiting does not mend (no permission, no such topic) end it after `hopeless` at the latest.
  std::chrono::milliseconds patience{0}, hopeless{30'000};
  std::chrono::milliseconds settle_timeout{30'000};  // for what is on its way at the end
  NoticeHandler on_notice;
};

// Not thread-safe: one thread uses it. Must not outlive the reader.
class Publisher {
 public:
  // Takes the lock of the sink and reads its journal; sends nothing. kUnavailable where another
  // publisher has it, kFailedPrecondition where the cursor is refused (the message says what to
  // do), kInvalidArgument, kDataLoss (the journal is damaged), kPermissionDenied.
  static absl::StatusOr<std::unique_ptr<Publisher>> Open(const Reader& reader,
                                                         std::unique_ptr<Sink> sink,
                                                         const PublisherOptions& options);
  // Gives up what is on its way; what was acknowledged and not saved is sent again next time.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Publishes. `keep_going` is asked several times a second, but not while what was sent is waited
  // for (`settle_timeout`); when it says no, what is on its way is settled, the cursor saved, and
  // kCancelled returned. On OK everything is acknowledged and saved.
  //
  // Errors: of the first Begin() of the sink, at once; kFailedPrecondition with PoisonOf() where it
  // stopped at an event; kDataLoss where the log is damaged; what the sink says, after
  // `patience`; kResourceExhausted where the journal finds no room.
  absl::Status Run(PublishUntil until, const std::function<bool()>& keep_going);

  [[nodiscard]] PublishStatus status() const;

  class Impl;

 private:
  explicit Publisher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISHER_H_
