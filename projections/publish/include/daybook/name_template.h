// Names made from events: "ledger.{category}.{type}" for a subject, "{stream}" for a key.

#ifndef DAYBOOK_NAME_TEMPLATE_H_
#define DAYBOOK_NAME_TEMPLATE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"

namespace daybook {

// What becomes of the values of fields. What stands outside of braces stays as it is.
enum class NameEscape : std::uint8_t {
  kNone,
  // Every byte but [A-Za-z0-9_-] becomes `_`: for a token of a NATS subject, a topic, a queue. An
  // empty value becomes `_` too. The true names travel in the envelope.
  kToken,
};

// A parsed template; a value. Fields: {stream}, {category}, {type}, {id}, and {tag:NAME}, which is
// the rest of the event's first tag that begins with "NAME:" (empty without one). `{{` and `}}` are
// braces.
class NameTemplate {
 public:
  enum class Field : std::uint8_t { kText, kStream, kCategory, kType, kId, kTag };

  // kInvalidArgument: an unknown field, a brace that stands alone.
  static absl::StatusOr<NameTemplate> Parse(std::string_view text);

  void AppendTo(const EventView& event, NameEscape escape, std::string* out) const;
  [[nodiscard]] bool Uses(Field field) const;
  // Whether events of one stream can get different names: it uses a field that is not of the
  // stream.
  [[nodiscard]] bool SplitsStreams() const;
  // Whether it has no fields: every event gets the same name.
  [[nodiscard]] bool is_constant() const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  struct Part {
    Field field = Field::kText;
    std::string text;  // of kText; the name of kTag
  };
  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace daybook

#endif  // DAYBOOK_NAME_TEMPLATE_H_
