#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "append/appender.h"
#include "base/status.h"

namespace daybook {
namespace {

bool SameBytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// What makes two events the same, their ids aside. Metadata does not count: a retry may carry
// another trace. Nor does an effective_at that the retry does not give; one that it gives is
// compared with when the stored fact holds, given or not.
bool SameContent(const EventView& stored, const EventView& given) {
  return stored.stream == given.stream && stored.type == given.type &&
         stored.content_type == given.content_type &&
         stored.content_type_text == given.content_type_text &&
         (!given.effective_at_given || stored.effective_at() == *given.effective_at_given) &&
         SameBytes(stored.data, given.data) &&
         std::equal(stored.tags.begin(), stored.tags.end(), given.tags.begin(), given.tags.end());
}

}  // namespace

absl::StatusOr<std::vector<std::uint64_t>> FindDuplicates(const Commit::Impl& commit,
                                                          const History& history,
                                                          std::uint64_t visible) {
  std::vector<std::uint64_t> known;
  for (std::size_t i = 0; i < commit.events.size(); ++i) {
    const Commit::Impl::Event& event = commit.events[i];
    if (!event.id_given && !commit.tried) continue;
    const Commit::Impl::Stream& stream = commit.streams[event.stream];
    if (stream.entry->sequenced_version.load(std::memory_order_acquire) == 0) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t position,
                             history.FindId(stream.name, event.id, visible));
    if (position == 0) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const EventHandle stored, history.EventAt(Position(position)));
    if (!SameContent(*stored, commit.Decode(event))) {
      return absl::AlreadyExistsError(absl::StrCat(
          "the event id ", event.id.ToString(), " was used before in stream '", ToAbsl(stream.name),
          "', at position ", position, ", with other content; use another id for another event"));
    }
    known.resize(commit.events.size());
    known[i] = position;
  }
  return known;
}

absl::StatusOr<bool> IsEarlierCommit(const Commit::Impl& commit, const History& history,
                                     std::uint64_t visible, std::vector<std::uint64_t>* known) {
  const auto found = std::find_if(known->begin(), known->end(), [](auto p) { return p != 0; });
  DAYBOOK_ASSIGN_OR_RETURN(const EventHandle first_found, history.EventAt(Position(*found)));
  const std::uint64_t first = first_found->commit_first_position.value();
  const std::uint64_t end = first + known->size();
  if (end - 1 > visible) return false;
  std::vector<std::uint64_t> places(known->size());
  for (std::size_t i = 0; i < known->size(); ++i) {
    const Commit::Impl::Event& event = commit.events[i];
    places[i] = first + i;
    if ((*known)[i] == places[i]) continue;
    if ((*known)[i] != 0 || event.id_given || commit.tried) return false;
    // Its id is of the store's making, so a retry that was built anew has another: its content and
    // place decide.
    DAYBOOK_ASSIGN_OR_RETURN(const EventHandle stored, history.EventAt(Position(places[i])));
    if (stored->commit_first_position.value() != first ||
        !SameContent(*stored, commit.Decode(event))) {
      return false;
    }
  }
  if (end <= visible) {
    // The earlier commit may be longer.
    DAYBOOK_ASSIGN_OR_RETURN(const EventHandle next, history.EventAt(Position(end)));
    if (next->commit_first_position.value() == first) return false;
  }
  *known = std::move(places);
  return true;
}

}  // namespace daybook
