// A rebuild: its generation, how far it goes, and what becomes of it.

#include "daybook/rebuild.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"
#include "kv/derived.h"
#include "projections/compare.h"
#include "projections/host.h"
#include "projections/layout.h"
#include "projections/owed_effects.h"
#include "projections/promote.h"
#include "projections/rebuild_builder.h"

namespace daybook {

class Rebuild::Impl {
 public:
  Impl(Projections::Impl* host, Projection projection, RebuildOptions options, std::uint64_t number,
       File lock)
      : host_(host),
        projection_(std::move(projection)),
        options_(std::move(options)),
        number_(number),
        folder_(GenerationFolder(host->FolderOf(projection_.name), number)),
        lock_(std::move(lock)),
        builder_(host->reader(), projection_, options_, number_, folder_,
                 [this](const Checkpoint& initial) { return Create(initial); }) {}
  ~Impl() {
    builder_.Close();
    host_->CloseUnused(projection_.name);
  }

  absl::Status Run() {
    DAYBOOK_ASSIGN_OR_RETURN(Target target, FindTarget());
    return builder_.Build(target.position, std::move(target.owed));
  }
  [[nodiscard]] RebuildProgress progress() const { return builder_.progress(); }
  [[nodiscard]] std::uint64_t number() const { return number_; }

  absl::StatusOr<CompareReport> Compare() const {
    DAYBOOK_RETURN_IF_ERROR(CheckBuilt());
    DAYBOOK_ASSIGN_OR_RETURN(const Current current, ReadCurrent(host_->FolderOf(projection_.name)));
    DAYBOOK_ASSIGN_OR_RETURN(
        const std::shared_ptr<Generation> live,
        host_->OpenGeneration(projection_.name, current.generation, Generation::Access::kReader,
                              options_.map_bytes));
    return CompareGenerations(*live, *builder_.generation());
  }

  absl::Status Promote() {
    DAYBOOK_RETURN_IF_ERROR(CheckBuilt());
    // Most of what the live one is ahead by is made up for while it goes on, so that it makes way
    // only for a moment.
    DAYBOOK_RETURN_IF_ERROR(Run());
    const absl::Status promoted = AtRest(host_, projection_.name, [&]() -> absl::Status {
      DAYBOOK_RETURN_IF_ERROR(Run());
      return PromoteAtRest(host_, projection_.name, builder_.generation().get());
    });
    if (promoted.ok()) Close();
    return promoted;
  }

  absl::Status Discard() {
    if (!lock_) return absl::FailedPreconditionError("the rebuild has ended already");
    Close();
    return RemoveGeneration(host_->FolderOf(projection_.name), number_);
  }

 private:
  absl::StatusOr<std::shared_ptr<Generation>> Create(const Checkpoint& initial) {
    return host_->CreateGeneration(projection_.name, number_, initial, options_.map_bytes);
  }

  void Close() {
    builder_.Close();
    host_->CloseUnused(projection_.name);
    lock_.reset();
  }

  absl::Status CheckBuilt() const {
    if (builder_.generation() != nullptr && builder_.is_built()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("generation ", number_, " of projection '", projection_.name,
                     "' is not built, or was promoted or discarded already"));
  }

  // Where the live generation is, and what it owes; without one that can be gone on with, the end
  // of the log.
  struct Target {
    Position position;
    OwedEffects owed;
  };
  absl::StatusOr<Target> FindTarget() const {
    const Target durable{.position = host_->reader().durable(), .owed = {}};
    const absl::StatusOr<Current> current = ReadCurrent(host_->FolderOf(projection_.name));
    if (absl::IsNotFound(current.status()) || absl::IsDataLoss(current.status())) return durable;
    DAYBOOK_RETURN_IF_ERROR(current.status());
    const auto live = host_->OpenGeneration(projection_.name, current->generation,
                                            Generation::Access::kReader, options_.map_bytes);
    if (absl::IsNotFound(live.status()) || absl::IsDataLoss(live.status())) return durable;
    DAYBOOK_RETURN_IF_ERROR(live.status());
    DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction view, (*live)->environment().BeginRead());
    DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, (*live)->ReadCheckpoint(view));
    const absl::Status history = CheckHistory(host_->reader(), projection_.name, checkpoint);
    if (absl::IsFailedPrecondition(history)) return durable;
    DAYBOOK_RETURN_IF_ERROR(history);
    Target target{.position = checkpoint.position, .owed = {}};
    DAYBOOK_ASSIGN_OR_RETURN(target.owed, FindOwed(view, **live, current->effects_floor));
    return target;
  }

  Projections::Impl* const host_;
  const Projection projection_;
  const RebuildOptions options_;
  const std::uint64_t number_;
  const std::filesystem::path folder_;
  std::optional<File> lock_;  // until it is promoted or discarded
  RebuildBuilder builder_;
};

Rebuild::Rebuild(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Rebuild::~Rebuild() = default;
absl::Status Rebuild::Run() { return impl_->Run(); }
RebuildProgress Rebuild::progress() const { return impl_->progress(); }
std::uint64_t Rebuild::generation() const { return impl_->number(); }
absl::StatusOr<CompareReport> Rebuild::Compare() const { return impl_->Compare(); }
absl::Status Rebuild::Promote() { return impl_->Promote(); }
absl::Status Rebuild::Discard() { return impl_->Discard(); }

namespace {

absl::Status OnItsWay(std::string_view name) {
  return absl::UnavailableError(absl::StrCat("a rebuild of projection '", ToAbsl(name),
                                             "' is on its way, here or in another process"));
}

absl::Status ValidateRebuild(const Projection& projection, const RebuildOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjection(projection));
  if (options.threads >= 1 && (options.threads == 1 || projection.rows_by_key)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a rebuild of projection '", projection.name, "' on ", options.threads,
      " threads: there must be one, or more where Projection::rows_by_key says that they may"));
}

// Removes what rebuilds before generation `number` have left.
absl::Status RemoveLeftOvers(Projections::Impl* host, const std::string& name,
                             const std::optional<Current>& current, std::uint64_t number) {
  DAYBOOK_ASSIGN_OR_RETURN(std::vector<std::uint64_t> numbers,
                           OtherGenerations(host->FolderOf(name), current));
  std::erase(numbers, number);
  for (const std::uint64_t other : numbers) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool removed, RemoveUnlessRebuilt(host, name, other));
    if (!removed) return OnItsWay(name);
  }
  return absl::OkStatus();
}

// A number that no generation has or had, as far as that can be known.
absl::StatusOr<std::uint64_t> NextNumber(const std::filesystem::path& folder,
                                         const std::optional<Current>& current) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> all, ListGenerations(folder));
  std::uint64_t last = all.empty() ? 0 : all.back();
  if (current) last = std::max({last, current->generation, current->previous.value_or(0)});
  return last + 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Rebuild>> Projections::StartRebuild(Projection projection,
                                                                   const RebuildOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(ValidateRebuild(projection, options));
  const std::string name = projection.name;
  const std::filesystem::path folder = impl_->FolderOf(name);
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder.parent_path()));
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder));
  absl::StatusOr<std::optional<Current>> current = FindCurrent(folder);
  const bool unreadable = absl::IsDataLoss(current.status());
  if (!current.ok() && !unreadable) return current.status();
  // A first run makes a generation that CURRENT does not name yet; it has the lock.
  std::optional<File> first_run;
  if (unreadable || !current->has_value()) {
    DAYBOOK_ASSIGN_OR_RETURN(first_run, LockDerived(folder));
  }
  // Where nobody knows which was the live one, all stay.
  const bool remove = !unreadable;
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t number,
                           NextNumber(folder, unreadable ? std::nullopt : *current));
  if (remove) DAYBOOK_RETURN_IF_ERROR(RemoveLeftOvers(impl_.get(), name, *current, number));
  absl::StatusOr<File> lock = LockDerived(GenerationFolder(folder, number));
  if (absl::IsUnavailable(lock.status())) return OnItsWay(name);
  DAYBOOK_RETURN_IF_ERROR(lock.status());
  // Of two that came here at once at least one sees the other's folder, which is locked.
  if (remove) DAYBOOK_RETURN_IF_ERROR(RemoveLeftOvers(impl_.get(), name, *current, number));
  return std::make_unique<Rebuild>(std::make_unique<Rebuild::Impl>(
      impl_.get(), std::move(projection), options, number, *std::move(lock)));
}

}  // namespace daybook
