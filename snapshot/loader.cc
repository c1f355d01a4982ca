// Loading: the events of one stream up to a moment, through a fold.

#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "daybook/repository.h"
#include "snapshot/effective_order.h"
#include "snapshot/state_cache.h"

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

}  // namespace

class Loader::Impl {
 public:
  Impl(const Reader& reader, std::shared_ptr<const AnyFold> fold, RepositoryOptions options)
      : reader_(reader),
        fold_(std::move(fold)),
        options_(std::move(options)),
        usable_(CheckFoldId(fold_->id())),
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
  // Folds what is left of `cursor`, until `visit`, which is called after each event, says no.
  absl::Status FoldInOrder(Cursor* cursor, void* state, StateInfo* info, const Visit& visit) const;
  // The same, by (effective_at, position).
  absl::Status FoldByEffect(std::string_view stream, Cursor* cursor, void* state, StateInfo* info,
                            const Visit& visit) const;
  absl::Status FoldAll(std::string_view stream, Cursor* cursor, void* state, StateInfo* info,
                       const Visit& visit) const {
    return info->basis.effective_at ? FoldByEffect(stream, cursor, state, info, visit)
                                    : FoldInOrder(cursor, state, info, visit);
  }

  const Reader& reader_;
  const std::shared_ptr<const AnyFold> fold_;
  const RepositoryOptions options_;
  const absl::Status usable_;
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

absl::StatusOr<Loader::Loaded> Loader::Impl::LoadAt(std::string_view stream, const AsOf& as_of,
                                                    const KnownState& near) const {
  DAYBOOK_RETURN_IF_ERROR(usable_);
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, Read(stream, as_of));
  StateInfo info{.basis = cursor.basis()};
  const Version version = info.basis.version;
  const bool from_near = !info.basis.effective_at && near.version > Version(0) &&
                         near.version <= version && near.state != nullptr;
  if (from_near) {
    info.events = near.version.value();
    info.snapshot = near.version;
    if (near.version == version) return Loaded{.state = near.state, .info = info};
    const AsOf pinned = AsOf::AtPosition(info.basis.position);
    DAYBOOK_ASSIGN_OR_RETURN(cursor, Read(stream, pinned, near.version));
  }
  const AnyFold::StatePtr state =
      from_near ? fold_->CopyState(near.state.get()) : fold_->NewState();
  DAYBOOK_RETURN_IF_ERROR(FoldAll(stream, &cursor, state.get(), &info, {}));
  return Loaded{.state = state, .info = info};
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
  DAYBOOK_RETURN_IF_ERROR(FoldAll(stream, &cursor, state.get(), &info, visit));
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
