// Loading: the events of one stream up to a moment, through a fold.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "daybook/repository.h"
#include "snapshot/effective_order.h"
#include "snapshot/snapshot_store.h"
#include "snapshot/state_cache.h"
#include "snapshot/taker.h"

namespace daybook {
namespace {

absl::Status CheckFoldId(std::string_view id) {
  DAYBOOK_RETURN_IF_ERROR(ValidateName("id of the fold", id));
  if (id.size() <= kFoldIdBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("id of the fold: ", id.size(), " bytes; it may have at most ", kFoldIdBytesMax));
}

// The error of a fold, with the event at which it came: the same code and details.
absl::Status AtEvent(const absl::Status& status, std::string_view fold, const EventView& event) {
  absl::Status named(status.code(),
                     absl::StrCat("fold '", ToAbsl(fold), "' at version ", event.version.value(),
                                  " of stream '", absl::Utf8SafeCHexEscape(ToAbsl(event.stream)),
                                  "', position ", event.position.value(), ": ", status.message()));
  status.ForEachPayload([&named](absl::string_view url, const absl::Cord& payload) {
    named.SetPayload(url, payload);
  });
  return named;
}

// Looking for a snapshot costs about as much as folding so many events.
constexpr std::uint64_t kTailShort = 64;

// Where a load begins.
struct Start {
  Version version;
  std::shared_ptr<const void> shared;  // a state that may not be changed,
  AnyFold::StatePtr restored;          // or one of a snapshot; neither: the empty one
  std::string saved;                   // the bytes of that snapshot
  std::vector<std::uint64_t> passed_over;
};

SnapshotStore::Impl* UsableSnapshots(const Reader& reader, const AnyFold& fold,
                                     const RepositoryOptions& options) {
  if (options.snapshots == nullptr || !fold.has_snapshots()) return nullptr;
  SnapshotStore::Impl& snapshots = options.snapshots->impl();
  return snapshots.incarnation() == reader.incarnation() ? &snapshots : nullptr;
}

}  // namespace

class Loader::Impl {
 public:
  Impl(const Reader& reader, std::shared_ptr<const AnyFold> fold, RepositoryOptions options)
      : reader_(reader),
        fold_(std::move(fold)),
        options_(std::move(options)),
        usable_(CheckFoldId(fold_->id())),
        snapshots_(UsableSnapshots(reader_, *fold_, options_)),
        latest_(options_.cached_states_max) {}

  absl::StatusOr<Loaded> Load(std::string_view stream) const;
  absl::StatusOr<Loaded> LoadAt(std::string_view stream, const AsOf& as_of,
                                const KnownState& near) const;
  absl::StatusOr<StateInfo> Walk(std::string_view stream, const AsOf& as_of,
                                 const Visit& visit) const;
  [[nodiscard]] const Reader& reader() const { return reader_; }
  [[nodiscard]] const AnyFold& fold() const { return *fold_; }

 private:
  // The events of the stream behind version `behind`.
  absl::StatusOr<Cursor> Read(std::string_view stream, const AsOf& as_of,
                              Version behind = Version(0)) const;
  absl::Status Apply(void* state, const EventView& event) const;
  // Folds what `cursor` gives, until `visit`, which is called after each event, says no.
  absl::Status FoldInOrder(Cursor* cursor, void* state, StateInfo* info, const Visit& visit) const;
  // The same, by (effective_at, position).
  absl::Status FoldByEffect(std::string_view stream, Cursor* cursor, void* state, StateInfo* info,
                            const Visit& visit) const;

  // What is nearest to a version: the state that is known, a snapshot, or the empty stream.
  Start NearestTo(Version version, std::string_view series, const KnownState& near) const;
  // Restores the last snapshot behind `start` and up to `version` that can be, in its place.
  void Restore(Version version, std::string_view series, Start* start) const;
  [[nodiscard]] bool IsVerificationDue() const;
  [[nodiscard]] std::optional<SnapshotTaker> TakerFor(const Start& start, const std::string& series,
                                                      Version upto) const;
  // `all` gives the stream's events from the first one on.
  absl::StatusOr<Loaded> LoadFrom(Start start, Cursor all, std::string_view stream,
                                  const std::string& series, StateInfo info) const;
  // Folds all of them, and holds the snapshot of `start` against the state that its version has so.
  absl::StatusOr<Loaded> LoadVerified(Start start, Cursor all, std::string_view stream,
                                      const std::string& series, StateInfo info) const;
  void RemoveFalse(std::string_view stream, std::string_view series, Version version) const;
  [[nodiscard]] std::string SeriesOf(std::string_view stream) const {
    return snapshots_ == nullptr ? std::string()
                                 : SeriesPrefix({stream, fold_->id(), fold_->revision()});
  }

  const Reader& reader_;
  const std::shared_ptr<const AnyFold> fold_;
  const RepositoryOptions options_;
  const absl::Status usable_;
  SnapshotStore::Impl* const snapshots_;  // nullptr: without
  mutable std::atomic<std::uint64_t> restored_{0};
  mutable StateCache latest_;
};

absl::StatusOr<Cursor> Loader::Impl::Read(std::string_view stream, const AsOf& as_of,
                                          Version behind) const {
  ReadOptions options;
  options.stream = std::string(stream);
  options.as_of = as_of;
  if (behind > Version(0)) options.from_version = Version(behind.value() + 1);
  options.views = Views::kUntilNext;
  options.keep_going = options_.keep_going;
  return reader_.Read(options);
}

absl::Status Loader::Impl::Apply(void* state, const EventView& event) const {
  absl::Status applied = fold_->Apply(state, event);
  return applied.ok() ? applied : AtEvent(applied, fold_->id(), event);
}

absl::Status Loader::Impl::FoldInOrder(Cursor* cursor, void* state, StateInfo* info,
                                       const Visit& visit) const {
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor->Next());
    if (event == nullptr) return absl::OkStatus();
    DAYBOOK_RETURN_IF_ERROR(Apply(state, *event));
    ++info->events;
    ++info->folded;
    if (!visit) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const bool more, visit(state, *event));
    if (!more) return absl::OkStatus();
  }
}

absl::Status Loader::Impl::FoldByEffect(std::string_view stream, Cursor* cursor, void* state,
                                        StateInfo* info, const Visit& visit) const {
  info->order = FoldOrder::kEffective;
  DAYBOOK_ASSIGN_OR_RETURN(const EffectiveOrder order, EffectiveOrder::Collect(cursor));
  return order.ForEach(reader_, stream, options_.keep_going,
                       [&](const EventView& event) -> absl::StatusOr<bool> {
                         DAYBOOK_RETURN_IF_ERROR(Apply(state, event));
                         ++info->events;
                         ++info->folded;
                         return visit ? visit(state, event) : true;
                       });
}

void Loader::Impl::Restore(Version version, std::string_view series, Start* start) const {
  std::uint64_t upto = version.value();
  while (upto > start->version.value()) {
    std::optional<SnapshotTable::Found> found =
        snapshots_->Find(series, start->version.value(), upto, &start->passed_over);
    if (!found) return;
    absl::StatusOr<AnyFold::StatePtr> restored = fold_->Restore(found->state);
    if (restored.ok()) {
      start->version = Version(found->version);
      start->shared = nullptr;
      start->restored = *std::move(restored);
      start->saved = std::move(found->state);
      return;
    }
    snapshots_->Count(&SnapshotStats::ignored);
    start->passed_over.push_back(found->version);
    upto = found->version - 1;
  }
}

Start Loader::Impl::NearestTo(Version version, std::string_view series,
                              const KnownState& near) const {
  Start start;
  if (near.state != nullptr && near.version <= version) {
    start.version = near.version;
    start.shared = near.state;
  }
  const std::uint64_t tail = version.value() - start.version.value();
  if (snapshots_ == nullptr || tail <= (start.shared == nullptr ? 0 : kTailShort)) return start;
  Restore(version, series, &start);
  if (start.restored != nullptr) {
    snapshots_->Count(&SnapshotStats::hits);
  } else if (start.shared == nullptr) {
    snapshots_->Count(&SnapshotStats::misses);
  }
  return start;
}

bool Loader::Impl::IsVerificationDue() const {
  return options_.verify_one_in > 0 && ++restored_ % options_.verify_one_in == 0;
}

std::optional<SnapshotTaker> Loader::Impl::TakerFor(const Start& start, const std::string& series,
                                                    Version upto) const {
  if (snapshots_ == nullptr || !options_.policy.takes_any()) return std::nullopt;
  return std::optional<SnapshotTaker>(std::in_place, snapshots_, *fold_, options_.policy,
                                      options_.on_notice, series, start.version.value(),
                                      upto.value(), start.passed_over);
}

absl::StatusOr<Loader::Loaded> Loader::Impl::LoadFrom(Start start, Cursor all,
                                                      std::string_view stream,
                                                      const std::string& series,
                                                      StateInfo info) const {
  info.events = start.version.value();
  info.snapshot = start.version;
  if (start.version > Version(0)) {
    if (start.version == info.basis.version) {
      return Loaded{start.restored != nullptr ? start.restored : start.shared, info};
    }
    DAYBOOK_ASSIGN_OR_RETURN(all,
                             Read(stream, AsOf::AtPosition(info.basis.position), start.version));
  }
  std::optional<SnapshotTaker> taker = TakerFor(start, series, info.basis.version);
  AnyFold::StatePtr state = std::move(start.restored);
  if (state == nullptr) {
    state = start.shared != nullptr ? fold_->CopyState(start.shared.get()) : fold_->NewState();
  }
  Visit take;
  if (taker) {
    take = [&taker](const void* at, const EventView& event) -> absl::StatusOr<bool> {
      taker->Passed(at, event);
      return true;
    };
  }
  DAYBOOK_RETURN_IF_ERROR(FoldInOrder(&all, state.get(), &info, take));
  return Loaded{state, info};
}

absl::StatusOr<Loader::Loaded> Loader::Impl::LoadVerified(Start start, Cursor all,
                                                          std::string_view stream,
                                                          const std::string& series,
                                                          StateInfo info) const {
  std::optional<SnapshotTaker> taker = TakerFor(start, series, info.basis.version);
  const AnyFold::StatePtr state = fold_->NewState();
  bool is_true = false;
  StateInfo replayed{.basis = info.basis};
  const absl::Status status =
      FoldInOrder(&all, state.get(), &replayed,
                  [&](const void* at, const EventView& event) -> absl::StatusOr<bool> {
                    if (event.version == start.version) {
                      std::string saved;
                      is_true = fold_->Save(at, saved).ok() && saved == start.saved;
                    } else if (is_true && taker) {
                      taker->Passed(at, event);
                    }
                    return true;
                  });
  // What cannot be read, or was stopped, says nothing about the snapshot.
  if (absl::IsDataLoss(status)) {
    return LoadFrom(std::move(start), std::move(all), stream, series, info);
  }
  if (absl::IsCancelled(status)) return status;
  snapshots_->Count(&SnapshotStats::verified);
  if (!is_true) RemoveFalse(stream, series, start.version);
  DAYBOOK_RETURN_IF_ERROR(status);
  return Loaded{state, replayed};
}

void Loader::Impl::RemoveFalse(std::string_view stream, std::string_view series,
                               Version version) const {
  snapshots_->Count(&SnapshotStats::false_states);
  latest_.Forget(stream);
  const absl::Status removed = snapshots_->RemoveFrom(series, version.value());
  if (!options_.on_notice) return;
  options_.on_notice(
      {Notice::Severity::kError,
       absl::StrCat("the snapshot of stream '", absl::Utf8SafeCHexEscape(ToAbsl(stream)),
                    "' at version ", version.value(), " by fold '", ToAbsl(fold_->id()),
                    "' revision ", fold_->revision(), " is false: a replay has another state; ",
                    removed.ok() ? std::string("it was removed, with those behind it")
                                 : absl::StrCat("it could not be removed (", removed.message(),
                                                "): delete the folder snapshots/"),
                    "; where the fold was changed, change its revision")});
}

absl::StatusOr<Loader::Loaded> Loader::Impl::LoadAt(std::string_view stream, const AsOf& as_of,
                                                    const KnownState& near) const {
  DAYBOOK_RETURN_IF_ERROR(usable_);
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, Read(stream, as_of));
  StateInfo info{.basis = cursor.basis()};
  if (info.basis.effective_at) {
    const AnyFold::StatePtr state = fold_->NewState();
    DAYBOOK_RETURN_IF_ERROR(FoldByEffect(stream, &cursor, state.get(), &info, {}));
    return Loaded{state, info};
  }
  const std::string series = SeriesOf(stream);
  Start start = NearestTo(info.basis.version, series, near);
  if (start.restored != nullptr && IsVerificationDue()) {
    return LoadVerified(std::move(start), std::move(cursor), stream, series, info);
  }
  return LoadFrom(std::move(start), std::move(cursor), stream, series, info);
}

absl::StatusOr<Loader::Loaded> Loader::Impl::Load(std::string_view stream) const {
  DAYBOOK_ASSIGN_OR_RETURN(Loaded loaded, LoadAt(stream, AsOf::Latest(), latest_.Find(stream)));
  if (loaded.info.events > 0) latest_.Put(stream, {loaded.state, loaded.info.basis.version});
  return loaded;
}

absl::StatusOr<StateInfo> Loader::Impl::Walk(std::string_view stream, const AsOf& as_of,
                                             const Visit& visit) const {
  DAYBOOK_RETURN_IF_ERROR(usable_);
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, Read(stream, as_of));
  const AnyFold::StatePtr state = fold_->NewState();
  StateInfo info{.basis = cursor.basis()};
  DAYBOOK_RETURN_IF_ERROR(info.basis.effective_at
                              ? FoldByEffect(stream, &cursor, state.get(), &info, visit)
                              : FoldInOrder(&cursor, state.get(), &info, visit));
  return info;
}

Loader::Loader(const Reader& reader, std::shared_ptr<const AnyFold> fold, RepositoryOptions options)
    : impl_(std::make_unique<Impl>(reader, std::move(fold), std::move(options))) {}
Loader::~Loader() = default;

absl::StatusOr<Loader::Loaded> Loader::Load(std::string_view stream) const {
  return impl_->Load(stream);
}
absl::StatusOr<Loader::Loaded> Loader::LoadAt(std::string_view stream, const AsOf& as_of) const {
  return impl_->LoadAt(stream, as_of, {});
}
absl::StatusOr<Loader::Loaded> Loader::LoadAt(std::string_view stream, const AsOf& as_of,
                                              const Loaded& near) const {
  const bool usable = !near.info.basis.effective_at;
  return impl_->LoadAt(stream, as_of,
                       usable ? KnownState{near.state, near.info.basis.version} : KnownState{});
}
absl::StatusOr<StateInfo> Loader::Walk(std::string_view stream, const AsOf& as_of,
                                       const Visit& visit) const {
  return impl_->Walk(stream, as_of, visit);
}
const Reader& Loader::reader() const { return impl_->reader(); }
const AnyFold& Loader::fold() const { return impl_->fold(); }

}  // namespace daybook
