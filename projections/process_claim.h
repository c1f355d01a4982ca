// That a process has the read models of a store open once: LMDB's locks are those of a process, and
// a second opening that is closed takes them away from the first.
//
// A file `.open-<pid namespace>-<pid>` in `projections/`, locked as long as the claim lives. What a
// process that died has left is removed by whoever comes next.

#ifndef DAYBOOK_PROJECTIONS_PROCESS_CLAIM_H_
#define DAYBOOK_PROJECTIONS_PROCESS_CLAIM_H_

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "io/file.h"

namespace daybook {

class ProcessClaim {
 public:
  // Of the folder `projections/`, which is created where it is missing. kUnavailable where this
  // process has it already. Where there is no /proc to tell processes apart by, every claim is
  // good.
  static absl::StatusOr<ProcessClaim> Take(const std::filesystem::path& projections);
  ProcessClaim(ProcessClaim&& other) noexcept : file_(std::exchange(other.file_, std::nullopt)) {}
  ProcessClaim& operator=(ProcessClaim&&) = delete;
  ~ProcessClaim();

 private:
  explicit ProcessClaim(std::optional<File> file) : file_(std::move(file)) {}
  std::optional<File> file_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PROCESS_CLAIM_H_
