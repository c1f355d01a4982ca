#include "daybook/json_fold.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "snapshot/json_state.h"

namespace daybook {
namespace {

constexpr std::string_view kIdPrefix = "json.";
constexpr std::string_view kSumPrefix = "sum:";

// A saved state is the version of this form, the kind of the fold, and the state as JSON.
constexpr char kSavedForm = 1;
constexpr std::size_t kSavedHeaderBytes = 2;

std::string_view NameOf(JsonFold::Kind kind) {
  switch (kind) {
    case JsonFold::Kind::kMerge:
      return "merge";
    case JsonFold::Kind::kSum:
      return kSumPrefix;
    case JsonFold::Kind::kCount:
      return "count";
    case JsonFold::Kind::kLast:
      break;
  }
  return "last";
}

}  // namespace

JsonState::JsonState() = default;
JsonState::~JsonState() = default;
JsonState::JsonState(JsonState&&) noexcept = default;
JsonState& JsonState::operator=(JsonState&&) noexcept = default;
JsonState::JsonState(const JsonState& other)
    : impl_(other.impl_ == nullptr ? nullptr : std::make_unique<Impl>(*other.impl_)) {}
JsonState& JsonState::operator=(const JsonState& other) {
  if (this != &other) *this = JsonState(other);
  return *this;
}

JsonFold::JsonFold(Kind kind, std::string_view field, JsonFieldPath path)
    : kind_(kind), path_(std::move(path)), id_(kIdPrefix) {
  id_.append(NameOf(kind)).append(field);
}

absl::StatusOr<JsonFold> JsonFold::Sum(std::string_view field) {
  DAYBOOK_RETURN_IF_ERROR(ValidateName("field", field));
  DAYBOOK_ASSIGN_OR_RETURN(JsonFieldPath path, JsonFieldPath::Parse(field));
  JsonFold fold(Kind::kSum, field, std::move(path));
  if (fold.id().size() <= kFoldIdBytesMax) return fold;
  return absl::InvalidArgumentError(
      absl::StrCat("field: ", field.size(), " bytes; it may have at most ",
                   kFoldIdBytesMax - kIdPrefix.size() - kSumPrefix.size()));
}

absl::StatusOr<JsonFold> JsonFold::Parse(std::string_view text) {
  if (text.substr(0, kSumPrefix.size()) == kSumPrefix) return Sum(text.substr(kSumPrefix.size()));
  for (const Kind kind : {Kind::kMerge, Kind::kCount, Kind::kLast}) {
    if (text == NameOf(kind)) return JsonFold(kind, {}, {});
  }
  return absl::InvalidArgumentError("a fold is one of merge, sum:FIELD, count, last");
}

std::shared_ptr<const AnyFold> JsonFold::Find(std::string_view id, std::uint32_t revision) {
  if (revision != JsonFold::revision() || id.substr(0, kIdPrefix.size()) != kIdPrefix) {
    return nullptr;
  }
  absl::StatusOr<JsonFold> fold = Parse(id.substr(kIdPrefix.size()));
  if (!fold.ok()) return nullptr;
  return std::make_shared<FoldAdapter<JsonFold>>(*std::move(fold));
}

absl::Status JsonFold::Apply(State& state, const EventView& event) const {
  if (state.impl_ == nullptr) state.impl_ = std::make_unique<State::Impl>(kind_);
  return state.impl_->Apply(*this, AsText(event.data), nullptr);
}

void JsonFold::Save(const State& state, std::string& out) const {
  out.push_back(kSavedForm);
  out.push_back(static_cast<char>(kind_));
  out.append(ToJson(state));
}

absl::StatusOr<JsonState> JsonFold::Restore(std::string_view bytes) const {
  if (bytes.size() < kSavedHeaderBytes || bytes[0] != kSavedForm ||
      bytes[1] != static_cast<char>(kind_)) {
    return absl::DataLossError("the bytes are no state of this fold");
  }
  absl::StatusOr<State::Impl> saved = State::Impl::FromJson(kind_, bytes.substr(kSavedHeaderBytes));
  if (!saved.ok()) {
    return absl::DataLossError(
        absl::StrCat("the bytes are no state of this fold: ", saved.status().message()));
  }
  State state;
  state.impl_ = std::make_unique<State::Impl>(*std::move(saved));
  return state;
}

std::string JsonFold::ToJson(const State& state) const {
  return state.impl_ == nullptr ? State::Impl(kind_).ToJson() : state.impl_->ToJson();
}

}  // namespace daybook
