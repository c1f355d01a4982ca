#include "projections/publish/kafka/kafka_admin.h"

#include <array>
#include <cstddef>
#include <memory>

#include "absl/strings/str_cat.h"
#include "projections/publish/kafka/kafka_status.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;

template <auto Destroy>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Destroy(object);
  }
};
using Queue = std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>>;
using AdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>>;
using ConfigResource =
    std::unique_ptr<rd_kafka_ConfigResource_t, Deleter<rd_kafka_ConfigResource_destroy>>;

constexpr milliseconds kAnswerMargin{1000};

AdminOptions MakeOptions(rd_kafka_t* handle, rd_kafka_admin_op_t operation, milliseconds timeout) {
  AdminOptions options(rd_kafka_AdminOptions_new(handle, operation));
  std::array<char, 128> error{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(timeout.count()),
                                            error.data(), error.size());
  return options;
}

// The answer, which comes by itself where the time runs out.
absl::StatusOr<Event> Wait(rd_kafka_queue_t* queue, milliseconds timeout,
                           const std::string& topic) {
  Event event(rd_kafka_queue_poll(queue, static_cast<int>((timeout + kAnswerMargin).count())));
  if (event == nullptr) return KafkaStatus(RD_KAFKA_RESP_ERR__TIMED_OUT, topic);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return KafkaStatus(rd_kafka_event_error(event.get()), topic,
                       rd_kafka_event_error_string(event.get()));
  }
  return event;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> KafkaTopicConfig(rd_kafka_t* handle,
                                                                    const std::string& topic,
                                                                    milliseconds timeout) {
  const Queue queue(rd_kafka_queue_new(handle));
  const AdminOptions options = MakeOptions(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout);
  const ConfigResource resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  std::array<rd_kafka_ConfigResource_t*, 1> resources = {resource.get()};
  rd_kafka_DescribeConfigs(handle, resources.data(), resources.size(), options.get(), queue.get());
  absl::StatusOr<Event> event = Wait(queue.get(), timeout, topic);
  if (!event.ok()) return event.status();
  const rd_kafka_DescribeConfigs_result_t* const result =
      rd_kafka_event_DescribeConfigs_result(event->get());
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** const answers =
      rd_kafka_DescribeConfigs_result_resources(result, &count);
  if (count != 1) return KafkaStatus(RD_KAFKA_RESP_ERR__BAD_MSG, topic);
  const rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(answers[0]);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaStatus(error, topic);
  const rd_kafka_ConfigEntry_t** const entries =
      rd_kafka_ConfigResource_configs(answers[0], &count);
  std::map<std::string, std::string> config;
  for (std::size_t i = 0; i < count; ++i) {
    const char* const value = rd_kafka_ConfigEntry_value(entries[i]);
    config.emplace(rd_kafka_ConfigEntry_name(entries[i]), value != nullptr ? value : "");
  }
  return config;
}

absl::Status CreateCompactedTopic(rd_kafka_t* handle, const std::string& topic,
                                  milliseconds timeout) {
  const Queue queue(rd_kafka_queue_new(handle));
  const AdminOptions options = MakeOptions(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
  constexpr int kReplicasOfTheBroker = -1;
  std::array<char, 256> text{};
  const NewTopic wanted(
      rd_kafka_NewTopic_new(topic.c_str(), 1, kReplicasOfTheBroker, text.data(), text.size()));
  if (wanted == nullptr) return absl::InternalError(absl::StrCat("kafka: ", text.data()));
  rd_kafka_NewTopic_set_config(wanted.get(), "cleanup.policy", "compact");
  std::array<rd_kafka_NewTopic_t*, 1> topics = {wanted.get()};
  rd_kafka_CreateTopics(handle, topics.data(), topics.size(), options.get(), queue.get());
  absl::StatusOr<Event> event = Wait(queue.get(), timeout, topic);
  if (!event.ok()) return event.status();
  std::size_t count = 0;
  const rd_kafka_topic_result_t** const answers =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  if (count != 1) return KafkaStatus(RD_KAFKA_RESP_ERR__BAD_MSG, topic);
  const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(answers[0]);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    return absl::OkStatus();
  }
  const char* const why = rd_kafka_topic_result_error_string(answers[0]);
  return KafkaStatus(error, topic, why != nullptr ? why : "");
}

}  // namespace daybook
