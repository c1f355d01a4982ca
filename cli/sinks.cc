#include "cli/sinks.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/strings.h"
#include "daybook/file_sink.h"
#ifdef DAYBOOK_HAS_NATS
#include "daybook/nats_sink.h"
#endif
#ifdef DAYBOOK_HAS_KAFKA
#include "daybook/kafka_sink.h"
#endif
#ifdef DAYBOOK_HAS_SQS
#include "daybook/sqs_sink.h"
#endif

namespace daybook::cli {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kSchemes = {{
    {"nats://", "nats"},
    {"tls://", "nats"},
    {"kafka://", "kafka"},
    {"kafka+tls://", "kafka"},
    {"sqs://", "sqs"},
    {"sqs+http://", "sqs"},
    {"file:", "file"},
    {"stdout", "stdout"},
}};

absl::StatusOr<std::unique_ptr<Sink>> OpenStdout(const SinkSettings& settings, Console& console) {
  return OpenStreamSink(settings, [&console](std::string_view lines) {
    console.out().buffer().append(lines);
    const absl::Status written = console.out().Flush();
    if (!written.ok()) return written;
    return console.out().closed() ? absl::CancelledError("who read it has gone") : absl::OkStatus();
  });
}

#ifdef DAYBOOK_HAS_KAFKA
// The publisher's name is a part of what the broker knows it by, so that two of them, with names of
// their own, do not fence each other.
absl::StatusOr<std::unique_ptr<Sink>> OpenKafka(SinkSettings settings, std::string_view name) {
  const bool is_named = std::any_of(settings.options.begin(), settings.options.end(),
                                    [](const auto& option) { return option.first == "name"; });
  if (!is_named) settings.options.emplace_back("name", name);
  return OpenKafkaSink(settings);
}
#endif

}  // namespace

absl::StatusOr<std::string> SinkKindOf(std::string_view url) {
  for (const auto& [scheme, kind] : kSchemes) {
    if (kind == "stdout" ? url == scheme : url.starts_with(scheme)) return std::string(kind);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--to ", ToAbsl(url),
                   " names no sink, one is nats://HOST:PORT/STREAM, kafka://HOST:PORT, "
                   "sqs://HOST/ACCOUNT/QUEUE, file:PATH or stdout"));
}

absl::StatusOr<std::unique_ptr<Sink>> OpenSink(const SinkSettings& settings,
                                               [[maybe_unused]] std::string_view name,
                                               Console& console) {
  const absl::StatusOr<std::string> kind = SinkKindOf(settings.url);
  if (!kind.ok()) return kind.status();
  if (*kind == "stdout") return OpenStdout(settings, console);
  if (*kind == "file") return OpenFileSink(settings);
#ifdef DAYBOOK_HAS_NATS
  if (*kind == "nats") return OpenNatsSink(settings);
#endif
#ifdef DAYBOOK_HAS_KAFKA
  if (*kind == "kafka") return OpenKafka(settings, name);
#endif
#ifdef DAYBOOK_HAS_SQS
  if (*kind == "sqs") return OpenSqsSink(settings);
#endif
  return absl::FailedPreconditionError(absl::StrCat("this daybook was built without the sink for ",
                                                    *kind, ", use one that was built with it"));
}

}  // namespace daybook::cli
