#include "snapshot/json_state.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/json_field.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

// An outline of more entries gives its memory back.
constexpr std::size_t kKeptEntriesMax = 256;

absl::Status CheckUtf8(std::string_view data) {
  if (IsUtf8(data)) return absl::OkStatus();
  return absl::InvalidArgumentError("the data is not JSON: it is not UTF-8");
}

absl::Status CheckObject(std::string_view data) {
  const std::string_view text = TrimJson(data);
  if (!text.empty() && text.front() == '{') return absl::OkStatus();
  return absl::InvalidArgumentError("the data is not a JSON object");
}

absl::Status InField(const JsonFold& fold, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("in '", ToAbsl(fold.id().substr(fold.id().find(':') + 1)), "': ", problem));
}

}  // namespace

JsonState::Impl::Impl(const Impl& other)
    : kind_(other.kind_),
      object_(other.object_),
      sum_(other.sum_),
      count_(other.count_),
      last_(other.last_) {}

JsonState::Impl& JsonState::Impl::operator=(const Impl& other) {
  if (this != &other) *this = Impl(other);
  return *this;
}

absl::Status JsonState::Impl::ApplyMerge(std::string_view data, JsonWatch* watch) {
  DAYBOOK_RETURN_IF_ERROR(CheckObject(data));
  DAYBOOK_RETURN_IF_ERROR(CheckUtf8(data));
  DAYBOOK_RETURN_IF_ERROR(outline_.Parse(data, "the data"));
  const bool changed = object_.Merge(outline_, outline_.root(), watch);
  if (changed && watch != nullptr) watch->NoteHere();
  if (outline_.size() > kKeptEntriesMax) outline_ = {};
  return absl::OkStatus();
}

absl::Status JsonState::Impl::ApplySum(const JsonFold& fold, std::string_view data) {
  DAYBOOK_RETURN_IF_ERROR(CheckObject(data));
  DAYBOOK_RETURN_IF_ERROR(CheckUtf8(data));
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<std::string_view> value,
                           FindJsonField(data, fold.field()));
  if (!value || *value == "null") return absl::OkStatus();
  const char first = value->front();
  if (first != '-' && (first < '0' || first > '9')) {
    return InField(fold, "the value is not a number");
  }
  const absl::StatusOr<Decimal> number = Decimal::Parse(*value);
  if (!number.ok()) return InField(fold, number.status().message());
  const absl::Status added = sum_.Add(*number);
  return added.ok() ? added : InField(fold, added.message());
}

absl::Status JsonState::Impl::ApplyLast(std::string_view data) {
  DAYBOOK_RETURN_IF_ERROR(CheckUtf8(data));
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<std::string_view> value, FindJsonField(data, {}));
  last_.assign(*value);
  return absl::OkStatus();
}

absl::Status JsonState::Impl::ApplyValue(const JsonFold& fold, std::string_view data) {
  if (kind_ == JsonFold::Kind::kSum) return ApplySum(fold, data);
  if (kind_ == JsonFold::Kind::kLast) return ApplyLast(data);
  ++count_;
  return absl::OkStatus();
}

absl::Status JsonState::Impl::Apply(const JsonFold& fold, std::string_view data, JsonWatch* watch) {
  if (kind_ != fold.kind()) return absl::InvalidArgumentError("the state is that of another fold");
  if (kind_ == JsonFold::Kind::kMerge) return ApplyMerge(data, watch);
  if (watch == nullptr) return ApplyValue(fold, data);
  const std::string before = ToJson();
  DAYBOOK_RETURN_IF_ERROR(ApplyValue(fold, data));
  watch->NoteChange(before, ToJson());
  return absl::OkStatus();
}

std::string JsonState::Impl::ToJson() const {
  std::string out;
  switch (kind_) {
    case JsonFold::Kind::kMerge:
      object_.AppendJson(out);
      break;
    case JsonFold::Kind::kSum:
      return sum_.ToString();
    case JsonFold::Kind::kCount:
      return std::to_string(count_);
    case JsonFold::Kind::kLast:
      if (last_.empty()) return "null";
      AppendJsonCompact(last_, out);
      break;
  }
  return out;
}

absl::StatusOr<JsonState::Impl> JsonState::Impl::FromJson(JsonFold::Kind kind,
                                                          std::string_view json) {
  Impl state(kind);
  switch (kind) {
    case JsonFold::Kind::kMerge: {
      DAYBOOK_RETURN_IF_ERROR(state.ApplyMerge(json, nullptr));
      break;
    }
    case JsonFold::Kind::kSum: {
      DAYBOOK_ASSIGN_OR_RETURN(state.sum_, Decimal::Parse(json));
      break;
    }
    case JsonFold::Kind::kCount:
      if (!absl::SimpleAtoi(ToAbsl(json), &state.count_)) {
        return absl::InvalidArgumentError("the count is not a number");
      }
      break;
    case JsonFold::Kind::kLast:
      DAYBOOK_RETURN_IF_ERROR(state.ApplyLast(json));
      break;
  }
  return state;
}

}  // namespace daybook
