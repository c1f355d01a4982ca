#include "projections/publish/kafka/kafka_cursor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/json_text.h"
#include "projections/publish/kafka/kafka_admin.h"
#include "projections/publish/kafka/kafka_status.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kFormat = 1;
// How much of the topic's end is read first. A publisher that wrote last finds its cursor there;
// the whole topic is read only where many others wrote since.
constexpr std::int64_t kTailMessages = 2000;

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};

absl::Status NoCursor(std::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("kafka: what stands in the cursor topic is no cursor (", ToAbsl(why),
                   "); say where to begin, or name another cursor-topic"));
}

std::optional<std::uint64_t> ParseCount(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > kCountMax) {
    return std::nullopt;
  }
  return value;
}

// Reads the topic from an offset to its end, and keeps the last message of the key.
class Search {
 public:
  Search(rd_kafka_t* consumer, rd_kafka_topic_t* topic, std::string_view key,
         steady_clock::time_point deadline)
      : consumer_(consumer), topic_(topic), key_(key), deadline_(deadline) {}

  absl::Status Run(std::int64_t from) {
    if (rd_kafka_consume_start(topic_, kCursorPartition, from) != 0) {
      return KafkaStatus(rd_kafka_last_error(), "the cursor topic");
    }
    absl::Status status = ReadToEnd();
    rd_kafka_consume_stop(topic_, kCursorPartition);
    return status;
  }
  [[nodiscard]] const std::optional<std::string>& found() const { return found_; }

 private:
  absl::Status ReadToEnd() {
    while (steady_clock::now() < deadline_) {
      const std::unique_ptr<rd_kafka_message_t, MessageDeleter> message(
          rd_kafka_consume(topic_, kCursorPartition, 100));
      rd_kafka_poll(consumer_, 0);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (message->key != nullptr &&
            std::string_view(static_cast<const char*>(message->key), message->key_len) == key_) {
          found_.emplace(static_cast<const char*>(message->payload), message->len);
        }
      } else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        return KafkaStatus(message->err, "the cursor topic",
                           rd_kafka_message_errstr(message.get()));
      } else if (IsTheEnd(*message)) {
        return absl::OkStatus();
      }
    }
    return absl::UnavailableError(
        "kafka: the cursor topic cannot be read to its end: a transaction is open in it. One of a "
        "publisher that died ends within a minute; where it stays, the broker has lost its end, "
        "see "
        "kafka-transactions.sh find-hanging");
  }

  // A consumer of committed messages stops where the oldest open transaction begins, also where
  // that is another publisher's: our cursor may stand behind it.
  bool IsTheEnd(const rd_kafka_message_t& eof) {
    if (!end_) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      if (rd_kafka_get_watermark_offsets(consumer_, rd_kafka_topic_name(topic_), kCursorPartition,
                                         &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
          high < 0) {
        return false;
      }
      end_ = high;
    }
    return eof.offset >= *end_;
  }

  rd_kafka_t* const consumer_;
  rd_kafka_topic_t* const topic_;
  const std::string_view key_;
  const steady_clock::time_point deadline_;
  std::optional<std::int64_t> end_;
  std::optional<std::string> found_;
};

}  // namespace

std::string EncodeKafkaCursor(const BrokerMark& mark, std::string_view dedupe_key) {
  std::string json = absl::StrCat("{\"format\":", kFormat, ",\"incarnation\":");
  AppendJsonString(mark.incarnation, json);
  absl::StrAppend(&json, ",\"line\":", mark.line.value());
  if (mark.aside) absl::StrAppend(&json, ",\"aside\":", mark.aside->value());
  if (!mark.replay.empty()) {
    json.append(",\"replay\":");
    AppendJsonString(mark.replay, json);
  }
  json.append(",\"dedupe_key\":");
  AppendJsonString(dedupe_key, json);
  json.push_back('}');
  return json;
}

absl::StatusOr<BrokerMark> DecodeKafkaCursor(std::string_view text) {
  std::vector<JsonField> fields;
  if (!IsJsonObject(text) || !SplitJsonObject(text, fields).ok()) return NoCursor("no JSON");
  const auto value = [&](std::string_view key) {
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](auto& field) { return field.key == key; });
    return found == fields.end() ? std::string_view() : found->value;
  };
  if (ParseCount(value("format")) != kFormat) return NoCursor("of another format");
  const std::optional<std::uint64_t> line = ParseCount(value("line"));
  absl::StatusOr<std::string> incarnation = UnquoteJson(value("incarnation"));
  if (!line || !incarnation.ok()) return NoCursor("a field is missing");
  BrokerMark mark;
  mark.incarnation = *std::move(incarnation);
  mark.line = Position(*line);
  if (!value("aside").empty()) {
    const std::optional<std::uint64_t> aside = ParseCount(value("aside"));
    if (!aside) return NoCursor("the field aside");
    mark.aside = Position(*aside);
  }
  if (!value("replay").empty()) {
    DAYBOOK_ASSIGN_OR_RETURN(mark.replay, UnquoteJson(value("replay")));
  }
  return mark;
}

absl::StatusOr<KafkaTopic*> FindCursorTopic(KafkaProducer* producer,
                                            const KafkaSettings& settings) {
  const std::string& name = settings.cursor_topic;
  absl::StatusOr<KafkaTopic*> topic = producer->FindTopic(name, settings.timeout);
  if (absl::IsNotFound(topic.status())) {
    const absl::Status made = CreateCompactedTopic(producer->handle(), name, settings.timeout);
    if (!made.ok()) {
      return absl::Status(
          made.code(),
          absl::StrCat(made.message(), "; the publisher keeps its cursor there: create it (",
                       "kafka-topics.sh --create --topic ", name,
                       " --partitions 1 --config cleanup.policy=compact)"));
    }
    // Every broker hears of a new topic in its own time.
    const steady_clock::time_point deadline = steady_clock::now() + settings.timeout;
    do {
      producer->Poll(milliseconds(50));
      topic = producer->FindTopic(name, settings.timeout);
    } while (!topic.ok() && steady_clock::now() < deadline);
  }
  if (!topic.ok()) return topic;
  const auto policy = (*topic)->config.find("cleanup.policy");
  if (policy != (*topic)->config.end() && policy->second != "compact") {
    return absl::FailedPreconditionError(
        absl::StrCat("kafka: the topic ", name, " has cleanup.policy=", policy->second,
                     ", so that the cursor would be deleted one day; set cleanup.policy=compact"));
  }
  return topic;
}

absl::StatusOr<std::optional<BrokerMark>> ReadKafkaCursor(const KafkaSettings& settings,
                                                          std::string_view transactional_id) {
  DAYBOOK_ASSIGN_OR_RETURN(KafkaConf conf,
                           MakeKafkaConf(settings, {
                                                       {"isolation.level", "read_committed"},
                                                       {"enable.partition.eof", "true"},
                                                       {"auto.offset.reset", "earliest"},
                                                       {"fetch.wait.max.ms", "10"},
                                                   }));
  std::array<char, 256> error{};
  const KafkaHandle consumer(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), error.data(), error.size()));
  if (consumer == nullptr) return absl::InvalidArgumentError(absl::StrCat("kafka: ", error.data()));
  static_cast<void>(conf.release());  // the consumer has it now
  const KafkaTopicHandle topic(
      rd_kafka_topic_new(consumer.get(), settings.cursor_topic.c_str(), nullptr));
  const steady_clock::time_point deadline = steady_clock::now() + settings.timeout;
  Search search(consumer.get(), topic.get(), transactional_id, deadline);
  DAYBOOK_RETURN_IF_ERROR(search.Run(RD_KAFKA_OFFSET_TAIL(kTailMessages)));
  if (!search.found()) DAYBOOK_RETURN_IF_ERROR(search.Run(RD_KAFKA_OFFSET_BEGINNING));
  if (!search.found()) return std::optional<BrokerMark>();
  DAYBOOK_ASSIGN_OR_RETURN(BrokerMark mark, DecodeKafkaCursor(*search.found()));
  return std::optional<BrokerMark>(std::move(mark));
}

}  // namespace daybook
