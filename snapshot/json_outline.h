// JSON text as a flat list of the fields of its objects, made in one walk: what is merged, and what
// is compared.
//
// Objects are gone into, wherever they stand in objects; arrays are not, their text stays whole.
// The text is read without recursion, and refused where it is nested deeper than kJsonDepthMax.

#ifndef DAYBOOK_SNAPSHOT_JSON_OUTLINE_H_
#define DAYBOOK_SNAPSHOT_JSON_OUTLINE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "daybook/json_text.h"

namespace daybook {

class JsonOutline {
 public:
  struct Entry {
    std::string_view key;    // as CanonicalJsonKey has it
    std::string_view value;  // as it stands in the text
    bool is_object = false;

   private:
    friend class JsonOutline;
    bool repeated = false;    // a field of the same key has taken its value over
    std::uint32_t first = 0;  // of an object: its fields stand in [first, end)
    std::uint32_t end = 0;
    std::uint32_t next = 0;  // behind what belongs to this entry
  };

  // kInvalidArgument where the text is not one JSON value; `what` names it in the message. The text
  // must outlive the outline. UTF-8 is not checked.
  absl::Status Parse(std::string_view text, std::string_view what);

  // The whole value. After a Parse that succeeded.
  [[nodiscard]] const Entry& root() const { return entries_.front(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // Calls `visit` with each field of an object, in their order. Where a key is repeated there is
  // one field: it stands where the first one does, with the value of the last.
  template <class Visit>
  void ForEachField(const Entry& object, const Visit& visit) const {
    for (std::uint32_t i = object.first; i != object.end; i = entries_[i].next) {
      if (!entries_[i].repeated) visit(entries_[i]);
    }
  }

 private:
  bool ParseValue(JsonScanner* scanner);
  bool ParseFields(JsonScanner* scanner);
  bool BeginValue(JsonScanner* scanner, std::uint32_t entry);
  bool AddField(JsonScanner* scanner);
  void CloseObject(std::size_t at);
  void JoinRepeated(const Entry& object);
  Entry* Earlier(const Entry& object, const Entry& field);
  void TakeOver(Entry* earlier, Entry* later);
  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(entries_.size()); }

  std::string_view text_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> open_;  // the objects that are open
  std::deque<std::string> keys_;     // those that had to be written anew
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_JSON_OUTLINE_H_
