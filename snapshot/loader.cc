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
        usable_(CheckFoldId(fold_->id())) {}

  absl::StatusOr<Loaded> LoadAt(std::string_view stream, const AsOf& as_of) const;
  absl::StatusOr<StateInfo> Walk(std::string_view stream, const AsOf& as_of,
                                 const Visit& visit) const;
  [[nodiscard]] const Reader& reader() const { return reader_; }
  [[nodiscard]] const AnyFold& fold() const { return *fold_; }

 private:
  absl::StatusOr<Cursor> Read(std::string_view stream, const AsOf& as_of) const;
  absl::Status Apply(void* state, const EventView& event) const;
  // Folds what `cursor` gives, or (effective) the same in another order, and calls `visit`, if
  // there is one, after each event.
  absl::Status FoldAll(std::string_view stream, Cursor* cursor, void* state, StateInfo* info,
                       const Visit& visit) const;

  const Reader& reader_;
  const std::shared_ptr<const AnyFold> fold_;
  const RepositoryOptions options_;
  const absl::Status usable_;
};

absl::StatusOr<Cursor> Loader::Impl::Read(std::string_view stream, const AsOf& as_of) const {
  ReadOptions options;
  options.stream = std::string(stream);
  options.as_of = as_of;
  options.views = Views::kUntilNext;
  options.keep_going = options_.keep_going;
  return reader_.Read(options);
}

absl::Status Loader::Impl::Apply(void* state, const EventView& event) const {
  absl::Status applied = fold_->Apply(state, event);
  return applied.ok() ? applied : AtEvent(applied, fold_->id(), event);
}

absl::Status Loader::Impl::FoldAll(std::string_view stream, Cursor* cursor, void* state,
                                   StateInfo* info, const Visit& visit) const {
  info->basis = cursor->basis();
  const auto fold_one = [&](const EventView& event) -> absl::StatusOr<bool> {
    DAYBOOK_RETURN_IF_ERROR(Apply(state, event));
    ++info->events;
    ++info->folded;
    return visit ? visit(state, event) : true;
  };
  if (info->basis.effective_at) {
    info->order = FoldOrder::kEffective;
    DAYBOOK_ASSIGN_OR_RETURN(const EffectiveOrder order, EffectiveOrder::Collect(cursor));
    return order.ForEach(reader_, stream, options_.keep_going, fold_one);
  }
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor->Next());
    if (event == nullptr) return absl::OkStatus();
    DAYBOOK_ASSIGN_OR_RETURN(const bool more, fold_one(*event));
    if (!more) return absl::OkStatus();
  }
}

absl::StatusOr<Loader::Loaded> Loader::Impl::LoadAt(std::string_view stream,
                                                    const AsOf& as_of) const {
  DAYBOOK_RETURN_IF_ERROR(usable_);
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, Read(stream, as_of));
  const AnyFold::StatePtr state = fold_->NewState();
  Loaded loaded{.state = state, .info = {}};
  DAYBOOK_RETURN_IF_ERROR(FoldAll(stream, &cursor, state.get(), &loaded.info, {}));
  return loaded;
}

absl::StatusOr<StateInfo> Loader::Impl::Walk(std::string_view stream, const AsOf& as_of,
                                             const Visit& visit) const {
  DAYBOOK_RETURN_IF_ERROR(usable_);
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, Read(stream, as_of));
  const AnyFold::StatePtr state = fold_->NewState();
  StateInfo info;
  DAYBOOK_RETURN_IF_ERROR(FoldAll(stream, &cursor, state.get(), &info, visit));
  return info;
}

Loader::Loader(const Reader& reader, std::shared_ptr<const AnyFold> fold, RepositoryOptions options)
    : impl_(std::make_unique<Impl>(reader, std::move(fold), std::move(options))) {}
Loader::~Loader() = default;

absl::StatusOr<Loader::Loaded> Loader::Load(std::string_view stream) const {
  return impl_->LoadAt(stream, AsOf::Latest());
}
absl::StatusOr<Loader::Loaded> Loader::LoadAt(std::string_view stream, const AsOf& as_of) const {
  return impl_->LoadAt(stream, as_of);
}
absl::StatusOr<StateInfo> Loader::Walk(std::string_view stream, const AsOf& as_of,
                                       const Visit& visit) const {
  return impl_->Walk(stream, as_of, visit);
}
const Reader& Loader::reader() const { return impl_->reader(); }
const AnyFold& Loader::fold() const { return impl_->fold(); }

}  // namespace daybook
