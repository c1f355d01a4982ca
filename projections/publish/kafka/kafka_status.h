// What librdkafka and the broker say, as statuses.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_STATUS_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_STATUS_H_

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string_view>

#include "absl/status/status.h"

namespace daybook {

struct KafkaErrorDeleter {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using KafkaError = std::unique_ptr<rd_kafka_error_t, KafkaErrorDeleter>;

// One line: "kafka: <about>: <what>; <what to do, where that is known>". `about` is a topic, a
// broker, or what was tried; `what` is said in place of the text that the code has.
absl::Status KafkaStatus(rd_kafka_resp_err_t code, std::string_view about,
                         std::string_view what = {});
absl::Status KafkaStatus(const rd_kafka_error_t* error, std::string_view about);

// Whether it is the event that the broker refuses, and would refuse at every attempt.
bool IsAboutTheEvent(rd_kafka_resp_err_t code);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_STATUS_H_
