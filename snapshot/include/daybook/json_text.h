// JSON as text: what is stored and printed byte for byte is checked here, and never rebuilt.
//
// The grammar is RFC 8259's. Parsers for speed refuse integers of more than 64 bits and numbers out
// of the range of a double, which are JSON and must survive as they are; so nothing is parsed here
// that can stay text.

#ifndef DAYBOOK_JSON_TEXT_H_
#define DAYBOOK_JSON_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

// Objects and arrays within each other; deeper is refused, as most parsers would.
inline constexpr std::size_t kJsonDepthMax = 1024;

constexpr bool IsJsonSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Walks over JSON text. After a method returned false, problem() says why and at() says where;
// nothing else may be called then. Strings are not checked to be UTF-8. The text must outlive the
// scanner.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  void SkipSpace() {
    while (at_ < text_.size() && IsJsonSpace(text_[at_])) ++at_;
  }
  // One value, and the space before it. `around` is how many objects and arrays, walked into by the
  // caller, are open around it.
  bool SkipValue(std::size_t around = 0);
  // A string, which begins right here.
  bool SkipString();
  // The character `c`, if it is the next one.
  bool Consume(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] std::string_view problem() const { return problem_; }
  // What was found, as an error: "the line is not JSON at byte 7: ...".
  [[nodiscard]] absl::Status ToStatus(std::string_view what = "the line") const;
  // Notes a problem here; false.
  bool Fail(std::string_view problem);

 private:
  [[nodiscard]] char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool SkipNumber();
  bool SkipDigits();
  bool SkipEscape();
  bool SkipWord(std::string_view word);
  bool SkipScalar();
  bool SkipKey();
  bool Open(char bracket, bool* empty);
  bool CloseOrGoOn(bool* closed);

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view problem_;
  std::size_t around_ = 0;
  std::string open_;  // the brackets that are open
};

// Whether the text is one JSON value in UTF-8, with or without space around it.
bool IsJsonValue(std::string_view text);
// The same, and it is an object.
bool IsJsonObject(std::string_view text);
// Whether a JSON object has no fields. The text must be an object.
bool IsEmptyJsonObject(std::string_view text);
bool IsUtf8(std::string_view text);

// The text without JSON's white space around it.
std::string_view TrimJson(std::string_view text);

// A field of an object, as it stands: the key without its quotes, and the text of the value.
struct JsonField {
  std::string_view key;
  std::string_view value;
};

// Splits an object. kInvalidArgument where the text is not one object or where a key is repeated
// (compared as they are written). The views point into `text`. UTF-8 is not checked.
absl::Status SplitJsonObject(std::string_view text, std::vector<JsonField>& fields);

// The text of a JSON string, given with its quotes. kInvalidArgument where it is no string, or
// where half a surrogate pair makes it no text.
absl::StatusOr<std::string> UnquoteJson(std::string_view token);

// Appends text as a JSON string with its quotes. UTF-8 is not checked.
void AppendJsonString(std::string_view text, std::string& out);
// The same without the quotes.
void AppendJsonEscaped(std::string_view text, std::string& out);

// A key of an object, without its quotes, in the one form that all ways to write it have in common:
// as AppendJsonEscaped writes its text. (Half a surrogate pair stays an escape.) A key without a
// backslash is in this form already. The key was found by a scanner.
std::string CanonicalJsonKey(std::string_view key);

// Appends one JSON value without the white space between its tokens.
void AppendJsonCompact(std::string_view value, std::string& out);

}  // namespace daybook

#endif  // DAYBOOK_JSON_TEXT_H_
