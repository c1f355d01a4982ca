// A moment in the past of a store, and the basis of an answer about it.

#ifndef DAYBOOK_MOMENT_H_
#define DAYBOOK_MOMENT_H_

#include <optional>

#include "daybook/values.h"

namespace daybook {

// The upper bound of a read. Bounds are inclusive: at a time, every event with that time is in.
//
// At most one of version, position and recorded_at; an effective bound alone or with one of them
// ("what did we know at R about the world at E").
struct AsOf {
  std::optional<Version> version;  // of the stream that is read
  std::optional<Position> position;
  std::optional<Timestamp> recorded_at;
  std::optional<Timestamp> effective_at;

  static AsOf Latest() { return {}; }
  static AsOf AtVersion(Version v) {
    AsOf moment;
    moment.version = v;
    return moment;
  }
  static AsOf AtPosition(Position p) {
    AsOf moment;
    moment.position = p;
    return moment;
  }
  static AsOf RecordedAt(Timestamp t) {
    AsOf moment;
    moment.recorded_at = t;
    return moment;
  }
  static AsOf EffectiveAt(Timestamp t) {
    AsOf moment;
    moment.effective_at = t;
    return moment;
  }
  // The same bound with an effective one beside it.
  [[nodiscard]] AsOf AndEffectiveAt(Timestamp t) const {
    AsOf moment = *this;
    moment.effective_at = t;
    return moment;
  }
};

// What an answer rests on. Asking again at `position` (with the same effective bound) gives the
// same answer, whatever is appended later.
struct Basis {
  Position position;      // the last position that was looked at; for a stream, of its last event
  Version version;        // of the stream at that position; 0 where the read is of no single stream
  Timestamp recorded_at;  // of the event at `position`; 0 where there is none
  std::optional<Timestamp> effective_at;  // the effective bound, if there is one
  bool final = false;  // no later commit can change the answer to the question as it was asked
};

}  // namespace daybook

#endif  // DAYBOOK_MOMENT_H_
