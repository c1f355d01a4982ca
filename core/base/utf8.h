// UTF-8 (RFC 3629) and the rules for names.

#ifndef DAYBOOK_BASE_UTF8_H_
#define DAYBOOK_BASE_UTF8_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace daybook {

// No overlong form, no surrogate, nothing above U+10FFFF, nothing cut off.
[[nodiscard]] bool IsValidUtf8(std::string_view text);

// Whether `name` can be a stream, type or tag: 1 to 255 bytes of UTF-8, no U+0000-001F, no U+007F.
// Otherwise kInvalidArgument, with `what` ("type") at the front of the message.
absl::Status ValidateName(std::string_view what, std::string_view name);

// Names that begin with `$` are the store's own.
enum class SystemNames : std::uint8_t { kRefuse, kAllow };

// The same for the name of a stream, which does not begin with `-` (its category would be empty)
// nor, unless allowed, with `$`.
absl::Status ValidateStreamName(std::string_view name, SystemNames system = SystemNames::kRefuse);

// The text as a JSON string. Control characters are escaped; invalid UTF-8 goes through.
std::string QuotedJson(std::string_view text);

}  // namespace daybook

#endif  // DAYBOOK_BASE_UTF8_H_
