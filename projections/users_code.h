// Calling what the user has given: what it throws is an error of it.

#ifndef DAYBOOK_PROJECTIONS_USERS_CODE_H_
#define DAYBOOK_PROJECTIONS_USERS_CODE_H_

#include <exception>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace daybook {

// The status that `body` gives; kFailedPrecondition, with `threw` before what the exception says,
// where it throws.
template <class Body>
absl::Status CallUsersCode(const Body& body, absl::string_view threw = "") {
  try {
    return body();
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat(threw, error.what()));
  } catch (...) {
    return absl::FailedPreconditionError(
        absl::StrCat(threw, "an exception that is no std::exception"));
  }
}

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_USERS_CODE_H_
