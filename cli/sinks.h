// The sinks that this daybook was built with, by the scheme of their URL.

#ifndef DAYBOOK_CLI_SINKS_H_
#define DAYBOOK_CLI_SINKS_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cli/console.h"
#include "daybook/sink.h"

namespace daybook::cli {

// The kind of sink that a URL names: "nats", "kafka", "sqs", "file" or "stdout". kInvalidArgument.
absl::StatusOr<std::string> SinkKindOf(std::string_view url);

// `name` is that of the sink in the store. kInvalidArgument, kFailedPrecondition (not built in).
absl::StatusOr<std::unique_ptr<Sink>> OpenSink(const SinkSettings& settings, std::string_view name,
                                               Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_SINKS_H_
