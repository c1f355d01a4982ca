#include "projections/publish/kafka/kafka_producer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/publish/kafka/kafka_admin.h"
#include "projections/publish/kafka/kafka_status.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kErrorBytes = 512;
// How long one question waits while others want to be seen to.
constexpr milliseconds kQuestionTime{100};
constexpr milliseconds kConfigTime{500};
// More than an event and its envelope can have: what is too large, the topic's own limit says.
constexpr std::string_view kMessageBytesMax = "67108864";

// The token of a message travels as a pointer, and is never followed.
void* ToOpaque(std::uint64_t token) { return reinterpret_cast<void*>(token); }
std::uint64_t ToToken(const void* opaque) { return reinterpret_cast<std::uintptr_t>(opaque); }

rd_kafka_vu_t Argument(rd_kafka_vtype_t type) {
  rd_kafka_vu_t argument{};
  argument.vtype = type;
  return argument;
}

rd_kafka_vu_t MemoryArgument(rd_kafka_vtype_t type, std::string_view bytes) {
  rd_kafka_vu_t argument = Argument(type);
  // librdkafka copies it; no bytes are not the same as none at all.
  argument.u.mem.ptr = const_cast<char*>(bytes.data() != nullptr ? bytes.data() : "");
  argument.u.mem.size = bytes.size();
  return argument;
}

}  // namespace

absl::StatusOr<KafkaConf> MakeKafkaConf(const KafkaSettings& settings,
                                        const KafkaSettings::Properties& more) {
  KafkaConf conf(rd_kafka_conf_new());
  const std::string timeout = absl::StrCat(settings.timeout.count());
  KafkaSettings::Properties properties = {
      {"client.id", "daybook"},
      {"bootstrap.servers", settings.brokers},
      {"allow.auto.create.topics", "false"},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
      {"socket.keepalive.enable", "true"},
      {"socket.nagle.disable", "true"},
      {"socket.timeout.ms", timeout},
      {"socket.connection.setup.timeout.ms", timeout},
      {"log_level", "0"},
  };
  properties.insert(properties.end(), settings.security.begin(), settings.security.end());
  properties.insert(properties.end(), more.begin(), more.end());
  for (const auto& [name, value] : properties) {
    std::array<char, kErrorBytes> error{};
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      // What librdkafka says would have the value in it, which may be a secret.
      return absl::InvalidArgumentError(
          absl::StrCat("kafka: librdkafka does not take the property ", name, ", or its value"));
    }
  }
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  return conf;
}

std::int32_t KafkaTopic::PartitionOf(std::string_view key) const {
  return rd_kafka_msg_partitioner_murmur2_random(handle.get(), key.data(), key.size(),
                                                 static_cast<std::int32_t>(partitions.size()),
                                                 nullptr, nullptr);
}

KafkaProducer::KafkaProducer(const KafkaSettings& settings, Deliveries* deliveries)
    : settings_(settings), deliveries_(deliveries) {}

absl::StatusOr<std::unique_ptr<KafkaProducer>> KafkaProducer::Open(
    const KafkaSettings& settings, const std::string& transactional_id, std::size_t batch_bytes,
    Deliveries* deliveries) {
  const std::string timeout = absl::StrCat(settings.timeout.count());
  KafkaSettings::Properties more = {
      {"acks", "all"},
      {"enable.idempotence", "true"},
      {"partitioner", "murmur2_random"},
      // The sink stops the line by itself: a message that librdkafka gives up is a gap.
      {"message.timeout.ms", "0"},
      {"request.timeout.ms", timeout},
      {"message.max.bytes", std::string(kMessageBytesMax)},
      {"batch.size", absl::StrCat(batch_bytes)},
      {"linger.ms", "5"},
      {"compression.codec", settings.compression},
      // Bounded by SinkLimits, in events and in bytes.
      {"queue.buffering.max.messages", "1000000"},
      {"queue.buffering.max.kbytes", "1048576"},
      {"topic.metadata.propagation.max.ms", "1000"},
  };
  if (transactional_id.empty()) {
    more.emplace_back("enable.gapless.guarantee", "true");
  } else {
    constexpr milliseconds kTransactionTimeout{60'000};
    more.emplace_back("transactional.id", transactional_id);
    // Longer than every wait of ours: else the broker aborts what we still hope for.
    more.emplace_back("transaction.timeout.ms",
                      absl::StrCat(std::max(kTransactionTimeout, 3 * settings.timeout).count()));
  }
  DAYBOOK_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(settings, more));
  std::unique_ptr<KafkaProducer> producer(new KafkaProducer(settings, deliveries));
  rd_kafka_conf_set_opaque(conf.get(), producer.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &OnDeliveryReport);
  rd_kafka_conf_set_error_cb(conf.get(), &OnError);
  std::array<char, kErrorBytes> error{};
  producer->handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), error.data(), error.size()));
  if (producer->handle_ == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("kafka: ", error.data()));
  }
  static_cast<void>(conf.release());  // the producer has it now
  return producer;
}

KafkaProducer::~KafkaProducer() {
  if (handle_ == nullptr) return;
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
  topics_.clear();
}

void KafkaProducer::OnDeliveryReport(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message,
                                     void* self) {
  static_cast<KafkaProducer*>(self)->deliveries_->OnDelivery(ToToken(message->_private),
                                                             message->err);
}

void KafkaProducer::OnError(rd_kafka_t* /*handle*/, int code, const char* reason, void* self) {
  auto* const producer = static_cast<KafkaProducer*>(self);
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    producer->all_down_ = true;
    return;
  }
  // A refused password or certificate is what matters, whatever else fails beside it.
  if (producer->problem_ == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
      producer->problem_ == RD_KAFKA_RESP_ERR__SSL) {
    return;
  }
  producer->problem_ = error;
  producer->problem_text_ = reason;
}

absl::Status KafkaProducer::Problem(bool first) const {
  const absl::Status status = KafkaStatus(problem_, settings_.brokers, problem_text_);
  // That a name is not known may pass, but not where it was never known.
  if (problem_ == RD_KAFKA_RESP_ERR__RESOLVE && first) {
    return absl::InvalidArgumentError(status.message());
  }
  // A broker that goes down cuts a handshake short, too; only a bad certificate stays as it is.
  if (problem_ == RD_KAFKA_RESP_ERR__SSL &&
      problem_text_.find("certificate") == std::string::npos &&
      problem_text_.find("wrong version number") == std::string::npos) {
    return absl::UnavailableError(status.message());
  }
  return status;
}

absl::Status KafkaProducer::Connect(milliseconds timeout, bool first) {
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  while (true) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const rd_kafka_resp_err_t error = rd_kafka_metadata(handle_.get(), 0, nullptr, &metadata,
                                                        static_cast<int>(kQuestionTime.count()));
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
    Poll(milliseconds(0));
    DAYBOOK_RETURN_IF_ERROR(fatal());
    const bool for_ever =
        problem_ == RD_KAFKA_RESP_ERR__AUTHENTICATION || problem_ == RD_KAFKA_RESP_ERR__SSL;
    const bool named = problem_ != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (for_ever || (all_down_ && named)) return Problem(first);
    if (steady_clock::now() < deadline) continue;
    if (named) return Problem(first);
    return absl::DeadlineExceededError(absl::StrCat(
        "kafka: ", settings_.brokers, ": no broker answered within ", timeout.count(), " ms"));
  }
}

absl::StatusOr<KafkaTopic*> KafkaProducer::FindTopic(const std::string& name,
                                                     milliseconds timeout) {
  if (last_topic_ != nullptr && *last_topic_name_ == name) return last_topic_;
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    KafkaTopic topic;
    topic.handle.reset(rd_kafka_topic_new(handle_.get(), name.c_str(), nullptr));
    if (topic.handle == nullptr) return KafkaStatus(rd_kafka_last_error(), name);
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t error = rd_kafka_metadata(handle_.get(), 0, topic.handle.get(), &metadata,
                                                  static_cast<int>(timeout.count()));
    std::size_t partitions = 0;
    if (metadata != nullptr) {
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        error = metadata->topics[0].err;
        partitions = static_cast<std::size_t>(metadata->topics[0].partition_cnt);
      }
      rd_kafka_metadata_destroy(metadata);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return KafkaStatus(error, absl::StrCat("the topic ", name));
    }
    if (partitions == 0) {
      return KafkaStatus(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, absl::StrCat("the topic ", name));
    }
    topic.partitions.resize(partitions);
    AskConfig(name, &topic);
    found = topics_.emplace(name, std::move(topic)).first;
  }
  last_topic_name_ = &found->first;
  last_topic_ = &found->second;
  return last_topic_;
}

// The limits of a topic are good to know, but not more than that: who may not ask for them does
// without.
void KafkaProducer::AskConfig(const std::string& name, KafkaTopic* topic) {
  if (!asks_configs_) return;
  absl::StatusOr<std::map<std::string, std::string>> config =
      KafkaTopicConfig(handle_.get(), name, std::min(kConfigTime, settings_.timeout));
  if (!config.ok()) {
    asks_configs_ = false;
    return;
  }
  topic->config = *std::move(config);
  const auto found = topic->config.find("max.message.bytes");
  if (found == topic->config.end()) return;
  const std::string& text = found->second;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error == std::errc()) topic->message_bytes_max = limit;
}

absl::Status KafkaProducer::Send(KafkaTopic* topic, std::int32_t partition, std::string_view key,
                                 std::string_view value, KafkaHeaders headers, std::uint64_t token,
                                 rd_kafka_resp_err_t* code) {
  std::array<rd_kafka_vu_t, 7> arguments = {Argument(RD_KAFKA_VTYPE_RKT),
                                            Argument(RD_KAFKA_VTYPE_PARTITION),
                                            Argument(RD_KAFKA_VTYPE_MSGFLAGS),
                                            MemoryArgument(RD_KAFKA_VTYPE_KEY, key),
                                            MemoryArgument(RD_KAFKA_VTYPE_VALUE, value),
                                            Argument(RD_KAFKA_VTYPE_OPAQUE),
                                            Argument(RD_KAFKA_VTYPE_HEADERS)};
  arguments[0].u.rkt = topic->handle.get();
  arguments[1].u.i32 = partition;
  arguments[2].u.i = RD_KAFKA_MSG_F_COPY;
  arguments[5].u.ptr = ToOpaque(token);
  arguments[6].u.headers = headers.get();
  const std::size_t count = headers != nullptr ? arguments.size() : arguments.size() - 1;
  // A full queue gets room while deliveries are told.
  for (steady_clock::time_point deadline = steady_clock::now() + settings_.timeout;;) {
    const KafkaError error(rd_kafka_produceva(handle_.get(), arguments.data(), count));
    if (error == nullptr) {
      static_cast<void>(headers.release());
      return absl::OkStatus();
    }
    *code = rd_kafka_error_code(error.get());
    if (*code != RD_KAFKA_RESP_ERR__QUEUE_FULL || steady_clock::now() > deadline) {
      return KafkaStatus(error.get(), rd_kafka_topic_name(topic->handle.get()));
    }
    Poll(milliseconds(10));
  }
}

absl::Status KafkaProducer::fatal() const {
  std::array<char, kErrorBytes> text{};
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(handle_.get(), text.data(), text.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return KafkaStatus(code, settings_.brokers, text.data());
}

void KafkaProducer::DropQueued() {
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace daybook
