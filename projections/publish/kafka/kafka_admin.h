// Questions to a broker about its topics.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_ADMIN_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_ADMIN_H_

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

// The settings of a topic, by name.
absl::StatusOr<std::map<std::string, std::string>> KafkaTopicConfig(
    rd_kafka_t* handle, const std::string& topic, std::chrono::milliseconds timeout);

// A topic of one partition that keeps the last message of each key. OK where it is there already.
absl::Status CreateCompactedTopic(rd_kafka_t* handle, const std::string& topic,
                                  std::chrono::milliseconds timeout);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_ADMIN_H_
