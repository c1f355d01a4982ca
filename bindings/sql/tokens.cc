#include "bindings/sql/tokens.h"

#include <utility>

#include "absl/strings/ascii.h"

namespace daybook::sql {
namespace {

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view sql) : sql_(sql) {}
  std::vector<Token> Run();

 private:
  [[nodiscard]] char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
  }
  static bool IsNamePart(char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c < 0;
  }
  bool SkipBlank();
  // What stands between quotes; `close` twice is itself, but for brackets.
  std::string TakeQuoted(char close);
  Token TakeToken();
  void Add(Token token);

  std::string_view sql_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
  std::vector<std::size_t> open_;
};

bool Tokenizer::SkipBlank() {
  if (absl::ascii_isspace(static_cast<unsigned char>(Peek()))) {
    ++at_;
    return true;
  }
  std::string_view end;
  if (Peek() == '-' && Peek(1) == '-') end = "\n";
  if (Peek() == '/' && Peek(1) == '*') end = "*/";
  if (end.empty()) return false;
  const std::size_t found = sql_.find(end, at_ + 2);
  at_ = found == std::string_view::npos ? sql_.size() : found + end.size();
  return true;
}

std::string Tokenizer::TakeQuoted(char close) {
  std::string text;
  for (++at_; at_ < sql_.size(); ++at_) {
    if (Peek() == close) {
      if (close == ']' || Peek(1) != close) break;
      ++at_;
    }
    text += Peek();
  }
  if (at_ < sql_.size()) ++at_;
  return text;
}

Token Tokenizer::TakeToken() {
  Token token;
  const char c = Peek();
  if (c == '\'') {
    token.kind = Token::Kind::kText;
    token.text = TakeQuoted(c);
  } else if (c == '"' || c == '`' || c == '[') {
    token.kind = Token::Kind::kName;
    token.quoted = true;
    token.text = TakeQuoted(c == '[' ? ']' : c);
  } else if ((c == 'x' || c == 'X') && Peek(1) == '\'') {
    ++at_;
    token.text = TakeQuoted('\'');
  } else if (IsNamePart(c) || ((c == '?' || c == ':' || c == '@') && IsNamePart(Peek(1)))) {
    const bool name = !absl::ascii_isdigit(static_cast<unsigned char>(c)) && c != '$' && c != '?' &&
                      c != ':' && c != '@';
    const std::size_t begin = at_++;
    while (IsNamePart(Peek())) ++at_;
    token.kind = name ? Token::Kind::kName : Token::Kind::kOther;
    token.text = std::string(sql_.substr(begin, at_ - begin));
    absl::AsciiStrToLower(&token.text);
  } else {
    if (c == '(') token.kind = Token::Kind::kOpen;
    if (c == ')') token.kind = Token::Kind::kClose;
    token.text = c;
    ++at_;
  }
  token.end = at_;
  return token;
}

void Tokenizer::Add(Token token) {
  token.match = tokens_.size();
  if (token.kind == Token::Kind::kOpen) open_.push_back(tokens_.size());
  if (token.kind == Token::Kind::kClose && !open_.empty()) {
    token.match = open_.back();
    tokens_[open_.back()].match = tokens_.size();
    open_.pop_back();
  }
  tokens_.push_back(std::move(token));
}

std::vector<Token> Tokenizer::Run() {
  while (at_ < sql_.size()) {
    if (!SkipBlank()) Add(TakeToken());
  }
  return std::move(tokens_);
}

}  // namespace

std::vector<Token> Tokenize(std::string_view sql) { return Tokenizer(sql).Run(); }

}  // namespace daybook::sql
