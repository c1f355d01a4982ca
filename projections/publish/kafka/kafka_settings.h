// What a KafkaSink is made with: SinkSettings, read and checked.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_SETTINGS_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_SETTINGS_H_

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daybook/name_template.h"
#include "daybook/sink.h"

namespace daybook {

struct KafkaSettings {
  // By name, as librdkafka knows them.
  using Properties = std::vector<std::pair<std::string, std::string>>;

  bool transactional = true;
  std::string brokers;  // "host:port,host:port"
  std::string destination;
  std::string name;
  std::string cursor_topic = "daybook.cursors";
  NameTemplate topic, key;
  std::vector<std::pair<std::string, NameTemplate>> headers;
  Properties security;  // of TLS and SASL
  std::string compression = "lz4";
  std::chrono::milliseconds commit_interval{200};
  std::chrono::milliseconds timeout{0};
  NoticeHandler on_notice;

  [[nodiscard]] std::string TransactionalId(std::string_view incarnation) const;
};

absl::StatusOr<KafkaSettings> ParseKafkaSettings(const SinkSettings& settings);

// Whether a broker takes this as the name of a topic.
bool IsKafkaTopicName(std::string_view name);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_SETTINGS_H_
