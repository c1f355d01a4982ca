#include "cli/batch_appender.h"

#include "cli/errors.h"

namespace daybook::cli {
namespace {

constexpr AppendOptions kSkipDuplicates = {.on_duplicate = OnDuplicate::kSkipEvents};

// Whether the store refused what the input says, rather than being unable to append.
bool IsAboutTheInput(const absl::Status& status) {
  return status.code() == absl::StatusCode::kAlreadyExists ||
         status.code() == absl::StatusCode::kInvalidArgument;
}

}  // namespace

absl::Status BatchAppender::Append(Batch& batch) {
  const absl::StatusOr<AppendResult> result = store_.Append(batch.commit, kSkipDuplicates);
  if (!result.ok()) {
    return IsAboutTheInput(result.status()) ? AppendOneByOne(batch) : result.status();
  }
  for (std::size_t i = 0; i < batch.lines.size(); ++i) Count(result->events[i], batch.lines[i]);
  return absl::OkStatus();
}

absl::Status BatchAppender::AppendOneByOne(const Batch& batch) {
  for (const Batch::Line& line : batch.lines) {
    const absl::StatusOr<AppendResult> result = AppendOne(batch, line);
    if (result.ok()) {
      Count(result->events.front(), line);
    } else if (skip_bad_lines_ && IsAboutTheInput(result.status())) {
      ++counts_.skipped;
    } else {
      return AtLine(result.status(), file_, line.number, kLineHint);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<AppendResult> BatchAppender::AppendOne(const Batch& batch, const Batch::Line& line) {
  ParsedEvent parsed;
  DAYBOOK_CLI_RETURN_IF_ERROR(parser_.Parse(batch.record(line), parsed));
  parsed.event.id = line.id;
  Commit commit;
  DAYBOOK_CLI_RETURN_IF_ERROR(commit.Add(parsed.stream, parsed.event));
  return store_.Append(commit, kSkipDuplicates);
}

void BatchAppender::Count(const AppendedEvent& event, const Batch::Line& line) {
  ++(event.duplicate ? counts_.duplicates : counts_.events);
  streams_.insert(line.stream_hash);
}

ImportCounts BatchAppender::counts() const {
  ImportCounts counts = counts_;
  counts.streams = streams_.size();
  return counts;
}

}  // namespace daybook::cli
