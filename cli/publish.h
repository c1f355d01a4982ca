// `daybook publish`: sends events to a sink, and looks after what a sink would not take.

#ifndef DAYBOOK_CLI_PUBLISH_H_
#define DAYBOOK_CLI_PUBLISH_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/publisher.h"
#include "daybook/sink.h"
#include "daybook/values.h"

namespace daybook::cli {

struct PublishFlags {
  enum class Action : std::uint8_t { kRun, kStatus, kParked, kRetry, kSkip };
  Action action = Action::kRun;
  std::string store;
  bool no_mmap = false;
  std::string name;  // of the sink; of kStatus empty: all
  // Of kRun:
  SinkSettings sink;
  PublisherOptions options;  // without the name
  bool follow = false;
  bool prometheus = false;            // of kStatus
  std::optional<std::string> stream;  // of kRetry: absent is all
  Position position;                  // of kSkip, as all below
  std::string reason;
  std::string actor;  // empty: the user
};

absl::Status RunPublish(const PublishFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PUBLISH_H_
