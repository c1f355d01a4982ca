// What `daybook projection` prints.

#ifndef DAYBOOK_CLI_PROJECTION_PRINTER_H_
#define DAYBOOK_CLI_PROJECTION_PRINTER_H_

#include <optional>
#include <string>

#include "cli/errors.h"
#include "daybook/builtin_projection.h"
#include "daybook/dead_letters.h"
#include "daybook/projection_status.h"
#include "daybook/read_model.h"
#include "daybook/rebuild.h"

namespace daybook::cli {

// Each appends a line (text: some lines) to `out`.
void AppendStatus(const ProjectionStatus& status, OutputMode mode, std::string& out);
void AppendRow(const BuiltinRow& row, const std::optional<StaleKey>& stale, OutputMode mode,
               std::string& out);
void AppendParked(const ParkedKey& key, OutputMode mode, std::string& out);
void AppendCompare(const CompareReport& report, OutputMode mode, std::string& out);
void AppendRetry(const RetryResult& result, OutputMode mode, std::string& out);
void AppendRebuilt(const RebuildProgress& progress, OutputMode mode, std::string& out);
void AppendSkip(const ProjectionSkip& skip, OutputMode mode, std::string& out);

// Where it stopped and why, as a sentence; empty where there is nothing to say.
std::string Complaint(const ProjectionStatus& status);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PROJECTION_PRINTER_H_
