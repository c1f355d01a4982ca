#include "concurrency/linear_history.h"

#include <algorithm>
#include <set>

namespace daybook::testing {
namespace {

using Outcome = Operation::Outcome;

std::string Name(const Operation& op) {
  return "the operation " + std::to_string(op.invoked) + ".." + std::to_string(op.responded) + ": ";
}

std::uint64_t First(const Operation& op) { return op.placed.front().first; }
std::uint64_t Last(const Operation& op) { return op.placed.back().first; }

// The states that calls have seen, by when they ended. Asked for times that only grow.
class SeenStates {
 public:
  void Add(std::uint64_t responded, std::uint64_t state) {
    std::uint64_t& seen = states_[responded];
    seen = std::max(seen, state);
  }
  // The largest that a call which ended before this time has seen.
  std::uint64_t Before(std::uint64_t time) {
    while (!states_.empty() && states_.begin()->first < time) {
      largest_ = std::max(largest_, states_.begin()->second);
      states_.erase(states_.begin());
    }
    return largest_;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> states_;
  std::uint64_t largest_ = 0;
};

}  // namespace

const LinearHistory::Positions& LinearHistory::Of(const std::map<std::string, Positions>& map,
                                                  const std::string& key) const {
  const auto found = map.find(key);
  return found == map.end() ? none_ : found->second;
}

std::uint64_t LinearHistory::VersionAt(const std::string& stream, std::uint64_t state) const {
  const Positions& all = Of(streams_, stream);
  return static_cast<std::uint64_t>(std::upper_bound(all.begin(), all.end(), state) - all.begin());
}

const Operation& LinearHistory::AppendOf(std::uint64_t position) const {
  return **std::partition_point(appended_.begin(), appended_.end(),
                                [=](const Operation* op) { return Last(*op) < position; });
}

std::string LinearHistory::Order() {
  for (const Operation& op : operations_) {
    if (op.outcome != Outcome::kAppended) continue;
    if (op.placed.size() != op.append.events.size() || op.placed.empty()) {
      return Name(op) + "not every event was given a place";
    }
    appended_.push_back(&op);
  }
  std::sort(appended_.begin(), appended_.end(),
            [](const Operation* a, const Operation* b) { return First(*a) < First(*b); });
  for (const Operation* op : appended_) {
    for (std::size_t i = 0; i < op->placed.size(); ++i) {
      const PlannedAppend::Event& event = op->append.events[i];
      const auto [position, version] = op->placed[i];
      if (position != ++last_) return Name(*op) + "a gap, or half a commit, or a position twice";
      Positions& stream = streams_[event.stream];
      stream.push_back(position);
      if (version != stream.size()) return Name(*op) + "a version of its stream is not the next";
      tags_[event.tag].push_back(position);
      if (!ids_.emplace(std::pair(event.stream, event.id), position).second) {
        return Name(*op) + "an id was appended twice";
      }
    }
  }
  return "";
}

std::string LinearHistory::CheckAppended(const Operation& op) const {
  const std::uint64_t before = First(op) - 1;
  for (const auto& [stream, expected] : op.append.expected) {
    if (!expected.Admits(Version(VersionAt(stream, before)))) {
      return Name(op) + "it was appended although " + stream + " was not at " + expected.ToString();
    }
  }
  for (const PlannedAppend::NoneAfter& condition : op.append.conditions) {
    const Positions& all = Of(tags_, condition.tag);
    const auto match = std::upper_bound(all.begin(), all.end(), condition.position);
    if (match != all.end() && *match <= before) {
      return Name(op) + "it was appended although its condition matched";
    }
  }
  return "";
}

LinearHistory::Range LinearHistory::SeenExisting(const Operation& op) const {
  Range range;
  std::size_t there = 0;
  std::uint64_t earliest = UINT64_MAX, latest = 0;
  std::set<std::uint64_t> commits;
  for (std::size_t i = 0; i < op.append.events.size(); ++i) {
    const auto found = ids_.find({op.append.events[i].stream, op.append.events[i].id});
    if (found == ids_.end()) continue;
    ++there;
    earliest = std::min(earliest, found->second);
    latest = std::max(latest, found->second);
    if (op.outcome == Outcome::kDuplicate &&
        (op.placed.size() <= i || op.placed[i].first != found->second ||
         op.placed[i].second != VersionAt(op.append.events[i].stream, found->second))) {
      range.wrong = "its duplicate is not where the first one is";
    }
  }
  if (op.outcome == Outcome::kDuplicate) {
    if (there != op.append.events.size()) range.wrong = "a duplicate of what was never appended";
    range.first = latest;
  } else {
    const auto same = [](const PlannedAppend::Event& a, const PlannedAppend::Event& b) {
      return a.stream == b.stream && a.id == b.id;
    };
    if (there == 0) {
      range.wrong = "it exists already, and nothing of it does";
    } else if (const auto& first = AppendOf(earliest).append.events;
               std::equal(first.begin(), first.end(), op.append.events.begin(),
                          op.append.events.end(), same)) {
      range.wrong = "it is a duplicate, and was refused";
    }
    range.first = earliest;
  }
  return range;
}

LinearHistory::Range LinearHistory::Seen(const Operation& op) const {
  Range range;
  switch (op.outcome) {
    case Outcome::kAppended:
      break;
    case Outcome::kDuplicate:
    case Outcome::kAlreadyExists:
      return SeenExisting(op);
    case Outcome::kVersionConflict:
    case Outcome::kHead: {
      const Positions& all = Of(streams_, op.stream);
      if (op.actual > all.size()) {
        range.wrong = "it saw a version that never was";
        break;
      }
      range.first = op.actual == 0 ? 0 : all[op.actual - 1];
      if (op.actual < all.size()) range.last = all[op.actual] - 1;
      if (op.outcome == Outcome::kHead) break;
      const bool admitted = std::none_of(
          op.append.expected.begin(), op.append.expected.end(), [&op](const auto& expected) {
            return expected.first == op.stream && !expected.second.Admits(Version(op.actual));
          });
      if (admitted) range.wrong = "a conflict with what it expected";
      break;
    }
    case Outcome::kConditionConflict: {
      range.first = op.actual;
      const bool matched = std::any_of(
          op.append.conditions.begin(), op.append.conditions.end(), [&](const auto& condition) {
            const Positions& all = Of(tags_, condition.tag);
            return op.actual > condition.position &&
                   std::binary_search(all.begin(), all.end(), op.actual);
          });
      if (!matched) range.wrong = "a conflict with an event that does not match";
      break;
    }
  }
  return range;
}

std::string LinearHistory::CheckRealTime() const {
  // Whoever is behind in position must not have ended before the other began: going back through
  // the order, the earliest response of all that come later.
  std::uint64_t earliest = UINT64_MAX;
  for (auto it = appended_.rbegin(); it != appended_.rend(); ++it) {
    if (earliest < (*it)->invoked) {
      return Name(**it) + "it stands before one that had ended when it began";
    }
    earliest = std::min(earliest, (*it)->responded);
  }
  return "";
}

std::string LinearHistory::CheckReads() const {
  // Prefix maxima by time of response, suffix minima by time of invocation.
  std::map<std::uint64_t, std::uint64_t> sequenced, visible, begun;
  for (const Operation* op : appended_) {
    sequenced[op->responded] = Last(*op);
    if (op->visible_at != Operation::kNever) visible[op->visible_at] = Last(*op);
    begun[op->invoked] = First(*op);
  }
  const auto grow = [](std::map<std::uint64_t, std::uint64_t>* map) {
    std::uint64_t most = 0;
    for (auto& [time, position] : *map) position = most = std::max(most, position);
  };
  grow(&sequenced);
  grow(&visible);
  std::uint64_t least = UINT64_MAX;
  for (auto it = begun.rbegin(); it != begun.rend(); ++it) {
    it->second = least = std::min(least, it->second);
  }
  const auto before = [](const std::map<std::uint64_t, std::uint64_t>& map, std::uint64_t time) {
    const auto next = map.lower_bound(time);
    return next == map.begin() ? 0 : std::prev(next)->second;
  };

  std::vector<const Operation*> reads;
  for (const Operation& op : operations_) {
    if (op.outcome != Outcome::kAppended) reads.push_back(&op);
  }
  std::sort(reads.begin(), reads.end(),
            [](const Operation* a, const Operation* b) { return a->invoked < b->invoked; });
  // What an append is judged by is ahead of what a head shows: two lines of states, and what a
  // conflict was about is on both.
  SeenStates judged, shown;
  for (const Operation* op : reads) {
    const Range range = Seen(*op);
    if (!range.wrong.empty()) return Name(*op) + range.wrong;
    const bool head = op->outcome == Outcome::kHead;
    const auto later = begun.upper_bound(op->responded);
    const std::uint64_t last =
        std::min({range.last, last_, later == begun.end() ? UINT64_MAX : later->second - 1});
    // Commits are seen whole.
    const auto whole = [this](std::uint64_t state) {
      return state != 0 && state <= last_ ? Last(AppendOf(state)) : state;
    };
    const std::uint64_t state =
        whole(std::max({range.first, before(head ? visible : sequenced, op->invoked),
                        (head ? shown : judged).Before(op->invoked)}));
    if (state > last) return Name(*op) + "what it saw was never so while it ran";
    judged.Add(op->responded, state);
    shown.Add(op->responded, head ? state : whole(range.first));
  }
  return "";
}

std::string LinearHistory::Check() {
  if (std::string what = Order(); !what.empty()) return what;
  for (const Operation* op : appended_) {
    if (std::string what = CheckAppended(*op); !what.empty()) return what;
  }
  if (std::string what = CheckRealTime(); !what.empty()) return what;
  return CheckReads();
}

std::uint64_t LinearHistory::Count(Outcome outcome) const {
  return static_cast<std::uint64_t>(
      std::count_if(operations_.begin(), operations_.end(),
                    [outcome](const Operation& op) { return op.outcome == outcome; }));
}

std::uint64_t LinearHistory::Overlaps() const {
  std::vector<std::uint64_t> invoked, responded;
  for (const Operation& op : operations_) {
    invoked.push_back(op.invoked);
    responded.push_back(op.responded);
  }
  std::sort(invoked.begin(), invoked.end());
  std::sort(responded.begin(), responded.end());
  // Pairs of which neither ended before the other began.
  std::uint64_t overlaps = 0;
  for (std::size_t i = 0; i < invoked.size(); ++i) {
    const auto ended = std::lower_bound(responded.begin(), responded.end(), invoked[i]);
    overlaps += i - static_cast<std::uint64_t>(ended - responded.begin());
  }
  return overlaps;
}

}  // namespace daybook::testing
