// The file JOURNAL of a sink (docs/format/publishing.md): entries, one a line, each with a checksum
// of its own; only appended to, and replaced as a whole when it has grown.
//
//   daybook publish journal 1\n
//   <XXH3-64 of the rest without its line feed, 16 hex digits> <kind> <name>=<value>\t...\n
//
// One file, so that a copy of it that a backup takes at any moment is a state that was: any
// beginning of it is. A last line that is cut off, or damaged with nothing good behind it, was
// never relied on by anybody who was told so, and is taken off; damage before that is kDataLoss.

#ifndef DAYBOOK_PUBLISH_JOURNAL_H_
#define DAYBOOK_PUBLISH_JOURNAL_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/file.h"
#include "projections/publish/sink_state.h"

namespace daybook {

std::filesystem::path SinkFolder(const std::filesystem::path& store, std::string_view name);

// What is in a file.
absl::StatusOr<std::string> ReadAll(const File& file);

std::string EncodeJournalEntry(const JournalEntry& entry);
// kDataLoss where the line, without its line feed, is none.
absl::StatusOr<JournalEntry> DecodeJournalEntry(std::string_view line);

// The folder and the state of a sink that was published to, for those who do not publish.
// kNotFound where there is none, or whoever was to begin it was refused; else as ReadJournal.
struct KnownSink {
  std::filesystem::path folder;
  SinkState state;
};
absl::StatusOr<KnownSink> FindSink(const std::filesystem::path& store, std::string_view name);

// What a journal says, for those who do not write it. kNotFound, kDataLoss, kFailedPrecondition (a
// newer format).
absl::StatusOr<SinkState> ReadJournal(const std::filesystem::path& folder);

// Not thread-safe; whoever has one holds the sink's lock.
class Journal {
 public:
  // Reads it, takes off what a crash left at its end, or begins an empty one.
  static absl::StatusOr<Journal> Open(const std::filesystem::path& folder);

  [[nodiscard]] const SinkState& state() const { return state_; }
  // Applies an entry, and keeps it to be written.
  absl::Status Add(const JournalEntry& entry);
  // Writes what was added: on the device on return. A process that dies in here leaves a beginning
  // of it. After an error the entries are still to be written.
  absl::Status Commit();
  [[nodiscard]] bool has_uncommitted() const { return !pending_.empty(); }

 private:
  Journal(std::filesystem::path folder, File file, std::uint64_t size)
      : folder_(std::move(folder)), file_(std::move(file)), size_(size) {}
  absl::Status Replace();

  std::filesystem::path folder_;
  File file_;
  std::uint64_t size_;
  std::uint64_t compact_at_ = 0;
  SinkState state_;
  std::string pending_;
  bool failed_ = false;  // a write or a sync: nothing is known of the file, so it is replaced
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_JOURNAL_H_
