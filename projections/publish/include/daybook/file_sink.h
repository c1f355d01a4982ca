// Sinks that write lines: a file, and whatever takes text (the standard output).
//
// A line is an event as `daybook read` prints it, or with the option `format` = `cloudevents` a
// CloudEvent in the structured form; an event of a replay has "replay" in it. Nothing is ever
// poison here.

#ifndef DAYBOOK_FILE_SINK_H_
#define DAYBOOK_FILE_SINK_H_

#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/sink.h"

namespace daybook {

// `file:PATH`. The option `rotate-bytes` (256 MiB; 0: never) is the size from which on the file is
// renamed to PATH.000001, PATH.000002, ... and a new one begun.
//
// After any kill of the publisher: nothing lost, doubled or out of order. An acknowledged line is
// on the device. A new session takes off the file what was written behind the last saved cursor,
// also rotated files, and writes it again, the same bytes: who follows the file and must not see
// that reads up to the cursor (`daybook publish status`).
//
// The file is locked (flock) while it is written: a second publisher, of whatever store, is refused
// with kUnavailable.
//
// A file that holds CloudEvents can be asked where to go on (--from broker).
absl::StatusOr<std::unique_ptr<Sink>> OpenFileSink(const SinkSettings& settings);

// Gives the lines of each batch to `write`, whose OK is the acknowledgement. At least once.
absl::StatusOr<std::unique_ptr<Sink>> OpenStreamSink(
    const SinkSettings& settings, std::function<absl::Status(std::string_view lines)> write);

}  // namespace daybook

#endif  // DAYBOOK_FILE_SINK_H_
