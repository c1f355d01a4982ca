// What becomes of events that a handler cannot handle: parked, tried again, skipped, or the
// projection stops.

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "projections/poison.h"
#include "projections/poster.h"
#include "projections/status_file.h"

namespace daybook {
namespace {

// How many pointers of a parked key are in memory at once.
constexpr std::size_t kPointersAtOnce = 256;

}  // namespace

absl::Status Poster::Queue(const EventView& event) {
  if (parking_->full()) {
    return StopAt(event, absl::ResourceExhaustedError(
                             absl::StrCat("its key is parked, and so are ", parking_->events(),
                                          " events, which is as many as may be")));
  }
  ++parked_;
  return parking_->Queue(KeyOf(event), event.position, SystemNow());
}

absl::Status Poster::ParkOrStop(const EventView& event, const absl::Status& failed) {
  DAYBOOK_RETURN_IF_ERROR(RefreshSkips());
  if (skips_.contains(event.position)) return absl::OkStatus();
  if (projection_.on_poison == OnPoison::kStop) return StopAt(event, failed);
  if (parking_->full()) {
    return StopAt(event, absl::Status(failed.code(),
                                      absl::StrCat(failed.message(),
                                                   " (it cannot be parked: ", parking_->events(),
                                                   " events are, which is as many as may be)")));
  }
  ++parked_;
  return parking_->Park(KeyOf(event), event.position, failed, SystemNow());
}

absl::Status Poster::StopAt(const EventView& event, const absl::Status& error) {
  // Everything before it was looked at.
  scanned_ = Position(event.position.value() - 1);
  return Poison(event, absl::StatusCode::kFailedPrecondition, error);
}

absl::Status Poster::RefreshSkips() {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<ProjectionSkip> skips, skips_.Refresh(reader_));
  if (parking_->keys() == 0) return absl::OkStatus();
  for (const ProjectionSkip& skip : skips) {
    if (skip.position <= scanned_) DAYBOOK_RETURN_IF_ERROR(ReleaseSkipped(skip));
  }
  return absl::OkStatus();
}

absl::Status Poster::ReleaseSkipped(const ProjectionSkip& skip) {
  using Parked = std::vector<std::pair<std::string, Position>>;
  Parked parked;
  absl::StatusOr<EventHandle> event = reader_.EventAt(skip.position);
  if (skip.last > skip.position || absl::IsDataLoss(event.status())) {
    // Which keys they have nobody can say but who has parked them.
    DAYBOOK_ASSIGN_OR_RETURN(parked, parking_->EventsBetween(skip.position, skip.last));
  } else {
    DAYBOOK_RETURN_IF_ERROR(event.status());
    std::string key((*event)->stream);
    // FindKey() and its key_ may be at another event at this moment.
    if (projection_.key) {
      std::swap(key, key_);
      const absl::Status found = FindKey(**event);
      std::swap(key, key_);
      if (!found.ok()) return absl::OkStatus();  // then it never had a key to be parked under
    }
    parked.emplace_back(std::move(key), skip.position);
  }
  for (const auto& [key, position] : parked) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool released, parking_->Release(key, position));
    if (released) DAYBOOK_RETURN_IF_ERROR(parking_->RetrySoon(key, SystemNow()));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Poster::RetryKey(const std::string& key,
                                      const std::function<bool()>& keep_going,
                                      RetryResult* result) {
  if (!pending()) began_ = std::chrono::steady_clock::now();
  DAYBOOK_RETURN_IF_ERROR(rows_.Begin());
  Position after;
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<ParkedEvent> events,
                             parking_->EventsOf(key, after, kPointersAtOnce));
    if (events.empty()) return true;
    for (const ParkedEvent& event : events) {
      DAYBOOK_ASSIGN_OR_RETURN(const bool handled, RetryEvent(key, event.position, result));
      if (!handled && !IsSeeded(SeededBug::kRetryGoesOn)) return true;
      if (full() || (keep_going && !keep_going())) {
        DAYBOOK_RETURN_IF_ERROR(parking_->RetrySoon(key, SystemNow()));
        return false;
      }
    }
    after = events.back().position;
  }
}

absl::StatusOr<bool> Poster::RetryEvent(const std::string& key, Position position,
                                        RetryResult* result) {
  absl::Status failed;
  if (!skips_.contains(position)) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventHandle event, reader_.EventAt(position));
    key_ = key;
    DAYBOOK_RETURN_IF_ERROR(Hand(*event, &failed));
  }
  // It may have been decided since.
  if (!failed.ok()) DAYBOOK_RETURN_IF_ERROR(RefreshSkips());
  const bool skipped = skips_.contains(position);
  if (!failed.ok() && !skipped) {
    DAYBOOK_RETURN_IF_ERROR(parking_->Failed(key, position, failed, SystemNow()));
    return false;
  }
  DAYBOOK_RETURN_IF_ERROR(parking_->Release(key, position).status());
  ++result->handled;
  if (skipped) ++result->skipped;
  return true;
}

}  // namespace daybook
