#include "snapshot/taker.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "snapshot/retention.h"

namespace daybook {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

}  // namespace

SnapshotTaker::SnapshotTaker(SnapshotStore::Impl* store, const AnyFold& fold,
                             const SnapshotPolicy& policy, const NoticeHandler& on_notice,
                             std::string series, std::uint64_t after, std::uint64_t upto,
                             std::vector<std::uint64_t> broken)
    : store_(store),
      fold_(fold),
      policy_(policy),
      on_notice_(on_notice),
      series_(std::move(series)),
      after_(after),
      upto_(upto),
      all_are_kept_(policy.retention.kind() == SnapshotRetention::Kind::kAll),
      broken_(std::move(broken)) {
  const std::uint64_t every = policy.every_events;
  next_ = every == 0 ? kNever : after / every * every + every;
  std::sort(broken_.begin(), broken_.end());
}

void SnapshotTaker::Plan() {
  is_planned_ = true;
  // Where all are kept there is nothing to be weighed: what is missing behind `after` is all of it.
  if (all_are_kept_) return;
  const std::vector<std::uint64_t> all = store_->Versions(series_);
  std::set_difference(all.begin(), all.end(), broken_.begin(), broken_.end(),
                      std::back_inserter(existing_));
  planned_ = Planned(policy_, existing_, after_, upto_);
  next_ = NextDue();
}

std::uint64_t SnapshotTaker::NextDue() {
  if (all_are_kept_) return next_ == kNever ? kNever : next_ + policy_.every_events;
  return passed_ < planned_.size() ? planned_[passed_++] : kNever;
}

bool SnapshotTaker::IsWanted(const EventView& event) const {
  return std::find(policy_.at_types.begin(), policy_.at_types.end(), event.type) !=
             policy_.at_types.end() &&
         !std::binary_search(existing_.begin(), existing_.end(), event.version.value()) &&
         WouldKeep(policy_.retention, existing_, event.version.value());
}

void SnapshotTaker::Look(const void* state, const EventView& event) {
  if (!is_planned_) Plan();
  if (event.version.value() == next_) {
    next_ = NextDue();
    Take(state, event);
  } else if (IsWanted(event)) {
    Take(state, event);
  }
}

void SnapshotTaker::Take(const void* state, const EventView& event) {
  std::string bytes;
  const absl::Status saved = fold_.Save(state, bytes);
  if (saved.ok()) {
    store_->Take(series_,
                 {event.version.value(), event.position, std::move(bytes), policy_.retention});
    return;
  }
  store_->Count(&SnapshotStats::dropped);
  if (!on_notice_) return;
  on_notice_(
      {Notice::Severity::kWarning,
       absl::StrCat("fold '", ToAbsl(fold_.id()), "' could not save its state at version ",
                    event.version.value(), " of stream '",
                    absl::Utf8SafeCHexEscape(ToAbsl(event.stream)), "': ", saved.message())});
}

}  // namespace daybook
