#include "store/indexer.h"

#include <algorithm>
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
                 absl::Status failure)
    : directory_(std::move(directory)),
      heads_(heads),
      on_applied_(std::move(on_applied)),
      on_notice_(std::move(on_notice)),
      failure_(std::move(failure)),
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
  while (queue_.size() >= kQueuedMax) changed_.Wait(mutex_);
  queue_.push_back(std::move(segment));
  changed_.NotifyAll();
}

absl::Status Indexer::WaitIdle() {
  MutexLock lock(mutex_);
  while (!queue_.empty()) changed_.Wait(mutex_);
  return failure_;
}

absl::Status Indexer::Index(const SealedSegment& sealed) {
  // Dying anywhere here leaves no sidecar, or a whole one; and heads up to an earlier segment,
  // which the next opening goes on from.
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<const Sidecar> sidecar,
                           WriteSidecar(directory_, sealed.key, *sealed.index));
  sealed.segment->ReplaceIndex(sidecar);
  const LogSegment& log = *sealed.segment->log();
  const auto streams = sealed.index->SummarizeStreams();
  DAYBOOK_RETURN_IF_ERROR(ApplyStreams(streams ? *streams : SummarizeStreams(log, *sealed.index),
                                       log, *sidecar, sealed.key, heads_));
  on_applied_(sealed.key.first_position + sealed.key.events - 1);
  return absl::OkStatus();
}

void Indexer::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (queue_.empty() && !closing_) changed_.Wait(mutex_);
    if (queue_.empty()) return;
    const SealedSegment sealed = queue_.front();
    // Heads are applied in order of position: after a failure nothing more is, until the next
    // opening.
    if (failure_.ok()) {
      mutex_.Unlock();
      const absl::Status status = Index(sealed);
      mutex_.Lock();
      if (!status.ok()) {
        failure_ = status;
        Tell(on_notice_, Notice::Severity::kWarning,
             absl::StrCat("a sealed segment stays indexed in memory until the next opening: ",
                          status.message()));
      }
    }
    queue_.pop_front();
    changed_.NotifyAll();
  }
}

}  // namespace daybook
