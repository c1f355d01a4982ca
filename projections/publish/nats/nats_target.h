// Where a NATS sink sends to, as its settings say it: checked, without a connection.

#ifndef DAYBOOK_PUBLISH_NATS_NATS_TARGET_H_
#define DAYBOOK_PUBLISH_NATS_NATS_TARGET_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/name_template.h"
#include "daybook/sink.h"

namespace daybook {

struct NatsTarget {
  struct Header {
    std::string name;
    NameTemplate value;
  };

  std::vector<std::string> servers;  // nats://host:port
  bool tls = false;
  std::string stream;    // empty: found by the subject
  std::string url;       // of all of it, without anything secret
  NameTemplate subject;  // what an event is published to
  std::string filter;    // the subjects that it can make, with wildcards
  std::vector<Header> headers;
  std::string domain, inbox_prefix;
};

// kInvalidArgument, in one line, where the settings make no sense. Reads no file.
absl::StatusOr<NatsTarget> ParseNatsTarget(const SinkSettings& settings);

// Whether a subject, which may have wildcards itself, is within a pattern of NATS: `*` stands for
// one token, `>` for one or more at the end.
bool SubjectMatches(std::string_view pattern, std::string_view subject);

// What AppendPercentEncoded wrote; what is no escape stays as it is.
std::string PercentDecoded(std::string_view value);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_NATS_NATS_TARGET_H_
