#include "projections/publish/requests.h"

#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/event.h"
#include "io/directory.h"
#include "io/file.h"
#include "kv/derived.h"

namespace daybook {
namespace {

constexpr auto kRequestsFile = "REQUESTS";
constexpr int kAttempts = 200;
constexpr std::chrono::milliseconds kBetween{10};

// The file with its lock, which is held for moments only.
absl::StatusOr<File> OpenLocked(const std::filesystem::path& folder) {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenOrCreate(folder / kRequestsFile));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool is_locked, file.TryLockExclusive());
    if (is_locked) return file;
    std::this_thread::sleep_for(kBetween);
  }
  return absl::UnavailableError(
      absl::StrCat("somebody keeps ", (folder / kRequestsFile).string(), " locked; try again"));
}

absl::Status AddTo(Journal* journal, const std::vector<JournalEntry>& entries) {
  for (const JournalEntry& entry : entries) {
    // Asked twice: the first decision stands.
    if (entry.kind == "skip") {
      const auto position = entry.fields.Number<std::uint64_t>("position");
      if (position.ok() && journal->state().IsSkipped(Position(*position))) continue;
    }
    DAYBOOK_RETURN_IF_ERROR(journal->Add(entry));
  }
  return journal->Commit();
}

}  // namespace

absl::Status Request(const std::filesystem::path& folder,
                     const std::vector<JournalEntry>& entries) {
  absl::StatusOr<File> lock = LockDerived(folder);
  if (lock.ok()) {
    DAYBOOK_ASSIGN_OR_RETURN(Journal journal, Journal::Open(folder));
    return AddTo(&journal, entries);
  }
  if (!absl::IsUnavailable(lock.status())) return lock.status();
  DAYBOOK_ASSIGN_OR_RETURN(File file, OpenLocked(folder));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  std::string text;
  for (const JournalEntry& entry : entries) text += EncodeJournalEntry(entry);
  DAYBOOK_RETURN_IF_ERROR(file.WriteAt(size, AsBytes(text)));
  DAYBOOK_RETURN_IF_ERROR(file.SyncData());
  return Directory::Sync(folder);
}

absl::Status TakeRequests(const std::filesystem::path& folder, Journal* journal) {
  const absl::StatusOr<std::uint64_t> size = Directory::FileSize(folder / kRequestsFile);
  if (!size.ok() || *size == 0) return absl::OkStatus();  // mostly
  DAYBOOK_ASSIGN_OR_RETURN(File file, OpenLocked(folder));
  DAYBOOK_ASSIGN_OR_RETURN(const std::string text, ReadAll(file));
  std::vector<JournalEntry> entries;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) break;  // who wrote it died, and was told nothing
    absl::StatusOr<JournalEntry> entry =
        DecodeJournalEntry(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (entry.ok() && (entry->kind == "due" || entry->kind == "skip")) {
      entries.push_back(*std::move(entry));
    }
  }
  DAYBOOK_RETURN_IF_ERROR(AddTo(journal, entries));
  return file.Resize(0);
}

}  // namespace daybook
