// Which event changed a field last: places in a state that are watched while events are applied.

#ifndef DAYBOOK_SNAPSHOT_JSON_WATCH_H_
#define DAYBOOK_SNAPSHOT_JSON_WATCH_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "daybook/json_field.h"
#include "daybook/values.h"

namespace daybook {

// A place, and the watched places within it. Text that it is told of is compact (AppendJsonCompact)
// and known to be JSON.
class JsonWatch {
 public:
  // Of the whole state. `now` is the position of the event that is applied; it must outlive this.
  explicit JsonWatch(const Position* now) : now_(now) {}

  // The place that `step` leads to from here; made where it is not watched yet.
  JsonWatch& Watch(const JsonFieldPath::Step& step);
  // The place of a field, or nullptr.
  [[nodiscard]] JsonWatch* Find(std::string_view key);
  [[nodiscard]] bool has_places_within() const { return !within_.empty(); }

  // The value here is another now; of the places within it nothing is said.
  void NoteHere() { last_ = *now_; }
  // The value here, and with it what is watched within, was one and is another. None is no value.
  void NoteChange(std::optional<std::string_view> before, std::optional<std::string_view> after);

  // The position of the event that changed the value last; 0 where none did.
  [[nodiscard]] Position last() const { return last_; }

 private:
  using Change = std::pair<std::optional<std::string_view>, std::optional<std::string_view>>;
  using Changes = absl::flat_hash_map<JsonWatch*, Change>;
  // Notes what one side holds at the places within.
  void Collect(std::string_view text, std::optional<std::string_view> Change::*side,
               Changes* changes);

  const Position* now_;
  Position last_;
  JsonFieldPath::Step step_;
  absl::flat_hash_map<std::string, std::unique_ptr<JsonWatch>> within_;
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_JSON_WATCH_H_
