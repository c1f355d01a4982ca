// Debian's Abseil keeps absl::string_view apart from std::string_view: the two meet here.

#ifndef DAYBOOK_CLI_STRINGS_H_
#define DAYBOOK_CLI_STRINGS_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace daybook::cli {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_STRINGS_H_
