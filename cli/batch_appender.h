// The appending half of an import.

#ifndef DAYBOOK_CLI_BATCH_APPENDER_H_
#define DAYBOOK_CLI_BATCH_APPENDER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "cli/batch_queue.h"
#include "cli/event_parser.h"
#include "daybook/store.h"

namespace daybook::cli {

// What to do about a bad line.
inline constexpr std::string_view kLineHint = "correct it, or pass over it with --on-error skip";

struct ImportCounts {
  std::uint64_t events = 0;      // appended
  std::uint64_t duplicates = 0;  // there already
  std::uint64_t skipped = 0;     // bad lines that were passed over
  std::uint64_t streams = 0;     // that the events (appended or there already) are of
};

// Appends batches and counts. Not thread-safe; after an error nothing more may be appended.
class BatchAppender {
 public:
  // `parser` reads a record of `file` again where its batch was refused.
  BatchAppender(Store& store, EventParser parser, std::string file, bool skip_bad_lines)
      : store_(store),
        parser_(std::move(parser)),
        file_(std::move(file)),
        skip_bad_lines_(skip_bad_lines) {}

  // Appends the batch in one commit. Where the store refuses it because of what is in it, the
  // events are appended one by one, so that the good lines before the bad one are in and the error
  // names that line.
  absl::Status Append(Batch& batch);

  [[nodiscard]] ImportCounts counts() const;

 private:
  absl::Status AppendOneByOne(const Batch& batch);
  absl::StatusOr<AppendResult> AppendOne(const Batch& batch, const Batch::Line& line);
  void Count(const AppendedEvent& event, const Batch::Line& line);

  Store& store_;
  EventParser parser_;
  const std::string file_;
  const bool skip_bad_lines_;
  ImportCounts counts_;
  absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>> streams_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_BATCH_APPENDER_H_
