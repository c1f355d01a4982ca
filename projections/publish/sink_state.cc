#include "projections/publish/sink_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/status_file.h"

namespace daybook {
namespace {

absl::StatusOr<Position> PositionOf(const Record& fields, std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const auto value, fields.Number<std::uint64_t>(name));
  return Position(value);
}

absl::StatusOr<Timestamp> TimeOf(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(const auto value, fields.Number<std::int64_t>("time"));
  return Timestamp(value);
}

absl::Status Impossible(std::string_view what) { return absl::DataLossError(ToAbsl(what)); }

void SetTime(Timestamp time, Record* fields) { fields->Set("time", time.unix_nanoseconds()); }

void SetError(const absl::Status& error, Record* fields) {
  fields->Set("code", std::uint64_t{static_cast<unsigned>(error.code())});
  fields->Set("error", ToStd(error.message()));
}

JournalEntry Entry(std::string_view kind) {
  JournalEntry entry;
  entry.kind = std::string(kind);
  return entry;
}

}  // namespace

absl::Status SinkState::Apply(const JournalEntry& entry) {
  const Record& fields = entry.fields;
  if (entry.kind == "open") return Open(fields);
  if (!is_open()) return Impossible("the journal does not begin with the entry `open`");
  if (entry.kind == "cursor") return MoveCursor(fields);
  if (entry.kind == "park") return Park(fields, true);
  if (entry.kind == "wait") return Park(fields, false);
  if (entry.kind == "due") return Due(fields);
  if (entry.kind == "fail") return Fail(fields);
  if (entry.kind == "release") return Release(fields);
  if (entry.kind == "skip") return Skip(fields);
  if (entry.kind == "replay") return BeginReplay(fields);
  if (entry.kind == "replayed") return MoveReplay(fields);
  return Impossible(absl::StrCat("the journal has an entry of the unknown kind ", entry.kind));
}

absl::Status SinkState::Open(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(name_, fields.Text("name"));
  DAYBOOK_ASSIGN_OR_RETURN(destination_, fields.Text("destination"));
  DAYBOOK_ASSIGN_OR_RETURN(filter_, fields.Text("filter"));
  DAYBOOK_ASSIGN_OR_RETURN(incarnation_, fields.Text("incarnation"));
  DAYBOOK_ASSIGN_OR_RETURN(line_, PositionOf(fields, "line"));
  sent_ = Position();
  mark_.clear();
  replay_.reset();
  // What is behind the new line comes again.
  std::vector<Position> again;
  for (auto at = streams_.upper_bound(line_.value()); at != streams_.end(); ++at) {
    again.emplace_back(at->first);
  }
  for (const Position position : again) Remove(position);
  return absl::OkStatus();
}

absl::Status SinkState::MoveCursor(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(const Position line, PositionOf(fields, "line"));
  DAYBOOK_ASSIGN_OR_RETURN(sent_, PositionOf(fields, "sent"));
  DAYBOOK_ASSIGN_OR_RETURN(mark_, fields.Text("mark"));
  line_ = line;
  return absl::OkStatus();
}

absl::Status SinkState::Park(const Record& fields, bool failed) {
  DAYBOOK_ASSIGN_OR_RETURN(const Position position, PositionOf(fields, "position"));
  DAYBOOK_ASSIGN_OR_RETURN(std::string stream, fields.Text("stream"));
  DAYBOOK_ASSIGN_OR_RETURN(const Timestamp time, TimeOf(fields));
  // A process that died behind this entry and before the cursor meets the event again.
  if (streams_.contains(position.value())) return absl::OkStatus();
  ParkedStream& parked = parked_[stream];
  parked.stream = stream;
  if (failed) {
    DAYBOOK_ASSIGN_OR_RETURN(const auto code, fields.Number<int>("code"));
    DAYBOOK_ASSIGN_OR_RETURN(parked.error, fields.Text("error"));
    parked.code = static_cast<absl::StatusCode>(code);
    parked.attempts = 1;
  }
  parked.letters[position.value()] = {position, failed, time};
  streams_[position.value()] = std::move(stream);
  ++parked_events_;
  return absl::OkStatus();
}

absl::Status SinkState::Due(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::string stream, fields.Text("stream"));
  const auto found = parked_.find(stream);
  if (found != parked_.end()) found->second.due = true;
  return absl::OkStatus();
}

absl::Status SinkState::Fail(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::string stream, fields.Text("stream"));
  DAYBOOK_ASSIGN_OR_RETURN(const auto code, fields.Number<int>("code"));
  const auto found = parked_.find(stream);
  if (found == parked_.end()) return Impossible("the journal fails a stream that is not parked");
  ParkedStream& parked = found->second;
  DAYBOOK_ASSIGN_OR_RETURN(parked.error, fields.Text("error"));
  parked.code = static_cast<absl::StatusCode>(code);
  parked.letters.begin()->second.failed = true;
  parked.due = false;
  ++parked.attempts;
  return absl::OkStatus();
}

absl::Status SinkState::Release(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(const Position position, PositionOf(fields, "position"));
  Remove(position);
  return absl::OkStatus();
}

absl::Status SinkState::Skip(const Record& fields) {
  PublishSkip skip;
  DAYBOOK_ASSIGN_OR_RETURN(skip.position, PositionOf(fields, "position"));
  DAYBOOK_ASSIGN_OR_RETURN(skip.reason, fields.Text("reason"));
  DAYBOOK_ASSIGN_OR_RETURN(skip.actor, fields.Text("actor"));
  DAYBOOK_ASSIGN_OR_RETURN(skip.time, TimeOf(fields));
  // What waits behind it can go on its way.
  if (const ParkedStream* const parked = StreamOf(skip.position)) {
    if (parked->letters.begin()->first == skip.position.value()) parked_[parked->stream].due = true;
  }
  Remove(skip.position);
  skips_.emplace(skip.position.value(), std::move(skip));
  return absl::OkStatus();
}

absl::Status SinkState::BeginReplay(const Record& fields) {
  Replay replay;
  DAYBOOK_ASSIGN_OR_RETURN(replay.id, fields.Text("id"));
  DAYBOOK_ASSIGN_OR_RETURN(replay.from, PositionOf(fields, "from"));
  DAYBOOK_ASSIGN_OR_RETURN(replay.to, PositionOf(fields, "to"));
  if (replay.from.value() == 0) return Impossible("the journal has a replay from position 0");
  replay.at = Position(replay.from.value() - 1);
  replay_ = std::move(replay);
  return absl::OkStatus();
}

absl::Status SinkState::MoveReplay(const Record& fields) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::string id, fields.Text("id"));
  DAYBOOK_ASSIGN_OR_RETURN(const Position at, PositionOf(fields, "at"));
  if (!replay_ || replay_->id != id) return Impossible("the journal moves a replay that is not on");
  replay_->at = at;
  if (const auto mark = fields.Find("mark")) mark_ = std::string(*mark);
  if (at >= replay_->to) replay_.reset();
  return absl::OkStatus();
}

void SinkState::Remove(Position position) {
  const auto stream = streams_.find(position.value());
  if (stream == streams_.end()) return;
  const auto parked = parked_.find(stream->second);
  auto& letters = parked->second.letters;
  if (letters.begin()->first == position.value()) {  // what is known of it is not of the next
    parked->second.attempts = 0;
    parked->second.code = absl::StatusCode::kOk;
    parked->second.error.clear();
  }
  letters.erase(position.value());
  if (letters.empty()) parked_.erase(parked);
  streams_.erase(stream);
  --parked_events_;
}

const ParkedStream* SinkState::Find(std::string_view stream) const {
  const auto found = parked_.find(stream);
  return found == parked_.end() ? nullptr : &found->second;
}

bool SinkState::IsParked(std::string_view stream, Position position) const {
  const ParkedStream* const parked = Find(stream);
  return parked != nullptr && parked->letters.contains(position.value());
}

const ParkedStream* SinkState::FindDue() const {
  const auto found =
      std::find_if(parked_.begin(), parked_.end(), [](auto& each) { return each.second.due; });
  return found == parked_.end() ? nullptr : &found->second;
}

const ParkedStream* SinkState::StreamOf(Position position) const {
  const auto stream = streams_.find(position.value());
  return stream == streams_.end() ? nullptr : Find(stream->second);
}

std::optional<Timestamp> SinkState::oldest_parked() const {
  std::optional<Timestamp> oldest;
  for (const auto& [name, parked] : parked_) {
    const Timestamp first = parked.letters.begin()->second.parked_at;
    if (!oldest || first < *oldest) oldest = first;
  }
  return oldest;
}

std::vector<JournalEntry> SinkState::ToEntries() const {
  std::vector<JournalEntry> entries;
  if (!is_open()) return entries;
  entries.push_back(OpenEntry(name_, destination_, filter_, incarnation_, line_));
  entries.push_back(CursorEntry(line_, sent_, mark_));
  // Skips first: applied behind the letters they would have the streams tried again.
  for (const auto& [position, skip] : skips_) {
    entries.push_back(SkipEntry(skip));
  }
  for (const auto& [stream, parked] : parked_) {
    const absl::Status error(parked.code, ToAbsl(parked.error));
    bool first = true;
    for (const auto& [position, letter] : parked.letters) {
      JournalEntry entry = first && parked.attempts > 0 ? ParkEntry(letter.position, stream, error)
                                                        : WaitEntry(letter.position, stream);
      SetTime(letter.parked_at, &entry.fields);  // the last of equal names counts
      entries.push_back(std::move(entry));
      first = false;
    }
    for (std::uint32_t i = 1; i < parked.attempts; ++i) {
      entries.push_back(FailEntry(stream, error));
    }
    if (parked.due) entries.push_back(DueEntry(stream));
  }
  if (replay_) {
    entries.push_back(ReplayEntry(replay_->id, replay_->from, replay_->to));
    entries.push_back(ReplayedEntry(replay_->id, replay_->at));
  }
  return entries;
}

JournalEntry OpenEntry(std::string_view name, std::string_view destination, std::string_view filter,
                       std::string_view incarnation, Position line) {
  JournalEntry entry = Entry("open");
  entry.fields.Set("name", name);
  entry.fields.Set("destination", destination);
  entry.fields.Set("filter", filter);
  entry.fields.Set("incarnation", incarnation);
  entry.fields.Set("line", line.value());
  SetTime(SystemNow(), &entry.fields);
  return entry;
}

JournalEntry CursorEntry(Position line, Position sent, std::string_view mark) {
  JournalEntry entry = Entry("cursor");
  entry.fields.Set("line", line.value());
  entry.fields.Set("sent", sent.value());
  entry.fields.Set("mark", mark);
  return entry;
}

JournalEntry ParkEntry(Position position, std::string_view stream, const absl::Status& error) {
  JournalEntry entry = Entry("park");
  entry.fields.Set("position", position.value());
  entry.fields.Set("stream", stream);
  SetError(error, &entry.fields);
  SetTime(SystemNow(), &entry.fields);
  return entry;
}

JournalEntry WaitEntry(Position position, std::string_view stream) {
  JournalEntry entry = Entry("wait");
  entry.fields.Set("position", position.value());
  entry.fields.Set("stream", stream);
  SetTime(SystemNow(), &entry.fields);
  return entry;
}

JournalEntry DueEntry(std::string_view stream) {
  JournalEntry entry = Entry("due");
  entry.fields.Set("stream", stream);
  return entry;
}

JournalEntry FailEntry(std::string_view stream, const absl::Status& error) {
  JournalEntry entry = Entry("fail");
  entry.fields.Set("stream", stream);
  SetError(error, &entry.fields);
  SetTime(SystemNow(), &entry.fields);
  return entry;
}

JournalEntry ReleaseEntry(Position position) {
  JournalEntry entry = Entry("release");
  entry.fields.Set("position", position.value());
  return entry;
}

JournalEntry SkipEntry(const PublishSkip& skip) {
  JournalEntry entry = Entry("skip");
  entry.fields.Set("position", skip.position.value());
  entry.fields.Set("reason", skip.reason);
  entry.fields.Set("actor", skip.actor);
  SetTime(skip.time, &entry.fields);
  return entry;
}

JournalEntry ReplayEntry(std::string_view id, Position from, Position to) {
  JournalEntry entry = Entry("replay");
  entry.fields.Set("id", id);
  entry.fields.Set("from", from.value());
  entry.fields.Set("to", to.value());
  return entry;
}

JournalEntry ReplayedEntry(std::string_view id, Position at, std::string_view mark) {
  JournalEntry entry = Entry("replayed");
  entry.fields.Set("id", id);
  entry.fields.Set("at", at.value());
  if (!mark.empty()) entry.fields.Set("mark", mark);
  return entry;
}

}  // namespace daybook
