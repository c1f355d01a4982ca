// Builds a generation from the log: the threads of a rebuild, and the load of what they made.

#ifndef DAYBOOK_PROJECTIONS_REBUILD_BUILDER_H_
#define DAYBOOK_PROJECTIONS_REBUILD_BUILDER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "daybook/projection.h"
#include "daybook/rebuild.h"
#include "daybook/store.h"
#include "daybook/values.h"
#include "projections/checkpoint.h"
#include "projections/generation.h"
#include "projections/owed_effects.h"
#include "projections/rebuild_worker.h"

namespace daybook {

// Not thread-safe, but for progress().
class RebuildBuilder {
 public:
  // Makes the generation, empty, with a checkpoint that says that it is not built: when what the
  // threads made is to be loaded, and once more where a load failed.
  using Create =
      std::function<absl::StatusOr<std::shared_ptr<Generation>>(const Checkpoint& initial)>;

  // Builds generation `number`, which `create` makes. `reader`, `projection` and `options` must
  // outlive it. Where the rows do not fit into memory, files are made in `folder` for a moment.
  RebuildBuilder(const Reader& reader, const Projection& projection, const RebuildOptions& options,
                 std::uint64_t number, const std::filesystem::path& folder, Create create);
  ~RebuildBuilder();

  // Goes on to `to`, which is durable, from where it was. kCancelled, or a stop before an event
  // (PoisonOf), or an error of the disk: it can be called again, and goes on. After another error
  // it cannot.
  // Effects of events are kept where the live generation owes them, which is `owed` where its
  // checkpoint is `to`.
  absl::Status Build(Position to, OwedEffects owed = {});

  // Built up to here; 0 at first.
  [[nodiscard]] Position position() const { return checkpoint_.position; }
  [[nodiscard]] bool is_built() const { return checkpoint_.built; }
  // nullptr before it was loaded.
  [[nodiscard]] const std::shared_ptr<Generation>& generation() const { return generation_; }
  // Lets go of the generation, for it to be closed: there is no more to be built.
  void Close();
  // Thread-safe.
  [[nodiscard]] RebuildProgress progress() const DAYBOOK_EXCLUDES(mutex_);

 private:
  using Clock = std::chrono::steady_clock;
  struct Ended {
    Mutex mutex;
    CondVar changed;
    unsigned left DAYBOOK_GUARDED_BY(mutex) = 0;
  };

  absl::Status Prepare(Position to);
  absl::Status Scan(Position to);
  // Calls `body` with each worker in a thread of its own, and reports progress meanwhile.
  void OnThreads(const std::function<void(unsigned)>& body);
  void Watch(Ended* ended);
  void LookForStuck();
  absl::Status Load(Position to);
  absl::Status Write(Checkpoint next);
  [[nodiscard]] bool CanLoadAgain(const absl::Status& failed) const;
  [[nodiscard]] Position Scanned() const;

  const Reader& reader_;
  const Projection& projection_;
  const RebuildOptions& options_;
  const std::uint64_t number_;
  const Create create_;
  std::vector<std::string> tables_;
  RebuildShared shared_;
  std::shared_ptr<Generation> generation_;  // outlives the workers, who read it
  std::vector<std::unique_ptr<RebuildWorker>> workers_;
  Checkpoint checkpoint_;  // of the generation
  bool begun_ = false;     // the workers have gone on from checkpoint_
  absl::Status broken_;
  Position reported_stuck_;

  mutable Mutex mutex_;
  Position target_ DAYBOOK_GUARDED_BY(mutex_);
  std::uint64_t matched_before_ DAYBOOK_GUARDED_BY(mutex_) = 0;  // what the workers count now
  Position began_at_ DAYBOOK_GUARDED_BY(mutex_);
  Clock::time_point began_ DAYBOOK_GUARDED_BY(mutex_){};
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_REBUILD_BUILDER_H_
