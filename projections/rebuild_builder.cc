#include "projections/rebuild_builder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/thread.h"
#include "projections/bulk_load.h"
#include "projections/event_feed.h"

namespace daybook {
namespace {

constexpr std::chrono::seconds kProgressEvery{1};
constexpr std::chrono::milliseconds kLookEveryMin{1}, kLookEveryMax{100};

// What the threads ended with, as one: an error before a stop at an event, of those the first, and
// those before a cancellation.
absl::Status FirstOf(const std::vector<absl::Status>& statuses) {
  const auto rank = [](const absl::Status& status) {
    if (status.ok()) return std::pair(3, std::uint64_t{0});
    if (absl::IsCancelled(status)) return std::pair(2, std::uint64_t{0});
    const std::optional<PoisonEvent> poison = PoisonOf(status);
    return poison ? std::pair(1, poison->position.value()) : std::pair(0, std::uint64_t{0});
  };
  return *std::min_element(
      statuses.begin(), statuses.end(),
      [&](const absl::Status& a, const absl::Status& b) { return rank(a) < rank(b); });
}

}  // namespace

RebuildBuilder::RebuildBuilder(const Reader& reader, const Projection& projection,
                               const RebuildOptions& options, std::uint64_t number,
                               const std::filesystem::path& folder, Create create)
    : reader_(reader),
      projection_(projection),
      options_(options),
      number_(number),
      create_(std::move(create)),
      shared_{.projection = projection_,
              .tables = tables_,
              .skips = SkipSet(projection.name),
              .owed = {},
              .keep_going = options.keep_going},
      checkpoint_(InitialCheckpoint(projection, reader)) {
  checkpoint_.built = false;
  for (const TableSummary& table : checkpoint_.tables) tables_.push_back(table.name);
  const unsigned threads = std::max(options.threads, 1U);
  for (unsigned i = 0; i < threads; ++i) {
    const RebuildRows::Options rows{.memory_bytes_max = options.memory_bytes_max / threads,
                                    .run = folder / absl::StrCat("run.", i),
                                    .one_of_several = threads > 1};
    workers_.push_back(std::make_unique<RebuildWorker>(&shared_, i, rows));
  }
}

RebuildBuilder::~RebuildBuilder() = default;

absl::Status RebuildBuilder::Build(Position to, OwedEffects owed) {
  DAYBOOK_RETURN_IF_ERROR(broken_);
  if (!begun_ && checkpoint_.built && checkpoint_.position == to) return absl::OkStatus();
  for (const auto& worker : workers_) {
    if (worker->done() <= to) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "the rebuild is at position ", worker->done().value(), ", and is to be built up to ",
        to.value(), ", which is before that; start another"));
  }
  shared_.owed = std::move(owed);
  DAYBOOK_RETURN_IF_ERROR(Prepare(to));
  DAYBOOK_RETURN_IF_ERROR(Scan(to));
  return Load(to);
}

void RebuildBuilder::Close() {
  for (const auto& worker : workers_) worker->Clear();
  generation_.reset();
  broken_ = absl::FailedPreconditionError("the rebuild has ended; start another");
}

RebuildProgress RebuildBuilder::progress() const {
  RebuildProgress progress{.generation = number_, .scanned = Scanned()};
  MutexLock lock(mutex_);
  progress.matched = matched_before_;
  for (const auto& worker : workers_) progress.matched += worker->matched();
  progress.target = target_;
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  const auto scanned = static_cast<double>(progress.scanned.value() - began_at_.value());
  const auto left = static_cast<double>(target_.value() - progress.scanned.value());
  if (seconds > 0) progress.events_per_second = scanned / seconds;
  if (scanned > 0) progress.seconds_left = left / progress.events_per_second;
  return progress;
}

Position RebuildBuilder::Scanned() const {
  Position scanned = workers_.front()->done();
  for (const auto& worker : workers_) scanned = std::min(scanned, worker->done());
  return scanned;
}

absl::Status RebuildBuilder::Prepare(Position to) {
  DAYBOOK_RETURN_IF_ERROR(shared_.skips.Refresh(reader_).status());
  if (!begun_ && checkpoint_.built) {
    for (const auto& worker : workers_) {
      DAYBOOK_RETURN_IF_ERROR(worker->ReadFrom(*generation_, checkpoint_));
    }
  }
  begun_ = true;
  MutexLock lock(mutex_);
  target_ = to;
  began_at_ = Scanned();
  began_ = Clock::now();
  return absl::OkStatus();
}

absl::Status RebuildBuilder::Scan(Position to) {
  EventFeed feed(reader_, projection_, shared_.skips, Scanned(), to,
                 static_cast<unsigned>(workers_.size()));
  std::vector<absl::Status> statuses(workers_.size());
  OnThreads([&](unsigned i) { statuses[i] = workers_[i]->Work(&feed); });
  return FirstOf(statuses);
}

void RebuildBuilder::OnThreads(const std::function<void(unsigned)>& body) {
  Ended ended;
  {
    MutexLock lock(ended.mutex);
    ended.left = static_cast<unsigned>(workers_.size());
  }
  std::vector<std::unique_ptr<Thread>> threads;
  for (unsigned i = 0; i < workers_.size(); ++i) {
    threads.push_back(std::make_unique<Thread>("daybook-rebuild", [&body, &ended, i] {
      body(i);
      MutexLock lock(ended.mutex);
      --ended.left;
      ended.changed.NotifyAll();
    }));
  }
  Watch(&ended);
}

void RebuildBuilder::Watch(Ended* ended) {
  using std::chrono::milliseconds;
  const milliseconds look_every =
      std::clamp(projection_.handler_deadline / 8, kLookEveryMin, kLookEveryMax);
  Clock::time_point report_at = Clock::now() + kProgressEvery;
  MutexLock lock(ended->mutex);
  while (ended->left > 0) {
    ended->changed.WaitFor(ended->mutex, look_every);
    lock.Unlock();
    if (projection_.handler_deadline.count() > 0) LookForStuck();
    if (options_.on_progress && Clock::now() >= report_at) {
      report_at += kProgressEvery;
      options_.on_progress(progress());
    }
    lock.Lock();
  }
}

void RebuildBuilder::LookForStuck() {
  for (const auto& worker : workers_) {
    const std::optional<Position> stuck = worker->FindStuck(Clock::now());
    if (!stuck || *stuck == reported_stuck_) continue;
    reported_stuck_ = *stuck;
    if (!options_.on_notice) continue;
    options_.on_notice(
        {.severity = Notice::Severity::kWarning,
         .message = absl::StrCat(
             "the handler of projection '", projection_.name, "' has been at position ",
             stuck->value(), " for longer than its deadline; the rebuild stops when it returns")});
  }
}

absl::Status RebuildBuilder::Load(Position to) {
  Checkpoint next = checkpoint_;
  if (!checkpoint_.built) {
    // What an attempt before this one has loaded is thrown away; the workers still have it all.
    generation_.reset();
    DAYBOOK_ASSIGN_OR_RETURN(generation_, create_(checkpoint_));
  }
  if (to > Position(0)) DAYBOOK_RETURN_IF_ERROR(MoveTo(reader_, to, &next));
  next.built = true;
  next.parked = next.parked_keys = 0;
  const std::uint64_t threads = workers_.size();
  for (const auto& worker : workers_) {
    next.matched += worker->matched();
    next.parked += worker->parking().events();
    next.parked_keys += worker->parking().keys();
  }
  // Each of them counts what was parked before as well.
  next.parked -= (threads - 1) * checkpoint_.parked;
  next.parked_keys -= (threads - 1) * checkpoint_.parked_keys;
  const absl::Status written = Write(std::move(next));
  if (!written.ok() && !CanLoadAgain(written)) broken_ = written;
  return written;
}

bool RebuildBuilder::CanLoadAgain(const absl::Status& failed) const {
  if (!absl::IsResourceExhausted(failed)) return false;
  if (!checkpoint_.built) return true;
  // Unless a part of the rows is there already.
  const absl::StatusOr<Checkpoint> now = generation_->ReadCheckpoint();
  return now.ok() && now->built && now->position == checkpoint_.position;
}

absl::Status RebuildBuilder::Write(Checkpoint next) {
  BulkLoad load{.generation = generation_.get(), .changes = {}, .checkpoint = std::move(next)};
  load.changes.resize(workers_.size());
  // Sorting them takes a while.
  OnThreads([&](unsigned i) { load.changes[i] = workers_[i]->rows().Changes(); });
  for (const auto& worker : workers_) worker->rows().EndReads();
  load.finish = [&](WriteTransaction& transaction) {
    for (const auto& worker : workers_) {
      DAYBOOK_RETURN_IF_ERROR(worker->parking().Write(generation_->parked(), &transaction));
    }
    return absl::OkStatus();
  };
  DAYBOOK_RETURN_IF_ERROR(LoadInBulk(std::move(load)));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint_, generation_->ReadCheckpoint());
  MutexLock lock(mutex_);
  matched_before_ = checkpoint_.matched;
  for (const auto& worker : workers_) worker->Clear();
  begun_ = false;
  return absl::OkStatus();
}

}  // namespace daybook
