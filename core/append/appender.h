// An append from end to end: look up ids and conditions, place, fill, wait.

#ifndef DAYBOOK_APPEND_APPENDER_H_
#define DAYBOOK_APPEND_APPENDER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "append/commit.h"
#include "append/group_commit.h"
#include "append/heads.h"
#include "append/history.h"
#include "daybook/append.h"

namespace daybook {

// Thread-safe.
class Appender {
 public:
  Appender(Durability durability, HeadTable* heads, const History* history, GroupCommit* commits)
      : durability_(durability), heads_(heads), history_(history), commits_(commits) {}

  // Waits until the commit is as durable as asked.
  absl::StatusOr<AppendResult> Append(Commit::Impl* commit, const AppendOptions& options);
  // Returns when the commit has its place. It is taken over where it gets one, and left where it
  // does not.
  absl::StatusOr<AppendResult> AppendAsync(std::unique_ptr<Commit::Impl>* commit,
                                           const AppendOptions& options);

 private:
  absl::StatusOr<AppendResult> Run(Commit::Impl* commit, std::unique_ptr<Commit::Impl>* owned,
                                   const AppendOptions& options);
  // Appends those events of which `known` (positions, 0: unknown) has none.
  absl::StatusOr<AppendResult> RunRest(Commit::Impl* commit,
                                       const std::vector<std::uint64_t>& known, bool asynchronous,
                                       const AppendOptions& options);
  absl::StatusOr<AppendResult> Known(const Commit::Impl& commit,
                                     const std::vector<std::uint64_t>& known, bool wants_sync);
  absl::Status CheckConditions(const Commit::Impl& commit, std::uint64_t visible,
                               std::uint64_t checked_upto) const;
  [[nodiscard]] bool WantsSync(const AppendOptions& options) const {
    return durability_ == Durability::kSync || options.durability == Durability::kSync;
  }

  const Durability durability_;
  HeadTable* const heads_;
  const History* const history_;
  GroupCommit* const commits_;
};

// Which events of a commit are in their streams already, as of `visible`: their positions, 0 for
// those that are not. Empty where none is. kAlreadyExists where an id was used with other content.
absl::StatusOr<std::vector<std::uint64_t>> FindDuplicates(const Commit::Impl& commit,
                                                          const History& history,
                                                          std::uint64_t visible);

// Whether the commit as a whole is one earlier commit, of which FindDuplicates found at least one
// event. Completes `known` for events whose ids were not looked up.
absl::StatusOr<bool> IsEarlierCommit(const Commit::Impl& commit, const History& history,
                                     std::uint64_t visible, std::vector<std::uint64_t>* known);

}  // namespace daybook

#endif  // DAYBOOK_APPEND_APPENDER_H_
