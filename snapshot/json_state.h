// What a JsonState holds, and how events change it.

#ifndef DAYBOOK_SNAPSHOT_JSON_STATE_H_
#define DAYBOOK_SNAPSHOT_JSON_STATE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/decimal.h"
#include "daybook/json_fold.h"
#include "snapshot/json_object.h"
#include "snapshot/json_outline.h"
#include "snapshot/json_watch.h"

namespace daybook {

// A value: copying it copies what it holds.
class JsonState::Impl {
 public:
  explicit Impl(JsonFold::Kind kind) : kind_(kind) {}
  ~Impl() = default;
  Impl(const Impl& other);
  Impl& operator=(const Impl& other);
  Impl(Impl&&) noexcept = default;
  Impl& operator=(Impl&&) noexcept = default;

  [[nodiscard]] JsonFold::Kind kind() const { return kind_; }

  // Applies the data of an event. After an error the state is as it was. `watch` (or nullptr) is
  // told what changes.
  absl::Status Apply(const JsonFold& fold, std::string_view data, JsonWatch* watch);

  [[nodiscard]] std::string ToJson() const;
  // The state that has been written so; kInvalidArgument where none is.
  static absl::StatusOr<Impl> FromJson(JsonFold::Kind kind, std::string_view json);

 private:
  absl::Status ApplyMerge(std::string_view data, JsonWatch* watch);
  absl::Status ApplySum(const JsonFold& fold, std::string_view data);
  absl::Status ApplyLast(std::string_view data);
  absl::Status ApplyValue(const JsonFold& fold, std::string_view data);

  JsonFold::Kind kind_;
  JsonObject object_;        // of merge
  Decimal sum_;              // of sum
  std::uint64_t count_ = 0;  // of count
  std::string last_;         // of last, as it came; empty: none
  JsonOutline outline_;      // of the event that is applied; kept for its memory only
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_JSON_STATE_H_
