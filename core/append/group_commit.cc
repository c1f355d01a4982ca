#include "append/group_commit.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"

namespace daybook {
namespace {

using Clock = std::chrono::steady_clock;

// To begin the writing of a frame ahead of its sync takes a system call, which a small one does not
// earn back.
constexpr std::uint64_t kLargeFrameBytes = std::uint64_t{16} << 10;

}  // namespace

GroupCommit::GroupCommit(Config config, Sequencer::Config sequencer, SegmentWriter writer,
                         ActiveIndex* index, std::int64_t last_recorded_at, SpareMaker* spare,
                         LogObserver* observer)
    : config_(std::move(config)),
      spare_(spare),
      observer_(observer),
      writer_(std::move(writer)),
      index_(index),
      written_position_(writer_.tail().next_position - 1),
      synced_position_(written_position_),
      visible_(written_position_),
      durable_(written_position_),
      sequencer_(std::move(sequencer), writer_.tail(), last_recorded_at, spare) {}

GroupCommit::~GroupCommit() = default;

absl::StatusOr<Sequenced> GroupCommit::Sequence(Commit::Impl* commit,
                                                std::unique_ptr<Commit::Impl>* owned,
                                                std::uint64_t looked_upto, bool wants_sync) {
  const bool asynchronous = owned != nullptr;
  MutexLock lock(mutex_);
  for (;;) {
    if (!poisoned_.ok()) return poisoned_;
    if (closing_) return absl::FailedPreconditionError("the store is being closed");
    const std::shared_ptr<Group> open = queue_.empty() ? nullptr : queue_.back();
    Sequenced result = sequencer_.Sequence(commit, looked_upto, visible(), open);
    switch (result.outcome) {
      case Sequenced::Outcome::kDone: {
        Group& group = *result.group;
        if (result.group != open) queue_.push_back(result.group);
        group.slots.push_back({commit, asynchronous ? std::move(*owned) : nullptr});
        group.wants_sync = group.wants_sync || wants_sync;
        if (!asynchronous) ++group.blocking;
        if (log_thread_ == nullptr) {
          log_thread_ = std::make_unique<Thread>("daybook-log", [this] { RunLogThread(); });
        }
        if (asynchronous && !flushing_) log_work_.NotifyOne();
        return result;
      }
      case Sequenced::Outcome::kWaitSpare: {
        mutex_.Unlock();
        const absl::Status ready = spare_->WaitReady(result.bytes);
        mutex_.Lock();
        if (!ready.ok() && poisoned_.ok()) return ready;
        break;
      }
      case Sequenced::Outcome::kWaitRoom:
        if (asynchronous) {
          return absl::ResourceExhaustedError(
              "too many bytes are on their way to the device; wait for some of them with "
              "WaitDurable");
        }
        LeadOrSleep();
        break;
      case Sequenced::Outcome::kWaitVisible:
        while (poisoned_.ok() && visible() < result.position) LeadOrSleep();
        return poisoned_.ok() ? absl::StatusOr<Sequenced>(std::move(result)) : poisoned_;
      case Sequenced::Outcome::kLookAgain:
      case Sequenced::Outcome::kRejected:
        return result;
    }
  }
}

absl::Status GroupCommit::Wait(Group* group) {
  using Signal = Group::Signal;
  while (group->signal.load(std::memory_order_acquire) != Signal::kDone) {
    {
      MutexLock lock(mutex_);
      Signal lead = Signal::kLead;
      group->signal.compare_exchange_strong(lead, Signal::kSleep);  // this caller has it
      while (group->signal.load() != Signal::kDone && !flushing_ && !queue_.empty()) Flush();
      if (group->signal.load() == Signal::kDone) break;
      ++group->waiting;
    }
    // To be woken takes about as long as the sync that is waited for: most see its end while they
    // let others run.
    for (int i = 0; i < 16 && group->signal.load(std::memory_order_acquire) == Signal::kSleep;
         ++i) {
      std::this_thread::yield();
    }
    group->signal.wait(Signal::kSleep, std::memory_order_acquire);
  }
  return group->status;
}

void GroupCommit::LeadOrSleep() {
  if (!flushing_ && !queue_.empty()) {
    Flush();
  } else {
    progress_.Wait(mutex_);
  }
}

absl::Status GroupCommit::WaitVisible(std::uint64_t position) {
  MutexLock lock(mutex_);
  while (poisoned_.ok() && visible() < position) LeadOrSleep();
  return visible() >= position ? absl::OkStatus() : poisoned_;
}

absl::Status GroupCommit::WaitDurable(std::uint64_t position) {
  if (durable() >= position) return absl::OkStatus();
  MutexLock lock(mutex_);
  if (position > sequencer_.sequenced()) {
    return absl::InvalidArgumentError(absl::StrCat("position ", position,
                                                   " was never given to an event; the last is ",
                                                   sequencer_.sequenced()));
  }
  while (poisoned_.ok() && durable() < position) {
    if (flushing_) {
      progress_.Wait(mutex_);
    } else if (!queue_.empty()) {
      Flush();
    } else {
      static_cast<void>(SyncNow());  // a failure poisons, and ends the loop
    }
  }
  if (durable() >= position) return absl::OkStatus();
  return absl::UnknownError(absl::StrCat("outcome unknown: ", poisoned_.message()));
}

std::uint64_t GroupCommit::AwaitVisible(std::uint64_t position, Clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (visible() < position && poisoned_.ok() && !closing_) {
    if (!progress_.WaitUntil(mutex_, deadline)) break;
  }
  return visible();
}

std::uint64_t GroupCommit::AwaitDurable(std::uint64_t position, Clock::time_point deadline,
                                        const std::function<bool()>& keep_going) {
  MutexLock lock(mutex_);
  while (durable() < position && poisoned_.ok() && !closing_ && (!keep_going || keep_going())) {
    if (!progress_.WaitUntil(mutex_, deadline)) break;
  }
  return durable();
}

void GroupCommit::WakeWaiters() {
  MutexLock lock(mutex_);
  progress_.NotifyAll();
}

void GroupCommit::Flush() {
  const std::shared_ptr<Group> group = std::move(queue_.front());
  queue_.pop_front();
  flushing_ = true;
  mutex_.Unlock();
  const std::uint64_t synced_before = synced_position_;
  const absl::Status status = WriteGroup(group.get());
  if (status.ok() && synced_position_ != synced_before) {
    observer_->OnDurable(Position(synced_position_));
  }
  mutex_.Lock();
  flushing_ = false;
  last_flush_ = Clock::now();
  marked_ = false;
  if (status.ok()) {
    if (durable() >= visible()) unsynced_since_ = last_flush_;
    Advance();
    Finish(group);
  } else {
    group->status =
        absl::UnknownError(absl::StrCat("outcome unknown: ", status.message(),
                                        "; reopen the store and append again with the same ids"));
    Finish(group);
    Poison(status);
  }
  HandOn();
}

absl::Status GroupCommit::WriteGroup(Group* group) {
  while (group->unfilled.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  if (group->activates) {
    DAYBOOK_RETURN_IF_ERROR(writer_.Seal());
    synced_position_ = written_position_;
    observer_->OnSealed(writer_.tail());
    DAYBOOK_RETURN_IF_ERROR(writer_.Activate(group->segment, spare_));
    DAYBOOK_ASSIGN_OR_RETURN(index_, observer_->OnActivated(group->segment));
  }
  const std::uint64_t offset = writer_.tail().offset;
  // No more may be unsynced than recovery takes for a torn tail.
  if (offset + group->frame_bytes_reserved - writer_.durable_upto() > kUnsyncedMax) {
    DAYBOOK_RETURN_IF_ERROR(writer_.Sync());
  }
  std::vector<std::span<const std::byte>> pieces;
  pieces.reserve(group->slots.size());
  for (const Group::Slot& slot : group->slots) pieces.push_back(slot.commit->bytes());
  DAYBOOK_RETURN_IF_ERROR(writer_.WriteFrame(
      FrameKind::kData, static_cast<std::uint32_t>(group->slots.size()), group->events, pieces));
  const bool syncs = group->wants_sync || config_.durability == Durability::kSync;
  // The device works on a large frame while its events go into the index, where nobody sees them
  // before they are published.
  if (syncs && writer_.tail().offset - offset >= kLargeFrameBytes) writer_.BeginSync(offset);
  AddToIndex(*group, offset);
  if (IsSeeded(SeededBug::kReaderSeesUnsynced)) {
    Publish(*group);
    visible_.store(writer_.tail().next_position - 1);
  }
  if (syncs && !IsSeeded(SeededBug::kAcknowledgeBeforeSync))
    DAYBOOK_RETURN_IF_ERROR(writer_.Sync());
  Publish(*group);
  written_position_ = writer_.tail().next_position - 1;
  if (writer_.durable_upto() == writer_.tail().offset ||
      IsSeeded(SeededBug::kAcknowledgeBeforeSync)) {
    synced_position_ = written_position_;
  }
  return absl::OkStatus();
}

void GroupCommit::AddToIndex(const Group& group, std::uint64_t frame_offset) {
  std::uint64_t commit_offset = frame_offset + sizeof(FrameHeader);
  for (const Group::Slot& slot : group.slots) {
    const Commit::Impl& commit = *slot.commit;
    for (const Commit::Impl::Event& event : commit.events) {
      const RecordHeader& record = commit.record(event);
      const EventView view = commit.Decode(event);
      index_->Add(
          {.offset = commit_offset + event.offset,
           .version = record.version,
           .prev = record.prev,
           .skip = record.skip,
           .recorded_at = record.recorded_at,
           .effective_at = view.effective_at_given ? view.effective_at_given->unix_nanoseconds()
                                                   : record.recorded_at,
           .stream = view.stream,
           .stream_hash = commit.streams[event.stream].hash,
           .type = view.type,
           .id = view.id},
          view.tags);
    }
    commit_offset += slot.commit->bytes().size();
  }
}

void GroupCommit::Publish(const Group& group) {
  index_->Publish();
  for (const Group::Slot& slot : group.slots) {
    for (const Commit::Impl::Stream& stream : slot.commit->streams) {
      if (stream.events != 0) {
        stream.entry->visible_position.store(stream.last_position, std::memory_order_release);
      }
    }
  }
}

void GroupCommit::Advance() {
  durable_.store(synced_position_, std::memory_order_release);
  visible_.store(config_.durability == Durability::kSync ? synced_position_ : written_position_,
                 std::memory_order_release);
}

void GroupCommit::Finish(const std::shared_ptr<Group>& group) {
  sequencer_.Finished(*group, group->status.ok() ? visible() : group->first_position - 1);
  for (Group::Slot& slot : group->slots) {
    if (slot.owned == nullptr) continue;
    for (const Commit::Impl::Stream& stream : slot.owned->streams) HeadTable::Unpin(stream.entry);
    slot.owned.reset();
  }
  group->signal.store(Group::Signal::kDone, std::memory_order_release);
  group->signal.notify_all();
  progress_.NotifyAll();
}

void GroupCommit::HandOn() {
  if (!queue_.empty() && queue_.front()->blocking > 0) {
    // Those of its callers that do not sleep yet will find that nobody flushes.
    Group& next = *queue_.front();
    if (next.waiting > 0) {
      next.signal.store(Group::Signal::kLead);
      next.signal.notify_one();
    }
  } else if (!queue_.empty() || log_thread_sleeps_) {
    log_work_.NotifyOne();
  }
}

void GroupCommit::Poison(const absl::Status& cause) {
  if (IsSeeded(SeededBug::kGoesOnAfterFailedSync)) return;
  poisoned_ = absl::FailedPreconditionError(
      absl::StrCat("the store is poisoned, nothing more can be appended: ", cause.message(),
                   "; close it and open it again"));
  if (config_.on_notice) {
    config_.on_notice({Notice::Severity::kError, std::string(poisoned_.message())});
  }
  // What was written but not synced may never reach the device: nobody sees it any more.
  if (!IsSeeded(SeededBug::kPoisonedShowsUnsynced)) {
    visible_.store(durable(), std::memory_order_release);
  }
  while (!queue_.empty()) {
    const std::shared_ptr<Group> group = std::move(queue_.front());
    queue_.pop_front();
    // The callers may still be filling record headers.
    while (group->unfilled.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    group->status = poisoned_;  // nothing of it was written
    Finish(group);
  }
  spare_->Taken();  // whoever waits for a spare is to find the store poisoned
  progress_.NotifyAll();
}

absl::Status GroupCommit::SyncNow() {
  flushing_ = true;
  mutex_.Unlock();
  const absl::Status status = writer_.Sync();
  if (status.ok()) {
    synced_position_ = written_position_;
    observer_->OnDurable(Position(synced_position_));
  }
  mutex_.Lock();
  flushing_ = false;
  if (status.ok()) {
    Advance();
    progress_.NotifyAll();
  } else {
    Poison(status);
  }
  HandOn();
  return status;
}

std::optional<Clock::time_point> GroupCommit::NextDeadline() const {
  if (durable_.load() < visible_.load()) return unsynced_since_ + config_.sync_interval;
  if (!marked_) return last_flush_ + config_.idle_period;
  return std::nullopt;
}

void GroupCommit::RunLogThread() {
  MutexLock lock(mutex_);
  while (!closing_ && poisoned_.ok()) {
    if (!flushing_ && !queue_.empty() && queue_.front()->blocking == 0) {
      Flush();
      continue;
    }
    const std::optional<Clock::time_point> deadline = NextDeadline();
    if (!deadline || flushing_) {
      log_thread_sleeps_ = true;
      log_work_.Wait(mutex_);
      log_thread_sleeps_ = false;
    } else if (Clock::now() < *deadline) {
      log_work_.WaitUntil(mutex_, *deadline);
    } else if (durable() < visible()) {
      static_cast<void>(SyncNow());  // a failure poisons, and ends the loop
    } else if (queue_.empty()) {
      WriteWatermark();
    } else {
      last_flush_ = Clock::now();  // not idle: a caller is about to lead
    }
  }
}

void GroupCommit::WriteWatermark() {
  marked_ = true;
  // Where there is no room for it there is none for a commit either, and the seal says as much.
  const bool has_room = sequencer_.ReserveWatermark();
  if (!has_room && !sequencer_.ReserveSeal()) return;
  flushing_ = true;
  mutex_.Unlock();
  // Dying here leaves a torn watermark or seal, which is a torn tail; all before it is whole.
  absl::Status status =
      has_room ? writer_.WriteFrame(FrameKind::kWatermark, 0, 0, {}) : writer_.Seal();
  if (status.ok() && has_room) status = writer_.Sync();
  if (status.ok() && !has_room) observer_->OnSealed(writer_.tail());
  mutex_.Lock();
  flushing_ = false;
  if (!status.ok()) Poison(status);
  progress_.NotifyAll();
  HandOn();
}

std::int64_t GroupCommit::clock_behind_ns() {
  MutexLock lock(mutex_);
  return sequencer_.clock_behind_ns();
}

absl::Status GroupCommit::Poisoned() {
  MutexLock lock(mutex_);
  return poisoned_;
}

absl::Status GroupCommit::Close() {
  std::unique_ptr<Thread> log_thread;
  MutexLock lock(mutex_);
  closing_ = true;
  while (poisoned_.ok() && (flushing_ || !queue_.empty())) LeadOrSleep();
  while (flushing_) progress_.Wait(mutex_);
  log_work_.NotifyAll();
  progress_.NotifyAll();
  log_thread = std::move(log_thread_);
  mutex_.Unlock();
  if (log_thread != nullptr) log_thread->Join();
  mutex_.Lock();
  if (!poisoned_.ok()) return poisoned_;
  if (durable() < visible()) DAYBOOK_RETURN_IF_ERROR(SyncNow());
  if (writer_.tail().offset > config_.seal_at_close_bytes && !writer_.tail().sealed) {
    const absl::Status status = writer_.Seal();
    if (!status.ok()) {
      Poison(status);
      return status;
    }
    observer_->OnSealed(writer_.tail());
  } else if (!marked_) {
    WriteWatermark();
  }
  return poisoned_;
}

}  // namespace daybook
