#include "projections/poster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "projections/event_filter.h"
#include "projections/poison.h"
#include "projections/users_code.h"

namespace daybook {
namespace {

using Clock = std::chrono::steady_clock;

// How far a read that has a filter goes at once: where it ends early it is not known how far it
// was.
constexpr std::uint64_t kFilteredScan = std::uint64_t{1} << 20;
// After how many events the limits are looked at again.
constexpr std::uint64_t kLooksEvery = 64;
constexpr std::chrono::microseconds kSlowCall{200};

std::int64_t Nanoseconds(Clock::time_point time) { return time.time_since_epoch().count(); }

}  // namespace

// What the handler sees: the rows, and its event.
class Poster::Context final : public HandlerContext {
 public:
  explicit Context(Poster* poster) : poster_(poster) {}
  void Set(std::string_view key, Position position) {
    key_ = key;
    position_ = position;
    trouble_ = absl::OkStatus();
  }
  // What kept the tables from being read during the call: no fault of the event.
  [[nodiscard]] const absl::Status& trouble() const { return trouble_; }

  absl::StatusOr<std::optional<std::string_view>> GetBytes(std::string_view table,
                                                           std::string_view key) const override {
    DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
    return Noted(poster_->rows_.Get(index, key));
  }
  absl::StatusOr<std::uint64_t> CountRows(std::string_view table) const override {
    DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
    return Noted(poster_->rows_.Count(index));
  }
  absl::Status ScanBytes(std::string_view table, const KeyRange& range,
                         const Visit& visit) const override {
    DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
    return Noted(poster_->rows_.Scan(index, range, visit));
  }
  absl::Status PutBytes(std::string_view table, std::string_view key,
                        std::string_view row) override {
    DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
    return Noted(poster_->rows_.Put(index, key, row));
  }
  absl::Status DeleteBytes(std::string_view table, std::string_view key) override {
    DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, IndexOf(table));
    return Noted(poster_->rows_.Delete(index, key));
  }
  std::string_view key() const override { return key_; }
  absl::Status Emit(std::string_view payload) override {
    return poster_->effects_ == nullptr ? absl::OkStatus()
                                        : poster_->effects_->Emit(position_, payload);
  }

 private:
  template <class Result>
  Result Noted(Result result) const {
    if (!result.ok()) [[unlikely]]
      Note(StatusOf(result));
    return result;
  }
  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <class T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }
  void Note(const absl::Status& status) const {
    if (!absl::IsInvalidArgument(status) && trouble_.ok()) trouble_ = status;
  }

  // A handler mostly asks for the table of its last call.
  absl::StatusOr<std::size_t> IndexOf(std::string_view table) const {
    const Generation& generation = *poster_->generation_;
    if (last_ >= generation.tables() || generation.table_name(last_) != table) {
      DAYBOOK_ASSIGN_OR_RETURN(last_, generation.IndexOf(table));
    }
    return last_;
  }

  Poster* const poster_;
  std::string_view key_;
  Position position_;
  mutable std::size_t last_ = 0;
  mutable absl::Status trouble_;
};

Poster::Poster(const Reader& reader, const Projection& projection,
               std::shared_ptr<Generation> generation, const PosterLimits& limits, Effects* effects)
    : reader_(reader),
      projection_(projection),
      generation_(std::move(generation)),
      limits_(limits),
      effects_(effects),
      system_streams_(SeesSystemStreams(projection.filter)),
      rows_(generation_),
      context_(std::make_unique<Context>(this)),
      skips_(projection.name) {}

Poster::~Poster() = default;

absl::Status Poster::Open() {
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint_, generation_->ReadCheckpoint());
  scanned_ = checkpoint_.position;
  DAYBOOK_ASSIGN_OR_RETURN(
      parking_, Parking::Open(generation_->environment(), generation_->parked(),
                              projection_.parking, checkpoint_.parked, checkpoint_.parked_keys));
  return RefreshSkips();
}

bool Poster::Wants(const EventView& event) const {
  return system_streams_ || !event.stream.starts_with('$');
}

bool Poster::full() const {
  const std::uint64_t bytes = rows_.changed_bytes() + parking_->changed_bytes() +
                              (effects_ != nullptr ? effects_->batch_bytes() : 0);
  return matched_ >= limits_.events_max || bytes >= limits_.bytes_max ||
         (pending() && Clock::now() - began_ >= limits_.time_max);
}

absl::Status Poster::Extend(Position to, const std::function<bool()>& keep_going) {
  if (!pending()) began_ = Clock::now();
  DAYBOOK_RETURN_IF_ERROR(rows_.Begin());
  while (scanned_ < to && !full()) {
    const std::uint64_t step = IsFiltered(projection_.filter) ? kFilteredScan : UINT64_MAX;
    const std::uint64_t left = to.value() - scanned_.value();
    const Position upto(scanned_.value() + std::min(step, left));
    const absl::Status extended = ExtendTo(upto, keep_going);
    if (!extended.ok()) DAYBOOK_RETURN_IF_ERROR(PassOver(extended, upto));
  }
  return absl::OkStatus();
}

absl::Status Poster::PassOver(const absl::Status& error, Position to) {
  const std::optional<Position> at = UnreadableAfter(error, scanned_);
  if (!at) return error;
  DAYBOOK_RETURN_IF_ERROR(RefreshSkips());
  if (!skips_.contains(*at)) return SayHowToPass(projection_.name, error, *at);
  scanned_ = std::min(skips_.EndOf(*at), to);
  return absl::OkStatus();
}

absl::Status Poster::ExtendTo(Position to, const std::function<bool()>& keep_going) {
  ReadOptions options = ReadOptionsOf(projection_.filter, Position(scanned_.value() + 1), to);
  options.views = Views::kUntilNext;
  options.keep_going = keep_going;
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader_.Read(options));
  for (std::uint64_t looked = 1;; ++looked) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor.Next());
    if (event == nullptr) break;
    if (Wants(*event)) {
      DAYBOOK_RETURN_IF_ERROR(Post(*event));
      ++matched_;
    }
    scanned_ = event->position;
    // With a handler that takes its time, after each call.
    if (looked % kLooksEvery != 0 && !slow_) continue;
    if (keep_going && !keep_going()) return absl::CancelledError("the run was called off");
    if (full()) return absl::OkStatus();
  }
  // Nothing between the last event that matched and here did.
  if (!IsSeeded(SeededBug::kFilteredBatchStays) || matched_ > 0) scanned_ = to;
  return absl::OkStatus();
}

absl::Status Poster::FindKey(const EventView& event) {
  key_.clear();
  if (!projection_.key) return absl::OkStatus();
  const auto find = [&] {
    projection_.key(event, &key_);
    return absl::OkStatus();
  };
  DAYBOOK_RETURN_IF_ERROR(CallUsersCode(find, "the key function threw "));
  if (CanBeParked(key_)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its key has ", key_.size(), " bytes, more than ", kEventKeyBytesMax));
}

absl::Status Poster::Call(const EventView& event) {
  context_->Set(KeyOf(event), event.position);
  return CallUsersCode([&] { return projection_.handler(event, *context_); });
}

absl::Status Poster::Post(const EventView& event) {
  if (skips_.contains(event.position)) [[unlikely]]
    return absl::OkStatus();
  const absl::Status keyed = FindKey(event);
  if (!keyed.ok()) return StopAt(event, keyed);
  DAYBOOK_ASSIGN_OR_RETURN(const bool parked, parking_->IsParked(KeyOf(event)));
  if (parked && !IsSeeded(SeededBug::kParkedKeyOvertaken)) return Queue(event);
  absl::Status failed;
  DAYBOOK_RETURN_IF_ERROR(Hand(event, &failed));
  if (failed.ok()) [[likely]]
    return failed;
  return ParkOrStop(event, failed);
}

absl::Status Poster::Hand(const EventView& event, absl::Status* failed) {
  rows_.Mark();
  if (effects_ != nullptr) effects_->Mark();
  const Clock::time_point before = Clock::now();
  called_for_.store(event.position.value(), std::memory_order_relaxed);
  called_at_.store(Nanoseconds(before), std::memory_order_release);
  *failed = Call(event);
  called_at_.store(0, std::memory_order_release);
  const auto took = Clock::now() - before;
  slow_ = took > kSlowCall;
  if (projection_.handler_deadline.count() > 0 && took > projection_.handler_deadline) {
    const std::string late = absl::StrCat(
        "the handler took ", std::chrono::duration_cast<std::chrono::milliseconds>(took).count(),
        " ms, and its deadline is ", projection_.handler_deadline.count());
    return Poison(event, absl::StatusCode::kDeadlineExceeded, absl::DeadlineExceededError(late));
  }
  if (failed->ok()) [[likely]]
    return absl::OkStatus();
  rows_.Undo();
  if (effects_ != nullptr) effects_->Undo();
  return context_->trouble();
}

absl::Status Poster::Poison(const EventView& event, absl::StatusCode code,
                            const absl::Status& error) {
  attempts_ = event.position == failed_at_ ? attempts_ + 1 : 1;
  failed_at_ = event.position;
  PoisonEvent poison = DescribePoison(event, KeyOf(event), error);
  poison.attempts = attempts_;
  return PoisonStatus(code, projection_.name, poison);
}

absl::Status Poster::Commit() {
  if (!pending()) return absl::OkStatus();
  rows_.End();
  Checkpoint next = checkpoint_;
  DAYBOOK_RETURN_IF_ERROR(MoveTo(reader_, scanned_, &next));
  next.matched += matched_;
  next.parked = parking_->events();
  next.parked_keys = parking_->keys();
  Checkpoint written;
  if (IsSeeded(SeededBug::kCheckpointBeforeRows)) {
    DAYBOOK_RETURN_IF_ERROR(generation_->Write([&](WriteTransaction& transaction) {
      return generation_->WriteCheckpoint(next, &transaction);
    }));
  }
  const absl::Status committed =
      generation_->Write([&](WriteTransaction& transaction) -> absl::Status {
        written = next;
        DAYBOOK_RETURN_IF_ERROR(rows_.Flush(&transaction, &written));
        if (!IsSeeded(SeededBug::kParkedForgotten)) {
          DAYBOOK_RETURN_IF_ERROR(parking_->Write(generation_->parked(), &transaction));
        }
        if (effects_ != nullptr) {
          DAYBOOK_RETURN_IF_ERROR(effects_->Flush(*generation_, &transaction));
        }
        return generation_->WriteCheckpoint(written, &transaction);
      });
  DAYBOOK_RETURN_IF_ERROR(committed);
  rows_.Committed(limits_.cache_bytes_max);
  if (effects_ != nullptr) effects_->Committed();
  if (IsSeeded(SeededBug::kBatchTwice)) scanned_ = checkpoint_.position;
  checkpoint_ = std::move(written);
  matched_ = parked_ = 0;
  return parking_->Committed();
}

void Poster::Discard() {
  rows_.Discard();
  if (effects_ != nullptr) effects_->Discard();
  parking_->Discard();
  scanned_ = checkpoint_.position;
  matched_ = parked_ = 0;
}

std::optional<Position> Poster::stuck_at() const {
  const std::int64_t since = called_at_.load(std::memory_order_acquire);
  if (since == 0 || projection_.handler_deadline.count() == 0) return std::nullopt;
  const std::chrono::nanoseconds running(Nanoseconds(Clock::now()) - since);
  if (running <= projection_.handler_deadline) return std::nullopt;
  return Position(called_for_.load(std::memory_order_relaxed));
}

}  // namespace daybook
