// The plainest event store there is: a vector. What Daybook does is compared with it, call by call.

#ifndef DAYBOOK_TESTS_MODEL_MODEL_H_
#define DAYBOOK_TESTS_MODEL_MODEL_H_

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "daybook/store.h"

namespace daybook::testing {

// An event that owns its text: as it is given, and as the model keeps it.
struct ModelEvent {
  std::string stream, type, data, metadata;
  std::vector<std::string> tags;
  EventId id;
  std::optional<std::int64_t> effective_given;
  bool id_given = false;
  // What the append gave.
  std::uint64_t position = 0, version = 0, commit_first = 0;
  std::int64_t recorded_at = 0;

  [[nodiscard]] std::int64_t effective_at() const { return effective_given.value_or(recorded_at); }
  [[nodiscard]] NewEvent AsNew() const;
  [[nodiscard]] bool SameContent(const ModelEvent& other) const;
};

struct ModelCommit {
  std::vector<ModelEvent> events;
  std::map<std::string, ExpectedVersion> expected;
  std::vector<AppendCondition> conditions;
};

class Model {
 public:
  enum class Verdict { kAppended, kDuplicate, kConflict, kAlreadyExists };
  // What Daybook must say to a commit.
  [[nodiscard]] Verdict Judge(const ModelCommit& commit, OnDuplicate on_duplicate) const;
  // Takes over a commit with the places that Daybook gave it, and checks that they are right: "" or
  // what is wrong.
  std::string Take(const ModelCommit& commit, const AppendResult& result);

  // The events that a read must give, in its order.
  [[nodiscard]] std::vector<const ModelEvent*> Read(const ReadOptions& options) const;
  [[nodiscard]] std::uint64_t VersionAt(const std::string& stream, std::uint64_t position) const;
  [[nodiscard]] const std::vector<ModelEvent>& events() const { return events_; }

 private:
  [[nodiscard]] const ModelEvent* Find(const ModelEvent& event) const;
  [[nodiscard]] bool Holds(const ModelCommit& commit) const;

  std::vector<ModelEvent> events_;
};

// Whether an event that was read is the model's: "" or the field that differs.
std::string Compare(const EventView& read, const ModelEvent& model);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_MODEL_MODEL_H_
