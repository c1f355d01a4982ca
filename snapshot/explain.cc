#include "daybook/explain.h"

#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/status.h"
#include "daybook/json_field.h"
#include "daybook/repository.h"
#include "snapshot/json_outline.h"
#include "snapshot/json_state.h"
#include "snapshot/json_watch.h"

namespace daybook {
namespace {

// A state of which places are watched while a stream is walked.
struct Watched {
  explicit Watched(const JsonFold& of) : fold(of), state(of.kind()), whole(&now) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  absl::Status Walk(const Reader& reader, std::string_view stream, const AsOf& as_of);

  const JsonFold fold;
  JsonState::Impl state;
  Position now;  // of the event that is applied
  JsonWatch whole;
};

// The fold that walks: its state is the watched one, which outlives the walk.
struct WatchingFold {
  struct State {};
  [[nodiscard]] std::string_view id() const { return watched->fold.id(); }
  [[nodiscard]] static constexpr std::uint32_t revision() { return JsonFold::revision(); }
  absl::Status Apply(State& /*state*/, const EventView& event) const {
    watched->now = event.position;
    return watched->state.Apply(watched->fold, AsText(event.data), &watched->whole);
  }
  Watched* watched;
};

absl::Status Watched::Walk(const Reader& reader, std::string_view stream, const AsOf& as_of) {
  const Loader loader(reader, std::make_shared<FoldAdapter<WatchingFold>>(WatchingFold{this}), {});
  return loader.Walk(stream, as_of, {}).status();
}

// What differs between two states, and where that is to be watched.
class Comparison {
 public:
  Comparison(const JsonOutline& before, const JsonOutline& after, JsonWatch* whole)
      : before_(before), after_(after), whole_(whole) {}

  void Run() {
    Compare(&before_.root(), &after_.root());
    for (const auto& [place, name, value] : gone_) Add(place, name, value, nullptr);
  }
  // Takes what was found, with the positions that have been noted by now.
  std::vector<FieldChange> Take() {
    for (std::size_t i = 0; i < changes_.size(); ++i) changes_[i].position = places_[i]->last();
    return std::move(changes_);
  }

 private:
  using Entry = JsonOutline::Entry;
  struct Gone {
    JsonWatch* place;
    std::string name;
    const Entry* value;
  };

  void Compare(const Entry* before, const Entry* after) {
    if (before != nullptr && before->is_object && after->is_object) {
      CompareFields(*before, *after);
    } else if (before == nullptr || before->value != after->value) {
      Add(PlaceHere(), JsonFieldPath::NameOf(keys_), before, after);
    }
  }

  void CompareFields(const Entry& before, const Entry& after) {
    absl::flat_hash_map<absl::string_view, const Entry*> left;
    before_.ForEachField(before,
                         [&](const Entry& field) { left.emplace(ToAbsl(field.key), &field); });
    after_.ForEachField(after, [&](const Entry& field) {
      const auto found = left.find(ToAbsl(field.key));
      keys_.push_back(field.key);
      Compare(found == left.end() ? nullptr : found->second, &field);
      keys_.pop_back();
      if (found != left.end()) left.erase(found);
    });
    before_.ForEachField(before, [&](const Entry& field) {
      if (!left.contains(ToAbsl(field.key))) return;
      keys_.push_back(field.key);
      gone_.push_back({PlaceHere(), JsonFieldPath::NameOf(keys_), &field});
      keys_.pop_back();
    });
  }

  JsonWatch* PlaceHere() {
    JsonWatch* place = whole_;
    for (const std::string_view key : keys_) {
      place = &place->Watch(JsonFieldPath::Step::To(key));
    }
    return place;
  }

  void Add(JsonWatch* place, const std::string& name, const Entry* before, const Entry* after) {
    FieldChange& change = changes_.emplace_back();
    change.field = name;
    if (before != nullptr) change.before = before->value;
    if (after != nullptr) change.after = after->value;
    places_.push_back(place);
  }

  const JsonOutline& before_;
  const JsonOutline& after_;
  JsonWatch* const whole_;
  std::vector<std::string_view> keys_;  // to where the comparison is
  std::vector<FieldChange> changes_;
  std::vector<JsonWatch*> places_;  // of the changes
  std::vector<Gone> gone_;
};

absl::Status IsAfter() {
  return absl::InvalidArgumentError("the first moment is after the second");
}

absl::Status CheckMoments(const AsOf& from, const AsOf& to) {
  if (from.effective_at != to.effective_at) {
    return absl::InvalidArgumentError(
        "the two moments must have the same effective bound, or none");
  }
  const auto is_after = [](const auto& a, const auto& b) { return a && b && *a > *b; };
  if (is_after(from.version, to.version) || is_after(from.position, to.position) ||
      is_after(from.recorded_at, to.recorded_at)) {
    return IsAfter();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<FieldChange>> Diff(const Reader& reader, const JsonFold& fold,
                                              std::string_view stream, const AsOf& from,
                                              const AsOf& to) {
  DAYBOOK_RETURN_IF_ERROR(CheckMoments(from, to));
  const Loader loader(reader, std::make_shared<FoldAdapter<JsonFold>>(fold), {});
  DAYBOOK_ASSIGN_OR_RETURN(const Loader::Loaded before, loader.LoadAt(stream, from));
  DAYBOOK_ASSIGN_OR_RETURN(const Loader::Loaded after, loader.LoadAt(stream, to, before));
  const Basis& basis = after.info.basis;
  if (before.info.basis.position > basis.position) return IsAfter();

  const auto json_of = [&fold](const Loader::Loaded& loaded) {
    return fold.ToJson(*static_cast<const JsonState*>(loaded.state.get()));
  };
  const std::string before_json = json_of(before);
  const std::string after_json = json_of(after);
  JsonOutline before_outline;
  JsonOutline after_outline;
  DAYBOOK_RETURN_IF_ERROR(before_outline.Parse(before_json, "the state"));
  DAYBOOK_RETURN_IF_ERROR(after_outline.Parse(after_json, "the state"));
  Watched watched(fold);
  Comparison comparison(before_outline, after_outline, &watched.whole);
  comparison.Run();
  if (before_json == after_json) return comparison.Take();

  // The stream as it was asked about, whatever has been appended since.
  AsOf same = AsOf::AtPosition(basis.position);
  same.effective_at = to.effective_at;
  DAYBOOK_RETURN_IF_ERROR(watched.Walk(reader, stream, same));
  return comparison.Take();
}

absl::StatusOr<std::optional<Blamed>> Blame(const Reader& reader, const JsonFold& fold,
                                            std::string_view stream, std::string_view field,
                                            const AsOf& as_of) {
  DAYBOOK_ASSIGN_OR_RETURN(const JsonFieldPath path, JsonFieldPath::Parse(field));
  Watched watched(fold);
  JsonWatch* place = &watched.whole;
  for (const JsonFieldPath::Step& step : path.steps()) place = &place->Watch(step);
  DAYBOOK_RETURN_IF_ERROR(watched.Walk(reader, stream, as_of));
  if (place->last() == Position(0)) return std::nullopt;

  const std::string json = watched.state.ToJson();
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<std::string_view> value, FindJsonField(json, path));
  DAYBOOK_ASSIGN_OR_RETURN(EventHandle event, reader.EventAt(place->last()));
  Blamed blamed{.field = std::string(field), .value = std::nullopt, .event = std::move(event)};
  if (value) blamed.value = *value;
  return blamed;
}

}  // namespace daybook
