#include "store/indexer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "log/format.h"
#include "store/opening.h"

namespace daybook {
namespace {

HeadRecord HeadOfStream(const SegmentIndex& index, const StreamSummary& stream,
                        std::uint64_t version) {
  HeadRecord head;
  head.version = version;
  head.position = index.first_position() + stream.last_local;
  head.effective_min = stream.effective.min;
  head.effective_max = stream.effective.max;
  std::uint64_t position = head.position;
  for (std::uint64_t& last : head.last) {
    last = position;
    if (position < index.first_position()) break;  // the one before it is not known here
    position = index.links()[position - index.first_position()].prev;
    if (position == 0) break;
  }
  return head;
}

// From the events themselves: those that cannot be read are left out, and reads that touch them say
// so.
std::vector<StreamSummary> SummarizeStreams(const LogSegment& log, const SegmentIndex& index) {
  absl::flat_hash_map<absl::string_view, StreamSummary> streams;  // names are in the mapped log
  EventView event;
  for (std::uint32_t local = 0; local < index.count(); ++local) {
    const Link& link = index.links()[local];
    if (link.offset8 == 0) continue;
    const absl::Status read =
        log.ReadEvent(link.offset(), Position(index.first_position() + local), &event);
    if (!read.ok()) continue;
    StreamSummary& stream = streams[ToAbsl(event.stream)];
    stream.last_local = local;
    const std::int64_t effective_at = event.effective_at().unix_nanoseconds();
    stream.effective.min = std::min(stream.effective.min, effective_at);
    stream.effective.max = std::max(stream.effective.max, effective_at);
  }
  std::vector<StreamSummary> summaries;
  summaries.reserve(streams.size());
  for (const auto& [name, stream] : streams) summaries.push_back(stream);
  return summaries;
}

absl::Status ApplyStreams(const std::vector<StreamSummary>& streams, const LogSegment& log,
                          const SegmentIndex& index, const SidecarKey& key, HeadStore* heads) {
  std::vector<HeadStore::Update> updates;
  updates.reserve(streams.size());
  EventView event;
  for (const StreamSummary& stream : streams) {
    const absl::Status read =
        log.ReadEvent(index.links()[stream.last_local].offset(),
                      Position(index.first_position() + stream.last_local), &event);
    if (!read.ok()) continue;  // reads that touch it say so
    updates.push_back(
        {std::string(event.stream), HeadOfStream(index, stream, event.version.value())});
  }
  return heads->Apply(&updates, key);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Sidecar>> WriteSidecar(const std::filesystem::path& directory,
                                                            const SidecarKey& key,
                                                            const ActiveIndex& index) {
  const std::filesystem::path path = directory / "log" / SidecarFileName(key.first_position);
  DAYBOOK_RETURN_IF_ERROR(Sidecar::Write(path, key, index));
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<const Sidecar> sidecar, Sidecar::Open(path));
  DAYBOOK_RETURN_IF_ERROR(sidecar->VerifyAll());
  return sidecar;
}

absl::Status ApplyHeads(const LogSegment& log, const SegmentIndex& index, const SidecarKey& key,
                        HeadStore* heads) {
  return ApplyStreams(SummarizeStreams(log, index), log, index, key, heads);
}

Indexer::Indexer(std::filesystem::path directory, HeadStore* heads,
                 std::function<void(std::uint64_t)> on_applied, NoticeHandler on_notice,
                 std::deque<SealedSegment> backlog)
    : directory_(std::move(directory)),
      heads_(heads),
      on_applied_(std::move(on_applied)),
      on_notice_(std::move(on_notice)),
      queue_(std::move(backlog)),
      thread_("daybook-index", [this] { Run(); }) {}

Indexer::~Indexer() {
  {
    MutexLock lock(mutex_);
    closing_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
}

void Indexer::Add(SealedSegment segment) {
  MutexLock lock(mutex_);
  while (queue_.size() >= kQueuedMax && failure_.ok()) changed_.Wait(mutex_);
  queue_.push_back(std::move(segment));
  changed_.NotifyAll();
}

absl::Status Indexer::WaitIdle() {
  MutexLock lock(mutex_);
  // An attempt that goes on already may fail for a reason that is gone by now.
  const std::uint64_t wanted = begun_ + 1;
  wanted_ = std::max(wanted_, wanted);
  changed_.NotifyAll();
  while (!queue_.empty() && failed_ < wanted) changed_.Wait(mutex_);
  return queue_.empty() ? absl::OkStatus() : failure_;
}

absl::Status Indexer::Index(SealedSegment* sealed) {
  // Dying anywhere here leaves no sidecar, or a whole one; and heads up to an earlier segment,
  // which the next opening goes on from.
  const SidecarKey& key = sealed->key;
  std::optional<std::vector<StreamSummary>> streams;
  if (sealed->index != nullptr) {
    streams = sealed->index->SummarizeStreams();
    DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<const Sidecar> sidecar,
                             WriteSidecar(directory_, key, *sealed->index));
    sealed->segment->ReplaceIndex(std::move(sidecar));
    sealed->index.reset();
  }
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index,
                           sealed->segment->index());
  const LogSegment& log = *sealed->segment->log();
  DAYBOOK_RETURN_IF_ERROR(
      ApplyStreams(streams ? *streams : SummarizeStreams(log, *index), log, *index, key, heads_));
  on_applied_(key.first_position + key.events - 1);
  return absl::OkStatus();
}

void Indexer::AwaitAttempt() {
  const auto is_due = [this]() DAYBOOK_REQUIRES(mutex_) {
    return failure_.ok() || closing_ || begun_ < wanted_ || Clock::now() >= next_attempt_;
  };
  while (!is_due()) changed_.WaitUntil(mutex_, next_attempt_);
}

void Indexer::Succeeded() {
  if (!failure_.ok()) {
    Tell(on_notice_, Notice::Severity::kInfo, "sealed segments are indexed again");
  }
  failure_ = absl::OkStatus();
  backoff_ = kRetryFirst;
  queue_.pop_front();
}

void Indexer::Failed(absl::Status status) {
  if (failure_.ok()) {
    Tell(on_notice_, Notice::Severity::kWarning,
         absl::StrCat("a sealed segment stays indexed in memory, and is tried again: ",
                      status.message()));
  }
  failure_ = std::move(status);
  failed_ = begun_;
  next_attempt_ = Clock::now() + backoff_;
  backoff_ = std::min<Clock::duration>(backoff_ * 2, kRetryMax);
}

void Indexer::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (queue_.empty() && !closing_) changed_.Wait(mutex_);
    if (queue_.empty()) return;
    AwaitAttempt();
    ++begun_;
    SealedSegment sealed = queue_.front();
    mutex_.Unlock();
    // Heads are applied in order of position: what is behind it waits.
    const absl::Status status = Index(&sealed);
    mutex_.Lock();
    queue_.front() = std::move(sealed);
    if (status.ok()) {
      Succeeded();
    } else {
      Failed(status);
      // The next opening takes it up.
      if (closing_) return;
    }
    changed_.NotifyAll();
  }
}

}  // namespace daybook
