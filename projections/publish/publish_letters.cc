#include "daybook/publish_letters.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/publish/journal.h"
#include "projections/publish/requests.h"
#include "projections/status_file.h"

namespace daybook {

absl::StatusOr<PublishLetters> ReadPublishLetters(const Reader& reader, std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const KnownSink sink, FindSink(reader.directory(), name));
  PublishLetters letters;
  for (const auto& [stream, parked] : sink.state.parked()) letters.parked.push_back(parked);
  for (const auto& [position, skip] : sink.state.skips()) letters.skips.push_back(skip);
  return letters;
}

absl::StatusOr<std::uint64_t> RetryLetters(const Reader& reader, std::string_view name,
                                           const std::optional<std::string>& stream) {
  DAYBOOK_ASSIGN_OR_RETURN(const KnownSink sink, FindSink(reader.directory(), name));
  std::vector<JournalEntry> entries;
  std::uint64_t letters = 0;
  for (const auto& [each, parked] : sink.state.parked()) {
    if (stream && *stream != each) continue;
    entries.push_back(DueEntry(each));
    letters += parked.letters.size();
  }
  if (stream && entries.empty()) {
    return absl::NotFoundError(
        absl::StrCat("stream '", *stream, "' has no letters in '", ToAbsl(name), "'"));
  }
  if (!entries.empty()) DAYBOOK_RETURN_IF_ERROR(Request(sink.folder, entries));
  return letters;
}

absl::StatusOr<PublishSkip> SkipLetter(const Reader& reader, std::string_view name,
                                       const PublishSkip& skip) {
  DAYBOOK_ASSIGN_OR_RETURN(const KnownSink sink, FindSink(reader.directory(), name));
  if (skip.reason.empty() || skip.actor.empty()) {
    return absl::InvalidArgumentError("a skip has a reason, and says who decided it");
  }
  if (const auto known = sink.state.skips().find(skip.position.value());
      known != sink.state.skips().end()) {
    return known->second;
  }
  // Where the line stands now: an event that stops the publisher is the next of it.
  const bool is_next = skip.position > sink.state.line() && skip.position <= reader.durable();
  if (sink.state.StreamOf(skip.position) == nullptr && !is_next) {
    return absl::FailedPreconditionError(
        absl::StrCat("position ", skip.position.value(), " is neither parked in '", ToAbsl(name),
                     "' nor still to be sent: the cursor is at ", sink.state.line().value(),
                     ", the store at ", reader.durable().value()));
  }
  PublishSkip decided = skip;
  decided.time = SystemNow();
  DAYBOOK_RETURN_IF_ERROR(Request(sink.folder, {SkipEntry(decided)}));
  return decided;
}

}  // namespace daybook
