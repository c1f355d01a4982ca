#include "projections/process_claim.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/process_name.h"

namespace daybook {
namespace {

constexpr std::string_view kPrefix = ".open-";

// A file that nobody has locked is of a process that is gone.
void RemoveLeftovers(const std::filesystem::path& projections) {
  const auto names = Directory::List(projections);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(kPrefix)) continue;
    auto file = File::OpenReadWrite(projections / name);
    if (!file.ok() || !file->TryLockExclusive().value_or(false)) continue;
    Directory::Remove(projections / name).IgnoreError();
  }
}

}  // namespace

absl::StatusOr<ProcessClaim> ProcessClaim::Take(const std::filesystem::path& projections) {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(projections));
  RemoveLeftovers(projections);
  const std::string process = ProcessName();
  if (process.empty()) return ProcessClaim(std::nullopt);
  const std::filesystem::path path = projections / absl::StrCat(ToAbsl(kPrefix), process);
  // Somebody who looks for leftovers holds it for a moment, and may take it for one and remove it
  // before it is locked here.
  constexpr int kTries = 50;
  for (int i = 0; i < kTries; ++i) {
    DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenOrCreate(path));
    DAYBOOK_ASSIGN_OR_RETURN(const bool taken, file.TryLockExclusive());
    if (taken && Directory::Exists(path)) return ProcessClaim(std::move(file));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return absl::UnavailableError(
      absl::StrCat(path.string(),
                   ": this process has the projections of the store open already, in another "
                   "Projections; use that one"));
}

ProcessClaim::~ProcessClaim() {
  if (file_) Directory::Remove(file_->path()).IgnoreError();
}

}  // namespace daybook
