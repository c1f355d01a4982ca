// Reading something of each of several names.

#ifndef DAYBOOK_CLI_READ_EACH_H_
#define DAYBOOK_CLI_READ_EACH_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook::cli {

// Puts what `read` gives for each name into `*found`. One that fails does not hide the others; the
// first error is returned.
template <class T, class Read>
absl::Status ReadEach(const std::vector<std::string>& names, const Read& read,
                      std::vector<T>* found) {
  absl::Status first_error;
  for (const std::string& name : names) {
    absl::StatusOr<T> one = read(name);
    if (one.ok()) {
      found->push_back(*std::move(one));
    } else if (first_error.ok()) {
      first_error = one.status();
    }
  }
  return first_error;
}

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_READ_EACH_H_
