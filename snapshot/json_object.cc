#include "snapshot/json_object.h"

#include <algorithm>
#include <bit>

#include "absl/hash/hash.h"
#include "base/status.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

// So many members are looked through one by one.
constexpr std::size_t kFewMembers = 8;

}  // namespace

JsonObject::Value& JsonObject::Value::operator=(const Value& other) {
  if (this == &other) return *this;
  text = other.text;
  object = other.object == nullptr ? nullptr : std::make_unique<JsonObject>(*other.object);
  return *this;
}

void JsonObject::Value::AppendTo(std::string& out) const {
  if (object != nullptr) {
    object->AppendJson(out);
  } else {
    out.append(text);
  }
}

std::string JsonObject::Value::ToJson() const {
  std::string out;
  AppendTo(out);
  return out;
}

void JsonObject::AppendJson(std::string& out) const {
  out.push_back('{');
  bool is_first = true;
  for (const Member& member : members_) {
    if (!member.value.is_there()) continue;
    if (!is_first) out.push_back(',');
    is_first = false;
    out.append("\"").append(member.key).append("\":");
    member.value.AppendTo(out);
  }
  out.push_back('}');
}

bool JsonObject::Merge(const JsonOutline& patch, const JsonOutline::Entry& object,
                       JsonWatch* watch) {
  bool changed = false;
  expected_ = 0;
  patch.ForEachField(object, [&](const JsonOutline::Entry& field) {
    changed |= MergeField(patch, field, watch == nullptr ? nullptr : watch->Find(field.key));
  });
  return changed;
}

bool JsonObject::MergeField(const JsonOutline& patch, const JsonOutline::Entry& field,
                            JsonWatch* watch) {
  std::size_t place = Locate(field.key);
  expected_ = place + 1;
  if (field.value == "null") {
    if (place == members_.size()) return false;
    if (watch != nullptr) watch->NoteChange(members_[place].value.ToJson(), std::nullopt);
    Remove(place);
    return true;
  }
  const bool is_new = place == members_.size();
  if (is_new) members_.push_back({std::string(field.key), {}});
  Value* const value = &members_[place].value;
  bool changed = false;
  if (field.is_object) {
    changed = MergeObject(patch, field, value, watch);
  } else if (field.value.front() == '[' &&
             std::any_of(field.value.begin(), field.value.end(), IsJsonSpace)) {
    std::string compact;
    AppendJsonCompact(field.value, compact);
    changed = SetText(compact, value, watch);
  } else {
    changed = SetText(field.value, value, watch);
  }
  if (is_new) AddSlot(place);
  return changed;
}

bool JsonObject::MergeObject(const JsonOutline& patch, const JsonOutline::Entry& field,
                             Value* value, JsonWatch* watch) {
  if (value->object != nullptr) {
    const bool changed = value->object->Merge(patch, field, watch);
    if (changed && watch != nullptr) watch->NoteHere();
    return changed;
  }
  // What is no object is taken for one without fields (RFC 7396, section 2).
  value->object = std::make_unique<JsonObject>();
  value->object->Merge(patch, field, nullptr);
  if (watch != nullptr) {
    const std::string after = value->ToJson();
    watch->NoteChange(
        value->text.empty() ? std::nullopt : std::optional<std::string_view>(value->text), after);
  }
  value->text.clear();
  return true;
}

bool JsonObject::SetText(std::string_view text, Value* value, JsonWatch* watch) {
  if (value->object == nullptr && value->text == text) return false;
  if (watch != nullptr) {
    const std::string before = value->ToJson();
    watch->NoteChange(before.empty() ? std::nullopt : std::optional<std::string_view>(before),
                      text);
  }
  value->object.reset();
  value->text.assign(text);
  return true;
}

std::size_t JsonObject::Locate(std::string_view key) {
  const auto is_at = [&](std::size_t place) {
    return members_[place].key == key && members_[place].value.is_there();
  };
  if (expected_ < members_.size() && is_at(expected_)) return expected_;
  if (slots_.empty()) {
    std::size_t place = 0;
    while (place < members_.size() && !is_at(place)) ++place;
    return place;
  }
  for (std::size_t slot = FirstSlot(key); slots_[slot] != 0; slot = (slot + 1) % slots_.size()) {
    if (is_at(slots_[slot] - 1)) return slots_[slot] - 1;
  }
  return members_.size();
}

void JsonObject::Remove(std::size_t place) {
  members_[place] = {};
  if (++removed_ <= members_.size() / 2) return;
  members_.erase(std::remove_if(members_.begin(), members_.end(),
                                [](const Member& member) { return !member.value.is_there(); }),
                 members_.end());
  removed_ = 0;
  expected_ = 0;
  slots_.clear();
  if (members_.size() > kFewMembers) Index();
}

std::size_t JsonObject::FirstSlot(std::string_view key) const {
  return absl::Hash<absl::string_view>()(ToAbsl(key)) & (slots_.size() - 1);
}

void JsonObject::Index() {
  slots_.assign(std::bit_ceil(members_.size() * 4), 0);
  for (std::size_t place = 0; place < members_.size(); ++place) {
    if (members_[place].value.is_there()) AddSlot(place);
  }
}

// The last member is new, or all are.
void JsonObject::AddSlot(std::size_t place) {
  if (members_.size() <= kFewMembers) return;
  if (members_.size() * 2 > slots_.size()) return Index();
  std::size_t slot = FirstSlot(members_[place].key);
  while (slots_[slot] != 0) slot = (slot + 1) % slots_.size();
  slots_[slot] = static_cast<std::uint32_t>(place + 1);
}

}  // namespace daybook
