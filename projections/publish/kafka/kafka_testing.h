// librdkafka's own imitation of a cluster, for tests of what the sink does with errors. It checks
// no sequence numbers and shows aborted messages: what a real broker makes of it, the suite in
// tests/brokers shows.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_TESTING_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_TESTING_H_

#include <librdkafka/rdkafka.h>
// After rdkafka.h.
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace daybook::testing {

enum class KafkaRequest : std::int16_t { kProduce = 0, kInitProducerId = 22, kEndTxn = 26 };

struct KafkaRecord {
  std::string key;
  std::string value;
  bool is_null = false;
  std::int32_t partition = 0;
  std::map<std::string, std::string> headers;
};

class KafkaCluster {
 public:
  KafkaCluster();
  ~KafkaCluster();
  KafkaCluster(const KafkaCluster&) = delete;
  KafkaCluster& operator=(const KafkaCluster&) = delete;

  [[nodiscard]] std::string url() const;
  void CreateTopic(const std::string& name, int partitions);
  // The imitation makes every topic that it is asked for; but not this one.
  void ForgetTopic(const std::string& name);
  // The next requests of this kind get these answers, and then all is well again.
  void Answer(KafkaRequest request, const std::vector<rd_kafka_resp_err_t>& errors);
  // A broker that is down refuses connections.
  void SetUp(bool up);
  // All records of a topic, in the order of each partition.
  [[nodiscard]] std::vector<KafkaRecord> Read(const std::string& topic) const;

 private:
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::map<std::string, int> partitions_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_TESTING_H_
