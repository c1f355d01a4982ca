#include "store/writer.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/thread.h"
#include "io/directory.h"
#include "store/opening.h"
#include "store/store_file.h"

namespace daybook {
namespace {

Timestamp SystemClock() {
  return Timestamp(
      std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()));
}

absl::Status CannotGoOn(std::string_view stream, std::uint64_t position) {
  return DataLossAt({"log", 0, Position(position), Position(position)},
                    absl::StrCat("stream '", ToAbsl(stream),
                                 "' cannot go on: an event that its links lead through is lost"));
}

constexpr std::int64_t kClockBehindMax = std::int64_t{24} * 3600 * 1'000'000'000;

}  // namespace

WriterImpl::WriterImpl(std::filesystem::path directory, const StoreHeader& store, File lock,
                       const StoreOptions& options)
    : Impl(std::move(directory), store, options.on_notice),
      options_(options),
      identity_(IdentityOf(store)),
      fork_generation_(ForkGeneration()),
      lock_(std::move(lock)),
      heads_([this](std::string_view stream) { return LoadSpine(stream); }) {}

WriterImpl::~WriterImpl() {
  // In a forked child there are no threads to end, and the files are the parent's.
  if (!Check().ok()) {
    static_cast<void>(appender_.release());
    static_cast<void>(commits_.release());
    static_cast<void>(indexer_.release());
    static_cast<void>(spare_.release());
    static_cast<void>(head_store_.release());
    return;
  }
  if (commits_ == nullptr) return;  // the opening failed
  const absl::Status closed = commits_->Close();
  if (!closed.ok()) Tell(on_notice_, Notice::Severity::kError, std::string(closed.message()));
}

absl::StatusOr<std::shared_ptr<WriterImpl>> WriterImpl::Open(const std::filesystem::path& directory,
                                                             const StoreHeader& store, File lock,
                                                             const StoreOptions& options) {
  auto writer = std::make_shared<WriterImpl>(directory, store, std::move(lock), options);
  DAYBOOK_RETURN_IF_ERROR(writer->OpenHeadStore());
  DAYBOOK_RETURN_IF_ERROR(writer->OpenSealedSegments());
  DAYBOOK_RETURN_IF_ERROR(writer->OpenLastSegment());
  DAYBOOK_RETURN_IF_ERROR(writer->CheckClock());
  DAYBOOK_RETURN_IF_ERROR(writer->Start());
  return writer;
}

absl::Status WriterImpl::Check() const {
  if (ForkGeneration() == fork_generation_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the store was opened before a fork; open it after the fork, in one process");
}

absl::Status WriterImpl::OpenHeadStore() {
  SidecarKey identity;
  identity.store_id = identity_.store_id;
  identity.incarnation = identity_.incarnation;
  bool discarded = false;
  DAYBOOK_ASSIGN_OR_RETURN(head_store_,
                           HeadStore::Open(directory_ / "index", identity, &discarded));
  if (discarded) {
    Tell(on_notice_, Notice::Severity::kWarning,
         "index/ was damaged or of another store; it is rebuilt from the log");
  }
  return absl::OkStatus();
}

void WriterImpl::GatherWitnesses() {
  if (const auto wake = WakeReader::Open(directory_ / "WAKE"); !absl::IsNotFound(wake.status())) {
    const std::optional<WakeState> state = wake.ok() ? wake->Load() : std::nullopt;
    if (!state) {
      Tell(on_notice_, Notice::Severity::kWarning,
           "WAKE is damaged, or a writer died in the middle of it; it is made anew");
    }
    if (state && state->store_id == identity_.store_id) {
      witness_.Saw(state->position.value(), "WAKE");
    }
  }
  witness_.Saw(head_store_->applied_position(), "index/");
  const auto names = Directory::List(directory_ / "log");
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!name.ends_with(".idx")) continue;
    const auto sidecar = Sidecar::Open(directory_ / "log" / name);
    if (!sidecar.ok()) continue;  // damaged: no witness
    const SidecarKey& key = (*sidecar)->key();
    if (StoreIdentity{key.store_id, key.incarnation} == identity_ && key.events != 0) {
      witness_.Saw(key.first_position + key.events - 1, "log/" + name);
    }
  }
}

absl::Status WriterImpl::OpenSealedSegments() {
  GatherWitnesses();
  absl::Status damage;
  DAYBOOK_ASSIGN_OR_RETURN(logs_, OpenSegments(directory_, identity_, false, &damage));
  for (std::size_t i = 0; i + 1 < logs_.size(); ++i) {
    const SidecarKey key = KeyFor(identity_, *logs_[i], *logs_[i + 1]);
    std::string why;
    std::shared_ptr<const Sidecar> sidecar = OpenSidecar(directory_, key, &why);
    if (!why.empty()) {
      Tell(on_notice_, Notice::Severity::kWarning, absl::StrCat(why, "; it is rebuilt"));
    }
    DAYBOOK_RETURN_IF_ERROR(
        OpenSealed(logs_[i], std::move(sidecar), key, logs_[i + 1]->first_position() - 1));
  }
  return absl::OkStatus();
}

absl::Status WriterImpl::OpenSealed(std::shared_ptr<const LogSegment> log,
                                    std::shared_ptr<const Sidecar> sidecar, const SidecarKey& key,
                                    std::uint64_t last_position) {
  std::shared_ptr<Segment> segment;
  std::shared_ptr<const ActiveIndex> unwritten;
  if (sidecar == nullptr) {
    DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<ActiveIndex> index, RebuildIndex(log, last_position));
    auto written = WriteSidecar(directory_, key, *index);
    if (written.ok()) {
      sidecar = *std::move(written);
    } else {
      Tell(on_notice_, Notice::Severity::kWarning, std::string(written.status().message()));
      segment = std::make_shared<Segment>(log, std::shared_ptr<const SegmentIndex>(index));
      unwritten = std::move(index);
    }
  }
  if (segment == nullptr) {
    segment = MakeSealedSegment(log, sidecar, [this](const LogSegment& damaged) {
      Tell(on_notice_, Notice::Severity::kWarning,
           absl::StrCat("the sidecar of ", damaged.name(), " is damaged; its segment was scanned"));
    });
  }
  segments_.Append(segment);
  if (head_store_->applied_position() >= last_position) {
    if (unwritten != nullptr) not_indexed_.push_back({segment, std::move(unwritten), key});
    return absl::OkStatus();
  }
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<const SegmentIndex> index, segment->index());
  if (!heads_in_memory_) {
    const absl::Status applied = ApplyHeads(*log, *index, key, head_store_.get());
    if (!applied.ok()) {
      heads_in_memory_ = true;
      Tell(on_notice_, Notice::Severity::kWarning,
           absl::StrCat("heads of streams stay in memory for now: ", applied.message()));
    }
  }
  if (unwritten != nullptr || heads_in_memory_) {
    not_indexed_.push_back({segment, std::move(unwritten), key});
  }
  // The disk is full, say: as with a segment that could not be indexed when it was sealed.
  return heads_in_memory_ ? LinkEvents(*log, *index) : absl::OkStatus();
}

absl::Status WriterImpl::OpenLastSegment() {
  const std::shared_ptr<const LogSegment>& log = logs_.back();
  if (logs_.size() > 1) {
    // The time goes on from the segment before, also where this one holds nothing yet.
    DAYBOOK_ASSIGN_OR_RETURN(last_recorded_at_, LastTimeBefore(log->first_position()));
  }
  const std::optional<SealedEnd> end = FindSealedEnd(directory_, identity_, *log);
  if (!end) return ScanLastSegment(log);
  if (witness_.position >= end->tail.next_position) {
    return DataLossAt({log->name(), end->tail.offset, Position(end->tail.next_position),
                       Position(witness_.position)},
                      absl::StrCat("the segment after this one is missing: ", witness_.who,
                                   " has seen later positions"));
  }
  tail_ = end->tail;
  last_recorded_at_ = end->last_recorded_at;
  return OpenSealed(log, end->sidecar, end->sidecar->key(), tail_.next_position - 1);
}

absl::Status WriterImpl::ScanLastSegment(const std::shared_ptr<const LogSegment>& log) {
  DAYBOOK_ASSIGN_OR_RETURN(active_index_,
                           MakeActiveIndex(log->first_position(), log->header().segment_bytes));
  CatchUp catch_up(log, active_index_.get(), last_recorded_at_);
  const auto link = [this](const RecordHeader& record, const EventView& event) {
    return LinkEvent(record, event);
  };
  // A sealed segment whose sidecar is gone may have its heads in the table already. Then the links
  // are looked at after the scan, with heads as they were before the segment.
  const bool applied = head_store_->applied_position() >= log->first_position();
  DAYBOOK_ASSIGN_OR_RETURN(const FrameScanner::Result result,
                           catch_up.Advance(kCountMax, applied ? CatchUp::Visit() : link));
  if (result == FrameScanner::Result::kNewer) {
    return absl::FailedPreconditionError(
        absl::StrCat(log->name(), " goes on in a newer format; use a newer Daybook"));
  }
  DAYBOOK_RETURN_IF_ERROR(RecoverTail(directory_, catch_up, witness_, on_notice_));
  last_recorded_at_ = std::max(last_recorded_at_, catch_up.recorded_at());
  const FrameScanner& scanner = catch_up.scanner();
  if (!scanner.sealed()) DAYBOOK_RETURN_IF_ERROR(DiscardStaleSidecar(*log));
  tail_.segment = {log->first_position(), log->header().salt, log->header().segment_bytes};
  tail_.offset = scanner.offset();
  tail_.next_position = scanner.next_position();
  tail_.last_hash = scanner.last_hash();
  tail_.sealed = scanner.sealed();
  active_ = std::make_shared<Segment>(log, std::shared_ptr<const SegmentIndex>(active_index_));
  segments_.Append(active_);
  if (!applied) return absl::OkStatus();
  return LinkEvents(*log, *active_index_);
}

// A sidecar names a seal that was on the device. Where that is damaged, and every event is there,
// the segment goes on being the active one, and what was derived from its end holds no more.
absl::Status WriterImpl::DiscardStaleSidecar(const LogSegment& log) {
  const std::filesystem::path name =
      std::filesystem::path("log") / SidecarFileName(log.first_position());
  if (!Directory::Exists(directory_ / name)) return absl::OkStatus();
  Tell(on_notice_, Notice::Severity::kWarning,
       absl::StrCat(name.native(), " is of a seal that ", log.name(),
                    " does not have; it is made anew when the segment is sealed"));
  return Directory::Remove(directory_ / name);
}

absl::Status WriterImpl::LinkEvent(const RecordHeader& record, const EventView& event) {
  if (broken_streams_.contains(ToAbsl(event.stream))) return absl::OkStatus();
  // The same steps as when it was appended: they must give the same links.
  const std::uint64_t hash = StreamHash(event.stream);
  const absl::StatusOr<HeadEntry*> head = heads_.Pin(event.stream, hash);
  if (!head.ok() && !absl::IsDataLoss(head.status())) return head.status();
  bool fits = head.ok() && record.version == (*head)->spine.version() + 1 &&
              record.prev == (*head)->spine.position() &&
              record.skip == (*head)->spine.Append(record.position);
  if (!fits) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::optional<Spine> spine, SpineBehindLoss(record, event));
    fits = head.ok() && spine.has_value();
    if (fits) (*head)->spine = *spine;
  }
  if (head.ok()) {
    (*head)->sequenced_version.store(record.version, std::memory_order_relaxed);
    (*head)->visible_position.store(record.position, std::memory_order_relaxed);
    HeadTable::Unpin(*head);
  }
  if (!fits) {
    // Its events can be read; to append to it would give a version twice.
    broken_streams_.emplace(event.stream);
    heads_.Erase(event.stream, hash);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Spine>> WriterImpl::SpineBehindLoss(const RecordHeader& record,
                                                                 const EventView& event) const {
  if (record.prev < active_index_->first_position()) {
    DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(active_index_->first_position() - 1));
    EventView before;
    const bool lost = record.prev != 0 && !view.ReadEvent(record.prev, &before).ok();
    if (lost) {
      Spine spine;
      const absl::Status walked =
          WalkSpine(view, {SkipVersion(record.version), record.skip}, event.stream, &spine);
      if (!walked.ok()) return std::nullopt;
      spine.Push({record.version, record.position});
      return spine;
    }
  }
  return DataLossAt({"log", 0, event.position, event.position},
                    "the event does not follow the one before it in its stream");
}

absl::Status WriterImpl::LinkEvents(const LogSegment& log, const SegmentIndex& index) {
  heads_before_ = log.first_position();
  for (std::uint32_t local = 0; local < index.count(); ++local) {
    const std::uint64_t offset = index.links()[local].offset();
    const Position position(log.first_position() + local);
    const RecordHeader* record = nullptr;
    EventView event;
    DAYBOOK_RETURN_IF_ERROR(log.ReadHeader(offset, position, &record));
    DAYBOOK_RETURN_IF_ERROR(log.ReadEvent(offset, position, &event));
    DAYBOOK_RETURN_IF_ERROR(LinkEvent(*record, event));
  }
  heads_before_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> WriterImpl::LastTimeBefore(std::uint64_t position) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(position - 1));
  for (std::uint64_t at = position - 1; at > 0; --at) {
    const RecordHeader* header = nullptr;
    const absl::Status read = view.ReadHeader(at, &header);
    if (read.ok()) return header->recorded_at;
    if (!absl::IsDataLoss(read)) return read;
  }
  return INT64_MIN;
}

absl::Status WriterImpl::CheckClock() const {
  const std::int64_t now = (options_.clock ? options_.clock() : SystemClock()).unix_nanoseconds();
  if (last_recorded_at_ <= now) return absl::OkStatus();
  const std::string behind = absl::StrCat("the clock says ", Timestamp(now).ToString(),
                                          ", but the last event was recorded at ",
                                          Timestamp(last_recorded_at_).ToString());
  if (last_recorded_at_ - now > kClockBehindMax && !options_.accept_clock_behind) {
    return absl::FailedPreconditionError(
        absl::StrCat(behind, "; set the clock, or open with accept_clock_behind"));
  }
  Tell(on_notice_, Notice::Severity::kWarning,
       absl::StrCat(behind, "; recorded_at goes on from there, a nanosecond a commit"));
  return absl::OkStatus();
}

absl::Status WriterImpl::Start() {
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(directory_ / "log" / "spare"));
  spare_ = std::make_unique<SpareMaker>(directory_ / "log");
  indexer_ = std::make_unique<Indexer>(
      directory_, head_store_.get(),
      [this](std::uint64_t applied) { heads_.Evict(applied, options_.cached_heads_max); },
      on_notice_, std::move(not_indexed_));
  std::random_device random;
  DAYBOOK_ASSIGN_OR_RETURN(WakeWriter wake,
                           WakeWriter::Create(directory_ / "WAKE", identity_.store_id,
                                              std::uint64_t{random()} << 32 | random(),
                                              Position(tail_.next_position - 1)));
  wake_.emplace(std::move(wake));
  DAYBOOK_ASSIGN_OR_RETURN(SegmentWriter log, SegmentWriter::Open(directory_, identity_, tail_));
  Sequencer::Config sequencer;
  sequencer.clock = options_.clock ? options_.clock : SystemClock;
  sequencer.segment_bytes_max = options_.segment_bytes_max;
  GroupCommit::Config config;
  config.durability = options_.durability;
  config.sync_interval = options_.sync_interval;
  config.on_notice = on_notice_;
  commits_ = std::make_unique<GroupCommit>(std::move(config), std::move(sequencer), std::move(log),
                                           active_index_.get(), last_recorded_at_, spare_.get(),
                                           static_cast<LogObserver*>(this));
  appender_ = std::make_unique<Appender>(options_.durability, &heads_,
                                         static_cast<const History*>(this), commits_.get());
  // A last segment that was sealed without a sidecar: it is indexed now, as if it had been sealed
  // just now.
  if (tail_.sealed && active_ != nullptr) OnSealed(tail_);
  logs_.clear();
  return absl::OkStatus();
}

absl::StatusOr<SpineNode> WriterImpl::SealedHead(std::string_view stream) const {
  // LMDB is asked first, and not believed: its event must be there and be the stream's, and no
  // later segment may have another. What a segment does not have its filter says in a few
  // nanoseconds.
  const absl::StatusOr<std::optional<HeadRecord>> found = head_store_->Find(stream);
  const HeadRecord hint = found.ok() ? found->value_or(HeadRecord{}) : HeadRecord{};
  const std::uint64_t applied = head_store_->applied_position();
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t newer,
                           segment_heads_.LastBetween(stream, hint.position, applied));
  const std::uint64_t position = newer != 0 ? newer : hint.position;
  if (position == 0) return SpineNode{};
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(position));
  EventView event;
  const absl::Status read = view.ReadEvent(position, &event);
  if (read.ok() && event.stream == stream) return SpineNode{event.version.value(), position};
  if (newer != 0) return read;
  // An event that is damaged is still the last: the entry has a hash of its own.
  if (absl::IsDataLoss(read)) return SpineNode{hint.version, hint.position};
  // The hint leads to an event of another stream.
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t last,
                           segment_heads_.LastBetween(stream, 0, applied));
  if (!read.ok()) return read;
  if (last == 0) return SpineNode{};
  DAYBOOK_RETURN_IF_ERROR(view.ReadEvent(last, &event));
  return SpineNode{event.version.value(), last};
}

absl::StatusOr<Spine> WriterImpl::LoadSpine(std::string_view stream) {
  if (broken_streams_.contains(ToAbsl(stream))) return CannotGoOn(stream, 0);
  DAYBOOK_ASSIGN_OR_RETURN(SpineNode node, SealedHead(stream));
  Spine spine;
  if (node.position == 0) return spine;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(node.position));
  while (heads_before_ != 0 && node.position >= heads_before_) {
    Link link{};
    DAYBOOK_RETURN_IF_ERROR(view.LinkAt(node.position, &link));
    node = {node.version - 1, link.prev};
  }
  DAYBOOK_RETURN_IF_ERROR(WalkSpine(view, node, stream, &spine));
  return spine;
}

absl::Status WriterImpl::WalkSpine(const ReadView& view, SpineNode node, std::string_view stream,
                                   Spine* spine) {
  std::vector<SpineNode> nodes;
  while (node.position != 0) {
    nodes.push_back(node);
    Link link{};
    DAYBOOK_RETURN_IF_ERROR(view.LinkAt(node.position, &link));
    if (link.offset8 == 0 || link.skip >= node.position) {
      return CannotGoOn(stream, node.position);
    }
    node = {SkipVersion(node.version), link.skip};
  }
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) spine->Push(*it);
  return absl::OkStatus();
}

absl::StatusOr<ReadView> WriterImpl::ViewAt(std::uint64_t visible) const {
  DAYBOOK_RETURN_IF_ERROR(Check());
  return ReadView(visible, commits_ != nullptr ? std::min(visible, commits_->durable()) : visible,
                  this, &segments_);
}

absl::StatusOr<ReadView> WriterImpl::View() { return ViewAt(commits_->visible()); }

absl::StatusOr<Position> WriterImpl::WaitVisible(Position position,
                                                 std::chrono::milliseconds timeout) {
  DAYBOOK_RETURN_IF_ERROR(Check());
  const std::uint64_t reached =
      commits_->AwaitVisible(position.value(), std::chrono::steady_clock::now() + timeout);
  if (reached >= position.value()) return Position(reached);
  DAYBOOK_RETURN_IF_ERROR(commits_->Poisoned());
  return NotInTime(position, reached);
}

absl::StatusOr<Position> WriterImpl::AwaitDurable(Position position,
                                                  std::chrono::milliseconds timeout,
                                                  const std::function<bool()>& keep_going) {
  DAYBOOK_RETURN_IF_ERROR(Check());
  const std::uint64_t reached = commits_->AwaitDurable(
      position.value(), std::chrono::steady_clock::now() + timeout, keep_going);
  if (reached < position.value()) DAYBOOK_RETURN_IF_ERROR(commits_->Poisoned());
  if (reached >= position.value()) return Position(reached);
  if (keep_going && !keep_going()) return absl::CancelledError("the wait was called off");
  return NotInTime(position, reached);
}

void WriterImpl::FillStats(StoreStats* stats) {
  stats->durability = options_.durability;
  stats->clock_behind_ns = commits_->clock_behind_ns();
}

absl::StatusOr<std::uint64_t> WriterImpl::FindId(std::string_view stream, const EventId& id,
                                                 std::uint64_t visible) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(visible));
  return daybook::FindId(view, stream, id);
}

absl::StatusOr<std::uint64_t> WriterImpl::FindMatch(const AppendCondition& condition,
                                                    std::uint64_t visible) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(visible));
  return daybook::FindMatch(view, condition);
}

absl::StatusOr<EventHandle> WriterImpl::EventAt(Position position) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, ViewAt(position.value()));
  EventView event;
  DAYBOOK_RETURN_IF_ERROR(view.ReadEvent(position.value(), &event));
  return EventHandle(event, view.segment_list());
}

absl::StatusOr<std::uint64_t> WriterImpl::LastPosition(std::string_view stream) const {
  if (const auto position = heads_.VisiblePosition(stream, StreamHash(stream))) return *position;
  const absl::StatusOr<SpineNode> head = SealedHead(stream);
  const bool broken = broken_streams_.contains(ToAbsl(stream));
  if (broken || absl::IsDataLoss(head.status())) return segment_heads_.LastPosition(stream);
  DAYBOOK_RETURN_IF_ERROR(head.status());
  return head->position;
}

void WriterImpl::OnSealed(const LogTail& tail) {
  const std::uint64_t first = tail.segment.first_position;
  if (active_ == nullptr || active_->first_position() != first) return;  // sealed before this run
  const std::uint64_t events = tail.next_position - first;
  if (events != 0) {
    indexer_->Add({active_,
                   active_index_,
                   {identity_.store_id, identity_.incarnation, first, events, tail.last_hash}});
  }
  active_.reset();
}

absl::StatusOr<ActiveIndex*> WriterImpl::OnActivated(const SegmentPlan& plan) {
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<const LogSegment> log,
                           LogSegment::Open(directory_, plan.first_position, identity_));
  DAYBOOK_ASSIGN_OR_RETURN(active_index_, MakeActiveIndex(plan.first_position, plan.bytes));
  active_ =
      std::make_shared<Segment>(std::move(log), std::shared_ptr<const SegmentIndex>(active_index_));
  segments_.Append(active_);
  return active_index_.get();
}

void WriterImpl::OnDurable(Position position) { wake_->Publish(position); }

}  // namespace daybook
