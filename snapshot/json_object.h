// An object that JSON Merge Patches (RFC 7396) are applied to: the state of the merge fold.
//
// Values that are no objects are text as it came, but for the space between tokens, so numbers stay
// what they were. Fields stand in the order in which they came; one that was removed and comes
// again stands at the end. Its depth is that of the patches at most (kJsonDepthMax), and so is the
// recursion of all that goes through it.

#ifndef DAYBOOK_SNAPSHOT_JSON_OBJECT_H_
#define DAYBOOK_SNAPSHOT_JSON_OBJECT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "snapshot/json_outline.h"
#include "snapshot/json_watch.h"

namespace daybook {

// A value: copying it copies what it holds.
class JsonObject {
 public:
  JsonObject() = default;
  ~JsonObject() = default;
  JsonObject(const JsonObject&) = default;
  JsonObject& operator=(const JsonObject&) = default;
  JsonObject(JsonObject&&) noexcept = default;
  JsonObject& operator=(JsonObject&&) noexcept = default;

  // Merges an object of `patch`, and says whether that changed anything. `watch` (or nullptr) is
  // the place of this object; it is told what changes within.
  bool Merge(const JsonOutline& patch, const JsonOutline::Entry& object, JsonWatch* watch);

  void AppendJson(std::string& out) const;

 private:
  // An object within, or text; neither where the member was removed.
  class Value {
   public:
    Value() = default;
    ~Value() = default;
    Value(const Value& other) { *this = other; }
    Value& operator=(const Value& other);
    Value(Value&&) noexcept = default;
    Value& operator=(Value&&) noexcept = default;

    // What is there; the text is empty where it is an object.
    std::string text;
    std::unique_ptr<JsonObject> object;

    [[nodiscard]] bool is_there() const { return object != nullptr || !text.empty(); }
    void AppendTo(std::string& out) const;
    [[nodiscard]] std::string ToJson() const;
  };
  struct Member {
    std::string key;
    Value value;
  };

  bool MergeField(const JsonOutline& patch, const JsonOutline::Entry& field, JsonWatch* watch);
  bool MergeObject(const JsonOutline& patch, const JsonOutline::Entry& field, Value* value,
                   JsonWatch* watch);
  static bool SetText(std::string_view text, Value* value, JsonWatch* watch);
  // The place in members_, or its size.
  std::size_t Locate(std::string_view key);
  void Remove(std::size_t place);
  void Index();
  void AddSlot(std::size_t place);
  [[nodiscard]] std::size_t FirstSlot(std::string_view key) const;

  std::vector<Member> members_;  // those that were removed stay until they are the more
  std::size_t removed_ = 0;
  std::size_t expected_ = 0;  // where the next field is looked for first: events are much alike
  // Where there are many: places in members_, from 1, by the hash of the key; 0 is free.
  std::vector<std::uint32_t> slots_;
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_JSON_OBJECT_H_
