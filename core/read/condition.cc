// What an append asks of history: is there an event that its condition forbids, is an id used
// already.

#include <algorithm>
#include <memory>
#include <optional>

#include "base/seeded_bug.h"
#include "base/status.h"
#include "read/selector.h"
#include "read/view.h"

namespace daybook {
namespace {

// With so few events to look at, reading them all costs less than asking the index.
constexpr std::uint64_t kFewEvents = 16;

bool Matches(const QueryItem& item, const EventView& event) {
  if (!item.types.empty() && std::none_of(item.types.begin(), item.types.end(),
                                          [&](const auto& t) { return event.type == t; })) {
    return false;
  }
  return std::all_of(item.tags.begin(), item.tags.end(),
                     [&](const auto& tag) { return event.tags.Contains(tag); });
}

// The part of a segment in which a match is looked for.
struct Part {
  const Segment& segment;
  std::shared_ptr<const SegmentIndex> index;
  std::uint64_t begin;  // locals
  std::uint64_t end;
};

absl::Status ReadLocal(const Part& part, std::uint64_t local, EventView* event) {
  return part.segment.log()->ReadEvent(part.index->links()[local].offset(),
                                       Position(part.segment.first_position() + local), event);
}

// The position of a match, or 0. The lost are passed over.
absl::StatusOr<std::uint64_t> FindByReading(const Part& part, const std::vector<QueryItem>& items) {
  for (std::uint64_t local = part.end; local-- > part.begin;) {
    if (part.index->links()[local].offset8 == 0) continue;
    EventView event;
    DAYBOOK_RETURN_IF_ERROR(ReadLocal(part, local, &event));
    if (std::any_of(items.begin(), items.end(),
                    [&](const QueryItem& item) { return Matches(item, event); })) {
      return event.position.value();
    }
  }
  return 0;
}

absl::StatusOr<std::uint64_t> FindByIndex(const Part& part, const QueryItem& item,
                                          TermSelector* selector) {
  if (selector->Enter(*part.index, part.begin, part.end) == TermSelector::Share::kNone) return 0;
  constexpr std::uint64_t kWindow = 16384;  // events: matches are looked for from the newest back
  std::vector<std::uint32_t> locals;
  for (std::uint64_t end = part.end; end > part.begin;) {
    const std::uint64_t begin = end - std::min(kWindow, end - part.begin);
    locals.clear();
    selector->Collect(begin, end, &locals);
    for (auto local = locals.rbegin(); local != locals.rend(); ++local) {
      if (part.index->links()[*local].offset8 == 0) continue;
      EventView event;
      DAYBOOK_RETURN_IF_ERROR(ReadLocal(part, *local, &event));
      if (Matches(item, event)) return event.position.value();
    }
    end = begin;
  }
  return 0;
}

absl::StatusOr<std::uint64_t> FindInPart(const Part& part, const std::vector<QueryItem>& items,
                                         std::vector<TermSelector>* selectors) {
  if (part.end - part.begin <= kFewEvents) return FindByReading(part, items);
  for (std::size_t i = 0; i < items.size(); ++i) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t found,
                             FindByIndex(part, items[i], &(*selectors)[i]));
    if (found != 0) return found;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::uint64_t> FindMatch(const ReadView& view, const AppendCondition& condition) {
  const std::vector<QueryItem>& items = condition.fail_if_match;
  const std::uint64_t after = condition.after.value();
  if (after >= view.visible()) return 0;
  const auto matches_all = [](const QueryItem& i) { return i.types.empty() && i.tags.empty(); };
  if (items.empty() || std::any_of(items.begin(), items.end(), matches_all)) return after + 1;

  std::vector<TermSelector> selectors;
  for (const QueryItem& item : items) {
    Terms terms;
    terms.types = item.types;
    terms.tags = item.tags;
    selectors.emplace_back(terms);
  }
  const SegmentList& segments = view.segments();
  std::uint64_t upto = view.visible();  // all behind it has been looked at
  std::uint64_t lost = 0;               // a position that may have matched
  // The number before the first is kNoSegment.
  for (std::uint32_t i = FindSegment(segments, upto); i != kNoSegment && upto > after; --i) {
    const std::uint64_t first = segments[i]->first_position();
    DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<const SegmentIndex> index, segments[i]->index());
    const std::uint64_t end = std::min(upto - first + 1, index->count());
    const std::uint64_t begin = after < first ? 0 : after + 1 - first;
    if (std::max(first + end, after + 1) <= upto) lost = std::max(first + end, after + 1);
    if (begin < end) {
      const std::vector<std::uint32_t> gaps = segments[i]->Lost(index, begin, end);
      if (!gaps.empty()) lost = first + gaps.front();
      const Part part{*segments[i], std::move(index), begin, end};
      DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t found, FindInPart(part, items, &selectors));
      if (found != 0) return found;
    }
    upto = first - 1;
  }
  if (upto > after) lost = upto;
  if (lost == 0) return 0;
  return LostAt(segments, FindSegment(segments, lost), lost,
                "a condition cannot be decided since the event is lost; ask after its position");
}

absl::StatusOr<std::uint64_t> FindId(const ReadView& view, std::string_view stream,
                                     const EventId& id) {
  const std::uint64_t hash = IdHash(StreamHash(stream), id);
  const SegmentList& segments = view.segments();
  std::vector<std::uint32_t> locals;
  ReadBuffer buffer(ReadBuffer::Keep::kLast);
  for (std::uint32_t i = FindSegment(segments, view.visible()); i != kNoSegment; --i) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index, segments[i]->index());
    const std::uint64_t first = segments[i]->first_position();
    locals.clear();
    index->FindId(hash, view.visible() - first + 1, &locals);
    for (const std::uint32_t local : locals) {
      EventView event;
      DAYBOOK_RETURN_IF_ERROR(segments[i]->log()->ReadEvent(
          index->links()[local].offset(), Position(first + local), &event, &buffer));
      if (event.id == id && event.stream == stream) return event.position.value();
    }
    if (IsSeeded(SeededBug::kIdInSealedMissed)) break;
  }
  return 0;
}

}  // namespace daybook
