// An event as a message of Kafka: CloudEvents in binary mode.
//
//   ce_<attribute>      in UTF-8 as it is; datacontenttype is the header content-type
//   daybook-dedupe-key  what a consumer knows a repeat by
//   key, value          from the template; the data (of no bytes where there is none: a message
//                       without a value would delete the key in a compacted topic)

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_MESSAGE_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_MESSAGE_H_

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "daybook/cloud_event.h"
#include "daybook/sink.h"
#include "projections/publish/kafka/kafka_settings.h"

namespace daybook {

struct KafkaHeadersDeleter {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using KafkaHeaders = std::unique_ptr<rd_kafka_headers_t, KafkaHeadersDeleter>;

// Makes one message after another; keeps its memory. The settings must outlive it.
class KafkaMessage {
 public:
  KafkaMessage(const KafkaSettings& settings, std::string_view incarnation);

  // The views are good as long as the event, and until the next call.
  void Reset(const OutgoingEvent& outgoing);

  [[nodiscard]] const std::string& topic() const { return topic_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }
  // What a broker compares to max.message.bytes: a batch with this message alone, not compressed.
  [[nodiscard]] std::size_t batch_bytes() const { return batch_bytes_; }
  KafkaHeaders TakeHeaders() { return std::move(headers_); }

 private:
  void AddHeader(std::string_view name, std::string_view value);

  const KafkaSettings& settings_;
  CloudEvent envelope_;
  KafkaHeaders headers_;
  std::string topic_, key_, text_;
  std::string_view value_;
  std::size_t batch_bytes_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_MESSAGE_H_
