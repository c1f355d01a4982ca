#include "projections/publish/event_line.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/error.h"
#include "daybook/json_text.h"
#include "projections/event_filter.h"

namespace daybook {
namespace {

// Positions of one read: what its views point to stays in memory where files are not mapped.
constexpr std::uint64_t kChunk = 16384;

void AppendNamed(std::string_view name, std::string_view value, std::string* out) {
  absl::StrAppend(out, out->empty() ? "" : " ", ToAbsl(name), "=");
  AppendJsonString(value, *out);
}

}  // namespace

std::string TextOf(const EventFilter& filter) {
  std::string text;
  if (filter.stream) AppendNamed("stream", *filter.stream, &text);
  if (filter.category) AppendNamed("category", *filter.category, &text);
  for (auto [name, values] : {std::pair("type", filter.types), std::pair("tag", filter.tags)}) {
    std::sort(values.begin(), values.end());
    for (const std::string& value : values) AppendNamed(name, value, &text);
  }
  if (filter.system_streams) AppendNamed("system-streams", "true", &text);
  return text;
}

EventLine::EventLine(const Reader& reader, const EventFilter& filter, Position to,
                     std::function<bool(Position)> is_given_up)
    : reader_(reader),
      filter_(filter),
      system_streams_(SeesSystemStreams(filter)),
      to_(to),
      is_given_up_(std::move(is_given_up)) {}

void EventLine::GoTo(Position after) {
  scanned_ = after;
  cursor_.reset();
}

absl::Status EventLine::Next(std::size_t events_max, std::size_t bytes_max,
                             std::vector<EventView>* events) {
  events->clear();
  std::size_t bytes = 0;
  if (!cursor_) {
    const Position from(scanned_.value() + 1);
    cursor_end_ = std::min(Bound(), Position(scanned_.value() + kChunk));
    if (cursor_end_ < from) return absl::OkStatus();
    DAYBOOK_ASSIGN_OR_RETURN(cursor_, reader_.Read(ReadOptionsOf(filter_, from, cursor_end_)));
  }
  while (events->size() < events_max && bytes < bytes_max) {
    const absl::StatusOr<const EventView*> event = cursor_->Next();
    if (!event.ok()) {
      // What was read before it goes out first.
      if (!events->empty()) return absl::OkStatus();
      const std::optional<Damage> damage = DamageOf(event.status());
      const Position next(scanned_.value() + 1);
      if (!damage || !is_given_up_(next)) return event.status();
      GoTo(std::max(next, damage->last_position));
      return absl::OkStatus();
    }
    if (*event == nullptr) {
      scanned_ = cursor_end_;
      // The events that were read point into the cursor: it ends with the next call.
      if (events->empty()) cursor_.reset();
      return absl::OkStatus();
    }
    scanned_ = (*event)->position;
    if (!system_streams_ && (*event)->stream.starts_with('$')) continue;
    events->push_back(**event);
    bytes += (*event)->data.size();
  }
  return absl::OkStatus();
}

}  // namespace daybook
