// Publishes the events of a store to a topic of Kafka, and says how fast and in how much memory: by
// Daybook's publisher, in either mode, or as librdkafka's own users do, with its asynchronous and
// idempotent producer and the same payloads, headers, compression and waiting times.
//
//   daybook_kafka_publish transactional|idempotent|client STORE HOST:PORT TOPIC

#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/peak_memory.h"
#include "compare/sent_events.h"
#include "daybook/kafka_sink.h"
#include "daybook/publisher.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "kafka_publish: %s\n", what.c_str());
  std::exit(1);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

class Producer {
 public:
  explicit Producer(const std::string& brokers, const std::string& topic) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    std::array<char, 256> error{};
    const std::pair<const char*, const char*> properties[] = {
        {"bootstrap.servers", brokers.c_str()},
        {"enable.idempotence", "true"},
        {"partitioner", "murmur2_random"},
        {"compression.codec", "lz4"},
        {"linger.ms", "5"},
        // As many as the sink has on their way.
        {"queue.buffering.max.messages", "32768"}};
    for (const auto& [name, value] : properties) {
      if (rd_kafka_conf_set(conf, name, value, error.data(), error.size()) != RD_KAFKA_CONF_OK) {
        Die(error.data());
      }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) Die(rd_kafka_err2str(message->err));
    });
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    if (handle_ == nullptr) Die(error.data());
    topic_ = rd_kafka_topic_new(handle_, topic.c_str(), nullptr);
  }
  ~Producer() {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(handle_);
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void Send(const Sent& event, const std::string& key, const std::string& incarnation,
            std::uint64_t position) {
    std::array<char, 32> sequence{};
    std::snprintf(sequence.data(), sequence.size(), "%020llu",
                  static_cast<unsigned long long>(position));
    const std::pair<const char*, std::string_view> headers[] = {
        {"ce_specversion", "1.0"},
        {"ce_id", "01a21062-9e17-79f2-81c5-e48553e2437f"},
        {"ce_source", incarnation},
        {"ce_type", event.type},
        {"ce_subject", event.stream},
        {"ce_time", "2026-01-01T00:00:00.123456789Z"},
        {"content-type", "application/json"},
        {"ce_sequence", sequence.data()},
        {"ce_partitionkey", event.stream},
        {"ce_streamversion", "12"},
        {"ce_recordedtime", "2026-01-01T00:00:00.123456789Z"},
        {"daybook-dedupe-key", key}};
    rd_kafka_headers_t* const list = rd_kafka_headers_new(std::size(headers));
    for (const auto& [name, value] : headers) {
      rd_kafka_header_add(list, name, -1, value.data(), static_cast<ssize_t>(value.size()));
    }
    std::array<rd_kafka_vu_t, 5> arguments{};
    arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
    arguments[0].u.rkt = topic_;
    arguments[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    arguments[1].u.i = RD_KAFKA_MSG_F_COPY;
    arguments[2].vtype = RD_KAFKA_VTYPE_KEY;
    arguments[2].u.mem = {const_cast<char*>(event.stream.data()), event.stream.size()};
    arguments[3].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[3].u.mem = {const_cast<char*>(event.data.data()), event.data.size()};
    arguments[4].vtype = RD_KAFKA_VTYPE_HEADERS;
    arguments[4].u.headers = list;
    while (rd_kafka_error_t* const error =
               rd_kafka_produceva(handle_, arguments.data(), arguments.size())) {
      const bool is_full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
      if (!is_full) Die(rd_kafka_error_string(error));
      rd_kafka_error_destroy(error);
      rd_kafka_poll(handle_, 10);
    }
    if (position % 256 == 0) rd_kafka_poll(handle_, 0);
  }
  void Flush() {
    if (rd_kafka_flush(handle_, 600'000) != RD_KAFKA_RESP_ERR_NO_ERROR) Die("no flush");
  }

 private:
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
};

// As a program would that has its events in memory.
void PublishByClient(const std::vector<Sent>& events, const std::string& brokers,
                     const std::string& topic, const std::string& incarnation) {
  Producer producer(brokers, topic);
  std::uint64_t position = 0;
  for (const Sent& event : events) {
    ++position;
    producer.Send(event, incarnation + ":" + std::to_string(position), "urn:daybook:" + incarnation,
                  position);
  }
  producer.Flush();
}

void PublishByPublisher(const Reader& reader, const std::string& mode, const std::string& brokers,
                        const std::string& topic) {
  // A cursor of its own for each run.
  const std::string name =
      "bench-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  absl::StatusOr<std::unique_ptr<Sink>> sink =
      OpenKafkaSink({.url = "kafka://" + brokers,
                     .destination = topic,
                     .options = {{"mode", mode}, {"name", name}}});
  Check(sink.status());
  const auto publisher =
      Publisher::Open(reader, *std::move(sink), {.name = name, .from = PublishFrom::At(1)});
  Check(publisher.status());
  Check((*publisher)->Run(PublishUntil::kCaughtUp, [] { return true; }));
  if ((*publisher)->status().done != reader.durable().value()) Die("not all was published");
}

int Main(const std::string& mode, const std::string& store, const std::string& brokers,
         const std::string& topic) {
  const auto reader = Reader::Open(store, {});
  Check(reader.status());
  const std::uint64_t events = (*reader)->durable().value();
  const bool by_client = mode == "client";
  absl::StatusOr<std::vector<Sent>> in_memory = std::vector<Sent>();
  if (by_client) in_memory = ReadEvents(**reader);
  Check(in_memory.status());
  PeakRssAnon peak;
  const auto begin = std::chrono::steady_clock::now();
  if (by_client) {
    PublishByClient(*in_memory, brokers, topic, std::string((*reader)->incarnation()));
  } else {
    PublishByPublisher(**reader, mode, brokers, topic);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("{\"events\":%llu,\"rate\":%.0f,\"rss_anon_kib\":%llu}\n",
              static_cast<unsigned long long>(events),
              static_cast<double>(events) / seconds.count(),
              static_cast<unsigned long long>(peak.StopKib()));
  return 0;
}

}  // namespace
}  // namespace daybook::bench

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs(
        "usage: daybook_kafka_publish transactional|idempotent|client STORE HOST:PORT TOPIC\n",
        stderr);
    return 2;
  }
  return daybook::bench::Main(argv[1], argv[2], argv[3], argv[4]);
}
