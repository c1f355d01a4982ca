// The host's part in what is parked: seeing it, deciding to skip, and the status of a projection.

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/host.h"
#include "projections/parking.h"
#include "projections/runner.h"
#include "projections/skips.h"

namespace daybook {
namespace {

bool IsParked(const std::vector<ParkedKey>& keys, Position position) {
  return std::any_of(keys.begin(), keys.end(), [&](const ParkedKey& key) {
    return std::any_of(key.events.begin(), key.events.end(),
                       [&](const ParkedEvent& event) { return event.position == position; });
  });
}

}  // namespace

absl::StatusOr<std::vector<ParkedKey>> Projections::Parked(std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const ProjectionStatus status, Status(name));
  DAYBOOK_ASSIGN_OR_RETURN(
      const std::shared_ptr<Generation> live,
      impl_->OpenGeneration(name, status.generation, Generation::Access::kReader, kReaderMapBytes));
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction view, live->environment().BeginRead());
  return ListParked(view, live->parked());
}

absl::StatusOr<ProjectionStatus> Projections::Status(std::string_view name) const {
  std::optional<ProjectionStatus> status;
  DAYBOOK_RETURN_IF_ERROR(impl_->WithRunner(name, [&](const ProjectionRunner::Impl* runner) {
    if (runner != nullptr) status = runner->status();
    return absl::OkStatus();
  }));
  if (status) return *std::move(status);
  return ReadProjectionStatus(impl_->reader(), name);
}

absl::StatusOr<ProjectionSkip> Projections::Skip(const ProjectionSkip& wanted) {
  Store* const store = impl_->store();
  if (store == nullptr) {
    return absl::FailedPreconditionError(
        "a skip is an event, which only the process that has the store open for writing can "
        "append");
  }
  ProjectionSkip skip = wanted;
  DAYBOOK_ASSIGN_OR_RETURN(const ProjectionStatus status, Status(skip.projection));
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<ProjectionSkip> decided,
                           ProjectionSkips(*store, skip.projection));
  const auto before = std::find_if(decided.begin(), decided.end(), [&](const ProjectionSkip& one) {
    return one.position <= skip.position && skip.position <= std::max(one.position, one.last);
  });
  const bool again = before != decided.end();
  // The store says whether this is the same decision.
  if (again) skip.position = before->position, skip.last = before->last;
  const bool stopped_there = status.poison && status.poison->position == skip.position;
  if (!again && !stopped_there) {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<ParkedKey> parked, Parked(skip.projection));
    const bool is_parked = IsParked(parked, skip.position);
    if (!is_parked && absl::IsDataLoss(store->EventAt(skip.position).status())) {
      DAYBOOK_ASSIGN_OR_RETURN(const LostStretch lost, FindLost(*store, skip.position));
      skip.position = lost.first;
      skip.last = lost.last;
    } else if (!is_parked) {
      return absl::FailedPreconditionError(
          absl::StrCat("projection '", skip.projection, "' neither stopped at position ",
                       skip.position.value(), " nor has it parked, so there is nothing to skip"));
    }
  }
  DAYBOOK_RETURN_IF_ERROR(store->RecordSkip(skip).status());
  DAYBOOK_RETURN_IF_ERROR(impl_->WithRunner(skip.projection, [](ProjectionRunner::Impl* runner) {
    return runner == nullptr ? absl::OkStatus() : runner->NoteSkips();
  }));
  return skip;
}

}  // namespace daybook
