#include "projections/publish/kafka/kafka_testing.h"

#include <array>

#include "tests/catch.h"

namespace daybook::testing {
namespace {

rd_kafka_t* NewHandle(rd_kafka_type_t type, const std::string& brokers) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  std::array<char, 256> error{};
  const auto set = [&](const char* name, const char* value) {
    REQUIRE(rd_kafka_conf_set(conf, name, value, error.data(), error.size()) == RD_KAFKA_CONF_OK);
  };
  if (!brokers.empty()) set("bootstrap.servers", brokers.c_str());
  if (type == RD_KAFKA_CONSUMER) {
    set("enable.partition.eof", "true");
    set("auto.offset.reset", "earliest");
    set("fetch.wait.max.ms", "10");
  }
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_t* const handle = rd_kafka_new(type, conf, error.data(), error.size());
  REQUIRE(handle != nullptr);
  return handle;
}

KafkaRecord RecordOf(const rd_kafka_message_t& message) {
  KafkaRecord record;
  record.key.assign(static_cast<const char*>(message.key), message.key_len);
  record.is_null = message.payload == nullptr;
  if (!record.is_null) record.value.assign(static_cast<const char*>(message.payload), message.len);
  record.partition = message.partition;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    CHECK(record.headers.emplace(name, std::string(static_cast<const char*>(value), size)).second);
  }
  return record;
}

}  // namespace

KafkaCluster::KafkaCluster() : handle_(NewHandle(RD_KAFKA_PRODUCER, "")) {
  cluster_ = rd_kafka_mock_cluster_new(handle_, 1);
  REQUIRE(cluster_ != nullptr);
}

KafkaCluster::~KafkaCluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(handle_);
}

std::string KafkaCluster::url() const {
  return std::string("kafka://") + rd_kafka_mock_cluster_bootstraps(cluster_);
}

void KafkaCluster::CreateTopic(const std::string& name, int partitions) {
  REQUIRE(rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
  partitions_[name] = partitions;
}

void KafkaCluster::ForgetTopic(const std::string& name) {
  rd_kafka_mock_topic_set_error(cluster_, name.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

void KafkaCluster::Answer(KafkaRequest request, const std::vector<rd_kafka_resp_err_t>& errors) {
  rd_kafka_mock_push_request_errors_array(cluster_, static_cast<std::int16_t>(request),
                                          errors.size(), errors.data());
}

void KafkaCluster::SetUp(bool up) {
  if (up) {
    rd_kafka_mock_broker_set_up(cluster_, 1);
  } else {
    rd_kafka_mock_broker_set_down(cluster_, 1);
  }
}

std::vector<KafkaRecord> KafkaCluster::Read(const std::string& topic) const {
  std::vector<KafkaRecord> records;
  rd_kafka_t* const consumer =
      NewHandle(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(cluster_));
  rd_kafka_topic_t* const handle = rd_kafka_topic_new(consumer, topic.c_str(), nullptr);
  for (std::int32_t partition = 0; partition < partitions_.at(topic); ++partition) {
    REQUIRE(rd_kafka_consume_start(handle, partition, RD_KAFKA_OFFSET_BEGINNING) == 0);
    for (bool end = false; !end;) {
      rd_kafka_message_t* const message = rd_kafka_consume(handle, partition, 5000);
      REQUIRE(message != nullptr);
      end = message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
      if (!end) records.push_back(RecordOf(*message));
      if (end) CHECK(message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consume_stop(handle, partition);
  }
  rd_kafka_topic_destroy(handle);
  rd_kafka_destroy(consumer);
  return records;
}

}  // namespace daybook::testing
