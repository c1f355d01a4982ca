// Histories of concurrent appends and whether they are linearizable.
//
// Positions give all successful appends a total order, so that nothing has to be searched for: each
// append must be allowed by the state that the ones before it made, and by real time. What changes
// nothing (a conflict, a duplicate, a look at a head) tells of a state that must have been there at
// some moment of its call. The states that it may have seen are a range without gaps, since
// versions only grow and events only come; so that giving each, in order of invocation, the
// earliest state that it may have seen finds an order wherever there is one. (Herlihy and Wing,
// "Linearizability", 1990; the order that the object itself tells is what Knossos and Porcupine
// have to search for.)

#ifndef DAYBOOK_TESTS_CONCURRENCY_LINEAR_HISTORY_H_
#define DAYBOOK_TESTS_CONCURRENCY_LINEAR_HISTORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daybook/store.h"

namespace daybook::testing {

struct PlannedAppend {
  struct Event {
    std::string stream;
    EventId id;
    std::string tag;
  };
  // "Fail if an event with this tag stands behind this position."
  struct NoneAfter {
    std::string tag;
    std::uint64_t position = 0;
  };
  std::vector<Event> events;
  std::vector<std::pair<std::string, ExpectedVersion>> expected;
  std::vector<NoneAfter> conditions;
};

// A call and what came back. Times are drawn from one counter, before the call and after it.
struct Operation {
  enum class Outcome : std::uint8_t {
    kAppended,
    kDuplicate,          // all of it was there
    kAlreadyExists,      // some of it was there
    kVersionConflict,    // `actual` of `stream`
    kConditionConflict,  // the event at position `actual`
    kHead,               // no append: `actual` is the version of `stream`
  };
  static constexpr std::uint64_t kNever = UINT64_MAX;

  PlannedAppend append;
  std::uint64_t invoked = 0, responded = 0;
  // From when on reads must see it: an asynchronous append is not visible when it returns.
  std::uint64_t visible_at = kNever;
  Outcome outcome = Outcome::kAppended;
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      placed;  // position and version of each event
  std::string stream;
  std::uint64_t actual = 0;
};

class LinearHistory {
 public:
  explicit LinearHistory(std::vector<Operation> operations) : operations_(std::move(operations)) {}

  // "", or what is wrong with which operation.
  std::string Check();

  // The number of operations with this outcome.
  [[nodiscard]] std::uint64_t Count(Operation::Outcome outcome) const;
  // How many pairs of operations overlapped: a history without them shows nothing.
  [[nodiscard]] std::uint64_t Overlaps() const;

 private:
  using Positions = std::vector<std::uint64_t>;  // ascending

  // Takes the appended events in. They must be 1, 2, 3, ..., whole commits, once each.
  std::string Order();
  [[nodiscard]] std::string CheckAppended(const Operation& op) const;
  // The states, each named by its last position, that a call may have seen: from the first to the
  // last of them, by what it says.
  struct Range {
    std::uint64_t first = 0, last = UINT64_MAX;
    std::string wrong;  // it says what was never so
  };
  [[nodiscard]] Range Seen(const Operation& op) const;
  [[nodiscard]] Range SeenExisting(const Operation& op) const;
  [[nodiscard]] std::string CheckRealTime() const;
  // Gives every call that changed nothing a state.
  [[nodiscard]] std::string CheckReads() const;

  // The append that gave this position, which there is.
  [[nodiscard]] const Operation& AppendOf(std::uint64_t position) const;
  [[nodiscard]] std::uint64_t VersionAt(const std::string& stream, std::uint64_t state) const;
  [[nodiscard]] const Positions& Of(const std::map<std::string, Positions>& map,
                                    const std::string& key) const;

  std::vector<Operation> operations_;
  std::vector<const Operation*> appended_;  // in order of position
  std::uint64_t last_ = 0;
  std::map<std::string, Positions> streams_, tags_;
  std::map<std::pair<std::string, EventId>, std::uint64_t> ids_;
  const Positions none_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CONCURRENCY_LINEAR_HISTORY_H_
