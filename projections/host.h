// The inside of a Projections: what this process has open of the projections of one store.

#ifndef DAYBOOK_PROJECTIONS_HOST_H_
#define DAYBOOK_PROJECTIONS_HOST_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "daybook/projections.h"
#include "projections/generation.h"
#include "projections/layout.h"
#include "projections/process_claim.h"

namespace daybook {

// Thread-safe.
class Projections::Impl {
 public:
  Impl(const Reader& reader, Store* store, ProjectionsOptions options)
      : reader_(reader), store_(store), options_(std::move(options)) {}

  [[nodiscard]] const Reader& reader() const { return reader_; }
  [[nodiscard]] Store* store() const { return store_; }  // nullptr where it has only a Reader
  [[nodiscard]] const ProjectionsOptions& options() const { return options_; }
  [[nodiscard]] std::filesystem::path FolderOf(std::string_view name) const {
    return ProjectionFolder(reader_.directory(), name);
  }

  // The one open environment of a generation in this process.
  absl::StatusOr<std::shared_ptr<Generation>> OpenGeneration(std::string_view name,
                                                             std::uint64_t number,
                                                             Generation::Access access,
                                                             std::uint64_t map_bytes);
  // What OpenGeneration has opened, or nullptr.
  std::shared_ptr<Generation> FindOpen(std::string_view name, std::uint64_t number);
  // As Generation::Create; nobody has it open.
  absl::StatusOr<std::shared_ptr<Generation>> CreateGeneration(std::string_view name,
                                                               std::uint64_t number,
                                                               const Checkpoint& initial,
                                                               std::uint64_t map_bytes);
  // Closes the generations of a projection that nobody here uses any more. Others stay open as long
  // as the host.
  void CloseUnused(std::string_view name);

  // The runner of a projection here, while there is one: a promotion asks it to make way.
  void SetRunner(std::string_view name, ProjectionRunner::Impl* runner);
  // Calls `body` with it, or with nullptr; it stays until `body` returns.
  absl::Status WithRunner(std::string_view name,
                          const std::function<absl::Status(ProjectionRunner::Impl*)>& body);

 private:
  using Key = std::pair<std::string, std::uint64_t>;
  absl::Status Claim() DAYBOOK_REQUIRES(mutex_);

  const Reader& reader_;
  Store* const store_;
  const ProjectionsOptions options_;
  Mutex mutex_;
  std::optional<ProcessClaim> claim_ DAYBOOK_GUARDED_BY(mutex_);  // with the first that is opened
  std::map<Key, std::shared_ptr<Generation>> open_ DAYBOOK_GUARDED_BY(mutex_);
  Mutex runners_mutex_;
  std::map<std::string, ProjectionRunner::Impl*, std::less<>> runners_
      DAYBOOK_GUARDED_BY(runners_mutex_);
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_HOST_H_
