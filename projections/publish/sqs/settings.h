// SinkSettings, as this sink understands them.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_SETTINGS_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_SETTINGS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "daybook/sink.h"
#include "projections/publish/sqs/client.h"
#include "projections/publish/sqs/message.h"
#include "projections/publish/sqs/queue_url.h"

namespace daybook::sqs {

struct Settings {
  QueueUrl queue;
  MessageForm form;
  ClientSettings client;
  std::string credentials_file;
  std::string profile = "default";
  std::size_t message_bytes_max = 0;  // 0: what the queue says
};

// kInvalidArgument says what makes no sense.
absl::StatusOr<Settings> ReadSettings(const SinkSettings& given);

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_SETTINGS_H_
