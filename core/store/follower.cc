#include "store/follower.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "io/directory.h"
#include "log/recovery.h"
#include "store/opening.h"
#include "store/store_file.h"

namespace daybook {
std::uint64_t ProvenPosition(const LogSegment& segment) {
  FrameScanner scanner(segment.bytes(), segment.header());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ends;  // of frames: offset, last position
  std::uint64_t proven = segment.first_position() - 1;
  std::size_t next = 0;
  // Where the device fails nothing further is proven; whoever reads there is told.
  while (segment.LoadFrame(scanner.offset()).ok() &&
         scanner.Next() == FrameScanner::Result::kFrame) {
    for (; next < ends.size() && ends[next].first <= scanner.promised_upto(); ++next) {
      proven = ends[next].second;
    }
    ends.emplace_back(scanner.offset(), scanner.next_position() - 1);
  }
  if (scanner.sealed() || IsSeeded(SeededBug::kReaderBelievesPageCache)) {
    return scanner.next_position() - 1;
  }
  TailEvidence evidence;
  evidence.bad_offset = scanner.offset();
  const absl::Status loaded = segment.LoadFrom(scanner.offset());
  ExamineTail(segment.bytes(), segment.header().salt, &evidence);
  segment.Unload();
  if (!loaded.ok()) return scanner.next_position();  // the read is to run into it
  return evidence.later_promise > scanner.offset() ? scanner.next_position() : proven;
}

absl::StatusOr<std::shared_ptr<Reader::Impl>> Follower::Open(const std::filesystem::path& directory,
                                                             const ReaderOptions& options) {
  DAYBOOK_ASSIGN_OR_RETURN(const StoreHeader store, ReadStoreFile(directory));
  if (!options.accept_network_file_system) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool network, Directory::IsNetworkFileSystem(directory));
    if (network) return absl::FailedPreconditionError("the store is on a network file system");
  }
  auto follower = std::make_shared<Follower>(directory, store, options);
  {
    MutexLock lock(follower->mutex_);
    follower->OpenWake();
    DAYBOOK_RETURN_IF_ERROR(follower->OpenAll());
  }
  return std::shared_ptr<Reader::Impl>(std::move(follower));
}

void Follower::OpenWake() {
  auto wake = WakeReader::Open(directory_ / "WAKE", access_);
  if (absl::IsNotFound(wake.status())) return;  // no writer has been here since it was copied
  if (!wake.ok() || !wake->Load()) {
    Tell(
        on_notice_, Notice::Severity::kWarning,
        "WAKE is damaged, or a writer died in the middle of it: without a writer the store is read "
        "up to what the log itself proves to be durable; opening it for writing makes WAKE anew");
    if (!wake.ok()) return;
  }
  wake_owner_ = std::make_unique<const WakeReader>(*std::move(wake));
  wake_.store(wake_owner_.get(), std::memory_order_release);
}

std::uint64_t Follower::WakePosition() const {
  const WakeReader* const wake = wake_.load(std::memory_order_acquire);
  if (wake == nullptr) return 0;
  const std::optional<WakeState> state = wake->Load();
  return state && state->store_id == store_.store_id ? state->position.value() : 0;
}

absl::Status Follower::OpenAll() {
  const StoreIdentity identity = IdentityOf(store_);
  DAYBOOK_ASSIGN_OR_RETURN(const auto logs,
                           OpenSegments(directory_, identity, true, &damage_, access_));
  if (logs.empty()) return damage_;
  if (!damage_.ok()) {
    damaged_.store(true, std::memory_order_release);
    Tell(on_notice_, Notice::Severity::kError,
         absl::StrCat("opened up to the damage: ", damage_.message()));
  }
  for (std::size_t i = 0; i + 1 < logs.size(); ++i) {
    DAYBOOK_RETURN_IF_ERROR(OpenSealed(logs[i], logs[i + 1]->first_position() - 1,
                                       KeyFor(identity, *logs[i], *logs[i + 1])));
  }
  return OpenLast(logs.back());
}

absl::Status Follower::OpenSealed(const std::shared_ptr<const LogSegment>& log,
                                  std::uint64_t last_position, const SidecarKey& key) {
  std::string why;
  std::shared_ptr<Segment> segment;
  if (std::shared_ptr<const Sidecar> sidecar = OpenSidecar(directory_, key, &why, access_)) {
    segment = MakeSealedSegment(log, std::move(sidecar), [this](const LogSegment& damaged) {
      Tell(on_notice_, Notice::Severity::kWarning,
           absl::StrCat("the sidecar of ", damaged.name(), " is damaged; its segment was scanned"));
    });
  } else {
    if (!why.empty()) Tell(on_notice_, Notice::Severity::kWarning, why);
    DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<ActiveIndex> index, RebuildIndex(log, last_position));
    segment = std::make_shared<Segment>(log, std::shared_ptr<const SegmentIndex>(index));
    without_sidecar_.push_back(segment);
  }
  segments_.Append(std::move(segment));
  next_position_ = last_position + 1;
  visible_.store(last_position, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Follower::OpenLast(const std::shared_ptr<const LogSegment>& log) {
  if (const auto end = FindSealedEnd(directory_, IdentityOf(store_), *log)) {
    return OpenSealed(log, end->tail.next_position - 1, end->sidecar->key());
  }
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<ActiveIndex> index,
                           MakeActiveIndex(log->first_position(), log->header().segment_bytes));
  catch_up_ = std::make_unique<CatchUp>(log, index.get(), INT64_MIN);
  last_ = std::make_shared<Segment>(log, std::shared_ptr<const SegmentIndex>(index));
  segments_.Append(last_);
  next_position_ = log->first_position();
  // Without a live writer WAKE may be missing or old: then the log's own promises count.
  DAYBOOK_RETURN_IF_ERROR(Follow(std::max(WakePosition(), ProvenPosition(*log))));
  // A segment has its full size before its first event. What is proven may have gone with the rest.
  if (damage_.ok() && log->bytes().size() < log->header().segment_bytes) {
    StopAt(DataLossAt({log->name(), log->bytes().size(), Position(next_position_), Position(0)},
                      "the file is shorter than its header says"));
  }
  return absl::OkStatus();
}

void Follower::StopAt(absl::Status damage) {
  damage_ = std::move(damage);
  damaged_.store(true, std::memory_order_release);
  Tell(on_notice_, Notice::Severity::kError,
       absl::StrCat("the store can be read up to position ", next_position_ - 1, ": ",
                    damage_.message()));
}

absl::Status Follower::Follow(std::uint64_t limit) {
  while (next_position_ <= limit && damage_.ok()) {
    if (catch_up_ == nullptr) {
      const absl::Status next = NextSegment();
      if (absl::IsNotFound(next)) {
        damage_ = DataLossAt({"log/" + SegmentFileName(next_position_), 0, Position(next_position_),
                              Position(limit)},
                             "the segment is missing");
        damaged_.store(true, std::memory_order_release);
        break;
      }
      DAYBOOK_RETURN_IF_ERROR(next);
    }
    auto result = catch_up_->Advance(limit);
    const FrameScanner& scanner = catch_up_->scanner();
    next_position_ = scanner.next_position();
    visible_.store(next_position_ - 1, std::memory_order_release);
    if (!result.ok()) {
      damage_ = result.status();
    } else if (*result == FrameScanner::Result::kNewer) {
      damage_ = absl::FailedPreconditionError(absl::StrCat(
          catch_up_->log()->name(), " goes on in a newer format; use a newer Daybook"));
    } else if (*result == FrameScanner::Result::kSealed) {
      without_sidecar_.push_back(std::move(last_));
      catch_up_.reset();
    } else if (next_position_ <= limit) {
      damage_ = DataLossAt(
          {catch_up_->log()->name(), scanner.offset(), Position(next_position_), Position(limit)},
          catch_up_->problem() != nullptr ? catch_up_->problem() : "the log ends too early");
    }
    if (!damage_.ok()) StopAt(damage_);
  }
  return absl::OkStatus();
}

absl::Status Follower::NextSegment() {
  DAYBOOK_ASSIGN_OR_RETURN(
      const auto log, LogSegment::Open(directory_, next_position_, IdentityOf(store_), access_));
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<ActiveIndex> index,
                           MakeActiveIndex(log->first_position(), log->header().segment_bytes));
  catch_up_ = std::make_unique<CatchUp>(log, index.get(), INT64_MIN);
  last_ = std::make_shared<Segment>(log, std::shared_ptr<const SegmentIndex>(index));
  segments_.Append(last_);
  UseSidecars();
  return absl::OkStatus();
}

void Follower::UseSidecars() {
  const auto list = segments_.snapshot();
  std::erase_if(without_sidecar_, [&](const std::shared_ptr<Segment>& segment) {
    const auto at = std::find(list->begin(), list->end(), segment);
    if (at == list->end() || at + 1 == list->end()) return false;
    std::string why;
    const auto sidecar =
        OpenSidecar(directory_, KeyFor(IdentityOf(store_), *segment->log(), *(*(at + 1))->log()),
                    &why, access_);
    if (sidecar == nullptr || !sidecar->VerifyAll().ok()) return false;
    segment->ReplaceIndex(sidecar);
    return true;
  });
}

absl::Status Follower::Refresh() {
  const bool awake = wake_.load(std::memory_order_acquire) != nullptr;
  if (awake && WakePosition() <= visible_.load(std::memory_order_acquire)) return absl::OkStatus();
  MutexLock lock(mutex_);
  if (wake_owner_ == nullptr) OpenWake();
  return Follow(WakePosition());
}

absl::StatusOr<ReadView> Follower::View() {
  DAYBOOK_RETURN_IF_ERROR(Refresh());
  const std::uint64_t bound = visible_.load(std::memory_order_acquire);
  ReadView view(bound, bound, &heads_, &segments_);
  if (damaged_.load(std::memory_order_acquire)) {
    MutexLock lock(mutex_);
    view.set_incomplete(damage_);
  }
  return view;
}

Position Follower::visible() {
  static_cast<void>(Refresh());  // what cannot be followed is said by the read that asks for it
  return Position(visible_.load(std::memory_order_acquire));
}

void Follower::WakeWaiters() {
  const WakeReader* const wake = wake_.load(std::memory_order_acquire);
  if (wake != nullptr) wake->WakeAll();
}

absl::StatusOr<Position> Follower::AwaitDurable(Position position,
                                                std::chrono::milliseconds timeout,
                                                const std::function<bool()>& keep_going) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + timeout;
  for (;;) {
    // The word is read before the position, so that no wake between the two is missed.
    const WakeReader* const wake = wake_.load(std::memory_order_acquire);
    const std::uint32_t word = wake != nullptr ? wake->futex_word() : 0;
    DAYBOOK_RETURN_IF_ERROR(Refresh());
    const std::uint64_t visible = visible_.load(std::memory_order_acquire);
    if (visible >= position.value()) return Position(visible);
    {
      MutexLock lock(mutex_);
      if (!damage_.ok()) return damage_;
    }
    const auto left = deadline - Clock::now();
    if (keep_going && !keep_going()) return absl::CancelledError("the wait was called off");
    if (left <= Clock::duration::zero()) return NotInTime(position, visible);
    if (wake != nullptr) {
      wake->Wait(word, left);
    } else {
      // There is no page to sleep on yet.
      std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(100)));
    }
  }
}

}  // namespace daybook
