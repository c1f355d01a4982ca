// One field of JSON text, found without building a tree.
//
// A field is named by what stands at the top of the object, or, where the name begins with `/`, by
// a JSON Pointer (RFC 6901); the empty name is the whole value. Keys are compared by the text that
// they mean, however it is escaped. Where a key is repeated in an object the last one counts, as
// most parsers have it.

#ifndef DAYBOOK_JSON_FIELD_H_
#define DAYBOOK_JSON_FIELD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace daybook {

// The way to a field. A value; the same one serves any number of finds, in any thread.
class JsonFieldPath {
 public:
  struct Step {
    std::string key;                   // as CanonicalJsonKey has it
    std::optional<std::size_t> index;  // in an array; none where the step cannot be one

    // The step to a key that is given as CanonicalJsonKey has it.
    static Step To(std::string_view key);
  };

  JsonFieldPath() = default;  // the whole value
  // kInvalidArgument where a name that begins with `/` is no JSON Pointer.
  static absl::StatusOr<JsonFieldPath> Parse(std::string_view field);

  // The name of the field that `keys`, as CanonicalJsonKey has them, lead to: Parse's inverse.
  static std::string NameOf(const std::vector<std::string_view>& keys);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
  void AddStep(std::string_view text);
  std::vector<Step> steps_;
};

// The text of the field's value, as it stands in `json`; nothing where there is no such field.
// kInvalidArgument where `json`, all of it, is not one JSON value. UTF-8 is not checked.
absl::StatusOr<std::optional<std::string_view>> FindJsonField(std::string_view json,
                                                              const JsonFieldPath& path);

// One step of a way, in text that is known to be one JSON value.
std::optional<std::string_view> FindInJson(std::string_view json, const JsonFieldPath::Step& step);

}  // namespace daybook

#endif  // DAYBOOK_JSON_FIELD_H_
