// Text from a store as it can be shown on a terminal, where it must not give orders.

#ifndef DAYBOOK_CLI_TERMINAL_TEXT_H_
#define DAYBOOK_CLI_TERMINAL_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace daybook::cli {

// Control characters, marks that turn the direction of writing, and bytes that are no UTF-8 stand
// as
// `\n`, `\x1b`, `\u202e`; everything else as it is.
std::string Printable(std::string_view text);

// How many columns printable text takes: 2 for wide characters, 0 for combining ones.
std::size_t DisplayWidth(std::string_view printable);

// Printable text, if it takes more than `columns`, cut with an ellipsis so that it does not.
std::string Cut(std::string_view printable, std::size_t columns);

// JSON over several lines, two blanks a level; every token is as it was, and strings are printable.
std::string IndentedJson(std::string_view json);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_TERMINAL_TEXT_H_
