// Every field of every event as text, one event a line: what a golden store is compared by.

#ifndef DAYBOOK_TESTS_COMPAT_DESCRIBE_H_
#define DAYBOOK_TESTS_COMPAT_DESCRIBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "daybook/store.h"

namespace daybook::testing {

absl::StatusOr<std::string> Describe(const Reader& reader);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_COMPAT_DESCRIBE_H_
