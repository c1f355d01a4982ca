// A producer of librdkafka: its handle, its topics, and what it has said of itself.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_PRODUCER_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_PRODUCER_H_

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "projections/publish/kafka/kafka_message.h"
#include "projections/publish/kafka/kafka_settings.h"

namespace daybook {

struct KafkaHandleDeleter {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaHandleDeleter>;
struct KafkaTopicDeleter {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using KafkaTopicHandle = std::unique_ptr<rd_kafka_topic_t, KafkaTopicDeleter>;
struct KafkaConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaConfDeleter>;

// What every handle has in common: brokers, security, and that it is silent. With `more`.
// kInvalidArgument names a property that librdkafka does not take; never its value.
absl::StatusOr<KafkaConf> MakeKafkaConf(const KafkaSettings& settings,
                                        const KafkaSettings::Properties& more);

// A topic that a producer knows.
struct KafkaTopic {
  enum class Partition : std::uint8_t { kCold, kWarming, kWarm };
  KafkaTopicHandle handle;
  // Whether a message of this producer was acknowledged in it (KafkaSink says why that matters).
  std::vector<Partition> partitions;
  // Its settings by name; none where the broker does not tell us.
  std::map<std::string, std::string> config;
  std::optional<std::size_t> message_bytes_max;

  // The partition that a Java producer would take too.
  [[nodiscard]] std::int32_t PartitionOf(std::string_view key) const;
};

// Not thread-safe; calls `on_delivery` from Poll and from what waits.
class KafkaProducer {
 public:
  using Milliseconds = std::chrono::milliseconds;
  class Deliveries {
   public:
    virtual void OnDelivery(std::uint64_t token, rd_kafka_resp_err_t error) = 0;

   protected:
    ~Deliveries() = default;
  };

  // `transactional_id` empty: an idempotent producer. A batch holds at most `batch_bytes`.
  static absl::StatusOr<std::unique_ptr<KafkaProducer>> Open(const KafkaSettings& settings,
                                                             const std::string& transactional_id,
                                                             std::size_t batch_bytes,
                                                             Deliveries* deliveries);
  // Gives up what is on its way: no delivery is told any more.
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  [[nodiscard]] rd_kafka_t* handle() const { return handle_.get(); }
  // Waits until a broker answers, or for as long as it makes sense. librdkafka itself would try for
  // ever and say nothing. `first`: no broker has ever answered, so that a name that is not known is
  // the operator's mistake.
  absl::Status Connect(Milliseconds timeout, bool first);
  // kNotFound, kPermissionDenied; asks the broker once for each topic.
  absl::StatusOr<KafkaTopic*> FindTopic(const std::string& name, Milliseconds timeout);
  // Hands a message over; `headers` are taken where it is given. A full queue is
  // kResourceExhausted.
  absl::Status Send(KafkaTopic* topic, std::int32_t partition, std::string_view key,
                    std::string_view value, KafkaHeaders headers, std::uint64_t token,
                    rd_kafka_resp_err_t* code);
  void Poll(Milliseconds timeout) {
    rd_kafka_poll(handle_.get(), static_cast<int>(timeout.count()));
  }
  // Why it will never send again, if it is so.
  [[nodiscard]] absl::Status fatal() const;
  // Drops what it has not sent yet; the deliveries tell.
  void DropQueued();

 private:
  KafkaProducer(const KafkaSettings& settings, Deliveries* deliveries);
  static void OnDeliveryReport(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);
  static void OnError(rd_kafka_t* handle, int code, const char* reason, void* self);
  absl::Status Problem(bool first) const;
  void AskConfig(const std::string& name, KafkaTopic* topic);

  const KafkaSettings& settings_;
  Deliveries* const deliveries_;
  KafkaHandle handle_;
  std::map<std::string, KafkaTopic, std::less<>> topics_;
  KafkaTopic* last_topic_ = nullptr;
  const std::string* last_topic_name_ = nullptr;

  // The last thing that was wrong with a connection.
  rd_kafka_resp_err_t problem_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string problem_text_;
  bool all_down_ = false;
  bool asks_configs_ = true;  // until the broker does not answer
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_PRODUCER_H_
