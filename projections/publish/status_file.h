// The file STATUS of a sink: a record of kind "publish" (projections/record.h), replaced by its
// publisher a few times a second, and never synced.

#ifndef DAYBOOK_PUBLISH_STATUS_FILE_H_
#define DAYBOOK_PUBLISH_STATUS_FILE_H_

#include <filesystem>

#include "absl/status/status.h"
#include "daybook/publish_status.h"

namespace daybook {

absl::Status WritePublishStatus(const std::filesystem::path& folder, const PublishStatus& status);

// Fills head, events_behind and seconds_behind from `acknowledged` and what the reader sees now.
void FillPublishBehind(const Reader& reader, PublishStatus* status);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_STATUS_FILE_H_
