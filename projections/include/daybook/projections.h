// The projections of a store: running them, reading what they made, and replacing it.
//
//   auto store = daybook::Store::Open("ledger", {});
//   auto projections = daybook::Projections::Open(**store, {});
//   auto runner = (*projections)->Run(balances, {});
//   (*runner)->Start();
//   auto model = (*projections)->OpenModel("balances");
//
// On disk, in `projections/<name>/` of the store (docs/guide/projections.md): LOCK, whoever has it
// runs the projection; CURRENT, which generation is the live one; STATUS; WAKE, which wakes
// readers; and a folder of LMDB for each generation. All of it can be deleted while nobody has it
// open: a first run makes it anew.

#ifndef DAYBOOK_PROJECTIONS_H_
#define DAYBOOK_PROJECTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/dead_letters.h"
#include "daybook/options.h"
#include "daybook/projection.h"
#include "daybook/projection_runner.h"
#include "daybook/projection_status.h"
#include "daybook/read_model.h"
#include "daybook/rebuild.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

struct ProjectionsOptions {
  NoticeHandler on_notice;
};

// What this process has open of the projections of one store. LMDB allows a folder to be open once
// in a process, so there is one of these in a process for each store: what a second one wants to
// open is refused with kUnavailable. Runners, read models and rebuilds must not outlive it, nor it
// the store. Thread-safe.
class Projections {
 public:
  // In the writer's process: also skips can be recorded. In another: with a Reader. Writes nothing
  // before it is asked to.
  static absl::StatusOr<std::unique_ptr<Projections>> Open(Store& store,
                                                           const ProjectionsOptions& options);
  static absl::StatusOr<std::unique_ptr<Projections>> Open(const Reader& reader,
                                                           const ProjectionsOptions& options);
  ~Projections();
  Projections(const Projections&) = delete;
  Projections& operator=(const Projections&) = delete;

  // Takes the projection's lock and opens its live generation, or makes the first one.
  // kInvalidArgument (ValidateProjection), kUnavailable (somebody runs it already, here or in
  // another process), kFailedPrecondition (the read model is of another incarnation, revision,
  // definition or history: rebuild it, the message says how), kDataLoss (it is damaged: rebuild
  // it), kPermissionDenied, kResourceExhausted.
  absl::StatusOr<std::unique_ptr<ProjectionRunner>> Run(Projection projection,
                                                        const RunnerOptions& options);

  // A read model, whether somebody runs the projection or not. kNotFound where it was never run,
  // kPermissionDenied where the process may not write the lock file of LMDB in its folder (the
  // status file can be read all the same).
  absl::StatusOr<std::unique_ptr<ReadModel>> OpenModel(std::string_view name,
                                                       const ReadModelOptions& options = {});

  // Begins a new generation, after removing one that was half built before. The revision may be
  // another than the live one's. kUnavailable where a rebuild of the projection is on its way.
  absl::StatusOr<std::unique_ptr<Rebuild>> StartRebuild(Projection projection,
                                                        const RebuildOptions& options);
  // Holds the newest generation that was built against the live one. kNotFound where there is none.
  absl::StatusOr<CompareReport> Compare(std::string_view name);
  // Makes the newest generation that was built the live one, durable on return; the one before is
  // kept for Rollback, and what is older is removed. A runner of the same revision in this process
  // goes on with the new one; of another revision it ends with kFailedPrecondition. Effects from
  // then on are sent only above the position up to which they were; those of events that are parked
  // in the old one when they are handled, and at once where the new one has handled them.
  // kUnavailable where a runner in another process has the lock: stop it first. kFailedPrecondition
  // where the new one was not built to its end, or the live one has gone on and not been followed:
  // run the rebuild again.
  absl::Status Promote(std::string_view name);
  // Makes the generation before the live one the live one again, and the other the one before.
  // Errors as Promote; kNotFound where there is none.
  absl::Status Rollback(std::string_view name);

  // Decides that a projection passes over an event: the one at which it stopped, one that is
  // parked, or one that cannot be read because a repair has given it up; then all that the repair
  // gave up there is passed over. The decision is a fact: an event of type `ProjectionSkip` in the
  // stream `$projection-NAME`, with reason and actor, durable on return; so a rebuild passes over
  // it too. A runner here looks at once, another when it next fails or is made. Gives what is on
  // record; doing it twice is doing it once. kFailedPrecondition without a Store, or where the
  // event is none of these; kInvalidArgument where reason or actor is empty.
  absl::StatusOr<ProjectionSkip> Skip(const ProjectionSkip& wanted);

  // As the functions of the same name, for what is open here.
  absl::StatusOr<ProjectionStatus> Status(std::string_view name) const;
  absl::StatusOr<ProjectionVerifyReport> Verify() const;
  // The parked keys of the live generation, whether it is run or not.
  absl::StatusOr<std::vector<ParkedKey>> Parked(std::string_view name);

  class Impl;
  // For the library's own use.
  [[nodiscard]] Impl& impl() const { return *impl_; }

 private:
  explicit Projections(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_H_
