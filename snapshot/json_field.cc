#include "daybook/json_field.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "base/status.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

using Step = JsonFieldPath::Step;

bool IsKey(std::string_view key, const Step& step) {
  return key == step.key ||
         (key.find('\\') != std::string_view::npos && CanonicalJsonKey(key) == step.key);
}

// The position of an element as a JSON Pointer has it: digits, without zeros at the front.
std::optional<std::size_t> IndexOf(std::string_view text) {
  constexpr std::size_t kDigitsMax = 9;  // more elements than an event has bytes
  const bool is_index = !text.empty() && text.size() <= kDigitsMax &&
                        text.find_first_not_of("0123456789") == std::string_view::npos &&
                        (text.front() != '0' || text.size() == 1);
  std::size_t index = 0;
  if (!is_index || !absl::SimpleAtoi(ToAbsl(text), &index)) return std::nullopt;
  return index;
}

// Walks over one value; `*found` is what the step leads to in it, none where it leads nowhere.
class Finder {
 public:
  explicit Finder(std::string_view text) : text_(text), scanner_(text) {}

  // One object or array, or anything else.
  bool Find(const Step& step) {
    scanner_.SkipSpace();
    if (scanner_.Consume('{')) return InObject(step);
    if (scanner_.Consume('[')) return InArray(step);
    return scanner_.SkipValue();
  }
  // Whether nothing follows.
  bool AtEnd() {
    scanner_.SkipSpace();
    return scanner_.at_end() || scanner_.Fail("text after the value");
  }
  [[nodiscard]] const std::optional<std::string_view>& found() const { return found_; }
  [[nodiscard]] const JsonScanner& scanner() const { return scanner_; }

 private:
  bool InObject(const Step& step) {
    scanner_.SkipSpace();
    if (scanner_.Consume('}')) return true;
    do {
      scanner_.SkipSpace();
      const std::size_t key = scanner_.at() + 1;
      if (!scanner_.SkipString()) return false;
      const bool is_key = IsKey(text_.substr(key, scanner_.at() - 1 - key), step);
      scanner_.SkipSpace();
      if (!scanner_.Consume(':')) return scanner_.Fail("a colon is missing");
      if (!Value(is_key)) return false;
    } while (scanner_.Consume(','));
    return scanner_.Consume('}') || scanner_.Fail("a comma or a closing brace is missing");
  }

  bool InArray(const Step& step) {
    scanner_.SkipSpace();
    if (scanner_.Consume(']')) return true;
    std::size_t index = 0;
    do {
      if (!Value(step.index == index)) return false;
      ++index;
    } while (scanner_.Consume(','));
    return scanner_.Consume(']') || scanner_.Fail("a comma or a closing bracket is missing");
  }

  bool Value(bool wanted) {
    scanner_.SkipSpace();
    const std::size_t begin = scanner_.at();
    if (!scanner_.SkipValue(1)) return false;
    if (wanted) found_ = text_.substr(begin, scanner_.at() - begin);
    scanner_.SkipSpace();
    return true;
  }

  const std::string_view text_;
  JsonScanner scanner_;
  std::optional<std::string_view> found_;
};

}  // namespace

JsonFieldPath::Step JsonFieldPath::Step::To(std::string_view key) {
  return {std::string(key), IndexOf(key)};
}

void JsonFieldPath::AddStep(std::string_view text) {
  std::string key;
  AppendJsonEscaped(text, key);
  steps_.push_back(Step::To(key));
}

absl::StatusOr<JsonFieldPath> JsonFieldPath::Parse(std::string_view field) {
  JsonFieldPath path;
  if (field.empty()) return path;
  if (field.front() != '/') {
    path.AddStep(field);
    return path;
  }
  std::string step;
  for (std::size_t at = 1; at <= field.size(); ++at) {
    if (at == field.size() || field[at] == '/') {
      path.AddStep(step);
      step.clear();
    } else if (field[at] != '~') {
      step.push_back(field[at]);
    } else {
      ++at;
      if (at == field.size() || (field[at] != '0' && field[at] != '1')) {
        return absl::InvalidArgumentError(
            "a field that begins with / is a JSON Pointer, where ~ stands before 0 or 1 only");
      }
      step.push_back(field[at] == '0' ? '~' : '/');
    }
  }
  return path;
}

std::string JsonFieldPath::NameOf(const std::vector<std::string_view>& keys) {
  std::string pointer;
  std::string name;
  for (const std::string_view key : keys) {
    std::string quoted("\"");
    quoted.append(key).push_back('"');
    const absl::StatusOr<std::string> text = UnquoteJson(quoted);
    name = text.ok() ? *text : std::string(key);  // half a surrogate pair is shown as it stands
    pointer.push_back('/');
    for (const char c : name) {
      if (c == '~' || c == '/') {
        pointer.append(c == '~' ? "~0" : "~1");
      } else {
        pointer.push_back(c);
      }
    }
  }
  return keys.size() == 1 && !name.empty() && name.front() != '/' ? name : pointer;
}

std::optional<std::string_view> FindInJson(std::string_view json, const Step& step) {
  Finder finder(json);
  if (!finder.Find(step)) return std::nullopt;
  return finder.found();
}

absl::StatusOr<std::optional<std::string_view>> FindJsonField(std::string_view json,
                                                              const JsonFieldPath& path) {
  if (path.steps().empty()) {
    JsonScanner scanner(json);
    if (!scanner.SkipValue()) return scanner.ToStatus("the text");
    scanner.SkipSpace();
    if (scanner.at_end()) return TrimJson(json);
    scanner.Fail("text after the value");
    return scanner.ToStatus("the text");
  }
  Finder finder(json);
  if (!finder.Find(path.steps().front()) || !finder.AtEnd()) {
    return finder.scanner().ToStatus("the text");
  }
  std::optional<std::string_view> found = finder.found();
  for (std::size_t i = 1; i < path.steps().size() && found; ++i) {
    found = FindInJson(*found, path.steps()[i]);
  }
  return found;
}

}  // namespace daybook
