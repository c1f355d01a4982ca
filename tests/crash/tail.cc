#include "crash/tail.h"

#include "crash/history.h"

namespace daybook::testing {

std::string ReadOn(const Reader& reader, std::uint64_t* seen, std::string* lines) {
  const std::uint64_t visible = reader.visible().value();
  if (visible < *seen) {
    return "visible goes back from " + std::to_string(*seen) + " to " + std::to_string(visible);
  }
  if (visible == *seen) return "";
  auto cursor =
      reader.Read({.from_position = Position(*seen + 1), .to_position = Position(visible)});
  if (!cursor.ok()) return "read: " + cursor.status().ToString();
  std::size_t index = 0, count = 1;
  const absl::Status read = cursor->ForEach([&](const EventView& event) {
    const std::string at = std::to_string(++*seen);
    if (event.position.value() != *seen) return absl::InternalError("a gap at " + at);
    const std::size_t next = index + 1 == count ? 0 : index + 1;
    if (!ParsePlace(event.metadata, &index, &count) || index != next) {
      return absl::InternalError("half a commit at " + at);
    }
    const std::string what = PlannedEvent(event.id, index, count).Compare(event);
    if (!what.empty()) return absl::InternalError("the " + what + " of " + at);
    if (lines != nullptr) *lines += "S " + at + " " + event.id.ToString() + "\n";
    return absl::OkStatus();
  });
  if (!read.ok()) return "read: " + read.ToString();
  if (*seen != visible) return "the read ends before visible, at " + std::to_string(*seen);
  return index + 1 == count ? "" : "visible is in the middle of a commit, " + std::to_string(*seen);
}

}  // namespace daybook::testing
