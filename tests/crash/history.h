// What the crash tests append, and the history that must come out of it.
//
// An event's content follows from its id, and its metadata says which event of how many of its
// commit it is: whoever reads it can tell whether it is whole, and whether its commit is.

#ifndef DAYBOOK_TESTS_CRASH_HISTORY_H_
#define DAYBOOK_TESTS_CRASH_HISTORY_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daybook/store.h"

namespace daybook::testing {

EventId RandomId(std::mt19937_64* random);

// The event with this id as the number `index` of the `count` events of its commit. The views point
// into the object.
class PlannedEvent {
 public:
  PlannedEvent(const EventId& id, std::size_t index, std::size_t count);
  [[nodiscard]] NewEvent AsNew() const;
  // What is wrong with an event that was read, or "".
  [[nodiscard]] std::string Compare(const EventView& event) const;

 private:
  EventId id_;
  std::string type_, data_, metadata_, tag_;
  std::int64_t effective_at_ = 0;  // 0: not given
};

// The index and count in the metadata of a planned event.
bool ParsePlace(std::string_view metadata, std::size_t* index, std::size_t* count);

// An event that a writer has been told of: a line "A position id recorded_at version stream".
struct Acknowledged {
  EventId id;
  std::int64_t recorded_at = 0;
  std::uint64_t version = 0;
  std::string stream;
};
std::string AckLine(const AppendedEvent& event, std::string_view stream);

// All that is known to have been appended: acknowledged, or seen once in a reopened store.
class History {
 public:
  // Takes a line of AckLine. "" or what is wrong with it.
  std::string Acknowledge(const std::string& line);
  // Takes all that a writer said before it was killed: the line "O" when it had opened the store,
  // then those of AckLine, the last one maybe cut off. "" or what is wrong.
  std::string AcknowledgeAll(const std::string& said);
  // Takes all that a reader (tail_reader.cc) said. What somebody saw must be there from then on,
  // as if it had been acknowledged.
  std::string Saw(const std::string& said);
  // Reads all of a store that was opened after a crash. "" or what is wrong: an acknowledged event
  // that is missing or differs, an event that was there before and is not any more, a gap, a wrong
  // version, half a commit.
  //
  // A reader after a power loss, before a writer has been there, may end earlier: WAKE is not
  // synced, and what no promise in the log covers it does not show. It sees a prefix.
  enum class Extent : std::uint8_t { kAll, kPrefix };
  std::string Check(const Reader& reader, Extent extent = Extent::kAll);

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_.size(); }
  [[nodiscard]] std::uint64_t found() const { return known_.size(); }
  // Events that readers in other processes saw.
  [[nodiscard]] std::uint64_t seen() const { return seen_.size(); }
  // Events that are there although nobody was told so: they were on their way when the writer died.
  [[nodiscard]] std::uint64_t unacknowledged() const { return found() - acknowledged(); }
  // The position of each id in its stream.
  [[nodiscard]] const std::map<std::pair<std::string, EventId>, std::uint64_t>& ids() const {
    return ids_;
  }

 private:
  struct Known {
    Acknowledged event;
    std::uint64_t commit_first = 0;
  };
  std::string CheckOne(const EventView& event, std::uint64_t position);

  std::map<std::uint64_t, Acknowledged> acknowledged_;
  std::map<std::uint64_t, EventId> seen_;  // by readers
  std::vector<Known> known_;
  std::map<std::pair<std::string, EventId>, std::uint64_t> ids_;
  // While reading.
  std::map<std::string, std::uint64_t, std::less<>> versions_;
  std::uint64_t commit_first_ = 0, commit_end_ = 0;
  std::int64_t recorded_at_ = 0;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_HISTORY_H_
