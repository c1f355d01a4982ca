// Folds over JSON events for which no C++ has to be written: what the command and the bindings use.
//
//   merge       the state is an object; each event's data is merged into it as a JSON Merge Patch
//               (RFC 7396): objects field by field, anything else replaces, null removes
//   sum:FIELD   the exact sum of one field: 64-bit integers, or decimals added as decimals
//   count       the number of events
//   last        the data of the last event
//
// Numbers are never turned into a double: in merge and last they stay the text that they were
// (`1.10`, 2^63), in sum they are integers, or decimals of up to 38 digits, and what does not fit
// is an error.
//
// FIELD is the name of a field of the event's data, or, where it begins with `/`, a JSON Pointer
// (RFC 6901). Where a key is repeated in an object the last one counts. An event without the field,
// or with null there, adds nothing; any other value that is no number is an error
// (kInvalidArgument), and so is data that is not JSON (count takes any; merge and sum take objects
// only, last any JSON).

#ifndef DAYBOOK_JSON_FOLD_H_
#define DAYBOOK_JSON_FOLD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/fold.h"
#include "daybook/json_field.h"

namespace daybook {

// A value: the state of a JsonFold. Copying it copies what it holds.
class JsonState {
 public:
  JsonState();
  ~JsonState();
  JsonState(const JsonState&);
  JsonState& operator=(const JsonState&);
  JsonState(JsonState&&) noexcept;
  JsonState& operator=(JsonState&&) noexcept;

  class Impl;
  [[nodiscard]] const Impl* impl() const { return impl_.get(); }

 private:
  friend class JsonFold;
  std::unique_ptr<Impl> impl_;  // nullptr: of the empty stream
};

class JsonFold {
 public:
  using State = JsonState;
  enum class Kind : std::uint8_t { kMerge, kSum, kCount, kLast };  // the numbers stand in snapshots

  JsonFold() : JsonFold(Kind::kMerge, {}, {}) {}
  static JsonFold Merge() { return {}; }
  static JsonFold Count() { return {Kind::kCount, {}, {}}; }
  static JsonFold Last() { return {Kind::kLast, {}, {}}; }
  // kInvalidArgument where the field is empty, too long for the id of a fold or cannot stand in one
  // (control characters), or is no JSON Pointer although it begins with `/`.
  static absl::StatusOr<JsonFold> Sum(std::string_view field);
  // "merge", "sum:FIELD", "count", "last"; anything else is kInvalidArgument.
  static absl::StatusOr<JsonFold> Parse(std::string_view text);
  // The fold that has this id and revision; nullptr where it is none of these. A FoldFinder.
  static std::shared_ptr<const AnyFold> Find(std::string_view id, std::uint32_t revision);

  [[nodiscard]] Kind kind() const { return kind_; }
  // "json.merge", "json.sum:FIELD", "json.count", "json.last".
  [[nodiscard]] std::string_view id() const { return id_; }
  [[nodiscard]] static constexpr std::uint32_t revision() { return 1; }

  // The field that is summed up.
  [[nodiscard]] const JsonFieldPath& field() const { return path_; }

  // After an error the state is as it was.
  absl::Status Apply(State& state, const EventView& event) const;
  void Save(const State& state, std::string& out) const;
  [[nodiscard]] absl::StatusOr<State> Restore(std::string_view bytes) const;

  // The state as JSON, on one line and without space between tokens: an object for merge ({} for
  // the empty stream), a number for sum and count (0), any value for last (null). Keys stand in the
  // order in which they came.
  [[nodiscard]] std::string ToJson(const State& state) const;

 private:
  JsonFold(Kind kind, std::string_view field, JsonFieldPath path);
  Kind kind_;
  JsonFieldPath path_;
  std::string id_;
};

}  // namespace daybook

#endif  // DAYBOOK_JSON_FOLD_H_
