#include "kv/derived.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "kv/lmdb_snapshot.h"

namespace daybook {
namespace {

constexpr char kLockName[] = "LOCK";

// LMDB's own lock file is written through a mapping: its blocks must exist. Nobody else uses what
// is overwritten here.
absl::Status CoverLocks(const std::filesystem::path& directory) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenOrCreate(directory / "lock.mdb"));
  return file.ZeroFill(0, kLockFileBytes);
}

// With what was cut off as a hole LMDB finds no page there and says so. Pages that were never
// written are as good as a hole: a whole file only gets longer.
absl::Status CoverPages(const std::filesystem::path& directory, const Environment& environment) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenReadWrite(directory / "data.mdb"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t bytes, file.Size());
  const std::uint64_t end = environment.pages_end();
  return bytes < end ? file.Resize(end) : absl::OkStatus();
}

bool IsDamaged(const std::filesystem::path& directory) {
  const auto tables = LmdbSnapshot::Open(directory);
  return tables.ok() ? !tables->CheckPages().ok() : absl::IsDataLoss(tables.status());
}

// An empty file is what a crash leaves of one that was being made.
bool HasTables(const std::filesystem::path& directory) {
  const absl::StatusOr<File> file = File::OpenRead(directory / "data.mdb");
  if (!file.ok()) return !absl::IsNotFound(file.status());
  const absl::StatusOr<std::uint64_t> bytes = file->Size();
  return !bytes.ok() || *bytes > 0;
}

absl::StatusOr<std::unique_ptr<Environment>> TryOpen(const std::filesystem::path& directory,
                                                     const EnvironmentOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(CoverLocks(directory));
  DAYBOOK_ASSIGN_OR_RETURN(std::unique_ptr<Environment> environment,
                           Environment::Open(directory, options));
  DAYBOOK_RETURN_IF_ERROR(CoverPages(directory, *environment));
  return environment;
}

// The same where there were no tables: what it leaves that fails, on a full disk perhaps, would
// look like damaged ones.
absl::StatusOr<std::unique_ptr<Environment>> TryCreate(const std::filesystem::path& directory,
                                                       const EnvironmentOptions& options) {
  auto created = TryOpen(directory, options);
  if (created.ok()) return created;
  const absl::Status status = ToldApart(created.status(), directory);
  DiscardDerived(directory).IgnoreError();  // the first error is the one to tell
  return status;
}

// Of these the folder is not the cause, nor would another one help.
bool IsHopeless(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsUnavailable(status) ||
         absl::IsResourceExhausted(status);
}

}  // namespace

absl::Status ToldApart(const absl::Status& status, const std::filesystem::path& directory) {
  constexpr std::uint64_t kNextToNothing = std::uint64_t{1} << 20;
  if (!MayBeCutShort(status)) return status;
  const absl::StatusOr<std::uint64_t> free = Directory::FreeBytes(directory);
  if (!free.ok() || *free >= kNextToNothing) return status;
  return absl::ResourceExhaustedError(
      absl::StrCat("the disk is full; make room on it (", status.message(), ")"));
}

absl::StatusOr<std::unique_ptr<Environment>> OpenDerived(const std::filesystem::path& directory,
                                                         const EnvironmentOptions& options,
                                                         bool* discarded) {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(directory));
  if (HasTables(directory) && IsDamaged(directory)) {
    DAYBOOK_RETURN_IF_ERROR(DiscardDerived(directory));
    *discarded = true;
  }
  if (!HasTables(directory)) return TryCreate(directory, options);
  auto environment = TryOpen(directory, options);
  if (environment.ok()) return environment;
  const absl::Status status = ToldApart(environment.status(), directory);
  if (IsHopeless(status)) return status;
  DAYBOOK_RETURN_IF_ERROR(DiscardDerived(directory));
  *discarded = true;
  return TryCreate(directory, options);
}

absl::StatusOr<std::unique_ptr<Environment>> OpenShared(const std::filesystem::path& directory,
                                                        const EnvironmentOptions& options,
                                                        IfMissing if_missing) {
  if (!HasTables(directory)) {
    if (if_missing == IfMissing::kFail) {
      return absl::NotFoundError(absl::StrCat(directory.string(), ": there are no tables"));
    }
    DAYBOOK_RETURN_IF_ERROR(Directory::Create(directory));
    return TryCreate(directory, options);
  }
  if (IsDamaged(directory)) {
    return absl::DataLossError(absl::StrCat(directory.string(), ": the tables are damaged"));
  }
  auto environment = Environment::Open(directory, options);
  if (environment.ok()) return environment;
  return ToldApart(environment.status(), directory);
}

absl::Status WriteGrowing(Environment* environment, const std::filesystem::path& directory,
                          const std::function<absl::Status(WriteTransaction*)>& work) {
  for (;;) {
    absl::Status status;
    {
      DAYBOOK_ASSIGN_OR_RETURN(WriteTransaction transaction, environment->BeginWrite());
      status = work(&transaction);
      if (status.ok()) status = transaction.Commit();
    }
    if (!IsMapFull(status)) return ToldApart(status, directory);
    DAYBOOK_RETURN_IF_ERROR(environment->GrowMap());
  }
}

// What a crash in the middle of it leaves is an environment without its data, which begins anew, or
// one that the next opening takes or discards like any other.
absl::Status DiscardDerived(const std::filesystem::path& directory) {
  for (const char* name : {"data.mdb", "lock.mdb"}) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Remove(directory / name));
  }
  return Directory::Sync(directory);
}

absl::StatusOr<File> LockDerived(const std::filesystem::path& directory) {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(directory));
  DAYBOOK_ASSIGN_OR_RETURN(File lock, File::OpenOrCreate(directory / kLockName));
  DAYBOOK_ASSIGN_OR_RETURN(const bool taken, lock.TryLockExclusive());
  if (taken) return lock;
  return absl::UnavailableError(absl::StrCat(
      (directory / kLockName).string(), ": open already, here or in another process; close it"));
}

}  // namespace daybook
