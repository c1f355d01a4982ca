// The writing side of a store: joins the log, its index, the heads and group commit.

#ifndef DAYBOOK_STORE_WRITER_H_
#define DAYBOOK_STORE_WRITER_H_

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "append/appender.h"
#include "append/group_commit.h"
#include "append/heads.h"
#include "append/history.h"
#include "io/file.h"
#include "io/wake_page.h"
#include "log/spare.h"
#include "store/indexer.h"
#include "store/reader_impl.h"
#include "store/recover.h"

namespace daybook {

class WriterImpl : public Reader::Impl, private History, private LogObserver, private HeadSource {
 public:
  // `lock` is the LOCK file, locked.
  static absl::StatusOr<std::shared_ptr<WriterImpl>> Open(const std::filesystem::path& directory,
                                                          const StoreHeader& store, File lock,
                                                          const StoreOptions& options);
  WriterImpl(std::filesystem::path directory, const StoreHeader& store, File lock,
             const StoreOptions& options);
  ~WriterImpl() override;

  // kFailedPrecondition in a forked child.
  [[nodiscard]] absl::Status Check() const;
  [[nodiscard]] Appender& appender() { return *appender_; }
  [[nodiscard]] GroupCommit& commits() { return *commits_; }
  [[nodiscard]] Indexer& indexer() { return *indexer_; }

  absl::StatusOr<ReadView> View() override;
  Position visible() override { return Position(commits_->visible()); }
  Position durable() override { return Position(commits_->durable()); }
  absl::StatusOr<Position> WaitVisible(Position position,
                                       std::chrono::milliseconds timeout) override;
  absl::StatusOr<Position> AwaitDurable(Position position, std::chrono::milliseconds timeout,
                                        const std::function<bool()>& keep_going) override;
  void WakeWaiters() override { commits_->WakeWaiters(); }
  void FillStats(StoreStats* stats) override;

 private:
  // The steps of opening, in order.
  absl::Status OpenHeadStore();
  absl::Status OpenSealedSegments();
  absl::Status OpenSealed(std::shared_ptr<const LogSegment> log,
                          std::shared_ptr<const Sidecar> sidecar, const SidecarKey& key,
                          std::uint64_t last_position);
  absl::Status OpenLastSegment();
  absl::Status ScanLastSegment(const std::shared_ptr<const LogSegment>& log);
  absl::Status DiscardStaleSidecar(const LogSegment& log);
  // Takes an event, or all of a segment that is in the set, into the heads in memory.
  absl::Status LinkEvent(const RecordHeader& record, const EventView& event);
  absl::Status LinkEvents(const LogSegment& log, const SegmentIndex& index);
  absl::Status CheckClock() const;
  // The time of the last event before `position` that can be read.
  [[nodiscard]] absl::StatusOr<std::int64_t> LastTimeBefore(std::uint64_t position) const;
  absl::Status Start();

  void GatherWitnesses();
  // The last event of a stream in the sealed segments; position 0 where there is none.
  [[nodiscard]] absl::StatusOr<SpineNode> SealedHead(std::string_view stream) const;
  absl::StatusOr<Spine> LoadSpine(std::string_view stream);
  // From `node` back by skips.
  static absl::Status WalkSpine(const ReadView& view, SpineNode node, std::string_view stream,
                                Spine* spine);
  // The spine of a stream up to `record`, which does not follow what is known of it because an
  // event before it is lost; nullopt where the loss cannot be passed. kDataLoss where nothing is
  // lost: then the links are wrong.
  [[nodiscard]] absl::StatusOr<std::optional<Spine>> SpineBehindLoss(const RecordHeader& record,
                                                                     const EventView& event) const;
  [[nodiscard]] absl::StatusOr<ReadView> ViewAt(std::uint64_t visible) const;

  // History
  absl::StatusOr<std::uint64_t> FindId(std::string_view stream, const EventId& id,
                                       std::uint64_t visible) const override;
  absl::StatusOr<std::uint64_t> FindMatch(const AppendCondition& condition,
                                          std::uint64_t visible) const override;
  absl::StatusOr<EventHandle> EventAt(Position position) const override;
  // LogObserver
  void OnSealed(const LogTail& tail) override;
  absl::StatusOr<ActiveIndex*> OnActivated(const SegmentPlan& plan) override;
  void OnDurable(Position position) override;
  // HeadSource
  absl::StatusOr<std::uint64_t> LastPosition(std::string_view stream) const override;

  const StoreOptions options_;
  const StoreIdentity identity_;
  const std::uint64_t fork_generation_;
  File lock_;

  // Made while opening.
  Witness witness_;
  LogTail tail_;
  std::int64_t last_recorded_at_ = INT64_MIN;
  // While not 0, heads are loaded as they were before this position, though the table is ahead of
  // it.
  std::uint64_t heads_before_ = 0;
  // The segments whose sidecar or heads could not be written while opening, for the indexer; from
  // the first on that has no heads in the table all later ones are in memory.
  std::deque<SealedSegment> not_indexed_;
  bool heads_in_memory_ = false;
  std::vector<std::shared_ptr<const LogSegment>> logs_;

  std::unique_ptr<HeadStore> head_store_;
  SegmentHeads segment_heads_{&segments_};
  HeadTable heads_;
  // Streams that nothing can be appended to, since it is not known how they go on; set while
  // opening.
  absl::flat_hash_set<std::string> broken_streams_;
  std::optional<WakeWriter> wake_;
  // The segment that grows, and its index; the leader's.
  std::shared_ptr<Segment> active_;
  std::shared_ptr<ActiveIndex> active_index_;

  std::unique_ptr<SpareMaker> spare_;
  std::unique_ptr<Indexer> indexer_;
  std::unique_ptr<GroupCommit> commits_;
  std::unique_ptr<Appender> appender_;
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_WRITER_H_
