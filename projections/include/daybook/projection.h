// A projection: which events it sees, and what its handler makes of them.
//
//   inline constexpr daybook::Table<std::string, std::int64_t> kCents{"cents"};
//
//   daybook::Projection balances{.name = "balances", .revision = 1};
//   balances.filter.category = "account";
//   balances.tables = {kCents.name()};
//   balances.handler = [](const daybook::EventView& event, daybook::HandlerContext& context) {
//     return kCents.Update(context, std::string(event.stream),
//                          [&](std::int64_t& cents) { cents += CentsOf(event); });
//   };
//
// A handler is deterministic: the same events in the same order make the same rows, on every
// machine, with no clock, no chance, and nothing read but the event and the tables. Then a rebuild
// makes the same read model, and digests show that it did.

#ifndef DAYBOOK_PROJECTION_H_
#define DAYBOOK_PROJECTION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/tables.h"
#include "daybook/values.h"

namespace daybook {

// The longest name of a projection: letters, digits, `.`, `_` and `-`, and neither `.` nor `-` at
// the front.
inline constexpr std::size_t kProjectionNameBytesMax = 100;
// The longest key of an event that a projection may give (its bytes, and one more for each zero
// byte in it).
inline constexpr std::size_t kEventKeyBytesMax = 400;
inline constexpr std::size_t kEffectBytesMax = std::size_t{1} << 20;

// Which events a handler sees, as in ReadOptions. What is not set does not restrict.
struct EventFilter {
  std::optional<std::string> stream;
  std::optional<std::string> category;
  std::vector<std::string> types;  // any of them
  std::vector<std::string> tags;   // all of them
  // Also events of streams that begin with `$`, which the store itself writes.
  bool system_streams = false;
};

// What a handler wants to be sent outside, once its rows are on the device.
struct Effect {
  Position position;        // of the event
  std::uint32_t index = 0;  // among the effects of the event, from 0
  std::string payload;
  // "<incarnation>:<position>:<index>": the same at every attempt, for the receiver to know a
  // repeat.
  std::string key;
};

// What a handler is given beside the event: the tables, in the transaction of its batch. Good until
// the handler returns. Not thread-safe.
class HandlerContext : public TableWriter {
 public:
  // The key of the event, as Projection::key gave it.
  [[nodiscard]] virtual std::string_view key() const = 0;
  // Keeps an effect in the same transaction; it is handed to Projection::on_effect after the
  // commit, in order of position and index, until that says OK: at least once, and never for a
  // position at or below the floor of effects (there it is dropped: a replay cannot emit), but for
  // an event that was parked when the floor rose over it, and was never handled since.
  // kInvalidArgument where it is too long, or the projection has no on_effect.
  virtual absl::Status Emit(std::string_view payload) = 0;
};

// Called for each event in order of position, by one thread at a time (by several in a rebuild on
// several threads, for different keys). An error or an exception makes the event poison; what the
// call has written before is undone.
using Handler = std::function<absl::Status(const EventView& event, HandlerContext& context)>;
// Called by the thread that runs the projection. An error or an exception is tried again, later and
// later; the effects behind it wait, the read model does not.
using EffectHandler = std::function<absl::Status(const Effect& effect)>;
// Writes the key of an event into `*key`, which is empty; deterministic. What it leaves empty has
// the key "".
using KeyFunction = std::function<void(const EventView& event, std::string* key)>;

// What becomes of an event that the handler cannot handle.
enum class OnPoison : std::uint8_t {
  // The projection stops before it, and says which event, handler and error. It goes on when it is
  // run again with a better handler, or once the event is skipped.
  kStop,
  // The event's key is parked: a pointer to the event is kept, later events of that key queue
  // behind it, and events of other keys go on. Readers of the key are told since when it is stale.
  kParkByKey,
};

// How parked keys are tried again, and how many there may be.
struct ParkingOptions {
  // The first event of a parked key is tried again by itself so often, first after retry_first and
  // then after twice as long each time, up to retry_max; afterwards only Retry() tries it.
  std::uint32_t retries = 5;
  std::chrono::milliseconds retry_first{1000};
  std::chrono::milliseconds retry_max{300'000};
  // With more events parked than this the projection stops as with kStop: it is not one key that is
  // wrong.
  std::uint64_t parked_max = 100'000;
};

// From which event on a projection without a history of its own sends effects.
enum class EffectsFrom : std::uint8_t {
  kHead,   // what is appended after its first run: the past is not sent again
  kStart,  // every event
};

// A value; give it to Projections. What it says is fixed for as long as its revision is: another
// filter or other tables under the same revision are refused.
struct Projection {
  std::string name;
  // Of the handler: increase it when what the handler, the key or the tables mean changes. The read
  // model of another revision is refused; rebuild it.
  std::uint32_t revision = 1;
  EventFilter filter;
  // The names of the tables that the handler uses.
  std::vector<std::string_view> tables;
  Handler handler;
  // What belongs together: events of one key are handled in order, also where others are parked or
  // handled by other threads. The stream if empty.
  KeyFunction key;
  // Every row is read and written by events of one key only. Then a rebuild can use several
  // threads; where it is found to be untrue the rebuild fails, and says which row.
  bool rows_by_key = false;
  OnPoison on_poison = OnPoison::kStop;
  ParkingOptions parking;
  // A call of the handler that takes longer is reported as stuck. It is never killed; when it
  // returns, nothing of its batch is kept and the projection has stopped. 0: no limit.
  std::chrono::milliseconds handler_deadline{30'000};
  EffectHandler on_effect;  // empty: no effects
  EffectsFrom effects_from = EffectsFrom::kHead;
  // Says to tools what it is ("builtin count stream"); kept with the read model, and shown.
  std::string definition;
};

// kInvalidArgument where a projection cannot be run as it is: a name, no handler, a table named
// twice.
absl::Status ValidateProjection(const Projection& projection);

// Where an event stands that a projection cannot go past, and why.
struct PoisonEvent {
  Position position;
  std::string stream;
  Version version;
  std::string type;
  EventId id;
  std::string key;
  absl::StatusCode code = absl::StatusCode::kOk;  // of the handler's error
  std::string message;
  std::uint32_t attempts = 0;
};

// The typed detail of a status that says that a projection stopped at an event
// (kFailedPrecondition; kDeadlineExceeded where the handler took too long).
std::optional<PoisonEvent> PoisonOf(const absl::Status& status);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTION_H_
