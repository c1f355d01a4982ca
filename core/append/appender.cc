#include "append/appender.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {
namespace {

// Holds the heads of a commit's streams in memory.
class Pins {
 public:
  static absl::StatusOr<Pins> Take(HeadTable* heads, Commit::Impl* commit) {
    std::vector<HeadRequest> requests;
    requests.reserve(commit->streams.size());
    for (const Commit::Impl::Stream& stream : commit->streams) {
      requests.push_back({stream.name, stream.hash});
    }
    DAYBOOK_RETURN_IF_ERROR(heads->PinAll(requests));
    for (std::size_t i = 0; i < requests.size(); ++i) {
      commit->streams[i].entry = requests[i].entry;
    }
    return Pins(std::move(requests));
  }
  Pins(Pins&& other) noexcept : pinned_(std::exchange(other.pinned_, {})) {}
  Pins& operator=(Pins&&) = delete;
  ~Pins() {
    for (const HeadRequest& pinned : pinned_) HeadTable::Unpin(pinned.entry);
  }
  // The group has the commit now, and unpins when it is done.
  void HandOver() { pinned_.clear(); }

 private:
  explicit Pins(std::vector<HeadRequest> pinned) : pinned_(std::move(pinned)) {}
  std::vector<HeadRequest> pinned_;
};

// Computes what only the place of the commit decides. Outside of every lock: the leader waits for
// it.
void FillHeaders(Commit::Impl* commit, std::uint64_t salt) {
  for (const Commit::Impl::Event& event : commit->events) {
    RecordHeader& record = commit->record(event);
    record.header_hash = HashOf(record, salt);
  }
  CommitHeader& header = commit->header();
  header.header_hash = HashOf(header, salt);
}

AppendResult ResultOf(const Commit::Impl& commit) {
  AppendResult result;
  result.events.reserve(commit.events.size());
  for (const Commit::Impl::Event& event : commit.events) {
    const RecordHeader& record = commit.record(event);
    result.events.push_back({event.id, Position(record.position), Version(record.version),
                             Timestamp(record.recorded_at), false});
  }
  result.last_position = result.events.back().position;
  return result;
}

}  // namespace

absl::StatusOr<AppendResult> Appender::Append(Commit::Impl* commit, const AppendOptions& options) {
  return Run(commit, nullptr, options);
}

absl::StatusOr<AppendResult> Appender::AppendAsync(std::unique_ptr<Commit::Impl>* commit,
                                                   const AppendOptions& options) {
  return Run(commit->get(), commit, options);
}

absl::StatusOr<AppendResult> Appender::Run(Commit::Impl* commit,
                                           std::unique_ptr<Commit::Impl>* owned,
                                           const AppendOptions& options) {
  if (commit->events.empty()) {
    return absl::InvalidArgumentError("the commit is empty; add an event to it");
  }
  if (options.durability && *options.durability > durability_) {
    return absl::InvalidArgumentError(
        "an append cannot ask for less than the store gives; open the store with kBuffered");
  }
  const bool wants_sync = WantsSync(options);
  DAYBOOK_ASSIGN_OR_RETURN(Pins pins, Pins::Take(heads_, commit));
  std::uint64_t conditions_checked = 0;
  for (;;) {
    const std::uint64_t visible = commits_->visible();
    DAYBOOK_ASSIGN_OR_RETURN(std::vector<std::uint64_t> known,
                             FindDuplicates(*commit, *history_, visible));
    if (!known.empty()) {
      DAYBOOK_ASSIGN_OR_RETURN(const bool same,
                               IsEarlierCommit(*commit, *history_, visible, &known));
      if (same) return Known(*commit, known, wants_sync);
      if (options.on_duplicate == OnDuplicate::kSkipEvents) {
        return RunRest(commit, known, owned != nullptr, options);
      }
      return absl::AlreadyExistsError(
          "some events of the commit are in their streams already and some are not, or they came "
          "in other commits; append the missing ones alone, or use OnDuplicate::kSkipEvents");
    }
    DAYBOOK_RETURN_IF_ERROR(CheckConditions(*commit, visible, conditions_checked));
    conditions_checked = visible;
    DAYBOOK_ASSIGN_OR_RETURN(Sequenced placed,
                             commits_->Sequence(commit, owned, visible, wants_sync));
    if (placed.outcome == Sequenced::Outcome::kRejected) return placed.status;
    if (placed.outcome != Sequenced::Outcome::kDone) continue;
    FillHeaders(commit, placed.group->segment.salt);
    AppendResult result = ResultOf(*commit);
    if (owned != nullptr) pins.HandOver();
    GroupCommit::Filled(placed.group.get());
    if (owned == nullptr) DAYBOOK_RETURN_IF_ERROR(commits_->Wait(placed.group.get()));
    return result;
  }
}

absl::Status Appender::CheckConditions(const Commit::Impl& commit, std::uint64_t visible,
                                       std::uint64_t checked_upto) const {
  for (const AppendCondition& condition : commit.conditions) {
    AppendCondition rest = condition;
    rest.after = std::max(condition.after, Position(checked_upto));
    if (rest.after.value() >= visible) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t match, history_->FindMatch(rest, visible));
    if (match != 0)
      return ConflictStatus({"", ExpectedVersion::Any(), Version(0), Position(match)});
  }
  return absl::OkStatus();
}

absl::StatusOr<AppendResult> Appender::Known(const Commit::Impl& commit,
                                             const std::vector<std::uint64_t>& known,
                                             bool wants_sync) {
  AppendResult result;
  result.duplicate = true;
  for (std::size_t i = 0; i < known.size(); ++i) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventHandle event, history_->EventAt(Position(known[i])));
    result.events.push_back(
        {commit.events[i].id, event->position, event->version, event->recorded_at, true});
    // An event whose id the store made twice was known by its place: its id is the first one.
    result.events.back().id = event->id;
    result.last_position = std::max(result.last_position, event->position);
  }
  if (wants_sync) DAYBOOK_RETURN_IF_ERROR(commits_->WaitDurable(result.last_position.value()));
  return result;
}

absl::StatusOr<AppendResult> Appender::RunRest(Commit::Impl* commit,
                                               const std::vector<std::uint64_t>& known,
                                               bool asynchronous, const AppendOptions& options) {
  std::vector<bool> missing(known.size());
  for (std::size_t i = 0; i < known.size(); ++i) missing[i] = known[i] == 0;
  // If the outcome of the rest is unknown, the commit may come again: then its ids are in use.
  commit->tried = true;
  AppendResult rest;
  if (std::find(missing.begin(), missing.end(), true) != missing.end()) {
    std::unique_ptr<Commit::Impl> selected = commit->Select(missing);
    Commit::Impl* const raw = selected.get();
    DAYBOOK_ASSIGN_OR_RETURN(rest, Run(raw, asynchronous ? &selected : nullptr, options));
  }
  AppendResult result;
  result.duplicate = rest.events.empty() || rest.duplicate;
  std::size_t next = 0;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (missing[i]) {
      result.events.push_back(rest.events[next++]);
    } else {
      DAYBOOK_ASSIGN_OR_RETURN(const EventHandle event, history_->EventAt(Position(known[i])));
      result.events.push_back(
          {event->id, event->position, event->version, event->recorded_at, true});
    }
    result.last_position = std::max(result.last_position, result.events.back().position);
  }
  if (!asynchronous && WantsSync(options)) {
    DAYBOOK_RETURN_IF_ERROR(commits_->WaitDurable(result.last_position.value()));
  }
  return result;
}

}  // namespace daybook
