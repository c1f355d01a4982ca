// SQL as tokens, without space and comments: as far as is needed to add to a query and not to
// understand it.

#ifndef DAYBOOK_BINDINGS_SQL_TOKENS_H_
#define DAYBOOK_BINDINGS_SQL_TOKENS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace daybook::sql {

struct Token {
  enum class Kind : unsigned char { kName, kText, kOpen, kClose, kOther };
  Kind kind = Kind::kOther;
  bool quoted = false;    // a name in quotes, which is no keyword
  std::size_t end = 0;    // the byte behind it
  std::size_t match = 0;  // of a parenthesis: the token of the other one; itself where it has none
  std::string text;       // without quotes; of a name that has none in lower case
};

std::vector<Token> Tokenize(std::string_view sql);

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_TOKENS_H_
