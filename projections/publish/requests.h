// What others ask of a sink: that letters are tried again, that an event is skipped. Where nobody
// publishes it goes into the journal at once; else into the file REQUESTS, from which the publisher
// takes it.

#ifndef DAYBOOK_PUBLISH_REQUESTS_H_
#define DAYBOOK_PUBLISH_REQUESTS_H_

#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "projections/publish/journal.h"

namespace daybook {

// Durable on return. kNotFound where there is no such sink.
absl::Status Request(const std::filesystem::path& folder, const std::vector<JournalEntry>& entries);

// Moves what was asked into the journal; a process that dies in here does so again, with the same
// outcome.
absl::Status TakeRequests(const std::filesystem::path& folder, Journal* journal);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_REQUESTS_H_
