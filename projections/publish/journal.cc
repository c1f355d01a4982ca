#include "projections/publish/journal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checksum.h"
#include "base/status.h"
#include "daybook/event.h"
#include "io/directory.h"
#include "projections/layout.h"

namespace daybook {
namespace {

constexpr std::string_view kFirstLine = "daybook publish journal 1\n";
constexpr std::string_view kFirstLineBegins = "daybook publish journal ";
constexpr auto kJournalFile = "JOURNAL";
constexpr std::size_t kChecksumDigits = 16;
constexpr std::uint64_t kCompactBytesMin = std::uint64_t{1} << 20;

std::string Checksum(std::string_view text) {
  return absl::StrFormat("%016x", Hash64(AsBytes(text)));
}

std::filesystem::path PathIn(const std::filesystem::path& folder) { return folder / kJournalFile; }

absl::Status Damaged(const std::filesystem::path& folder, std::size_t line, std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      PathIn(folder).string(), ": line ", line, " is damaged (", ToAbsl(what),
      "); bring it back from a backup, or move the file away and begin anew with --from"));
}

std::string Encode(const std::vector<JournalEntry>& entries) {
  std::string text;
  for (const JournalEntry& entry : entries) text += EncodeJournalEntry(entry);
  return text;
}

struct Loaded {
  SinkState state;
  std::uint64_t good_bytes = 0;  // what stands behind them was cut off
};

absl::StatusOr<Loaded> Load(const std::filesystem::path& folder, std::string_view bytes) {
  if (!bytes.starts_with(kFirstLine)) {
    // A file that was just being made.
    if (kFirstLine.starts_with(bytes)) return Loaded{};
    if (!bytes.starts_with(kFirstLineBegins)) return Damaged(folder, 1, "it begins otherwise");
    return absl::FailedPreconditionError(absl::StrCat(
        PathIn(folder).string(), " has a format that this version does not know; use a newer one"));
  }
  Loaded loaded{.state = {}, .good_bytes = kFirstLine.size()};
  std::optional<absl::Status> bad;
  std::size_t line_number = 1;
  for (std::size_t at = kFirstLine.size(); at < bytes.size();) {
    ++line_number;
    const std::size_t end = bytes.find('\n', at);
    if (end == std::string_view::npos) break;  // cut off
    const absl::StatusOr<JournalEntry> entry = DecodeJournalEntry(bytes.substr(at, end - at));
    at = end + 1;
    if (!entry.ok()) {
      if (!bad) bad = Damaged(folder, line_number, ToStd(entry.status().message()));
      continue;
    }
    if (bad) return *bad;  // something good stands behind it
    const absl::Status applied = loaded.state.Apply(*entry);
    if (!applied.ok()) return Damaged(folder, line_number, ToStd(applied.message()));
    loaded.good_bytes = at;
  }
  return loaded;
}

}  // namespace

std::filesystem::path SinkFolder(const std::filesystem::path& store, std::string_view name) {
  return store / "publish" / name;
}

absl::StatusOr<std::string> ReadAll(const File& file) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  std::string bytes(size, '\0');
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

std::string EncodeJournalEntry(const JournalEntry& entry) {
  std::string text = entry.kind;
  char separator = ' ';
  for (const auto& [name, value] : entry.fields.fields()) {
    text.push_back(separator);
    text.append(name).push_back('=');
    AppendEscaped(value, "\n\t", &text);
    separator = '\t';
  }
  return absl::StrCat(Checksum(text), " ", text, "\n");
}

absl::StatusOr<JournalEntry> DecodeJournalEntry(std::string_view line) {
  if (line.size() < kChecksumDigits + 2 || line[kChecksumDigits] != ' ' ||
      line.substr(0, kChecksumDigits) != Checksum(line.substr(kChecksumDigits + 1))) {
    return absl::DataLossError("its checksum does not match");
  }
  line.remove_prefix(kChecksumDigits + 1);
  JournalEntry entry;
  const std::size_t kind_end = std::min(line.find(' '), line.size());
  entry.kind = std::string(line.substr(0, kind_end));
  line.remove_prefix(std::min(kind_end + 1, line.size()));
  while (!line.empty()) {
    const std::size_t end = std::min(line.find('\t'), line.size());
    const std::string_view field = line.substr(0, end);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) return absl::DataLossError("a field has no value");
    entry.fields.Set(field.substr(0, equals), Unescaped(field.substr(equals + 1)));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return entry;
}

absl::StatusOr<SinkState> ReadJournal(const std::filesystem::path& folder) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(PathIn(folder)));
  DAYBOOK_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(file));
  DAYBOOK_ASSIGN_OR_RETURN(Loaded loaded, Load(folder, bytes));
  return std::move(loaded.state);
}

absl::StatusOr<KnownSink> FindSink(const std::filesystem::path& store, std::string_view name) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjectionName(name));
  KnownSink sink{SinkFolder(store, name), {}};
  absl::StatusOr<SinkState> state = ReadJournal(sink.folder);
  if (absl::IsNotFound(state.status()) || (state.ok() && !state->is_open())) {
    return absl::NotFoundError(
        absl::StrCat("nothing was ever published to '", ToAbsl(name), "' from this store"));
  }
  DAYBOOK_RETURN_IF_ERROR(state.status());
  sink.state = *std::move(state);
  return sink;
}

absl::StatusOr<Journal> Journal::Open(const std::filesystem::path& folder) {
  const bool is_new = !Directory::Exists(PathIn(folder));
  if (is_new) {
    DAYBOOK_RETURN_IF_ERROR(Directory::WriteFileAtomically(PathIn(folder), AsBytes(kFirstLine)));
  }
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenReadWrite(PathIn(folder)));
  DAYBOOK_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(file));
  DAYBOOK_ASSIGN_OR_RETURN(Loaded loaded, Load(folder, bytes));
  Journal journal(folder, std::move(file), loaded.good_bytes);
  journal.state_ = std::move(loaded.state);
  // What was cut off goes before anything is written behind it. It also makes sure that what is
  // relied on from here is on the device: a process that died may have written and not synced it.
  if (loaded.good_bytes == 0 || !is_new) DAYBOOK_RETURN_IF_ERROR(journal.Replace());
  return journal;
}

absl::Status Journal::Add(const JournalEntry& entry) {
  DAYBOOK_RETURN_IF_ERROR(state_.Apply(entry));
  pending_ += EncodeJournalEntry(entry);
  return absl::OkStatus();
}

absl::Status Journal::Commit() {
  if (pending_.empty()) return absl::OkStatus();
  if (failed_ || size_ + pending_.size() > std::max(compact_at_, kCompactBytesMin)) {
    return Replace();
  }
  failed_ = true;
  DAYBOOK_RETURN_IF_ERROR(file_.WriteAt(size_, AsBytes(pending_)));
  DAYBOOK_RETURN_IF_ERROR(file_.SyncData());
  failed_ = false;
  size_ += pending_.size();
  pending_.clear();
  return absl::OkStatus();
}

// The old file stays until the new one is whole and on the device.
absl::Status Journal::Replace() {
  const std::string text = std::string(kFirstLine) + Encode(state_.ToEntries());
  DAYBOOK_RETURN_IF_ERROR(Directory::WriteFileAtomically(PathIn(folder_), AsBytes(text)));
  DAYBOOK_ASSIGN_OR_RETURN(file_, File::OpenReadWrite(PathIn(folder_)));
  size_ = text.size();
  compact_at_ = 4 * text.size();
  failed_ = false;
  pending_.clear();
  return absl::OkStatus();
}

}  // namespace daybook
