#include "bindings/sql/moment_query.h"

#include <array>
#include <cstddef>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bindings/sql/moment_text.h"
#include "bindings/sql/tokens.h"

namespace daybook::sql {
namespace {

using Kind = Token::Kind;

template <std::size_t kSize>
bool IsOneOf(const std::string& text, const std::array<std::string_view, kSize>& words) {
  for (const std::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

// Behind these an operand may stand, and no other name.
constexpr std::array<std::string_view, 26> kBeforeOperand = {
    "select", "distinct", "all",  "where", "and",    "or",      "not",    "on",    "by",
    "having", "case",     "when", "then",  "else",   "in",      "is",     "like",  "glob",
    "match",  "regexp",   "from", "limit", "offset", "between", "escape", "filter"};
// What these give is a time where they are given one.
constexpr std::array<std::string_view, 11> kKeepTime = {
    "max", "min",  "coalesce",    "ifnull",     "nullif",   "iif",
    "lag", "lead", "first_value", "last_value", "nth_value"};

class MomentWriter {
 public:
  explicit MomentWriter(std::string_view sql)
      : sql_(sql), tokens_(Tokenize(sql)), after_(tokens_.size()) {}
  std::string Write();

 private:
  [[nodiscard]] bool IsWord(std::size_t i, std::string_view word) const {
    return i < tokens_.size() && tokens_[i].kind == Kind::kName && !tokens_[i].quoted &&
           tokens_[i].text == word;
  }
  [[nodiscard]] bool IsSign(std::size_t i, std::string_view sign) const {
    return i < tokens_.size() && tokens_[i].kind != Kind::kName && tokens_[i].kind != Kind::kText &&
           tokens_[i].text == sign;
  }
  // Whether a name at `i` is one of a time column, and used as an operand.
  [[nodiscard]] bool IsTime(std::size_t i) const;
  [[nodiscard]] bool IsOperand(std::size_t i) const;
  // Whether the parentheses around `i` list names: behind USING, or of the columns of a CTE.
  [[nodiscard]] bool IsInNameList(std::size_t i) const;
  [[nodiscard]] bool IsMoment(std::size_t i) const;
  // Whether what ends with token `i` is a time: a name, or a function of one.
  [[nodiscard]] bool EndsTime(std::size_t i) const;
  void FindNames();
  void MarkIn(std::size_t i);

  std::string_view sql_;
  std::vector<Token> tokens_;
  std::vector<const char*> after_;   // the collation to write behind a token
  std::vector<std::size_t> around_;  // the parenthesis that a token stands in; tokens_.size(): none
  absl::flat_hash_set<std::string> names_ = {"recorded_at", "effective_at", "last_recorded_at"};
};

bool MomentWriter::IsInNameList(std::size_t i) const {
  const std::size_t open = around_[i];
  if (open >= tokens_.size() || open == 0) return false;
  if (IsWord(open - 1, "using")) return true;
  return tokens_[open - 1].kind == Kind::kName && IsWord(tokens_[open].match + 1, "as") &&
         (IsSign(tokens_[open].match + 2, "(") || IsWord(tokens_[open].match + 2, "not") ||
          IsWord(tokens_[open].match + 2, "materialized")) &&
         !IsWord(open - 1, "as");
}

bool MomentWriter::IsOperand(std::size_t i) const {
  if (IsSign(i + 1, "(") || IsSign(i + 1, ".") || IsWord(i + 1, "collate")) return false;
  if (IsInNameList(i)) return false;
  if (i == 0) return true;
  const Token& before = tokens_[i - 1];
  if (before.kind == Kind::kName) return !before.quoted && IsOneOf(before.text, kBeforeOperand);
  if (before.kind == Kind::kText || before.kind == Kind::kClose) return false;
  // A number or a parameter, and then a name: that is an alias.
  return before.kind == Kind::kOpen || !absl::ascii_isalnum(static_cast<unsigned char>(
                                           before.text.empty() ? ' ' : before.text.back()));
}

bool MomentWriter::IsTime(std::size_t i) const {
  if (tokens_[i].kind != Kind::kName) return false;
  return names_.contains(absl::AsciiStrToLower(tokens_[i].text)) && IsOperand(i);
}

bool MomentWriter::IsMoment(std::size_t i) const {
  if (tokens_[i].kind != Kind::kText || !ParseMoment(tokens_[i].text)) return false;
  return !IsWord(i + 1, "collate") && (i == 0 || !IsWord(i - 1, "as"));
}

bool MomentWriter::EndsTime(std::size_t i) const {
  if (IsTime(i)) return true;
  if (tokens_[i].kind != Kind::kClose) return false;
  std::size_t open = tokens_[i].match;
  // f(...) OVER (...)
  if (open >= 2 && IsWord(open - 1, "over") && tokens_[open - 2].kind == Kind::kClose) {
    i = open - 2;
    open = tokens_[i].match;
  }
  if (open == 0 || tokens_[open - 1].quoted || !IsOneOf(tokens_[open - 1].text, kKeepTime)) {
    return false;
  }
  for (std::size_t inside = open + 1; inside < i; ++inside) {
    if (IsTime(inside)) return true;
  }
  return false;
}

// The names that are given to times; one may be given to another.
void MomentWriter::FindNames() {
  for (bool found = true; found;) {
    found = false;
    for (std::size_t i = 1; i + 1 < tokens_.size(); ++i) {
      if (!IsWord(i, "as") || tokens_[i + 1].kind != Kind::kName || !EndsTime(i - 1)) continue;
      found |= names_.insert(absl::AsciiStrToLower(tokens_[i + 1].text)).second;
    }
  }
}

// IN takes the collation of its left side only, and a scalar subquery has none.
void MomentWriter::MarkIn(std::size_t i) {
  if (i == 0 || !IsSign(i + 1, "(")) return;
  const std::size_t left = IsWord(i - 1, "not") ? i - 2 : i - 1;
  if (left >= tokens_.size() || tokens_[left].kind != Kind::kClose) return;
  for (std::size_t item = i + 2; item < tokens_[i + 1].match; ++item) {
    if (around_[item] == i + 1 && IsMoment(item)) after_[left] = kMomentCollation;
  }
}

std::string MomentWriter::Write() {
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].kind == Kind::kClose && !open.empty()) open.pop_back();
    around_.push_back(open.empty() ? tokens_.size() : open.back());
    if (tokens_[i].kind == Kind::kOpen) open.push_back(i);
  }
  FindNames();
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (IsTime(i)) after_[i] = kTimeCollation;
    if (IsMoment(i)) after_[i] = kMomentCollation;
    if (IsWord(i, "in")) MarkIn(i);
  }
  std::string written;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (after_[i] == nullptr) continue;
    absl::StrAppend(&written, std::string(sql_.substr(begin, tokens_[i].end - begin)), " COLLATE ",
                    after_[i]);
    begin = tokens_[i].end;
  }
  return written.append(sql_.substr(begin));
}

}  // namespace

std::string WithMoments(std::string_view sql) { return MomentWriter(sql).Write(); }

}  // namespace daybook::sql
