#include "projections/rebuild_worker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/effects.h"
#include "projections/poison.h"
#include "projections/status_file.h"
#include "projections/users_code.h"

namespace daybook {
RebuildWorker::RebuildWorker(RebuildShared* shared, unsigned number,
                             const RebuildRows::Options& options)
    : shared_(*shared),
      number_(number),
      rows_(options, shared->tables.size() + 1),  // the last one is that of the effects
      parking_(shared->projection.parking) {}

absl::Status RebuildWorker::ReadFrom(const Generation& generation, const Checkpoint& checkpoint) {
  DAYBOOK_ASSIGN_OR_RETURN(parking_, Parking::Open(generation.environment(), generation.parked(),
                                                   shared_.projection.parking, checkpoint.parked,
                                                   checkpoint.parked_keys));
  done_.store(checkpoint.position.value(), std::memory_order_relaxed);
  return rows_.ReadFrom(&generation);
}

void RebuildWorker::Clear() {
  rows_.Clear();
  parking_ = Parking(shared_.projection.parking);
  matched_.store(0, std::memory_order_relaxed);
}

absl::Status RebuildWorker::Work(EventFeed* feed) {
  absl::Status status;
  bool wanted = true;
  while (const EventFeed::Batch* const batch = feed->Next(number_)) {
    if (!wanted) continue;  // only to the end of what was decoded
    const absl::StatusOr<bool> more = Handle(*batch, *feed);
    wanted = more.ok() && *more;
    if (more.ok()) continue;
    status = more.status();
    const std::optional<PoisonEvent> poison = PoisonOf(status);
    // The others go on up to the event, so that which one it is does not rest on chance.
    feed->StopBefore(poison ? poison->position : Position(0));
  }
  return status;
}

absl::StatusOr<bool> RebuildWorker::Handle(const EventFeed::Batch& batch, const EventFeed& feed) {
  if (shared_.keep_going && !shared_.keep_going()) {
    return absl::CancelledError("the rebuild was cancelled; run it again to go on");
  }
  const std::uint64_t done = done_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const EventFeed::Item& item = batch.items[i];
    const std::size_t ahead = i + RebuildRows::kExpectAhead;
    if (row_of_key_ && ahead < batch.items.size()) rows_.Expect(table_, batch.items[ahead].key);
    const Position position = item.event.position;
    if (position.value() <= done) continue;
    if (!feed.is_wanted(position)) return false;
    DAYBOOK_RETURN_IF_ERROR(Post(item));
    matched_.store(matched() + 1, std::memory_order_relaxed);
    done_.store(position.value(), std::memory_order_relaxed);
    DAYBOOK_RETURN_IF_ERROR(rows_.SpillIfFull());
  }
  DAYBOOK_RETURN_IF_ERROR(batch.status);
  done_.store(std::max(done, batch.end.value()), std::memory_order_relaxed);
  return true;
}

absl::Status RebuildWorker::Post(const EventFeed::Item& item) {
  const EventView& event = item.event;
  key_ = item.key;
  if (!shared_.skips.empty() && shared_.skips.contains(event.position)) return absl::OkStatus();
  if (parking_.keys() > 0) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool parked, parking_.IsParked(key_));
    if (parked) return Queue(event);
  }
  rows_.BeginEvent();
  position_ = event.position;
  effects_ = 0;
  calling_.store(event.position.value(), std::memory_order_relaxed);
  const absl::Status status = Call(item);
  calling_.store(0, std::memory_order_relaxed);
  if (late_.load(std::memory_order_relaxed) == event.position.value()) [[unlikely]] {
    rows_.UndoEvent();
    late_.store(0, std::memory_order_relaxed);
    const absl::Status late = absl::DeadlineExceededError(
        absl::StrCat("the handler took longer than its deadline of ",
                     shared_.projection.handler_deadline.count(), " ms"));
    return PoisonStatus(absl::StatusCode::kDeadlineExceeded, shared_.projection.name,
                        DescribePoison(event, key_, late));
  }
  if (status.ok()) [[likely]]
    return status;
  rows_.UndoEvent();
  return Poison(event, status);
}

absl::Status RebuildWorker::Queue(const EventView& event) {
  if (ParkOneMore()) return parking_.Queue(key_, event.position, SystemNow());
  return PoisonStatus(
      absl::StatusCode::kFailedPrecondition, shared_.projection.name,
      DescribePoison(event, key_,
                     absl::ResourceExhaustedError(absl::StrCat(
                         "its key is parked, and more than ", shared_.projection.parking.parked_max,
                         " events may not be"))));
}

absl::Status RebuildWorker::Poison(const EventView& event, const absl::Status& error) {
  if (shared_.projection.on_poison == OnPoison::kParkByKey && CanBeParked(key_) && ParkOneMore()) {
    return parking_.Park(key_, event.position, error, SystemNow());
  }
  return PoisonStatus(absl::StatusCode::kFailedPrecondition, shared_.projection.name,
                      DescribePoison(event, key_, error));
}

bool RebuildWorker::ParkOneMore() {
  const std::uint64_t before = shared_.parked.fetch_add(1, std::memory_order_relaxed);
  if (before < shared_.projection.parking.parked_max) return true;
  shared_.parked.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

absl::Status RebuildWorker::Call(const EventFeed::Item& item) {
  if (!item.key_failed) {
    return CallUsersCode([&] { return shared_.projection.handler(item.event, *this); });
  }
  const auto find = [&] {
    std::string key;
    shared_.projection.key(item.event, &key);
    return absl::FailedPreconditionError("the key function threw, and another time it did not");
  };
  return CallUsersCode(find, "the key function threw ");
}

std::optional<Position> RebuildWorker::FindStuck(std::chrono::steady_clock::time_point now) {
  const std::uint64_t calling = calling_.load(std::memory_order_relaxed);
  if (calling == 0 || calling != seen_calling_) {
    seen_calling_ = calling;
    seen_at_ = now;
    return std::nullopt;
  }
  if (now - seen_at_ <= shared_.projection.handler_deadline) return std::nullopt;
  late_.store(calling, std::memory_order_relaxed);
  return Position(calling);
}

absl::StatusOr<std::size_t> RebuildWorker::IndexOf(std::string_view table) const {
  // A handler mostly asks for the table of its last call.
  if (table_ < shared_.tables.size() && shared_.tables[table_] == table) return table_;
  const auto found = std::find(shared_.tables.begin(), shared_.tables.end(), table);
  if (found == shared_.tables.end()) return NoSuchTable(table);
  return table_ = static_cast<std::size_t>(found - shared_.tables.begin());
}

absl::StatusOr<std::optional<std::string_view>> RebuildWorker::GetBytes(
    std::string_view table, std::string_view key) const {
  DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
  NoteKey(key);
  return rows_.Get(index, key);
}

absl::StatusOr<std::uint64_t> RebuildWorker::CountRows(std::string_view table) const {
  DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
  return rows_.Count(index);
}

absl::Status RebuildWorker::ScanBytes(std::string_view table, const KeyRange& range,
                                      const Visit& visit) const {
  DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
  return rows_.Scan(index, range, visit);
}

absl::Status RebuildWorker::PutBytes(std::string_view table, std::string_view key,
                                     std::string_view row) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
  return rows_.Put(index, key, row);
}

absl::Status RebuildWorker::DeleteBytes(std::string_view table, std::string_view key) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
  return rows_.Delete(index, key);
}

absl::Status RebuildWorker::Emit(std::string_view payload) {
  // What a runner refuses a rebuild refuses too, or the two would not be equal.
  DAYBOOK_RETURN_IF_ERROR(CheckEffect(shared_.projection, payload));
  if (!Owes(shared_.owed, position_)) return absl::OkStatus();
  return rows_.Put(shared_.tables.size(), EffectKey(position_, effects_++), payload);
}

}  // namespace daybook
