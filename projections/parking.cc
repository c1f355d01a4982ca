#include "projections/parking.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "daybook/tables.h"
#include "projections/record.h"

namespace daybook {
namespace {

constexpr std::string_view kParkedKind = "parked";
// A handler may say much; what is kept of it is enough to see what is wrong.
constexpr std::size_t kMessageBytesMax = 2000;
constexpr std::size_t kBytesOfEvent = 64;   // about, in memory and on a page
constexpr std::size_t kBytesOfHead = 1024;  // the same

std::uint64_t HashOf(std::string_view key) { return Hash64(AsBytes(key)); }

template <class... Parts>
std::string ParkedKeyOf(char kind, const Parts&... parts) {
  std::string bytes(1, kind);
  (KeyCodec<Parts>::Encode(parts, bytes), ...);
  return bytes;
}
std::string HeadKey(std::string_view key) { return ParkedKeyOf(kParkedHead, std::string(key)); }
std::string EventsPrefix(std::string_view key) {
  return ParkedKeyOf(kParkedEvent, std::string(key));
}
std::string EventKey(std::string_view key, Position position) {
  return ParkedKeyOf(kParkedEvent, std::string(key), position);
}
std::string RetryKey(Timestamp time, std::string_view key) {
  return ParkedKeyOf(kParkedRetry, time, std::string(key));
}

absl::Status Damaged() {
  return absl::DataLossError(
      "the parked events of a projection are damaged; rebuild and promote it");
}

std::string EncodeHead(const ParkedHead& head) {
  Record record;
  record.Set("events", head.events);
  record.Set("attempts", std::uint64_t{head.attempts});
  if (head.next_retry) record.Set("next_retry", head.next_retry->unix_nanoseconds());
  record.Set("code", std::int64_t{static_cast<int>(head.code)});
  record.Set("message", head.message);
  return EncodeRecord(kParkedKind, record);
}

absl::StatusOr<ParkedHead> DecodeHead(std::string_view bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(const Record record, DecodeRecord(kParkedKind, bytes));
  ParkedHead head;
  DAYBOOK_ASSIGN_OR_RETURN(head.events, record.Number<std::uint64_t>("events"));
  DAYBOOK_ASSIGN_OR_RETURN(head.attempts, record.Number<std::uint32_t>("attempts"));
  if (record.Find("next_retry")) {
    DAYBOOK_ASSIGN_OR_RETURN(const auto time, record.Number<std::int64_t>("next_retry"));
    head.next_retry = Timestamp(time);
  }
  DAYBOOK_ASSIGN_OR_RETURN(const auto code, record.Number<int>("code"));
  head.code = static_cast<absl::StatusCode>(code);
  DAYBOOK_ASSIGN_OR_RETURN(head.message, record.Text("message"));
  return head;
}

std::string EncodeEvent(bool failed, Timestamp parked_at) {
  std::string bytes(1, failed ? '\1' : '\0');
  KeyCodec<Timestamp>::Encode(parked_at, bytes);
  return bytes;
}

bool DecodeEvent(std::string_view bytes, bool* failed, Timestamp* parked_at) {
  if (bytes.empty() || static_cast<unsigned char>(bytes.front()) > 1) return false;
  *failed = bytes.front() == '\1';
  bytes.remove_prefix(1);
  return KeyCodec<Timestamp>::Decode(bytes, parked_at) && bytes.empty();
}

// Visits the events of a key from `from` on, in order, until `visit` says false.
template <class Visit>
absl::Status VisitEvents(const Transaction& transaction, TableHandle table, std::string_view key,
                         Position from, const Visit& visit) {
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table));
  const std::string prefix = EventsPrefix(key);
  DAYBOOK_ASSIGN_OR_RETURN(bool found, cursor.Seek(EventKey(key, from)));
  while (found && cursor.key().starts_with(prefix)) {
    std::string_view rest = cursor.key().substr(prefix.size());
    ParkedEvent event;
    Timestamp parked_at;
    if (!KeyCodec<Position>::Decode(rest, &event.position) || !rest.empty() ||
        !DecodeEvent(cursor.value(), &event.failed, &parked_at)) {
      return Damaged();
    }
    if (!visit(event, parked_at)) break;
    DAYBOOK_ASSIGN_OR_RETURN(found, cursor.Next());
  }
  return absl::OkStatus();
}

// Visits the parked keys from `from` on (empty: from the first), in order, until `visit`, which
// gives a status and may set `*go_on` to false, ends it.
template <class Visit>
absl::Status VisitHeads(const Transaction& transaction, TableHandle table, const std::string& from,
                        const Visit& visit) {
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table));
  DAYBOOK_ASSIGN_OR_RETURN(bool found,
                           cursor.Seek(from.empty() ? std::string(1, kParkedHead) : from));
  bool go_on = true;
  while (found && go_on && cursor.key().front() == kParkedHead) {
    std::string_view rest = cursor.key().substr(1);
    std::string key;
    if (!KeyCodec<std::string>::Decode(rest, &key) || !rest.empty()) return Damaged();
    DAYBOOK_RETURN_IF_ERROR(visit(key, cursor.value(), &go_on));
    DAYBOOK_ASSIGN_OR_RETURN(found, cursor.Next());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Parking> Parking::Open(Environment& environment, TableHandle table,
                                      const ParkingOptions& options, std::uint64_t parked,
                                      std::uint64_t parked_keys) {
  Parking parking(options);
  parking.environment_ = &environment;
  parking.table_ = table;
  parking.events_ = parking.committed_events_ = parked;
  parking.keys_ = parking.committed_keys_ = parked_keys;
  if (parked_keys > 0) {
    DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment.BeginRead());
    DAYBOOK_RETURN_IF_ERROR(
        VisitHeads(transaction, table, {}, [&](const std::string& key, std::string_view, bool*) {
          parking.hashes_.insert(HashOf(key));
          return absl::OkStatus();
        }));
    DAYBOOK_RETURN_IF_ERROR(parking.LoadNextRetry(transaction));
  }
  return parking;
}

absl::StatusOr<bool> Parking::IsParked(std::string_view key) const {
  if (keys_ == 0 || !hashes_.contains(HashOf(key))) return false;
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<ParkedHead> head, Head(key));
  return head.has_value();
}

absl::Status Parking::Park(std::string_view key, Position position, const absl::Status& error,
                           Timestamp now) {
  DAYBOOK_ASSIGN_OR_RETURN(Change * change, ChangeOf(key));
  if (change->now) return absl::InternalError("an event is parked ahead of its key's others");
  change->now.emplace().events = 1;
  SetError(error, now, &*change->now);
  change->put.push_back({position, true, now});
  hashes_.insert(HashOf(key));
  ++keys_;
  ++events_;
  changed_bytes_ += kBytesOfEvent;
  return absl::OkStatus();
}

absl::Status Parking::Queue(std::string_view key, Position position, Timestamp now) {
  DAYBOOK_ASSIGN_OR_RETURN(Change * change, ChangeOf(key));
  if (!change->now) return absl::InternalError("an event waits behind a key that is not parked");
  ++change->now->events;
  change->put.push_back({position, false, now});
  ++events_;
  changed_bytes_ += kBytesOfEvent;
  return absl::OkStatus();
}

absl::StatusOr<bool> Parking::Release(std::string_view key, Position position) {
  DAYBOOK_ASSIGN_OR_RETURN(Change * change, ChangeOf(key));
  if (!change->now) return false;
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<Event> event, FindEvent(key, *change, position));
  if (!event) return false;
  std::erase_if(change->put, [&](const Event& put) { return put.position == position; });
  change->removed.insert(position.value());
  changed_bytes_ += kBytesOfEvent;
  ParkedHead& head = *change->now;
  if (event->failed) {
    // What comes first now has not failed yet.
    head.attempts = 0;
    head.code = absl::StatusCode::kOk;
    head.message.clear();
  }
  --events_;
  if (--head.events == 0) {
    change->now.reset();
    --keys_;
  }
  return true;
}

absl::Status Parking::Failed(std::string_view key, Position position, const absl::Status& error,
                             Timestamp now) {
  DAYBOOK_ASSIGN_OR_RETURN(Change * change, ChangeOf(key));
  DAYBOOK_ASSIGN_OR_RETURN(std::optional<Event> event, FindEvent(key, *change, position));
  if (!change->now || !event) return absl::InternalError("an event that is not parked failed");
  if (!event->failed) {
    event->failed = true;
    std::erase_if(change->put, [&](const Event& put) { return put.position == position; });
    change->put.push_back(*event);
    changed_bytes_ += kBytesOfEvent;
    change->now->attempts = 0;
  }
  SetError(error, now, &*change->now);
  return absl::OkStatus();
}

absl::Status Parking::RetrySoon(std::string_view key, Timestamp now) {
  DAYBOOK_ASSIGN_OR_RETURN(Change * change, ChangeOf(key));
  if (change->now) change->now->next_retry = now;
  return absl::OkStatus();
}

void Parking::SetError(const absl::Status& error, Timestamp now, ParkedHead* head) const {
  head->code = error.code();
  head->message = std::string(error.message().substr(0, kMessageBytesMax));
  ++head->attempts;
  head->next_retry.reset();
  if (head->attempts > options_.retries) return;
  std::chrono::nanoseconds wait = options_.retry_first;
  for (std::uint32_t i = 1; i < head->attempts && wait < options_.retry_max; ++i) wait *= 2;
  wait = std::min<std::chrono::nanoseconds>(wait, options_.retry_max);
  head->next_retry = Timestamp(now.unix_nanoseconds() + wait.count());
}

absl::StatusOr<std::optional<ParkedHead>> Parking::Head(std::string_view key) const {
  const auto change = changes_.find(key);
  if (change != changes_.end()) return change->second.now;
  return CommittedHead(key);
}

absl::StatusOr<std::vector<ParkedEvent>> Parking::EventsOf(std::string_view key, Position after,
                                                           std::size_t limit) const {
  std::vector<ParkedEvent> events;
  if (environment_ == nullptr) return events;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_RETURN_IF_ERROR(VisitEvents(transaction, table_, key, Position(after.value() + 1),
                                      [&](const ParkedEvent& event, Timestamp) {
                                        if (events.size() == limit) return false;
                                        events.push_back(event);
                                        return true;
                                      }));
  return events;
}

absl::StatusOr<std::vector<std::pair<std::string, Position>>> Parking::EventsBetween(
    Position first, Position last) const {
  std::vector<std::pair<std::string, Position>> events;
  if (environment_ == nullptr) return events;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_RETURN_IF_ERROR(VisitParked(transaction, table_, [&](std::string key, Position position) {
    if (first <= position && position <= std::max(first, last)) {
      events.emplace_back(std::move(key), position);
    }
  }));
  return events;
}

absl::StatusOr<std::vector<std::string>> Parking::KeysBehind(
    const std::optional<std::string>& after, std::size_t limit) const {
  std::vector<std::string> keys;
  if (environment_ == nullptr) return keys;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_RETURN_IF_ERROR(VisitHeads(transaction, table_, after ? HeadKey(*after) : "",
                                     [&](const std::string& key, std::string_view, bool* go_on) {
                                       if (!after || key != *after) keys.push_back(key);
                                       *go_on = keys.size() < limit;
                                       return absl::OkStatus();
                                     }));
  return keys;
}

absl::StatusOr<std::vector<std::string>> Parking::Due(Timestamp now, std::size_t limit) const {
  std::vector<std::string> keys;
  if (!next_retry_ || *next_retry_ > now) return keys;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table_));
  DAYBOOK_ASSIGN_OR_RETURN(bool found, cursor.Seek(std::string(1, kParkedRetry)));
  while (found && keys.size() < limit) {
    std::string_view rest = cursor.key().substr(1);
    Timestamp time;
    std::string key;
    if (!KeyCodec<Timestamp>::Decode(rest, &time) || !KeyCodec<std::string>::Decode(rest, &key)) {
      return Damaged();
    }
    if (time > now) break;
    keys.push_back(std::move(key));
    DAYBOOK_ASSIGN_OR_RETURN(found, cursor.Next());
  }
  return keys;
}

absl::Status Parking::Write(TableHandle table, WriteTransaction* transaction) const {
  for (const auto& [key, change] : changes_) {
    if (change.before && change.before->next_retry) {
      DAYBOOK_RETURN_IF_ERROR(
          transaction->Delete(table, RetryKey(*change.before->next_retry, key)).status());
    }
    for (const std::uint64_t position : change.removed) {
      DAYBOOK_RETURN_IF_ERROR(
          transaction->Delete(table, EventKey(key, Position(position))).status());
    }
    for (const Event& event : change.put) {
      DAYBOOK_RETURN_IF_ERROR(transaction->Put(table, EventKey(key, event.position),
                                               EncodeEvent(event.failed, event.parked_at)));
    }
    if (!change.now) {
      DAYBOOK_RETURN_IF_ERROR(transaction->Delete(table, HeadKey(key)).status());
      continue;
    }
    DAYBOOK_RETURN_IF_ERROR(transaction->Put(table, HeadKey(key), EncodeHead(*change.now)));
    if (change.now->next_retry) {
      DAYBOOK_RETURN_IF_ERROR(transaction->Put(table, RetryKey(*change.now->next_retry, key), {}));
    }
  }
  return absl::OkStatus();
}

absl::Status Parking::Committed() {
  const bool changed = !changes_.empty();
  committed_events_ = events_;
  committed_keys_ = keys_;
  Discard();
  if (keys_ == 0) hashes_.clear();
  if (!changed || environment_ == nullptr) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  return LoadNextRetry(transaction);
}

void Parking::Discard() {
  changes_.clear();
  changed_bytes_ = 0;
  events_ = committed_events_;
  keys_ = committed_keys_;
}

absl::StatusOr<Parking::Change*> Parking::ChangeOf(std::string_view key) {
  const auto found = changes_.find(key);
  if (found != changes_.end()) return &found->second;
  Change change;
  DAYBOOK_ASSIGN_OR_RETURN(change.before, CommittedHead(key));
  change.now = change.before;
  changed_bytes_ += kBytesOfHead;
  return &changes_.emplace(std::string(key), std::move(change)).first->second;
}

absl::StatusOr<std::optional<ParkedHead>> Parking::CommittedHead(std::string_view key) const {
  if (environment_ == nullptr || committed_keys_ == 0) return std::optional<ParkedHead>();
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction.Get(table_, HeadKey(key)));
  if (!bytes) return std::optional<ParkedHead>();
  DAYBOOK_ASSIGN_OR_RETURN(ParkedHead head, DecodeHead(*bytes));
  return std::optional<ParkedHead>(std::move(head));
}

absl::StatusOr<std::optional<Parking::Event>> Parking::FindEvent(std::string_view key,
                                                                 const Change& change,
                                                                 Position position) const {
  const auto put = std::find_if(change.put.begin(), change.put.end(),
                                [&](const Event& event) { return event.position == position; });
  if (put != change.put.end()) return std::optional<Event>(*put);
  std::optional<Event> found;
  if (environment_ == nullptr || change.removed.contains(position.value())) return found;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction.Get(table_, EventKey(key, position)));
  if (!bytes) return found;
  found.emplace().position = position;
  if (!DecodeEvent(*bytes, &found->failed, &found->parked_at)) return Damaged();
  return found;
}

absl::Status Parking::LoadNextRetry(const Transaction& transaction) {
  next_retry_.reset();
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table_));
  DAYBOOK_ASSIGN_OR_RETURN(const bool found, cursor.Seek(std::string(1, kParkedRetry)));
  if (!found) return absl::OkStatus();
  std::string_view rest = cursor.key().substr(1);
  if (!KeyCodec<Timestamp>::Decode(rest, &next_retry_.emplace())) return Damaged();
  return absl::OkStatus();
}

bool CanBeParked(std::string_view key) {
  return key.size() + static_cast<std::size_t>(std::count(key.begin(), key.end(), '\0')) <=
         kEventKeyBytesMax;
}

absl::StatusOr<std::optional<StaleKey>> FindStale(const Transaction& transaction, TableHandle table,
                                                  std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction.Get(table, HeadKey(key)));
  if (!bytes) return std::optional<StaleKey>();
  DAYBOOK_ASSIGN_OR_RETURN(const ParkedHead head, DecodeHead(*bytes));
  StaleKey stale{.since = {}, .parked_at = {}, .events = head.events};
  DAYBOOK_RETURN_IF_ERROR(VisitEvents(transaction, table, key, Position(0),
                                      [&](const ParkedEvent& event, Timestamp parked_at) {
                                        stale.since = event.position;
                                        stale.parked_at = parked_at;
                                        return false;
                                      }));
  if (stale.since == Position(0)) return Damaged();
  return std::optional<StaleKey>(stale);
}

absl::StatusOr<std::vector<ParkedKey>> ListParked(const Transaction& transaction,
                                                  TableHandle table) {
  std::vector<ParkedKey> keys;
  const auto add = [&](const std::string& key, std::string_view bytes, bool*) -> absl::Status {
    DAYBOOK_ASSIGN_OR_RETURN(ParkedHead head, DecodeHead(bytes));
    ParkedKey& parked = keys.emplace_back();
    parked.key = key;
    parked.attempts = head.attempts;
    parked.next_retry = head.next_retry;
    parked.code = head.code;
    parked.message = std::move(head.message);
    DAYBOOK_RETURN_IF_ERROR(VisitEvents(transaction, table, key, Position(0),
                                        [&](const ParkedEvent& event, Timestamp parked_at) {
                                          if (parked.events.empty()) parked.parked_at = parked_at;
                                          parked.events.push_back(event);
                                          return true;
                                        }));
    return parked.events.size() == head.events ? absl::OkStatus() : Damaged();
  };
  DAYBOOK_RETURN_IF_ERROR(VisitHeads(transaction, table, {}, add));
  return keys;
}

absl::Status VisitParked(const Transaction& transaction, TableHandle table,
                         const std::function<void(std::string, Position)>& visit) {
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table));
  DAYBOOK_ASSIGN_OR_RETURN(bool found, cursor.Seek(std::string(1, kParkedEvent)));
  while (found && cursor.key().front() == kParkedEvent) {
    std::string_view rest = cursor.key().substr(1);
    std::string key;
    Position position;
    if (!KeyCodec<std::string>::Decode(rest, &key) ||
        !KeyCodec<Position>::Decode(rest, &position) || !rest.empty()) {
      return Damaged();
    }
    visit(std::move(key), position);
    DAYBOOK_ASSIGN_OR_RETURN(found, cursor.Next());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> HashParked(const Transaction& transaction, TableHandle table) {
  Hasher64 hasher;
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table));
  DAYBOOK_ASSIGN_OR_RETURN(bool found, cursor.Seek(std::string(1, kParkedEvent)));
  while (found && cursor.key().front() == kParkedEvent) {
    hasher.Update(AsBytes(cursor.key()));
    DAYBOOK_ASSIGN_OR_RETURN(found, cursor.Next());
  }
  return hasher.Digest();
}

}  // namespace daybook
