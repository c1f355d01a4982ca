#include "snapshot/effective_order.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "base/status.h"

namespace daybook {
namespace {

// Making a cursor costs about as much as looking up so many events.
constexpr std::size_t kRunMin = 8;
constexpr std::size_t kAskEvery = 1024;  // events that were looked up

}  // namespace

absl::StatusOr<EffectiveOrder> EffectiveOrder::Collect(Cursor* cursor) {
  EffectiveOrder order;
  bool is_sorted = true;
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor->Next());
    if (event == nullptr) break;
    const Place place{event->effective_at().unix_nanoseconds(), event->position.value(),
                      event->version.value()};
    is_sorted = is_sorted &&
                (order.places_.empty() || order.places_.back().effective_at <= place.effective_at);
    order.places_.push_back(place);
  }
  if (!is_sorted) {
    std::sort(order.places_.begin(), order.places_.end(), [](const Place& a, const Place& b) {
      return std::tie(a.effective_at, a.position) < std::tie(b.effective_at, b.position);
    });
  }
  return order;
}

std::size_t EffectiveOrder::RunEnd(std::size_t begin) const {
  std::size_t end = begin + 1;
  while (end < places_.size() && places_[end].version == places_[end - 1].version + 1) ++end;
  return end;
}

absl::Status EffectiveOrder::ForEach(const Reader& reader, std::string_view stream,
                                     const std::function<bool()>& keep_going,
                                     const Visit& visit) const {
  std::size_t looked_up = 0;
  for (std::size_t begin = 0; begin < places_.size();) {
    const std::size_t end = RunEnd(begin);
    if (end - begin < kRunMin) {
      for (; begin < end; ++begin) {
        if (keep_going && ++looked_up % kAskEvery == 0 && !keep_going()) {
          return absl::CancelledError("the fold was stopped by its caller");
        }
        DAYBOOK_ASSIGN_OR_RETURN(const EventHandle event,
                                 reader.EventAt(Position(places_[begin].position)));
        DAYBOOK_ASSIGN_OR_RETURN(const bool more, visit(*event));
        if (!more) return absl::OkStatus();
      }
      continue;
    }
    ReadOptions options;
    options.stream = std::string(stream);
    options.from_version = Version(places_[begin].version);
    options.as_of = AsOf::AtPosition(Position(places_[end - 1].position));
    options.views = Views::kUntilNext;
    options.keep_going = keep_going;
    DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader.Read(options));
    for (; begin < end; ++begin) {
      DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor.Next());
      if (event == nullptr || event->version.value() != places_[begin].version) {
        return absl::InternalError("a stream changed while it was read");
      }
      DAYBOOK_ASSIGN_OR_RETURN(const bool more, visit(*event));
      if (!more) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

}  // namespace daybook
