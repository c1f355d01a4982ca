// Every field of every event as text, one event a line: what a golden store is compared by.

#ifndef DAYBOOK_TESTS_COMPAT_DESCRIBE_H_
#define DAYBOOK_TESTS_COMPAT_DESCRIBE_H_

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "daybook/store.h"

namespace daybook::testing {

absl::StatusOr<std::string> Describe(const Reader& reader);

// What stands in a file.
std::string TextOf(const std::filesystem::path& path);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_COMPAT_DESCRIBE_H_
