// What a publisher remembers of its sink: how far it is, and the dead letters. It is what the
// entries of its journal (journal.h) add up to.

#ifndef DAYBOOK_PUBLISH_SINK_STATE_H_
#define DAYBOOK_PUBLISH_SINK_STATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/publish_letters.h"
#include "daybook/values.h"
#include "projections/record.h"

namespace daybook {

// One step, as it stands in the journal: a kind and named values (journal.cc has them as text).
struct JournalEntry {
  std::string kind;
  Record fields;
};

// A value. Kinds of entries and their fields:
//
//   open     name destination filter incarnation line time   the cursor begins, or begins anew
//   cursor   line sent mark          everything up to `line` was acknowledged, parked, skipped or
//                                    is not meant; `sent` is the last of it that was sent
//   park     position stream code error time    the sink will never take it: a dead letter
//   wait     position stream time    an event of a stream with dead letters, behind them
//   due      stream                  its letters are to be tried again
//   fail     stream code error time  that was done, and the first of them failed
//   release  position                it was sent
//   skip     position reason actor time         somebody decided that it is never sent
//   replay   id from to              events in [from, to] are sent again
//   replayed id at mark              of them, up to here; at `to` the replay is over. `mark` stands
//                                    only where the sink has one, and is as that of `cursor`
class SinkState {
 public:
  struct Replay {
    std::string id;
    Position from, to, at;  // `at`: acknowledged up to here
  };

  // kDataLoss where an entry cannot follow what is there.
  absl::Status Apply(const JournalEntry& entry);
  // Entries that make the same state from nothing.
  [[nodiscard]] std::vector<JournalEntry> ToEntries() const;

  [[nodiscard]] bool is_open() const { return !name_.empty(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& destination() const { return destination_; }
  [[nodiscard]] const std::string& filter() const { return filter_; }
  [[nodiscard]] const std::string& incarnation() const { return incarnation_; }
  [[nodiscard]] Position line() const { return line_; }
  [[nodiscard]] Position sent() const { return sent_; }
  [[nodiscard]] const std::string& mark() const { return mark_; }
  [[nodiscard]] const std::optional<Replay>& replay() const { return replay_; }

  // Dead letters, and the events behind them, by stream.
  [[nodiscard]] const std::map<std::string, ParkedStream, std::less<>>& parked() const {
    return parked_;
  }
  [[nodiscard]] std::uint64_t parked_events() const { return parked_events_; }
  [[nodiscard]] const ParkedStream* Find(std::string_view stream) const;
  [[nodiscard]] bool IsParked(std::string_view stream, Position position) const;
  // A stream whose letters are to be tried again.
  [[nodiscard]] const ParkedStream* FindDue() const;
  [[nodiscard]] std::optional<Timestamp> oldest_parked() const;
  [[nodiscard]] bool IsSkipped(Position position) const {
    return skips_.contains(position.value());
  }
  [[nodiscard]] const std::map<std::uint64_t, PublishSkip>& skips() const { return skips_; }
  // The stream of a letter; nullptr where the position is none.
  [[nodiscard]] const ParkedStream* StreamOf(Position position) const;

 private:
  absl::Status Open(const Record& fields);
  absl::Status MoveCursor(const Record& fields);
  absl::Status Park(const Record& fields, bool failed);
  absl::Status Due(const Record& fields);
  absl::Status Fail(const Record& fields);
  absl::Status Release(const Record& fields);
  absl::Status Skip(const Record& fields);
  absl::Status BeginReplay(const Record& fields);
  absl::Status MoveReplay(const Record& fields);
  void Remove(Position position);

  std::string name_, destination_, filter_, incarnation_, mark_;
  Position line_, sent_;
  std::optional<Replay> replay_;
  std::map<std::string, ParkedStream, std::less<>> parked_;
  std::uint64_t parked_events_ = 0;
  std::map<std::uint64_t, std::string> streams_;  // of each letter
  std::map<std::uint64_t, PublishSkip> skips_;
};

// The entries, for those who write them.
JournalEntry OpenEntry(std::string_view name, std::string_view destination, std::string_view filter,
                       std::string_view incarnation, Position line);
JournalEntry CursorEntry(Position line, Position sent, std::string_view mark);
JournalEntry ParkEntry(Position position, std::string_view stream, const absl::Status& error);
JournalEntry WaitEntry(Position position, std::string_view stream);
JournalEntry DueEntry(std::string_view stream);
JournalEntry FailEntry(std::string_view stream, const absl::Status& error);
JournalEntry ReleaseEntry(Position position);
JournalEntry SkipEntry(const PublishSkip& skip);
JournalEntry ReplayEntry(std::string_view id, Position from, Position to);
JournalEntry ReplayedEntry(std::string_view id, Position at, std::string_view mark = {});

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_SINK_STATE_H_
