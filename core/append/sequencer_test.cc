// The sequencer alone: no leader, no waiting, time and visibility as the test says.

#include "append/sequencer.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/directory.h"
#include "log/frame.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::TempFolder;
using Outcome = Sequenced::Outcome;
using CommitPtr = std::unique_ptr<Commit::Impl>;

EventId EventIdOf(std::uint8_t n) {
  EventId::Bytes bytes{};
  bytes.fill(n);
  return EventId(bytes);
}

// A sequencer at the start of a log, and what it works on.
class Log {
 public:
  explicit Log(Sequencer::Config config = {}, std::uint64_t segment_bytes = std::uint64_t{1} << 20)
      : heads_([](std::string_view) { return Spine(); }), spare_(folder_.path() / "log") {
    REQUIRE_OK(Directory::Create(folder_ / "log"));
    const auto tail = CreateFirstSegment(folder_.path(), {}, segment_bytes);
    REQUIRE_OK(tail);
    tail_ = *tail;
    config.clock = [this] { return Timestamp(now); };
    if (config.segment_bytes_max == 0) config.segment_bytes_max = segment_bytes;
    sequencer_ = std::make_unique<Sequencer>(config, tail_, 0, &spare_);
  }

  Sequencer& operator*() { return *sequencer_; }
  Sequencer* operator->() { return sequencer_.get(); }
  SpareMaker& spare() { return spare_; }
  [[nodiscard]] const LogTail& tail() const { return tail_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  void Pin(Commit::Impl* commit) {
    for (Commit::Impl::Stream& stream : commit->streams) {
      const auto entry = heads_.Pin(stream.name, stream.hash);
      REQUIRE_OK(entry);
      stream.entry = *entry;
    }
  }
  // The group that it went into stays open for the next.
  Sequenced Sequence(Commit::Impl* commit) {
    Pin(commit);
    Sequenced result = sequencer_->Sequence(commit, looked, visible, open);
    if (result.outcome == Outcome::kDone) open = result.group;
    return result;
  }
  // Places `events` events of `stream`.
  CommitPtr Append(std::string_view stream, int events = 1) {
    auto commit = std::make_unique<Commit::Impl>();
    for (int i = 0; i < events; ++i) REQUIRE_OK(commit->Add(stream, {.type = "t"}));
    REQUIRE(Sequence(commit.get()).outcome == Outcome::kDone);
    return commit;
  }
  // A commit may be on its way as long as the log is.
  Commit::Impl* Keep(CommitPtr commit) { return kept_.emplace_back(std::move(commit)).get(); }
  // The open group is done, and all that was sequenced is visible.
  void Finish() {
    visible = sequencer_->sequenced();
    sequencer_->Finished(*open, visible);
    open.reset();
  }

  std::uint64_t looked = 0;
  std::uint64_t visible = 0;
  std::int64_t now = 1000;
  std::shared_ptr<Group> open;

 private:
  TempFolder folder_;
  HeadTable heads_;
  SpareMaker spare_;
  LogTail tail_;
  std::vector<CommitPtr> kept_;
  std::unique_ptr<Sequencer> sequencer_;
};

TEST_CASE("events get their positions, versions and links in the order of the commit") {
  Log log;
  const CommitPtr before = log.Append("a", 2);
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("a", {.type = "t"}));
  REQUIRE_OK(commit.Add("b", {.type = "t"}));
  REQUIRE_OK(commit.Add("a", {.type = "t"}));
  REQUIRE(log.Sequence(&commit).outcome == Outcome::kDone);
  const auto record = [&](std::size_t i) { return commit.record(commit.events[i]); };
  CHECK(record(0).position == 3);
  CHECK(record(1).position == 4);
  CHECK(record(2).position == 5);
  CHECK(record(0).version == 3);
  CHECK(record(1).version == 1);
  CHECK(record(2).version == 4);
  CHECK(record(0).prev == 2);
  CHECK(record(0).skip == 0);
  CHECK(record(1).prev == 0);
  CHECK(record(2).prev == 3);
  CHECK(record(2).skip == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(record(i).commit_first_position == 3);
  CHECK(commit.header().first_position == 3);
  CHECK(commit.header().events == 3);
  CHECK(commit.header().length == commit.bytes().size());
  CHECK(commit.tried);
  CHECK(commit.streams[0].last_position == 5);
  CHECK(commit.streams[0].entry->sequenced_version == 4);
  // Sequenced is not visible.
  CHECK(commit.streams[0].entry->visible_position == 0);
  CHECK(log->sequenced() == 5);
}

TEST_CASE("commits share the open group, and what waits to be filled is counted") {
  Log log;
  const CommitPtr first = log.Append("a", 2);
  const std::shared_ptr<Group> group = log.open;
  const CommitPtr second = log.Append("b", 3);
  CHECK(log.open == group);
  CHECK(group->unfilled == 2);
  CHECK(group->first_position == 1);
  CHECK(group->events == 5);
  CHECK(group->body_bytes == first->bytes().size() + second->bytes().size());
  log.open.reset();
  const CommitPtr third = log.Append("c");
  CHECK(log.open != group);
  CHECK(log.open->first_position == 6);
}

TEST_CASE("a conflict with what is visible and was looked at is rejected, and says all about it") {
  Log log;
  const CommitPtr before = log.Append("a", 2);
  log.Finish();
  log.looked = log.visible;
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("a", {.type = "t"}));
  REQUIRE_OK(commit.Expect("a", ExpectedVersion::Exactly(Version(1))));
  const Sequenced result = log.Sequence(&commit);
  REQUIRE(result.outcome == Outcome::kRejected);
  CHECK(result.status.code() == absl::StatusCode::kAborted);
  const auto conflict = ConflictOf(result.status);
  REQUIRE(conflict);
  CHECK(conflict->stream == "a");
  CHECK(conflict->actual == Version(2));
  CHECK(conflict->expected == ExpectedVersion::Exactly(Version(1)));
  // It left no trace.
  CHECK(log->sequenced() == 2);
  CHECK_FALSE(commit.tried);
  CHECK(commit.streams[0].entry->spine.version() == 2);
}

TEST_CASE("a conflict that rests on what is not visible is no verdict yet") {
  Log log;
  const CommitPtr first = log.Append("a");
  const CommitPtr other = log.Append("b", 3);
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("a", {.type = "t"}));
  REQUIRE_OK(commit.Expect("a", ExpectedVersion::NoStream()));
  Sequenced result = log.Sequence(&commit);
  CHECK(result.outcome == Outcome::kWaitVisible);
  CHECK(result.position == 1);  // the stream's last, not the log's
  // Visible now, but the caller has looked up ids before: that commit may be this one, sent twice.
  log.Finish();
  result = log.Sequence(&commit);
  CHECK(result.outcome == Outcome::kLookAgain);
  log.looked = log.visible;
  CHECK(log.Sequence(&commit).outcome == Outcome::kRejected);
}

TEST_CASE("expectations are of the stream with all commits on their way") {
  Log log;
  const CommitPtr first = log.Append("a", 2);
  const auto outcome = [&](ExpectedVersion expected, bool adds) {
    auto commit = std::make_unique<Commit::Impl>();
    REQUIRE_OK(commit->Add(adds ? "a" : "b", {.type = "t"}));
    REQUIRE_OK(commit->Expect("a", expected));
    log.Pin(commit.get());
    return log->Sequence(log.Keep(std::move(commit)), 0, 0, log.open).outcome;
  };
  CHECK(outcome(ExpectedVersion::Exactly(Version(2)), false) == Outcome::kDone);
  CHECK(outcome(ExpectedVersion::StreamExists(), false) == Outcome::kDone);
  CHECK(outcome(ExpectedVersion::Exactly(Version(2)), true) == Outcome::kDone);
  CHECK(outcome(ExpectedVersion::Exactly(Version(2)), true) == Outcome::kWaitVisible);
  CHECK(outcome(ExpectedVersion::NoStream(), false) == Outcome::kWaitVisible);
  CHECK(outcome(ExpectedVersion::Any(), true) == Outcome::kDone);
}

TEST_CASE("an expectation of a stream that is not there is rejected at once") {
  Log log;
  const CommitPtr other = log.Append("b");
  for (const ExpectedVersion expected :
       {ExpectedVersion::StreamExists(), ExpectedVersion::Exactly(Version(1))}) {
    Commit::Impl commit;
    REQUIRE_OK(commit.Add("a", {.type = "t"}));
    REQUIRE_OK(commit.Expect("a", expected));
    CHECK(log.Sequence(&commit).outcome == Outcome::kRejected);
  }
}

TEST_CASE("the id of an event on its way is waited for before any condition is asked") {
  Log log;
  Commit::Impl first;
  REQUIRE_OK(first.Add("a", {.type = "t", .id = EventIdOf(1)}));
  REQUIRE_OK(first.Add("b", {.type = "t"}));
  REQUIRE_OK(first.Expect("a", ExpectedVersion::NoStream()));
  REQUIRE(log.Sequence(&first).outcome == Outcome::kDone);
  // The same again: a retry, not a conflict.
  Commit::Impl again;
  REQUIRE_OK(again.Add("a", {.type = "t", .id = EventIdOf(1)}));
  REQUIRE_OK(again.Expect("a", ExpectedVersion::NoStream()));
  Sequenced result = log.Sequence(&again);
  CHECK(result.outcome == Outcome::kWaitVisible);
  CHECK(result.position == 2);  // of the whole commit
  // In another stream the id is another one, and another id is no duplicate.
  Commit::Impl elsewhere;
  REQUIRE_OK(elsewhere.Add("b", {.type = "t", .id = EventIdOf(1)}));
  REQUIRE_OK(elsewhere.Add("a", {.type = "t", .id = EventIdOf(2)}));
  CHECK(log.Sequence(&elsewhere).outcome == Outcome::kDone);
  // What was finished since the look is not known any more: the caller looks.
  log.Finish();
  CHECK(log.Sequence(&again).outcome == Outcome::kLookAgain);
  // It looked, found no duplicate up to there (this test says so), and the condition is what is
  // left.
  log.looked = log.visible;
  CHECK(log.Sequence(&again).outcome == Outcome::kRejected);
}

TEST_CASE("ids that the store made are looked for only when the commit is tried again") {
  Log log;
  const CommitPtr first = log.Append("a");
  auto copy = first->Select({true});
  REQUIRE(copy->tried);
  CHECK(log.Sequence(copy.get()).outcome == Outcome::kWaitVisible);
  copy->tried = false;
  CHECK(log.Sequence(copy.get()).outcome == Outcome::kDone);
}

AppendCondition Forbids(std::vector<QueryItem> items, std::uint64_t after = 0) {
  return {.fail_if_match = std::move(items), .after = Position(after)};
}

TEST_CASE("a condition is held against the commits on their way") {
  Log log;
  Commit::Impl first;
  REQUIRE_OK(first.Add("a", {.type = "booked", .tags = {"room:1", "day:5"}}));
  REQUIRE_OK(first.Add("a", {.type = "paid", .tags = {"room:2"}}));
  REQUIRE(log.Sequence(&first).outcome == Outcome::kDone);
  const auto blocked_at = [&](std::vector<AppendCondition> conditions) -> std::uint64_t {
    auto commit = std::make_unique<Commit::Impl>();
    REQUIRE_OK(commit->Add("b", {.type = "other"}));
    for (AppendCondition& condition : conditions) REQUIRE_OK(commit->Require(std::move(condition)));
    log.Pin(commit.get());
    const Sequenced result =
        log->Sequence(log.Keep(std::move(commit)), log.looked, log.visible, log.open);
    if (result.outcome == Outcome::kDone) return 0;
    CHECK(result.outcome == Outcome::kWaitVisible);
    return result.position;
  };
  CHECK(blocked_at({Forbids({{.types = {"booked"}}})}) == 1);
  CHECK(blocked_at({Forbids({{.types = {"x", "paid"}}})}) == 2);
  CHECK(blocked_at({Forbids({{.tags = {"room:2"}}})}) == 2);
  CHECK(blocked_at({Forbids({{.tags = {"day:5", "room:1"}}})}) == 1);
  CHECK(blocked_at({Forbids({{.types = {"x"}}, {.types = {"paid"}}})}) == 2);
  CHECK(blocked_at({Forbids({{.types = {"x"}}}), Forbids({{.types = {"paid"}}})}) == 2);
  CHECK(blocked_at({Forbids({})}) == 1);  // no item: any event
  CHECK(blocked_at({Forbids({}, 1)}) == 2);
  // Matches of one alternative only in part, or before `after`.
  CHECK(blocked_at({Forbids({{.tags = {"day:5", "room:2"}}})}) == 0);
  CHECK(blocked_at({Forbids({{.types = {"paid"}, .tags = {"room:1"}}})}) == 0);
  CHECK(blocked_at({Forbids({{.types = {"booked"}}}, 1)}) == 0);
}

TEST_CASE("a condition rests on a look at all that is no longer on its way") {
  Log log;
  const CommitPtr first = log.Append("a");
  log.Finish();
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("b", {.type = "u"}));
  REQUIRE_OK(commit.Require(Forbids({{.types = {"nothing"}}})));
  CHECK(log.Sequence(&commit).outcome == Outcome::kLookAgain);
  log.looked = 1;
  CHECK(log.Sequence(&commit).outcome == Outcome::kDone);
}

TEST_CASE("a commit does not stand in the way of its own condition") {
  Log log;
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("a", {.type = "t"}));
  REQUIRE_OK(commit.Require(Forbids({})));
  CHECK(log.Sequence(&commit).outcome == Outcome::kDone);
}

TEST_CASE("commits that are not visible when their group is done stay on their way") {
  Log log;
  const CommitPtr first = log.Append("a");
  log->Finished(*log.open, 0);
  log.open.reset();
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("b", {.type = "u"}));
  REQUIRE_OK(commit.Require(Forbids({{.types = {"t"}}})));
  const Sequenced result = log.Sequence(&commit);
  CHECK(result.outcome == Outcome::kWaitVisible);
  CHECK(result.position == 1);
}

TEST_CASE("times strictly increase, one for each commit, whatever the clock does") {
  Log log;
  const auto time_of = [&](std::int64_t now) {
    log.now = now;
    const CommitPtr commit = log.Append("a", 2);
    CHECK(commit->record(commit->events[0]).recorded_at == commit->header().recorded_at);
    CHECK(commit->record(commit->events[1]).recorded_at == commit->header().recorded_at);
    const std::int64_t recorded_at = commit->header().recorded_at;
    log.Finish();
    return recorded_at;
  };
  CHECK(time_of(1000) == 1000);
  CHECK(log->clock_behind_ns() == 0);
  CHECK(time_of(1000) == 1001);
  CHECK(log->clock_behind_ns() == 0);
  CHECK(time_of(400) == 1002);
  CHECK(log->clock_behind_ns() == 601);
  CHECK(time_of(1002) == 1003);
  CHECK(log->clock_behind_ns() == 0);
  CHECK(time_of(5000) == 5000);
  CHECK(log->last_recorded_at() == 5000);
}

CommitPtr Large(std::size_t bytes) {
  auto commit = std::make_unique<Commit::Impl>();
  const std::string data(bytes, 'd');
  REQUIRE_OK(commit->Add("large", {.type = "t", .data = AsBytes(data)}));
  return commit;
}

TEST_CASE("staged bytes are bounded, but one commit always goes") {
  Log log({.staged_bytes_max = 10'000});
  const CommitPtr alone = Large(20'000);
  REQUIRE(log.Sequence(alone.get()).outcome == Outcome::kDone);
  const CommitPtr small = Large(10);
  CHECK(log.Sequence(small.get()).outcome == Outcome::kWaitRoom);
  CHECK(log->sequenced() == 1);
  log.Finish();
  CHECK(log.Sequence(small.get()).outcome == Outcome::kDone);
  const CommitPtr fits = Large(5000);
  CHECK(log.Sequence(fits.get()).outcome == Outcome::kDone);
  const CommitPtr too_much = Large(5000);
  CHECK(log.Sequence(too_much.get()).outcome == Outcome::kWaitRoom);
}

TEST_CASE("a group is closed by its bytes and by its events") {
  Log log({.group_bytes_max = 10'000}, std::uint64_t{32} << 20);
  const CommitPtr first = Large(6000);
  REQUIRE(log.Sequence(first.get()).outcome == Outcome::kDone);
  const std::shared_ptr<Group> group = log.open;
  const CommitPtr second = Large(6000);
  REQUIRE(log.Sequence(second.get()).outcome == Outcome::kDone);
  CHECK(log.open != group);
  // A commit above the limit stands alone.
  const CommitPtr third = Large(20'000);
  REQUIRE(log.Sequence(third.get()).outcome == Outcome::kDone);
  CHECK(log.open->events == 1);

  Log many({.group_bytes_max = std::uint64_t{1} << 30}, std::uint64_t{32} << 20);
  const CommitPtr full = many.Append("s", kCommitEventsMax - 1);
  const CommitPtr one = many.Append("s");
  CHECK(many.open->events == kCommitEventsMax);
  const std::shared_ptr<Group> closed = many.open;
  const CommitPtr more = many.Append("s");
  CHECK(many.open != closed);
}

TEST_CASE("where the segment is full and there is no spare, nothing happens but the answer") {
  Log log({.segment_bytes_max = 64 << 10}, kSegmentBytesMin);
  const CommitPtr first = Large(7000);
  REQUIRE(log.Sequence(first.get()).outcome == Outcome::kDone);
  const CommitPtr second = Large(60'000);
  const Sequenced result = log.Sequence(second.get());
  REQUIRE(result.outcome == Outcome::kWaitSpare);
  CHECK(result.bytes == std::max<std::uint64_t>(64 << 10, SegmentBytesFor(second->bytes().size())));
  CHECK(log->sequenced() == 1);
  CHECK(log->last_recorded_at() == 1000);
  REQUIRE_OK(log.spare().WaitReady(result.bytes));
  REQUIRE(log.Sequence(second.get()).outcome == Outcome::kDone);
  CHECK(log.open->activates);
  CHECK(log.open->segment.first_position == 2);
  CHECK(log.open->segment.bytes == result.bytes);
  CHECK(log.open->segment.salt != log.tail().segment.salt);
  CHECK_FALSE(log.spare().ready());  // claimed
}

TEST_CASE("a spare that is too small for the commit is not claimed") {
  Log log({.segment_bytes_max = kSegmentBytesMin}, kSegmentBytesMin);
  REQUIRE_OK(log.spare().WaitReady(kSegmentBytesMin));
  const CommitPtr large = Large(50'000);
  const Sequenced result = log.Sequence(large.get());
  REQUIRE(result.outcome == Outcome::kWaitSpare);
  CHECK(result.bytes == SegmentBytesFor(large->bytes().size()));
  CHECK(log.spare().ready() == kSegmentBytesMin);
}

TEST_CASE("a sealed segment takes nothing more") {
  Log log;
  log->Sealed();
  const CommitPtr commit = Large(10);
  REQUIRE(log.Sequence(commit.get()).outcome == Outcome::kWaitSpare);
  CHECK_FALSE(log->ReserveWatermark());
  REQUIRE_OK(log.spare().WaitReady(kSegmentBytesMin));
  REQUIRE(log.Sequence(commit.get()).outcome == Outcome::kDone);
  CHECK(log.open->activates);
  CHECK(log->ReserveWatermark());
}

TEST_CASE("while segments grow, the spare is asked for early, in its next size") {
  Log log({.segment_bytes_max = std::uint64_t{2} << 20}, 512 << 10);
  const CommitPtr first = Large(2'000);
  REQUIRE(log.Sequence(first.get()).outcome == Outcome::kDone);
  CHECK_FALSE(log.spare().ready());
  const CommitPtr second = Large(4'000);
  REQUIRE(log.Sequence(second.get()).outcome == Outcome::kDone);
  REQUIRE_OK(log.spare().WaitReady(1));  // of the attempt that is under way
  CHECK(log.spare().ready() == std::uint64_t{2} << 20);
}

TEST_CASE("a spare of the same size is asked for when an eighth of the segment is used") {
  Log log({.segment_bytes_max = 512 << 10}, 512 << 10);
  const CommitPtr first = Large(50'000);
  REQUIRE(log.Sequence(first.get()).outcome == Outcome::kDone);
  CHECK_FALSE(log.spare().ready());
  const CommitPtr second = Large(20'000);
  REQUIRE(log.Sequence(second.get()).outcome == Outcome::kDone);
  REQUIRE_OK(log.spare().WaitReady(1));  // of the attempt that is under way
  CHECK(log.spare().ready() == 512 << 10);
}

// What the leader does, one group at a time, with a real writer: it checks that every frame fits
// where it was planned.
TEST_CASE(
    "what is reserved is what the frames take: random commits, groups, watermarks and segments") {
  Log log({.segment_bytes_max = 64 << 10}, kSegmentBytesMin);
  auto writer = SegmentWriter::Open(log.folder(), {}, log.tail());
  REQUIRE_OK(writer);
  std::mt19937_64 random(3);
  std::uint64_t model = kSegmentHeaderBytes;  // where the next frame begins
  int activations = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<CommitPtr> commits;
    std::vector<std::span<const std::byte>> pieces;
    const std::uint64_t count = 1 + random() % 5;
    for (std::uint64_t i = 0; i < count; ++i) {
      auto commit = Large(random() % 10 == 0 ? random() % 12'000 : random() % 300);
      const std::shared_ptr<Group> before = log.open;
      Sequenced result = log.Sequence(commit.get());
      if (result.outcome == Outcome::kWaitSpare && before != nullptr) break;  // write that first
      if (result.outcome == Outcome::kWaitSpare) {
        REQUIRE_OK(log.spare().WaitReady(result.bytes));
        result = log.Sequence(commit.get());
      }
      REQUIRE(result.outcome == Outcome::kDone);
      if (before != nullptr && result.group != before) {
        // The segment was full: the rest of the round is the first commit of the next group.
        const std::shared_ptr<Group> next = log.open;
        log.open = before;
        REQUIRE_OK(writer->WriteFrame(FrameKind::kData, static_cast<std::uint32_t>(commits.size()),
                                      before->events, pieces));
        model += FrameBytes(before->body_bytes);
        log.visible = before->first_position + before->events - 1;
        log->Finished(*before, log.visible);
        log.open = next;
        commits.clear();
        pieces.clear();
      }
      if (commits.empty() && log.open->activates) {
        // Not one byte too early: its frame and a seal would not have gone in.
        REQUIRE(model + FrameBytes(commit->bytes().size()) + sizeof(FrameHeader) >
                writer->tail().segment.bytes);
        REQUIRE_OK(writer->Activate(log.open->segment, &log.spare()));
        model = kSegmentHeaderBytes;
        ++activations;
      }
      REQUIRE(writer->tail().segment.first_position == log.open->segment.first_position);
      REQUIRE(log.open->frame_bytes_reserved == FrameBytes(log.open->body_bytes));
      pieces.emplace_back(commit->bytes());
      commits.push_back(std::move(commit));
    }
    REQUIRE_OK(writer->WriteFrame(FrameKind::kData, static_cast<std::uint32_t>(commits.size()),
                                  log.open->events, pieces));
    model += FrameBytes(log.open->body_bytes);
    log.Finish();
    if (random() % 3 == 0 && log->ReserveWatermark()) {
      REQUIRE_OK(writer->WriteFrame(FrameKind::kWatermark, 0, 0, {}));
      model += sizeof(FrameHeader);
    }
    REQUIRE(writer->tail().offset == model);
    REQUIRE(writer->tail().next_position == log->sequenced() + 1);
  }
  CHECK(activations > 5);
  // A seal fits behind every frame.
  CHECK_OK(writer->Seal());
}

TEST_CASE("a watermark leaves room for the seal") {
  Log log({}, kSegmentBytesMin);
  const std::uint64_t room = (kSegmentBytesMin - kSegmentHeaderBytes) / sizeof(FrameHeader);
  std::uint64_t watermarks = 0;
  while (log->ReserveWatermark()) ++watermarks;
  CHECK(watermarks == room - 1);
}

}  // namespace
}  // namespace daybook
