// The events of a generation that are parked, key by key: pointers, in the tables that commit with
// the rows.
//
// In the table `parked` of a generation, where KEY is the key as KeyCodec<std::string> writes it:
//
//   h KEY           the key's head: a record of kind "parked" (record.h)
//   e KEY position  one event of it: a byte, 1 where the handler failed at it and 0 where it waits
//                   behind, and when it was parked
//   r time KEY      nothing; there where the key is to be tried again by itself, at that time
//   o position      nothing; owed_effects.h

#ifndef DAYBOOK_PROJECTIONS_PARKING_H_
#define DAYBOOK_PROJECTIONS_PARKING_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/dead_letters.h"
#include "daybook/projection.h"
#include "daybook/read_model.h"
#include "daybook/values.h"
#include "kv/environment.h"

namespace daybook {

// How the keys of the table begin.
inline constexpr char kParkedHead = 'h', kParkedEvent = 'e', kParkedOwed = 'o', kParkedRetry = 'r';

// What there is of a parked key, without its events.
struct ParkedHead {
  std::uint64_t events = 0;
  std::uint32_t attempts = 0;           // of the first event
  std::optional<Timestamp> next_retry;  // absent: not by itself
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;
};

// The parked keys of a generation, as a batch sees them and changes them: what is committed, and
// over it, in memory, what has changed since. The changes are put into the transaction of the rows
// by Write(), which can be repeated; Committed() or Discard() then forgets them.
//
// A key that has events here is parked: whatever comes of it goes behind them. So a key's order is
// never broken, as long as who handles an event asks IsParked() first.
//
// Not thread-safe. No write transaction of this thread may be open while it is used, but in
// Write(). Takes memory for the hashes of the parked keys, and for what a batch changes.
class Parking {
 public:
  // Of the tables as they are; how much is parked there is in the checkpoint.
  static absl::StatusOr<Parking> Open(Environment& environment, TableHandle table,
                                      const ParkingOptions& options, std::uint64_t parked,
                                      std::uint64_t parked_keys);
  // Of none: what a rebuild begins with. Its changes can be written into any table.
  explicit Parking(const ParkingOptions& options) : options_(options) {}

  // With the changes: parked events, and their keys.
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint64_t keys() const { return keys_; }
  // No more events may be parked: the projection stops.
  [[nodiscard]] bool full() const { return events_ >= options_.parked_max; }
  // About what the changes take, in memory and in the transaction.
  [[nodiscard]] std::size_t changed_bytes() const { return changed_bytes_; }

  [[nodiscard]] absl::StatusOr<bool> IsParked(std::string_view key) const;
  [[nodiscard]] absl::StatusOr<std::optional<ParkedHead>> Head(std::string_view key) const;

  // The handler failed with `error` at an event of a key that is not parked.
  absl::Status Park(std::string_view key, Position position, const absl::Status& error,
                    Timestamp now);
  // An event of a parked key: it waits behind the others, all of which are before it.
  absl::Status Queue(std::string_view key, Position position, Timestamp now);
  // An event is parked no longer: it was handled, or is skipped. False where it was not parked.
  absl::StatusOr<bool> Release(std::string_view key, Position position);
  // The first event of the key was tried again and failed: it is tried again later, or only when
  // somebody asks for it.
  absl::Status Failed(std::string_view key, Position position, const absl::Status& error,
                      Timestamp now);
  // The key, if it is parked, is to be tried again at once.
  absl::Status RetrySoon(std::string_view key, Timestamp now);

  // What is committed, without the changes:
  // Up to `limit` events of a key behind `after`, in order.
  [[nodiscard]] absl::StatusOr<std::vector<ParkedEvent>> EventsOf(std::string_view key,
                                                                  Position after,
                                                                  std::size_t limit) const;
  // All events from `first` to `last` (or only `first`, where that is later), with their keys.
  [[nodiscard]] absl::StatusOr<std::vector<std::pair<std::string, Position>>> EventsBetween(
      Position first, Position last) const;
  // Up to `limit` parked keys behind `after` (nullopt: from the first), in order.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> KeysBehind(
      const std::optional<std::string>& after, std::size_t limit) const;
  // When the next key is to be tried again by itself.
  [[nodiscard]] std::optional<Timestamp> next_retry() const { return next_retry_; }
  // Up to `limit` keys whose time has come, the longest due first.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Due(Timestamp now,
                                                             std::size_t limit) const;

  [[nodiscard]] bool changed() const { return !changes_.empty(); }
  // Puts the changes into a transaction; as often as it takes.
  absl::Status Write(TableHandle table, WriteTransaction* transaction) const;
  // The transaction was committed. (Not of a Parking of none: there the changes are all it has.)
  absl::Status Committed();
  // It was not, and will not be.
  void Discard();

 private:
  struct Event {
    Position position;
    bool failed = false;
    Timestamp parked_at;
  };
  struct Change {
    std::optional<ParkedHead> before, now;  // as committed, and as changed; nullopt: not parked
    std::vector<Event> put;                 // new, or changed
    absl::flat_hash_set<std::uint64_t> removed;
  };
  // The key's change, begun where there is none.
  absl::StatusOr<Change*> ChangeOf(std::string_view key);
  [[nodiscard]] absl::StatusOr<std::optional<ParkedHead>> CommittedHead(std::string_view key) const;
  [[nodiscard]] absl::StatusOr<std::optional<Event>> FindEvent(std::string_view key,
                                                               const Change& change,
                                                               Position position) const;
  // One more attempt, which failed.
  void SetError(const absl::Status& error, Timestamp now, ParkedHead* head) const;
  absl::Status LoadNextRetry(const Transaction& transaction);

  Environment* environment_ = nullptr;  // nullptr: nothing is committed
  TableHandle table_;
  ParkingOptions options_;
  std::uint64_t events_ = 0, keys_ = 0;
  std::uint64_t committed_events_ = 0, committed_keys_ = 0;
  std::optional<Timestamp> next_retry_;
  // Of every key that is parked, and of some that were: what is not in here is not parked.
  absl::flat_hash_set<std::uint64_t> hashes_;
  std::map<std::string, Change, std::less<>> changes_;
  std::size_t changed_bytes_ = 0;
};

// Whether a key can stand in the table.
bool CanBeParked(std::string_view key);

// The same of any transaction, for readers.
absl::StatusOr<std::optional<StaleKey>> FindStale(const Transaction& transaction, TableHandle table,
                                                  std::string_view key);
// Every parked key with its events, in order of key.
absl::StatusOr<std::vector<ParkedKey>> ListParked(const Transaction& transaction,
                                                  TableHandle table);
// Visits the key and the position of every parked event, in order of the keys.
absl::Status VisitParked(const Transaction& transaction, TableHandle table,
                         const std::function<void(std::string key, Position position)>& visit);
// Over all that is parked, keys and positions, for comparing generations: attempts, errors and
// times do not count.
absl::StatusOr<std::uint64_t> HashParked(const Transaction& transaction, TableHandle table);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PARKING_H_
