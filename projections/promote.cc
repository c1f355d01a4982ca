// Compare, Promote and Rollback of Projections.

#include "projections/promote.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "kv/derived.h"
#include "projections/compare.h"
#include "projections/owed_effects.h"
#include "projections/runner.h"

namespace daybook {
namespace {

absl::Status PromotionRefused(std::string_view name, std::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("projection '", ToAbsl(name), "': ", ToAbsl(why)));
}

// The live generation with its checkpoint, where it can be gone on with.
struct Live {
  std::shared_ptr<Generation> generation;
  Checkpoint checkpoint;
};
absl::StatusOr<Live> OpenLive(Projections::Impl* host, std::string_view name,
                              const Current& current) {
  Live live;
  DAYBOOK_ASSIGN_OR_RETURN(
      live.generation,
      host->OpenGeneration(name, current.generation, Generation::Access::kOwner, kReaderMapBytes));
  DAYBOOK_ASSIGN_OR_RETURN(live.checkpoint, live.generation->ReadCheckpoint());
  DAYBOOK_RETURN_IF_ERROR(CheckHistory(host->reader(), name, live.checkpoint));
  return live;
}

void Tell(const Projections::Impl& host, std::string message) {
  if (!host.options().on_notice) return;
  host.options().on_notice({.severity = Notice::Severity::kWarning, .message = std::move(message)});
}

void RemoveOthers(Projections::Impl* host, std::string_view name, const Current& current) {
  const auto others = OtherGenerations(host->FolderOf(name), current);
  if (!others.ok()) return;
  for (const std::uint64_t number : *others) {
    // What stays now the next rebuild removes.
    const absl::Status removed = RemoveUnlessRebuilt(host, name, number).status();
    if (!removed.ok()) Tell(*host, std::string(removed.message()));
  }
}

absl::Status RollBackAtRest(Projections::Impl* host, std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const Current current, ReadCurrent(host->FolderOf(name)));
  if (!current.previous) {
    return absl::NotFoundError(absl::StrCat(
        "projection '", ToAbsl(name), "' has no generation before the live one to go back to"));
  }
  DAYBOOK_ASSIGN_OR_RETURN(
      const std::shared_ptr<Generation> before,
      host->OpenGeneration(name, *current.previous, Generation::Access::kOwner, kReaderMapBytes));
  DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, before->ReadCheckpoint());
  DAYBOOK_RETURN_IF_ERROR(CheckHistory(host->reader(), name, checkpoint));
  Current changed{.generation = *current.previous,
                  .previous = current.generation,
                  .effects_floor = current.effects_floor};
  const absl::StatusOr<Live> live = OpenLive(host, name, current);
  if (live.ok()) {
    changed.effects_floor = std::max(changed.effects_floor, live->checkpoint.position);
    DAYBOOK_RETURN_IF_ERROR(
        HandOverEffects(*live->generation, current.effects_floor, before.get()));
  } else {
    // How far it has sent effects cannot be known. One that is lost can be asked for again; one
    // that is sent twice cannot be taken back.
    changed.effects_floor = std::max(changed.effects_floor, host->reader().durable());
    DAYBOOK_RETURN_IF_ERROR(ForgetEffects(before.get()));
    Tell(*host, absl::StrCat("projection '", ToAbsl(name), "' was rolled back from a generation ",
                             "that cannot be read (", live.status().message(),
                             "): effects that waited there are lost"));
  }
  return WriteCurrent(host->FolderOf(name), changed);
}

}  // namespace

absl::Status AtRest(Projections::Impl* host, std::string_view name,
                    const std::function<absl::Status()>& change) {
  return host->WithRunner(name, [&](ProjectionRunner::Impl* runner) -> absl::Status {
    if (runner != nullptr) return runner->ChangeGeneration(change);
    const absl::StatusOr<File> lock = LockDerived(host->FolderOf(name));
    if (absl::IsUnavailable(lock.status())) {
      return absl::UnavailableError(
          absl::StrCat("projection '", ToAbsl(name), "' is run by another process; stop it first"));
    }
    DAYBOOK_RETURN_IF_ERROR(lock.status());
    return change();
  });
}

absl::Status PromoteAtRest(Projections::Impl* host, std::string_view name, Generation* candidate) {
  DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint built, candidate->ReadCheckpoint());
  if (!built.built) {
    return PromotionRefused(name, "the new generation was not built to its end; rebuild it");
  }
  DAYBOOK_RETURN_IF_ERROR(CheckHistory(host->reader(), name, built));
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<Current> current, FindCurrent(host->FolderOf(name)));
  Current changed{.generation = candidate->number(), .effects_floor = built.position};
  if (current) {
    changed.previous = current->generation;
    changed.effects_floor = std::max(built.position, current->effects_floor);
    const absl::StatusOr<Live> live = OpenLive(host, name, *current);
    if (live.ok()) {
      const Position sent = std::max(live->checkpoint.position, current->effects_floor);
      if (built.position < live->checkpoint.position || built.position > sent) {
        return PromotionRefused(
            name, absl::StrCat("the new generation is at position ", built.position.value(),
                               " and the live one at ", live->checkpoint.position.value(),
                               "; run the rebuild again, to go on to there"));
      }
      changed.effects_floor = sent;
      DAYBOOK_RETURN_IF_ERROR(
          HandOverEffects(*live->generation, current->effects_floor, candidate));
    } else {
      DAYBOOK_RETURN_IF_ERROR(ForgetEffects(candidate));
      Tell(*host, absl::StrCat("projection '", ToAbsl(name), "' had a live generation that cannot ",
                               "be gone on with (", live.status().message(),
                               "): effects that waited there are lost"));
    }
  }
  // The one step: who dies before it leaves the live one as it was, with all that waits to be sent,
  // and who dies behind it the new one.
  DAYBOOK_RETURN_IF_ERROR(WriteCurrent(host->FolderOf(name), changed));
  RemoveOthers(host, name, changed);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Current>> FindCurrent(const std::filesystem::path& folder) {
  absl::StatusOr<Current> current = ReadCurrent(folder);
  if (absl::IsNotFound(current.status())) return std::optional<Current>();
  if (!current.ok()) return current.status();
  return std::optional<Current>(*current);
}

absl::StatusOr<std::vector<std::uint64_t>> OtherGenerations(const std::filesystem::path& folder,
                                                            const std::optional<Current>& current) {
  DAYBOOK_ASSIGN_OR_RETURN(std::vector<std::uint64_t> numbers, ListGenerations(folder));
  if (current) {
    std::erase(numbers, current->generation);
    if (current->previous) std::erase(numbers, *current->previous);
  }
  return numbers;
}

absl::StatusOr<bool> RemoveUnlessRebuilt(Projections::Impl* host, std::string_view name,
                                         std::uint64_t number) {
  const std::filesystem::path folder = host->FolderOf(name);
  const absl::StatusOr<File> lock = LockDerived(GenerationFolder(folder, number));
  if (absl::IsUnavailable(lock.status())) return false;
  DAYBOOK_RETURN_IF_ERROR(lock.status());
  host->CloseUnused(name);
  DAYBOOK_RETURN_IF_ERROR(RemoveGeneration(folder, number));
  return true;
}

absl::StatusOr<std::shared_ptr<Generation>> OpenCandidate(Projections::Impl* host,
                                                          std::string_view name) {
  const std::filesystem::path folder = host->FolderOf(name);
  const absl::Status none = absl::NotFoundError(
      absl::StrCat("projection '", ToAbsl(name), "' has no generation that was built and is not ",
                   "live; rebuild it (`daybook projection STORE rebuild ", ToAbsl(name), "`)"));
  if (!Directory::Exists(folder)) return none;
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<Current> current, FindCurrent(folder));
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> numbers,
                           OtherGenerations(folder, current));
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    absl::StatusOr<std::shared_ptr<Generation>> generation =
        host->OpenGeneration(name, *number, Generation::Access::kReader, kReaderMapBytes);
    // A rebuild has not come to its load yet, or died before it did.
    if (absl::IsNotFound(generation.status()) || absl::IsDataLoss(generation.status())) continue;
    if (!generation.ok()) return generation.status();
    DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, (*generation)->ReadCheckpoint());
    if (checkpoint.built) return generation;
  }
  return none;
}

absl::StatusOr<CompareReport> Projections::Compare(std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<Generation> candidate,
                           OpenCandidate(impl_.get(), name));
  DAYBOOK_ASSIGN_OR_RETURN(const Current current, ReadCurrent(impl_->FolderOf(name)));
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<Generation> live,
                           impl_->OpenGeneration(name, current.generation,
                                                 Generation::Access::kReader, kReaderMapBytes));
  return CompareGenerations(*live, *candidate);
}

absl::Status Projections::Promote(std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::shared_ptr<Generation> candidate,
                           OpenCandidate(impl_.get(), name));
  const absl::Status promoted =
      AtRest(impl_.get(), name, [&] { return PromoteAtRest(impl_.get(), name, candidate.get()); });
  impl_->CloseUnused(name);
  return promoted;
}

absl::Status Projections::Rollback(std::string_view name) {
  if (!Directory::Exists(impl_->FolderOf(name))) {
    return absl::NotFoundError(
        absl::StrCat("there is no projection '", ToAbsl(name), "' in this store"));
  }
  const absl::Status rolled_back =
      AtRest(impl_.get(), name, [&] { return RollBackAtRest(impl_.get(), name); });
  impl_->CloseUnused(name);
  return rolled_back;
}

}  // namespace daybook
