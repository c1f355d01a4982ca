#include "snapshot/json_watch.h"

#include "base/status.h"
#include "snapshot/json_outline.h"

namespace daybook {

JsonWatch& JsonWatch::Watch(const JsonFieldPath::Step& step) {
  std::unique_ptr<JsonWatch>& place = within_[step.key];
  if (place == nullptr) {
    place = std::make_unique<JsonWatch>(now_);
    place->step_ = step;
  }
  return *place;
}

JsonWatch* JsonWatch::Find(std::string_view key) {
  if (within_.empty()) return nullptr;
  const auto found = within_.find(ToAbsl(key));
  return found == within_.end() ? nullptr : found->second.get();
}

void JsonWatch::NoteChange(std::optional<std::string_view> before,
                           std::optional<std::string_view> after) {
  if (before == after) return;
  NoteHere();
  if (within_.empty()) return;
  Changes changes;
  if (before) Collect(*before, &Change::first, &changes);
  if (after) Collect(*after, &Change::second, &changes);
  for (const auto& [place, change] : changes) place->NoteChange(change.first, change.second);
}

void JsonWatch::Collect(std::string_view text, std::optional<std::string_view> Change::*side,
                        Changes* changes) {
  if (text.front() == '[') {
    for (const auto& [key, place] : within_) {
      const auto found = FindInJson(text, place->step_);
      if (found) (*changes)[place.get()].*side = found;
    }
    return;
  }
  JsonOutline outline;
  if (text.front() != '{' || !outline.Parse(text, "the value").ok()) return;
  outline.ForEachField(outline.root(), [&](const JsonOutline::Entry& field) {
    JsonWatch* const place = Find(field.key);
    if (place != nullptr) (*changes)[place].*side = field.value;
  });
}

}  // namespace daybook
