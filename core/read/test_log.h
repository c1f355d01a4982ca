// A log made by hand for the tests of this module, and the model that its reads are held against.

#ifndef DAYBOOK_READ_TEST_LOG_H_
#define DAYBOOK_READ_TEST_LOG_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daybook/event.h"
#include "read/segments.h"
#include "read/view.h"

namespace daybook::testing {

struct ModelEvent {
  std::string stream;
  std::string type = "Opened";
  std::vector<std::string> tags;  // sorted
  std::optional<std::int64_t> effective_at;
  std::string data = "{}";
  // Set when the event is added.
  EventId id;
  std::uint64_t position = 0;
  std::uint64_t version = 0;
  std::uint64_t prev = 0;
  std::uint64_t skip = 0;
  std::int64_t recorded_at = 0;
  std::uint64_t commit_first = 0;

  [[nodiscard]] std::int64_t effective() const { return effective_at.value_or(recorded_at); }
};

class TestLog {
 public:
  TestLog();
  ~TestLog();
  TestLog(const TestLog&) = delete;
  TestLog& operator=(const TestLog&) = delete;

  void Add(std::int64_t recorded_at, std::vector<ModelEvent> commit);
  // Events of a few streams, types and tags, in commits of one to five, by a generator begun with
  // `seed`.
  void AddRandom(std::uint32_t seed, std::size_t count);

  // Before Build: begins a new segment with the next event; makes the index of the segments so
  // far a sidecar.
  void CutSegment();
  void UseSidecars() { sidecars_ = true; }
  // The index knows these events only as lost.
  void Lose(std::uint64_t position) { lost_.insert(position); }
  // The bytes of these are damaged behind the back of the index.
  void Damage(std::uint64_t position) { damaged_.insert(position); }
  // The segment that begins here is missing from the list.
  void OmitSegment(std::uint64_t first_position) { omitted_.insert(first_position); }

  // Writes the files, opens them and makes the indexes.
  void Build();

  [[nodiscard]] const std::vector<ModelEvent>& events() const { return events_; }
  [[nodiscard]] std::uint64_t head() const { return events_.size(); }
  [[nodiscard]] ReadView View() const { return View(head()); }
  [[nodiscard]] ReadView View(std::uint64_t visible) const {
    return {visible, visible, heads_.get(), set_.get()};
  }
  [[nodiscard]] const SegmentSet& set() const { return *set_; }
  // Forgets the segments; what a cursor needs it keeps.
  void DropSegments();

 private:
  void BuildSegment(std::uint64_t first, std::uint64_t end);

  std::filesystem::path directory_;
  std::vector<ModelEvent> events_;
  std::map<std::string, std::vector<std::uint64_t>> streams_;  // positions by version
  std::vector<std::uint64_t> cuts_{1};
  std::set<std::uint64_t> lost_, damaged_, omitted_;
  bool sidecars_ = false;
  std::unique_ptr<SegmentSet> set_ = std::make_unique<SegmentSet>();
  std::unique_ptr<SegmentHeads> heads_ = std::make_unique<SegmentHeads>(set_.get());
};

// What a read must give, by looking at every event: the positions in its order, without the lost
// and damaged.
std::vector<std::uint64_t> ModelRead(const std::vector<ModelEvent>& events,
                                     const ReadOptions& options, std::uint64_t visible);
// What the cursor gives. Fails the test on an error, and where an event is not as the model has it.
std::vector<std::uint64_t> Drain(const TestLog& log, absl::StatusOr<Cursor> cursor);
// The positions up to the first error, and the error.
struct Outcome {
  std::vector<std::uint64_t> positions;
  absl::Status status;
  std::uint64_t damaged = 0;
};
Outcome DrainWithErrors(absl::StatusOr<Cursor> cursor);

}  // namespace daybook::testing

#endif  // DAYBOOK_READ_TEST_LOG_H_
