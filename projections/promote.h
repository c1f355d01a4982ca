// Which generation is the live one: changing that.

#ifndef DAYBOOK_PROJECTIONS_PROMOTE_H_
#define DAYBOOK_PROJECTIONS_PROMOTE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "projections/generation.h"
#include "projections/host.h"
#include "projections/layout.h"

namespace daybook {

// Calls `change` while nobody runs the projection: its runner here makes way, and goes on with what
// CURRENT says afterwards, or its lock is taken. kUnavailable where another process has that.
absl::Status AtRest(Projections::Impl* host, std::string_view name,
                    const std::function<absl::Status()>& change);

// Makes a generation that was built the live one. At rest.
absl::Status PromoteAtRest(Projections::Impl* host, std::string_view name, Generation* candidate);

// The generations of a projection that neither are live nor were before, ascending.
absl::StatusOr<std::vector<std::uint64_t>> OtherGenerations(const std::filesystem::path& folder,
                                                            const std::optional<Current>& current);
// CURRENT, or nullopt where there is none.
absl::StatusOr<std::optional<Current>> FindCurrent(const std::filesystem::path& folder);
// Removes a generation that nobody names and no rebuild works on; false where one does.
absl::StatusOr<bool> RemoveUnlessRebuilt(Projections::Impl* host, std::string_view name,
                                         std::uint64_t number);

// The newest generation that was built and is not live; kNotFound.
absl::StatusOr<std::shared_ptr<Generation>> OpenCandidate(Projections::Impl* host,
                                                          std::string_view name);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PROMOTE_H_
