// What `daybook publish` prints: each a line of JSON, or one for a person.

#ifndef DAYBOOK_CLI_PUBLISH_PRINTER_H_
#define DAYBOOK_CLI_PUBLISH_PRINTER_H_

#include <cstdint>
#include <string>

#include "cli/errors.h"
#include "daybook/publish_letters.h"
#include "daybook/publish_status.h"

namespace daybook::cli {

void AppendPublishStatus(const PublishStatus& status, OutputMode mode, std::string& out);
void AppendParkedStream(const ParkedStream& parked, OutputMode mode, std::string& out);
void AppendLettersDue(std::uint64_t letters, OutputMode mode, std::string& out);
void AppendPublishSkip(const PublishSkip& skip, OutputMode mode, std::string& out);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PUBLISH_PRINTER_H_
